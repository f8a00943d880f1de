import type { Act, Facts, ObjectRef } from '../../core/operation.ts';
import { RecentMap } from '../../core/recent-map.ts';
import type { MethodName } from './method-name.ts';
import { actionsOf, type ServiceKind } from './services.ts';

/** What policy is asked about a call. */
export interface Question {
  readonly acts: readonly Act[];
  readonly facts: Facts;
}

export interface AskedCall {
  readonly target: string;
  readonly method: MethodName;
  readonly kind: ServiceKind;
  /** Either side sends more than one message; undefined where nobody knows. */
  readonly streams: boolean | undefined;
  /** As the client named the gateway; empty where that is not known. */
  readonly host: string;
  readonly reason: string | undefined;
}

/**
 * `questionOf`, and the same object where the session asked the same lately: by it policy knows its decision again, and the audit log what it has encoded already.
 */
export function askedQuestion(session: object, call: AskedCall): Question {
  let known = asked.get(session);
  if (known === undefined) asked.set(session, (known = new RecentMap(mostRemembered)));
  const { target, method, streams, host, reason } = call;
  // Only a reason can hold just anything, and it stands last. The kind of a service follows from its name.
  const key = `${target}\0${method.full}\0${streams}\0${host}${reason === undefined ? '' : `\0${reason}`}`;
  let question = known.get(key);
  if (question === undefined) known.set(key, (question = questionOf(call)));
  return question;
}

/** One act for each action: it is on the method `target/package.Service/Method`, which stands in the path `target/package.Service`. */
export function questionOf({ target, method, kind, streams, host, reason }: AskedCall): Question {
  const object: ObjectRef = {
    type: 'Method',
    id: `${target}/${method.full}`,
    parents: [{ type: 'Path', id: `${target}/${method.service}` }],
  };
  return {
    acts: actionsOf(kind, streams).map((action) => ({ action, object })),
    facts: {
      service: method.service,
      rpc: method.rpc,
      path: `/${method.full}`,
      ...(host === '' ? {} : { host }),
      ...(reason === undefined ? {} : { reason }),
    },
  };
}

const asked = new WeakMap<object, RecentMap<string, Question>>();
/** Of each session. */
const mostRemembered = 200;
