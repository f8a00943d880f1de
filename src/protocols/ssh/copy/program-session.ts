import type { Outcome } from '../../../core/effect.ts';
import { toFault, type GatewayFault } from '../../../core/fault.ts';
import type { Completion, Operation } from '../../../core/operation.ts';
import { streamMasker, type StreamMasker } from '../../../masking/stream.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream, Ending } from '../channel.ts';
import { channelLine, channelRefusal, lostWhileRunning, outcomeOfFault } from '../channel-fault.ts';
import type { RunningParts } from '../running.ts';

/** What went through in the end. */
export type Passed = Pick<Completion, 'bytes' | 'masked' | 'transfers'>;

/**
 * A program that moves files, from the target's "yes" to its end: how it ends and what it complains of are those of any program (`exec-session.ts`); what goes in and out is the
 * heirs' to look at.
 */
export abstract class ProgramSession implements ChannelSession {
  protected readonly parts: RunningParts;
  readonly #errors: StreamMasker;
  readonly #asked = new Map<string, (outcome: Outcome) => void>();
  #effects: ChannelEffect[] = [];
  #ending: Ending | undefined;
  #isOutputOver = false;
  #isOver = false;
  #isTimed = false;

  constructor(parts: RunningParts) {
    this.parts = parts;
    this.#errors = streamMasker(parts.context.classes, parts.context.detectors);
  }

  protected abstract fromClient(bytes: Uint8Array): void;
  protected abstract fromTarget(bytes: Uint8Array): void;
  /** The client sends no more. */
  protected abstract clientDone(): void;
  /** Called once, before the program's own operation is put on record. */
  protected abstract over(outcome: Completion['outcome']): Passed;

  request(_request: ChannelRequest): readonly ChannelEffect[] {
    return this.#isOver ? [] : [{ kind: 'reject' }];
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    return this.#run(() => {
      if (from === 'stdin') this.fromClient(bytes);
      else if (from === 'stdout') this.fromTarget(bytes);
      else this.#showErrors(this.#errors.push(bytes));
    });
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    return this.#run(() => {
      const answer = this.#asked.get(operationId);
      this.#asked.delete(operationId);
      answer?.(outcome);
    });
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    return this.#run(() => {
      switch (event.kind) {
        case 'held':
          this.say(event.message);
          return;
        case 'deadline':
          this.#isTimed = false;
          this.#showErrors(this.#errors.release());
          return;
        case 'ended':
          if (event.from === 'client') this.clientDone();
          else this.#endOutput();
          return;
        case 'exited':
          this.#ending ??= event.ending;
          this.put({ kind: 'exit', ending: event.ending });
          return;
        case 'closed':
          if (event.from === 'client') this.#end(undefined, 'cancelled');
          else if (event.fault === undefined || this.#ending !== undefined) this.#end(undefined);
          else this.#fail(lostWhileRunning(event.fault));
          return;
        case 'end':
          this.#fail(event.fault);
          return;
        case 'started':
        case 'not-started':
        case 'watched':
          return;
        default:
          event satisfies never;
      }
    });
  }

  protected ask(operation: Operation, answer: (outcome: Outcome) => void): void {
    this.#asked.set(operation.id, answer);
    this.put({ kind: 'ask', operation, refusal: undefined });
  }

  protected say(text: string): void {
    this.put({ kind: 'reply', stream: 'stderr', bytes: encoder.encode(channelLine(text, false)), grant: undefined });
  }

  protected put(effect: ChannelEffect): void {
    this.#effects.push(effect);
  }

  #showErrors(pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces) this.put({ kind: 'reply', stream: 'stderr', bytes: bytes.slice(), grant: this.parts.grant });
  }

  #endOutput(): void {
    if (this.#isOutputOver) return;
    this.#isOutputOver = true;
    this.#showErrors(this.#errors.end());
    this.put({ kind: 'reply-end' });
  }

  /** The client is told on stderr. */
  #fail(fault: GatewayFault): void {
    if (this.#isOver) return;
    if (this.#ending === undefined) {
      const { text, status } = channelRefusal(fault, this.parts.operationId, false);
      if (!this.#isOutputOver) this.put({ kind: 'reply', stream: 'stderr', bytes: encoder.encode(text), grant: undefined });
      this.put({ kind: 'exit', ending: { kind: 'status', status } });
    }
    this.#end(fault);
  }

  /** `untold`: what it is where the target has not told how it ended. */
  #end(fault: GatewayFault | undefined, untold: 'cancelled' | 'unknown' = 'unknown'): void {
    if (this.#isOver) return;
    if (fault === undefined) this.#endOutput();
    this.#isOver = true;
    const ended = this.#outcome(fault, untold);
    const passed = this.over(ended.outcome);
    const { operationId } = this.parts;
    this.put({
      kind: 'complete',
      completion: { operationId, rows: 0, ...passed, ...ended, reason: fault?.publicMessage },
    });
    this.put({ kind: 'close', fault });
  }

  #outcome(fault: GatewayFault | undefined, untold: 'cancelled' | 'unknown'): Pick<Completion, 'outcome' | 'errorCode'> {
    const ending = this.#ending;
    if (ending === undefined) return fault === undefined ? { outcome: untold } : outcomeOfFault(fault);
    if (ending.kind === 'signal') return { outcome: 'failed', errorCode: `signal ${ending.name}` };
    return ending.status === 0 ? { outcome: 'succeeded' } : { outcome: 'failed', errorCode: `exit ${ending.status}` };
  }

  #run(act: () => void): readonly ChannelEffect[] {
    if (this.#isOver) return [];
    try {
      act();
    } catch (error) {
      this.#fail(toFault(error));
    }
    const isHeld = !this.#isOver && this.#errors.heldFrom !== undefined;
    if (isHeld && !this.#isTimed) this.put({ kind: 'deadline', afterMs: releaseMs });
    this.#isTimed ||= isHeld;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

const encoder = new TextEncoder();
const releaseMs = 1_000;
