import type { Effect, Outcome, Side } from '../core/effect.ts';
import type { GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import type { TranscriptPart } from '../core/operation.ts';
import type { AnswerHead, HeaderField } from './request.ts';

/**
 * What a request asks for that goes on as another protocol after 101 (Switching Protocols, RFC 9110 section 15.2.2). It is asked, decided and held like every
 * request. The gateway makes the upgrade with the target itself, with a key of its own; whatever the target answers but a 101 that was verified is an ordinary
 * answer (`AskedRequest.answer`). Then both byte streams run through a `TunnelSession`.
 */
export interface AskedTunnel {
  /** What the target is asked to speak. Connection, and the key and version of WebSocket, are the transport's; what else belongs to it stands in `upstream.fields`. */
  readonly upgrade: UpgradeName;
  /** Without a byte either way for so long, the tunnel ends; milliseconds. */
  readonly idleMs: number;
  /**
   * What the target is asked for, once more and under the same grant, where it does not answer the first request with a 101. If that is refused too, the client has
   * the first answer. Its own upgrade is the one that it asked for, whatever the target speaks. `fields`: in place of `upstream.fields`.
   */
  readonly otherwise?: { readonly upgrade: UpgradeName; readonly method: string; readonly fields: readonly HeaderField[] } | undefined;
  /**
   * Called once, with the target's 101 and what it speaks. `grant`: of the operation that was asked; the session puts its `complete` on record when it is over. A
   * fault is told to the client instead of its 101.
   */
  open(head: AnswerHead, grant: Grant, upgrade: UpgradeName): OpenedTunnel | GatewayFault;
}

/** In lower case (RFC 6455; SPDY/3.1 as Kubernetes speaks it). */
export type UpgradeName = 'websocket' | 'spdy/3.1';

export interface OpenedTunnel {
  /** Of the client's 101, besides Upgrade, Connection and Sec-WebSocket-Accept: the sub-protocol that was agreed. */
  readonly fields: readonly HeaderField[];
  readonly session: TunnelSession;
  /**
   * No two replies go to the client in one TLS record. Clients that look at their socket before each message need it: what has come in the record of the one before lies in their
   * TLS library by then, and they would wait.
   */
  readonly isApart: boolean;
}

/**
 * Two byte streams behind a verified upgrade: pure, as a `WireSession` is, and with the same meaning of effects. Views in effects die at the next call. Bytes that came
 * behind either side's head are received first. Unlike a wire session's, both sides' bytes go on coming while something is asked: the session itself bounds
 * what it keeps. When one side is slow to take its bytes, the other is not read.
 */
export interface TunnelSession {
  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[];
  decide(operationId: string, outcome: Outcome): readonly TunnelEffect[];
  notify(event: TunnelEvent): readonly TunnelEffect[];
}

export type TunnelEffect =
  | Extract<Effect, { readonly kind: 'forward' | 'reply' | 'ask' | 'complete' | 'sample' | 'note' | 'deadline' | 'close' }>
  /** What passed, masked, for the recording. */
  | { readonly kind: 'transcript'; readonly operationId: string; readonly part: TranscriptPart }
  /** Opens a connection to another target of this gateway, as one of its clients would have. `id`: the tunnel's own name for it. */
  | { readonly kind: 'divert'; readonly id: string; readonly target: string }
  /** What that client sends. Not a view. */
  | { readonly kind: 'divert-bytes'; readonly id: string; readonly bytes: Uint8Array }
  /** It sends no more. */
  | { readonly kind: 'divert-end'; readonly id: string }
  /** Whether the client is read. Not, while it has sent much that waits for a decision which nobody is asked for. */
  | { readonly kind: 'read-client'; readonly isRead: boolean }
  /** Nothing more goes to this side, after everything before it was written; it may still send. */
  | { readonly kind: 'finish'; readonly side: Side };

export type TunnelEvent =
  /** Both sides have agreed; the first of all. */
  | { readonly kind: 'opened' }
  /** The asked operation waits for people. */
  | { readonly kind: 'held'; readonly operationId: string; readonly message: string }
  | { readonly kind: 'deadline' }
  /** What the session of the other target sends. */
  | { readonly kind: 'diverted'; readonly id: string; readonly bytes: Uint8Array }
  /** It is over. With a fault: it could not be opened. */
  | { readonly kind: 'divert-ended'; readonly id: string; readonly fault: GatewayFault | undefined }
  /** Nothing more comes from this side. With a fault: its connection broke. */
  | { readonly kind: 'closed'; readonly side: Side; readonly fault: GatewayFault | undefined }
  /** The gateway ends the tunnel (expiry, revocation, kill, reload, a limit, shutdown): last words, then `close`. */
  | { readonly kind: 'end'; readonly fault: GatewayFault };
