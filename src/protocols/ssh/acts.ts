import type { Act, ObjectRef } from '../../core/operation.ts';

/** What every operation of a session asks besides, where it runs as another user than the target's own. */
export function remoteUserActs(target: string, remoteUser: string, isOwnUser: boolean): readonly Act[] {
  return isOwnUser ? [] : [{ action: 'ssh:log-in-as', object: { type: 'Role', id: `${target}/${remoteUser}` } }];
}

export function targetObject(target: string): ObjectRef {
  return { type: 'Target', id: target };
}

export function commandObject(target: string, text: string): ObjectRef {
  return { type: 'Command', id: `${target}/${text}` };
}

export function variableObject(target: string, name: string): ObjectRef {
  return { type: 'Setting', id: `${target}/${name}` };
}
