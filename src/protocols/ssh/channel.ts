import type { Outcome } from '../../core/effect.ts';
import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Completion, Operation, ResultSample, TranscriptPart } from '../../core/operation.ts';

/**
 * The contract between the transport (`net/ssh/`, which alone knows the SSH library, sockets and timers) and what a channel means. A channel session is pure: bytes
 * and requests in, effects out, with the same meaning of effects as a `WireSession` has. One session serves one channel of type "session" (RFC 4254 section 6) from
 * the client's opening to its close; the transport opens the channel at the target only when it is told to (`start`).
 *
 * Views in effects die at the next call. Every call returns the effects in the order in which they must be applied. While something is asked, bytes and requests of the client go on
 * coming: the session itself bounds what it keeps, or says `pause`.
 */
export interface ChannelSession {
  /** What the client asks of its channel. Answered by `accept` or `reject`, in order, at once or after `decide`. */
  request(request: ChannelRequest): readonly ChannelEffect[];
  /** Of the client: input. Of the target: output. */
  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[];
  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[];
  notify(event: ChannelEvent): readonly ChannelEffect[];
}

export type ChannelStream = 'stdin' | 'stdout' | 'stderr';

/** RFC 4254 section 6.2 to 6.9. Anything else is refused by the transport, with a note on record. */
export type ChannelRequest =
  | { readonly kind: 'environment'; readonly name: string; readonly value: string }
  | { readonly kind: 'terminal'; readonly terminal: Terminal }
  | {
      readonly kind: 'resize';
      readonly columns: number;
      readonly rows: number;
      readonly widthPixels: number;
      readonly heightPixels: number;
    }
  /** Without "SIG" (RFC 4254 section 6.10). */
  | { readonly kind: 'signal'; readonly name: string }
  | { readonly kind: 'start'; readonly program: Program }
  /** `auth-agent-req@openssh.com`, `x11-req`: acts of their own. */
  | { readonly kind: 'forward-agent' }
  | { readonly kind: 'forward-x11' };

export interface Terminal {
  /** The value of TERM. */
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Encoded terminal modes as they came (RFC 4254 section 8). */
  readonly modes: Uint8Array;
}

/** What runs in a channel. A command that is not valid UTF-8, or holds NUL, is refused by the transport. */
export type Program =
  | { readonly kind: 'shell' }
  | { readonly kind: 'exec'; readonly command: string }
  | { readonly kind: 'subsystem'; readonly name: string };

export type ChannelEffect =
  | { readonly kind: 'ask'; readonly operation: Operation; readonly refusal: GatewayFault | undefined }
  /** The client's oldest unanswered request is answered. */
  | { readonly kind: 'accept' }
  | { readonly kind: 'reject' }
  /** Opens a channel at the target, with environment and terminal, and runs `program` there. Answered by `started` or `not-started`. */
  | {
      readonly kind: 'start';
      readonly grant: Grant;
      readonly program: Program;
      readonly environment: readonly (readonly [string, string])[];
      readonly terminal: Terminal | undefined;
    }
  /** To the target's stdin. Refused by the transport where the grant is not genuine. */
  | { readonly kind: 'forward'; readonly bytes: Uint8Array; readonly grant: Grant }
  | { readonly kind: 'forward-end' }
  | { readonly kind: 'forward-signal'; readonly name: string; readonly grant: Grant }
  | {
      readonly kind: 'forward-resize';
      readonly columns: number;
      readonly rows: number;
      readonly widthPixels: number;
      readonly heightPixels: number;
    }
  /** To the client. With a grant: withheld until its record is durable, and everything after it too. */
  | { readonly kind: 'reply'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Uint8Array; readonly grant: Grant | undefined }
  /** No more output for the client. */
  | { readonly kind: 'reply-end' }
  /** How it ended, for the client (RFC 4254 section 6.10). */
  | { readonly kind: 'exit'; readonly ending: Ending }
  /** The client's input is not read until `resume`. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  /** The same for the target's output. */
  | { readonly kind: 'pause-target' }
  | { readonly kind: 'resume-target' }
  | { readonly kind: 'complete'; readonly completion: Completion }
  | { readonly kind: 'sample'; readonly sample: ResultSample }
  | { readonly kind: 'transcript'; readonly operationId: string; readonly part: TranscriptPart }
  | { readonly kind: 'note'; readonly event: string; readonly detail: Readonly<Record<string, string | number>> }
  /** Answered by `deadline` after so long, unless another one takes its place; `undefined`: none any more. */
  | { readonly kind: 'deadline'; readonly afterMs: number | undefined }
  /** Both channels are closed after everything before it was written. The connection goes on. */
  | { readonly kind: 'close'; readonly fault: GatewayFault | undefined };

export type Ending =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'signal'; readonly name: string; readonly coreDumped: boolean; readonly message: string };

export type ChannelEvent =
  /** The asked operation waits for people; one line with group, link and expiry. */
  | { readonly kind: 'held'; readonly operationId: string; readonly message: string }
  | { readonly kind: 'started' }
  | { readonly kind: 'not-started'; readonly fault: GatewayFault }
  /** EOF of this stream; of the target it is one for both of its streams. */
  | { readonly kind: 'ended'; readonly from: 'client' | 'target' }
  | { readonly kind: 'exited'; readonly ending: Ending }
  /** The channel was closed by this side, or its connection broke (`fault`). */
  | { readonly kind: 'closed'; readonly from: 'client' | 'target'; readonly fault: GatewayFault | undefined }
  | { readonly kind: 'deadline' }
  /** Moderated sessions: how many reviewers are watching now. */
  | { readonly kind: 'watched'; readonly watchers: number }
  /** The gateway ends it (expiry, revocation, kill, a limit, shutdown): last words, then `close`. */
  | { readonly kind: 'end'; readonly fault: GatewayFault };
