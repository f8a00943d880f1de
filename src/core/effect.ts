import type { GatewayFault } from './fault.ts';
import type { Grant } from './grant.ts';
import type { SessionLimits } from './limits.ts';
import type { Principal } from './principal.ts';
import type { Target } from './target.ts';
import type { Completion, Facts, Act, Operation, ResultSample } from './operation.ts';

export type Side = 'client' | 'upstream';

/** What a session asks its driver to do, in order. */
export type Effect =
  /** Bytes for the upstream. Refused by the driver where the grant is not genuine. */
  | { readonly kind: 'forward'; readonly bytes: Uint8Array; readonly grant: Grant }
  /** Bytes for the client. With a grant: withheld until that grant's record is durable (and everything after it too). */
  | { readonly kind: 'reply'; readonly bytes: Uint8Array; readonly grant: Grant | undefined }
  /** First door: who are you? Answered by `signed-in` or `sign-in-refused`. */
  | { readonly kind: 'sign-in'; readonly request: SignInRequest }
  /**
   * Second door: what are you about to do? Answered by `decide`. `refusal`: the protocol itself refuses already (a statement that cannot
   * be classified, masking that cannot be guaranteed), and only the record is asked for.
   */
  | { readonly kind: 'ask'; readonly operation: Operation; readonly refusal: GatewayFault | undefined }
  /** Open the upstream connection. Answered by `connected`, or `closed` for the upstream side. */
  | { readonly kind: 'connect'; readonly grant: Grant }
  /** Encrypt one side from here on. `unread` are bytes that already belong to TLS, never to the plaintext decoder. Answered by `encrypted`. */
  | { readonly kind: 'start-tls'; readonly side: Side; readonly unread: Uint8Array | undefined; readonly alpn: string | undefined }
  /** The operation ended. Its grant is revoked. */
  | { readonly kind: 'complete'; readonly completion: Completion }
  | { readonly kind: 'sample'; readonly sample: ResultSample }
  /** Something that happened in the session and belongs on record without a decision (a cancel, a refused message). */
  | { readonly kind: 'note'; readonly event: string; readonly detail: Readonly<Record<string, string | number>> }
  /** What this connection's client must present on another connection to cancel (the gateway's own key). */
  | { readonly kind: 'register-cancel-key'; readonly key: Uint8Array }
  /** This connection asks to cancel what runs under `key`. */
  | { readonly kind: 'cancel'; readonly key: Uint8Array }
  /**
   * Deliver a cancel to the upstream on a connection of its own: `packet`, after TLS where `tlsRequest` is given (sent first, must be
   * answered by `tlsAccept`). Answered by `cancel-delivered`, also where it could not be delivered.
   */
  | {
      readonly kind: 'cancel-upstream';
      readonly packet: Uint8Array;
      readonly tlsRequest: Uint8Array | undefined;
      readonly tlsAccept: number;
    }
  /** Answered by `deadline` after so long, unless another one takes its place; `undefined`: none any more. There is one at a time. */
  | { readonly kind: 'deadline'; readonly afterMs: number | undefined }
  /** The client's bytes wait until the promise settles, and with `upstream` the target's too; it never rejects. Answered by `resumed`. */
  | { readonly kind: 'wait'; readonly until: Promise<void>; readonly upstream: boolean }
  /** End the session after everything before it was written. */
  | { readonly kind: 'close'; readonly fault: GatewayFault | undefined };

export interface SignInRequest {
  /** The bearer credential as the client sent it: an OIDC token or a gateway token. Never logged. */
  readonly credential: string;
  /** The target that the client named; undefined where the listener fixes it. */
  readonly targetName: string | undefined;
  /** Acts of connecting beyond `connect` on the target (a database, settings), for the session's first decision. */
  readonly acts: (targetName: string) => readonly Act[];
  readonly facts: Facts;
  /** The part of the target that the client named (a database), where it is not the target's own. */
  readonly part: string | undefined;
  /** The user name that the client claims: recorded, never believed. */
  readonly claimedUser: string;
}

export type SessionEvent =
  | { readonly kind: 'signed-in'; readonly session: OpenSession }
  | { readonly kind: 'sign-in-refused'; readonly fault: GatewayFault }
  | { readonly kind: 'connected' }
  /** What a `wait` was for has come. */
  | { readonly kind: 'resumed' }
  /** `certificate`: the peer's leaf certificate, DER, where the peer is the upstream. `alpn`: what was agreed. */
  | { readonly kind: 'encrypted'; readonly side: Side; readonly certificate: Uint8Array | undefined; readonly alpn: string | undefined }
  /** The asked operation waits for people. `message` is one line with group, link and expiry. */
  | { readonly kind: 'held'; readonly operationId: string; readonly message: string }
  /** The client asked, on another connection, to cancel what runs here. */
  | { readonly kind: 'cancel-requested' }
  /** The upstream has taken note of a cancel and closed the connection that it came on, or it could not be reached. */
  | { readonly kind: 'cancel-delivered' }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'closed'; readonly side: Side; readonly fault: GatewayFault | undefined }
  /** The gateway ends the session (expiry, revocation, kill, shutdown). */
  | { readonly kind: 'end'; readonly fault: GatewayFault };

/** What the second door answered. */
export type Outcome = { readonly kind: 'granted'; readonly grant: Grant } | { readonly kind: 'refused'; readonly fault: GatewayFault };

/** A session that has passed the first door. */
export interface OpenSession {
  readonly id: string;
  /** The grant of the `connect` operation: covers sign-on at the upstream and protocol housekeeping, never an operation. */
  readonly grant: Grant;
  readonly principal: Principal;
  readonly target: Target;
  readonly limits: SessionLimits;
  /** Operation ids, unique and ordered within the session. */
  nextOperationId(): string;
}

/**
 * A wire session: pure, no socket, clock or store. Bytes in, effects out. Views in effects die at the next call: whoever keeps
 * them copies them. Every call returns the effects in the order in which they must be applied.
 */
export interface WireSession {
  receive(side: Side, bytes: Uint8Array): readonly Effect[];
  decide(operationId: string, outcome: Outcome): readonly Effect[];
  notify(event: SessionEvent): readonly Effect[];
}
