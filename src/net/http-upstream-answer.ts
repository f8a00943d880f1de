import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Grant } from '../core/grant.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { UpgradeName } from '../protocols/tunnel.ts';
import type { Upgraded } from './http-upgrade.ts';
import type { Forwarded } from './http-upstream.ts';

/** The way to a target, whichever version of HTTP it speaks. */
export interface Upstream {
  /**
   * Sends a request under its grant and resolves with the head of the answer, its body still to be read. Throws `upstream-unavailable`,
   * `upstream-refused`, or the reason of `signal`.
   */
  send(forwarded: Forwarded, grant: Grant, sessionId: string, signal: AbortSignal): Promise<UpstreamAnswer>;
  /**
   * Asks for another protocol, on a connection of its own. An answer that is not 101 is one like any other. Absent: no other is spoken there.
   */
  upgrade?(
    forwarded: Forwarded,
    protocol: UpgradeName,
    grant: Grant,
    sessionId: string,
    signal: AbortSignal,
  ): Promise<Upgraded | UpstreamAnswer>;
  /** What runs goes on; nothing is sent any more. */
  close(): void;
}

/** The head of an answer, and the way to the rest. */
export interface UpstreamAnswer {
  readonly status: number;
  /** Names in lower case, in their order. */
  readonly fields: readonly HeaderField[];
  readonly body: Readable;
  /** What stands behind the body; known when it has been read to its end. Throws `upstream-unavailable` where the target broke off instead of ending. */
  trailers(): readonly HeaderField[];
}

export function answerOfHttp1(message: IncomingMessage): UpstreamAnswer {
  return {
    status: message.statusCode ?? 0,
    fields: fieldsOf(message.rawHeaders),
    body: message,
    trailers: () => fieldsOf(message.rawTrailers),
  };
}

/** Names and values in turn, as Node gives them. */
export function fieldsOf(raw: readonly string[]): readonly HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at < raw.length; at += 2) fields.push({ name: raw[at]!.toLowerCase(), value: raw[at + 1]! });
  return fields;
}
