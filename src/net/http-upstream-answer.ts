import type { Readable } from 'node:stream';
import type { Grant } from '../core/grant.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';
import type { Forwarded } from './http-upstream.ts';
import type { SwitchedProtocols } from './http1-connection.ts';
import type { StopSignal } from './stop.ts';

/** The way to a target, whichever version of HTTP it speaks. */
export interface Upstream {
  /**
   * Sends a request under its grant and resolves with the head of the answer, its body still to be read. Throws `upstream-unavailable`,
   * `upstream-refused`, or the reason of `signal`.
   */
  send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: StopSignal): Promise<UpstreamAnswer>;
  /**
   * Asks for another protocol, on a connection of its own. An answer that is not 101 is one like any other. Absent: no other is spoken there.
   */
  upgrade?(
    forwarded: Forwarded,
    protocol: UpgradeName,
    grant: Grant,
    sessionId: string,
    signal: StopSignal,
  ): Promise<SwitchedProtocols | UpstreamAnswer>;
  /** What runs goes on; nothing is sent any more. */
  close(): void;
}

/** The head of an answer, and the way to the rest. */
export interface UpstreamAnswer {
  readonly status: number;
  /** Names in lower case, in their order. */
  readonly fields: readonly HeaderField[];
  /** All of the body, where it is there already and `body` was not asked for; undefined where it must be read. */
  readonly whole: Uint8Array | undefined;
  /** Its errors may go unheard. */
  readonly body: Readable;
  /** What stands behind the body; known when it has been read to its end. Throws `upstream-unavailable` where the target broke off instead of ending. */
  trailers(): readonly HeaderField[];
  /** Nobody reads it any further. */
  discard(): void;
}
