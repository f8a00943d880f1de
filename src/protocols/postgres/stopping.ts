import type { Effect } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Conversation } from './conversation.ts';
import * as encode from './encode.ts';
import type { Expected, Running } from './expected.ts';

interface Stop {
  readonly fault: GatewayFault;
  /** What the target was answering when it was told to stop. */
  readonly head: Expected | undefined;
  /** Nothing may go behind it before the target is idle: its transaction may have to be failed. */
  untilIdle: boolean;
  /** A statement ended by a cancel. */
  hit: boolean;
  /** It has ended without, and the cancel can come no more: what it stands for is only kept for its words. */
  over: boolean;
}

/**
 * Stops what has passed a limit: cancels it at the target with the target's own key and sees to it that the client gets the gateway's
 * error and no other.
 *
 * A cancel comes on another connection and may be late: the statement has ended then, and the next one would be hit. So nothing more
 * of the client is forwarded until the cancel was delivered and either has hit or has found the target idle, where it does nothing. And a
 * statement whose answer was cut short but which ran to its end is followed by a *fence*, a statement that must fail, so that the
 * transaction at the target has failed as the client was told. For that nothing may stand behind it: see `ClientRelay`.
 */
export class Stopping {
  /** The client was told an error which stands for all further answers up to the end of the cycle. */
  silent = false;
  readonly #talk: Conversation;
  readonly #cancelUpstream: () => Effect;
  #stop: Stop | undefined;
  #undelivered = 0;
  /** What the deadline that runs is for. */
  #timed: Expected | undefined;
  #isTimed = false;
  /** Asked for its answers once more: the target may have given them and kept them back. */
  #nudged: Expected | undefined;

  constructor(talk: Conversation, cancelUpstream: () => Effect) {
    this.#talk = talk;
    this.#cancelUpstream = cancelUpstream;
  }

  get isActive(): boolean {
    return this.#stop !== undefined && !this.#stop.over;
  }

  /** Nothing more of this answer is shown. */
  answer(running: Running, fault: GatewayFault): void {
    running.stopped = fault;
    running.rows += running.copied;
    running.copied = 0;
    if (this.#stop === undefined || this.#stop.over) this.#begin(fault, true);
    else this.#stop.untilIdle = true;
  }

  /** Cancels what the target is doing. */
  cancel(): void {
    this.#undelivered += 1;
    this.#talk.out.push(this.#cancelUpstream());
  }

  delivered(): void {
    if (this.#undelivered > 0) this.#undelivered -= 1;
    this.settle();
  }

  /** The stop is over where no cancel can hit anything any more. */
  settle(): void {
    if (this.#stop === undefined || this.#undelivered > 0) return;
    const { expected } = this.#talk;
    if (this.#stop.hit || expected.isEmpty) this.#stop = undefined;
    else if (!this.#stop.untilIdle && this.#stop.head !== expected.head) this.#stop.over = true;
  }

  /** What the client is told instead of an error of the target; undefined: that error. */
  wording(fields: ReadonlyMap<string, string>, running: Running | undefined): GatewayFault | undefined {
    if ((fields.get('V') ?? fields.get('S')) !== 'ERROR') return undefined;
    const cancelled = fields.get('C') === queryCanceled;
    if (this.#stop !== undefined && cancelled) this.#stop.hit = true;
    return running?.stopped ?? (cancelled ? this.#stop?.fault : undefined);
  }

  /** Fails the transaction, behind everything that was forwarded. */
  fence(simple: boolean): void {
    this.#talk.expected.push({ kind: 'fence', simple });
    if (simple) this.#talk.housekeep(encode.query(mustFail));
    else {
      this.#talk.housekeep(encode.parse({ name: mustFail, query: mustFail, parameterTypes: [] }));
      this.#talk.housekeep(encode.emptyClientMessage('Flush'));
    }
  }

  // ---- time

  /**
   * At the end of each step: the deadline is for what the target works on now. A text of several statements is one: the server keeps back
   * how far it is.
   */
  time(): void {
    const after = this.#talk.session.limits.inForce.statementTimeoutMs;
    if (after === undefined && !this.#isTimed) return;
    const { head } = this.#talk.expected;
    if (this.#stop !== undefined && this.#stop.head === head) return;
    if (this.#isTimed && head === this.#timed) return;
    this.#timed = head;
    // The end of a cycle is no statement: a commit that was cancelled would be one all the same.
    this.#deadline(head === undefined || head.kind === 'sync' ? undefined : after);
  }

  /** Returns why the session ends, where the target does not react. */
  deadlinePassed(): GatewayFault | undefined {
    this.#isTimed = false;
    const { expected, session } = this.#talk;
    const { head } = expected;
    if (head === undefined || head.kind === 'sync') return undefined;
    if (this.#stop?.head === head) return unresponsive(this.#stop.fault);
    if (this.#keepsBack(head) && this.#nudged !== head) {
      this.#nudged = head;
      this.#talk.housekeep(encode.emptyClientMessage('Flush'));
      this.#timed = head;
      this.#deadline(nudgeMs);
      return undefined;
    }
    const seconds = (session.limits.inForce.statementTimeoutMs ?? 0) / 1000;
    this.#begin(
      new GatewayFault('statement-timeout', {
        publicMessage: `statement_timeout (${seconds} s) of target ${session.target.name} is exceeded: the statement was cancelled`,
      }),
      false,
    );
    this.failCopy();
    return undefined;
  }

  /** While it waits for data the server does not look for cancels. */
  failCopy(): void {
    const { copying, clientFramer } = this.#talk;
    if (this.isActive && copying?.direction === 'in' && clientFramer.atBoundary)
      this.#talk.forward(encode.copyFail('statement timeout'), copying.running.grant);
  }

  /** The server may keep answers back: nothing was sent that brings them out. Into a copy no Flush is sent. */
  #keepsBack(head: Expected | undefined): boolean {
    return head?.kind !== 'query' && this.#talk.copying === undefined && !this.#talk.expected.has('sync');
  }

  #begin(fault: GatewayFault, untilIdle: boolean): void {
    const { head } = this.#talk.expected;
    this.#stop = { fault, head, untilIdle, hit: false, over: false };
    this.cancel();
    // It may have ended already: then the end of its answer lies in the server's buffer, and the client's Sync is not going to come.
    if (this.#keepsBack(head)) this.#talk.housekeep(encode.emptyClientMessage('Flush'));
    this.#timed = head;
    this.#deadline(graceMs);
  }

  #deadline(afterMs: number | undefined): void {
    if (afterMs === undefined && !this.#isTimed) return;
    this.#isTimed = afterMs !== undefined;
    this.#talk.out.push({ kind: 'deadline', afterMs });
  }
}

function unresponsive({ code, publicMessage }: GatewayFault): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: `${publicMessage}, and the target does not react`,
    hint: 'Connect again; what was running may or may not have taken effect.',
  });
}

const mustFail = 'REFUSED BY SALLYPORT: a limit was passed';
const queryCanceled = '57014';
/** From the cancel to the end of what was cancelled; then the session ends. */
const graceMs = 30_000;
/** The target answers a Flush at once where it has nothing to do. */
const nudgeMs = 1_000;
