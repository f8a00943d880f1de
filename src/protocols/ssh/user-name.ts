import { GatewayFault } from '../../core/fault.ts';

/** Whom an SSH client asks for. */
export interface AskedUser {
  /** Undefined only where the port chooses the target. */
  readonly target: string | undefined;
  /** The user at the target. Undefined: the one that the target's configuration names. */
  readonly remoteUser: string | undefined;
}

/**
 * The user name of an SSH client: `<target>` or `<remote-user>+<target>`; at a target's own port also `<remote-user>` alone. What stands behind the last `+` is the
 * target, since no target's name has one. Throws `target-unknown` for everything else.
 *
 * @param fixedTarget the target of the port, if it has one.
 */
export function readUserName(name: string, fixedTarget: string | undefined): AskedUser {
  const plus = name.lastIndexOf('+');
  const last = name.slice(plus + 1);
  const remoteUser = plus < 0 ? undefined : name.slice(0, plus);
  if (remoteUser !== undefined) {
    if (!isRemoteUser(remoteUser) || !isTargetName(last) || (fixedTarget !== undefined && last !== fixedTarget)) throw unreadable();
    return { target: last, remoteUser };
  }
  if (fixedTarget !== undefined) {
    if (last === fixedTarget) return { target: fixedTarget, remoteUser: undefined };
    if (!isRemoteUser(last)) throw unreadable();
    return { target: fixedTarget, remoteUser: last };
  }
  if (!isTargetName(last)) throw unreadable();
  return { target: last, remoteUser: undefined };
}

/** What may be asked for as a user of a target: nothing that a shell, a path or an option parser could read otherwise. */
export function isRemoteUser(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/.test(name);
}

/** As configuration spells names of targets. */
function isTargetName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(name);
}

function unreadable(): GatewayFault {
  return new GatewayFault('target-unknown', {
    publicMessage: 'the user name must be <target> or <remote-user>+<target>',
    detail: 'the user name names no target',
  });
}
