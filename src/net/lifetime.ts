import { GatewayFault } from '../core/fault.ts';
import { Deadline } from './deadline.ts';

/** What time does to a connection. */
export interface TimedEnds {
  /** At once: nobody can be told, or everybody was. */
  finish(reason: string): void;
  /** In the client's own protocol. */
  end(reason: string): void;
  fail(fault: GatewayFault): void;
  /** The statement that runs has had its time. */
  deadline(): void;
}

/**
 * Every clock of one connection: before it is signed in, until its target answers, as long as its principal is who it was, while a
 * statement runs, and until the client has taken what is left for it. Runs from when it is made until `stop`.
 */
export class Lifetime {
  readonly #ends: TimedEnds;
  readonly #deadline: Deadline;
  /** Of the whole connection: until it is signed in, until its identity ends, until it is closed. */
  #timer: NodeJS.Timeout;
  #signOnTimer: NodeJS.Timeout | undefined;

  constructor(ends: TimedEnds) {
    this.#ends = ends;
    this.#deadline = new Deadline(() => ends.deadline());
    this.#timer = setTimeout(() => ends.finish('sign-in took too long'), signInTimeoutMs);
  }

  /** Milliseconds since 1970. */
  endsAt(endsAtMs: number): void {
    clearTimeout(this.#timer);
    const leftMs = Math.max(endsAtMs - Date.now(), 0);
    const next = leftMs > maxTimerMs ? () => this.endsAt(endsAtMs) : () => this.#ends.end('the identity of this session has expired');
    this.#timer = setTimeout(next, Math.min(leftMs, maxTimerMs));
  }

  /** The target has been reached, and is to let the gateway in. */
  signOnBegins(): void {
    this.#signOnTimer = setTimeout(() => this.#ends.fail(signOnTooSlow()), signOnTimeoutMs);
  }

  signOnEnded(): void {
    clearTimeout(this.#signOnTimer);
  }

  /** In so many milliseconds from now; undefined: no statement runs that has a deadline. */
  statementEnds(afterMs: number | undefined): void {
    this.#deadline.set(afterMs);
  }

  /** All that is left is to be written. */
  closes(reason: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ends.finish(reason), closeTimeoutMs);
  }

  /** For good. */
  stop(): void {
    clearTimeout(this.#signOnTimer);
    clearTimeout(this.#timer);
    this.#deadline.stop();
  }
}

function signOnTooSlow(): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target accepted the connection and then said nothing',
    hint: 'Try again in a moment.',
  });
}

const signInTimeoutMs = 60_000;
/** From the connection to the target until it gives out its cancel key. */
const signOnTimeoutMs = 30_000;
/** Less than the five seconds within which a session that an operator ends is over. */
const closeTimeoutMs = 4_000;
const maxTimerMs = 2 ** 31 - 1;
