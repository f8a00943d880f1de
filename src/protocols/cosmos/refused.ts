import type { GatewayFault } from '../../core/fault.ts';
import type { Operation } from '../../core/operation.ts';
import { maskProse } from '../../masking/text.ts';
import { requestOperation } from '../request-operation.ts';
import type { AskedRequest, AskingSession, ReceivedRequest } from '../request.ts';
import type { CosmosEnvironment } from './environment.ts';

/** A request that is not understood: it is refused, and on record as far as it can be shown. */
export function refusedRequest(request: ReceivedRequest, { classes, target }: CosmosEnvironment, refusal: GatewayFault): AskedRequest {
  const text = `${request.method} ${maskProse(classes, classes.detectors, withoutItem(request.target.decodedPath))}`;
  return {
    operation: (session) => refusedOperation(session, target.name, request.method, text),
    unmasked: undefined,
    refusal,
    upstream: { method: request.method, target: request.target.path, fields: [] },
    answer: () => ({ kind: 'refuse', fault: refusal }),
    sample: () => ({ columns: [], row: [] }),
  };
}

function refusedOperation(session: AskingSession, target: string, method: string, text: string): Operation {
  return requestOperation(session, {
    protocol: 'cosmos',
    // What it would do is not known: the strictest there is.
    question: { acts: [{ action: 'cosmos:execute-procedure', object: { type: 'Target', id: target } }], facts: { method, opaque: true } },
    pureRead: false,
    recorded: { text },
    dataClasses: [],
    unmasked: () => ({ text }),
    bound: () => [text],
  });
}

/** An item's name can be the value of a place. */
function withoutItem(path: string): string {
  return path.replace(/(\/docs\/).*$/s, '$1…');
}
