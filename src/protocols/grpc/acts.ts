import type { Act, Facts, ObjectRef } from '../../core/operation.ts';
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
