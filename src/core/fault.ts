/**
 * The one error type inside the gateway. Each protocol words it outside, in its own `fault.ts`, by an exhaustive switch over
 * `code`: a new code does not compile until every protocol has words for it.
 */
export type FaultCode =
  /** The credential was not accepted. Which check failed is in `detail`, for the log and the record only. */
  | 'authentication-failed'
  /** The principal may not open a session to this target. */
  | 'access-denied'
  /** No such target, or not on this listener. Worded like `access-denied` before sign-in, so that names cannot be probed. */
  | 'target-unknown'
  /** Policy pass 1 did not allow an act. Nobody can approve this away. */
  | 'policy-denied'
  /** A reviewer refused. */
  | 'approval-denied'
  /** Nobody answered in time. */
  | 'approval-expired'
  /** The client went away, cancelled, or the session ended while the operation was held. */
  | 'approval-cancelled'
  /** `hold: refuse-and-retry`: refused for now; retry with the very same bytes once it is approved. */
  | 'approval-required'
  /** The statement or request could not be understood with certainty. */
  | 'unclassified'
  /** Masking could not be guaranteed for this operation, so it was refused (`masking: strict`, laundering, COPY of masked data). */
  | 'masking-refused'
  /** Bytes that the protocol does not allow here. The connection closes. */
  | 'protocol-violation'
  /** A known feature that the gateway refuses (replication, function call, GSSAPI). */
  | 'unsupported'
  /** A named limit (size, count, depth) was passed. */
  | 'limit-exceeded'
  /** The principal has as many sessions at this target as it may have. */
  | 'too-many-sessions'
  /** The principal asked too much of this target within a minute. Retryable. */
  | 'rate-exceeded'
  /** The target worked on a statement for longer than it may. */
  | 'statement-timeout'
  /** The target asks for a reason, and none was stated. */
  | 'reason-required'
  /** The target is read-only, and this would write or might. */
  | 'read-only'
  /** The schema changed while a statement ran, so that it is not certain what its answer shows; or a change could not be announced. Retryable. */
  | 'schema-changed'
  /** The client did not encrypt and the listener demands it. */
  | 'encryption-required'
  /** The audit log cannot be written: nothing may take effect. Retryable. */
  | 'audit-unavailable'
  /** Policy could not be evaluated. */
  | 'policy-unavailable'
  /** The session's recording cannot be written. */
  | 'recording-unavailable'
  /** The target did not answer, or hung up. Retryable. */
  | 'upstream-unavailable'
  /** The target refused the gateway's own credential or its certificate did not verify. */
  | 'upstream-refused'
  /** The identity expired or was revoked, or an operator ended the session. */
  | 'session-ended'
  /** The gateway is stopping. Retryable. */
  | 'shutting-down'
  /** A defect of the gateway. */
  | 'internal';

export interface FaultDetails {
  /** For the client and for everyone: what was refused, by which rule, what to do next. Never a host, a secret or a stack. */
  readonly publicMessage: string;
  /** For operators and the record: which check failed, with values that are safe to keep. */
  readonly detail?: string;
  /** What to do next, in one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Nothing of what it is about has left the gateway. */
  readonly nothingSent?: boolean;
}

export class GatewayFault extends Error {
  override readonly name = 'GatewayFault';
  readonly code: FaultCode;
  readonly publicMessage: string;
  readonly detail: string;
  readonly hint: string | undefined;
  readonly nothingSent: boolean;

  constructor(code: FaultCode, details: FaultDetails) {
    super(details.publicMessage, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.publicMessage = details.publicMessage;
    this.detail = details.detail ?? details.publicMessage;
    this.hint = details.hint;
    this.nothingSent = details.nothingSent === true;
  }
}

/** Any thrown value as a fault; what is not one already becomes `internal`, its text kept out of `publicMessage`. */
export function toFault(error: unknown): GatewayFault {
  if (error instanceof GatewayFault) return error;
  const detail = String((error as { message?: unknown } | undefined)?.message ?? error);
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail, cause: error });
}

/** Ends every switch over a closed set. */
export function assertNever(value: never, what: string): never {
  throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: `unexpected ${what}: ${String(value)}` });
}
