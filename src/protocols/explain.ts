import { GatewayFault } from '../core/fault.ts';
import type { Act, Facts } from '../core/operation.ts';
import type { AskedRequest, AskingSession, ReceivedRequest, RequestDialect } from './request.ts';
import { writtenRequest } from './written-request.ts';

export interface RequestMeaning {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** Data classes with places in the answer that would be masked. */
  readonly classes: readonly string[];
  /** Why it would be refused before policy is asked. */
  readonly refusal: GatewayFault | undefined;
}

/**
 * What a request that is written down would mean (`writtenRequest` says how); without one, what connecting means. It is read as the gateway reads it: by the
 * adapter itself, `ask`. Sends nothing. Throws `NotARequest`.
 */
export function explainRequest(options: {
  readonly written: string | undefined;
  readonly target: string;
  readonly dialect: RequestDialect;
  readonly ask: (request: ReceivedRequest) => AskedRequest;
}): RequestMeaning {
  const { written, target, dialect, ask } = options;
  if (written === undefined) return { ...nothing, acts: [{ action: 'connect', object: { type: 'Target', id: target } }] };
  const request = writtenRequest(written, dialect);
  if (request instanceof GatewayFault) return { ...nothing, refusal: request };
  try {
    const asked = ask(request);
    const operation = asked.operation(nobody);
    const { acts, facts } = asked.unmasked ?? operation;
    return { acts, facts, classes: operation.dataClasses, refusal: asked.refusal };
  } catch (error) {
    if (error instanceof GatewayFault) return { ...nothing, refusal: error };
    throw error;
  }
}

const nothing: RequestMeaning = { acts: [], facts: {}, classes: [], refusal: undefined };
/** Nothing runs, so nobody has a session. */
export const nobody: AskingSession = { id: 'explained', nextOperationId: () => 'explained' };
