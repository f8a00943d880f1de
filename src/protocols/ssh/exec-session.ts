import type { Outcome } from '../../core/effect.ts';
import { toFault, type GatewayFault } from '../../core/fault.ts';
import type { Completion } from '../../core/operation.ts';
import { streamMasker, type StreamMasker } from '../../masking/stream.ts';
import { Transcript } from '../transcript/transcript.ts';
import type { ChannelEffect, ChannelEvent, ChannelRequest, ChannelSession, ChannelStream, Ending } from './channel.ts';
import { channelRefusal, lostWhileRunning, outcomeOfFault } from './channel-fault.ts';
import type { RunningParts } from './running.ts';
import { Signals } from './signals.ts';

/**
 * A program that runs in a channel, from the target's "yes" to its end: what the client sends goes to it, what it says is masked and recorded.
 *
 * Traps: (1) nothing overtakes: what was held back of the output comes before its end. (2) The program itself was decided before it started; what an interactive one does with
 * its input cannot be. (3) Nothing is held for people but signals, which are asked for themselves and do not stop the streams. (4) There is no handover. (5) How it ended is the
 * target's own; where none was told, the client is told none, and ssh then ends with 255. (6) Whoever goes away takes the channel along.
 */
export class ExecSession implements ChannelSession {
  readonly #parts: RunningParts;
  readonly #maskers: Readonly<Record<'stdout' | 'stderr', StreamMasker>>;
  readonly #transcript: Transcript;
  readonly #signals: Signals;
  #effects: ChannelEffect[] = [];
  #ending: Ending | undefined;
  #isOutputOver = false;
  #isOver = false;
  #bytes = 0;
  /** For which of what is held back the timer runs. */
  #timed: { readonly masker: StreamMasker; readonly from: number } | undefined;

  constructor(parts: RunningParts) {
    this.#parts = parts;
    const { classes, detectors, recordDetectors } = parts.context;
    const masker = (): StreamMasker => streamMasker(classes, detectors);
    this.#maskers = { stdout: masker(), stderr: masker() };
    this.#transcript = new Transcript({ classes, detectors: recordDetectors, tty: parts.terminal !== undefined, isCopy: false });
    this.#signals = new Signals(parts.context);
  }

  request(request: ChannelRequest): readonly ChannelEffect[] {
    return this.#run(() => {
      switch (request.kind) {
        case 'resize':
          if (this.#parts.terminal === undefined) this.#put({ kind: 'reject' });
          else {
            const { columns, rows, widthPixels, heightPixels } = request;
            this.#transcript.resize(columns, rows);
            this.#put({ kind: 'accept' }, { kind: 'forward-resize', columns, rows, widthPixels, heightPixels });
          }
          return;
        case 'signal':
          this.#put(...this.#signals.ask(request.name));
          return;
        case 'environment':
        case 'terminal':
        case 'start':
        case 'forward-agent':
        case 'forward-x11':
          // One program a channel (RFC 4254 section 6.5), and what it starts with was decided with it.
          this.#put({ kind: 'reject' });
          return;
        default:
          request satisfies never;
      }
    });
  }

  receive(from: ChannelStream, bytes: Uint8Array): readonly ChannelEffect[] {
    return this.#run(() => {
      if (from === 'stdin') {
        this.#transcript.input(bytes);
        this.#put({ kind: 'forward', bytes, grant: this.#parts.grant });
      } else {
        this.#transcript.output(from === 'stdout' ? 'output' : 'error', bytes);
        this.#show(from, this.#maskers[from].push(bytes));
      }
    });
  }

  decide(operationId: string, outcome: Outcome): readonly ChannelEffect[] {
    return this.#run(() => this.#put(...this.#signals.decide(operationId, outcome)));
  }

  notify(event: ChannelEvent): readonly ChannelEffect[] {
    return this.#run(() => {
      switch (event.kind) {
        case 'started':
          if (this.#parts.terminal !== undefined) this.#transcript.resize(this.#parts.terminal.columns, this.#parts.terminal.rows);
          return;
        case 'deadline':
          this.#timed = undefined;
          for (const stream of streams) this.#show(stream, this.#maskers[stream].release());
          return;
        case 'ended':
          if (event.from === 'client') this.#put({ kind: 'forward-end' });
          else this.#endOutput();
          return;
        case 'exited':
          this.#ending ??= event.ending;
          this.#put({ kind: 'exit', ending: event.ending });
          return;
        case 'closed':
          if (event.from === 'target') this.#targetIsDone(event.fault);
          else this.#over(this.#ending === undefined ? { outcome: 'cancelled' } : outcomeOf(this.#ending), undefined);
          return;
        case 'end':
          this.#fail(event.fault);
          return;
        case 'held':
        case 'not-started':
        case 'watched':
          return;
        default:
          event satisfies never;
      }
    });
  }

  // ---- output

  #show(stream: 'stdout' | 'stderr', pieces: readonly Uint8Array[]): void {
    for (const bytes of pieces) {
      this.#bytes += bytes.length;
      this.#put({ kind: 'reply', stream, bytes, grant: this.#parts.grant });
    }
  }

  #endOutput(): void {
    if (this.#isOutputOver) return;
    this.#isOutputOver = true;
    for (const stream of streams) this.#show(stream, this.#maskers[stream].end());
    this.#put({ kind: 'reply-end' });
  }

  // ---- how it ends

  #targetIsDone(fault: GatewayFault | undefined): void {
    if (fault !== undefined && this.#ending === undefined) {
      this.#fail(lostWhileRunning(fault));
      return;
    }
    this.#endOutput();
    this.#over(this.#ending === undefined ? { outcome: 'unknown' } : outcomeOf(this.#ending), undefined);
  }

  /** The client is told on stderr. What is held back is not shown any more. */
  #fail(fault: GatewayFault): void {
    if (this.#isOver) return;
    if (this.#ending === undefined) {
      const { text, status } = channelRefusal(fault, this.#parts.operationId, this.#parts.terminal !== undefined);
      if (!this.#isOutputOver) this.#put({ kind: 'reply', stream: 'stderr', bytes: encoder.encode(text), grant: this.#parts.grant });
      this.#put({ kind: 'exit', ending: { kind: 'status', status } });
    }
    this.#over(this.#ending === undefined ? outcomeOfFault(fault) : outcomeOf(this.#ending), fault);
  }

  #over(outcome: Pick<Completion, 'outcome' | 'errorCode'>, fault: GatewayFault | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#transcript.end();
    this.#record();
    const masked = new Map<string, number>();
    for (const stream of streams)
      for (const [name, count] of this.#maskers[stream].masked) masked.set(name, (masked.get(name) ?? 0) + count);
    const { operationId } = this.#parts;
    const completion = {
      operationId,
      ...outcome,
      reason: fault?.publicMessage,
      rows: 0,
      bytes: this.#bytes,
      masked: Object.fromEntries(masked),
    };
    this.#put({ kind: 'complete', completion }, { kind: 'close', fault });
  }

  // ---- effects

  #run(act: () => void): readonly ChannelEffect[] {
    if (this.#isOver) return [];
    try {
      act();
    } catch (error) {
      this.#fail(toFault(error));
    }
    this.#record();
    if (!this.#isOver) this.#time();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #put(...effects: readonly ChannelEffect[]): void {
    this.#effects.push(...effects);
  }

  #record(): void {
    for (const part of this.#transcript.take()) this.#put({ kind: 'transcript', operationId: this.#parts.operationId, part });
  }

  /** One timer at a time: for what is held back, from when it is held back. */
  #time(): void {
    if (this.#timed !== undefined && this.#timed.masker.heldFrom === this.#timed.from) return;
    const masker = Object.values(this.#maskers).find(({ heldFrom }) => heldFrom !== undefined);
    const before = this.#timed;
    this.#timed = masker === undefined ? undefined : { masker, from: masker.heldFrom! };
    const afterMs = this.#timed === undefined ? undefined : this.#parts.terminal === undefined ? releaseMs : releaseTerminalMs;
    if (before !== undefined || afterMs !== undefined) this.#put({ kind: 'deadline', afterMs });
  }
}

function outcomeOf(ending: Ending): Pick<Completion, 'outcome' | 'errorCode'> {
  if (ending.kind === 'signal') return { outcome: 'failed', errorCode: `signal ${ending.name}` };
  return ending.status === 0 ? { outcome: 'succeeded' } : { outcome: 'failed', errorCode: `exit ${ending.status}` };
}

const encoder = new TextEncoder();
const streams = ['stdout', 'stderr'] as const;
/** Echo of what is typed must not be felt to come late. */
const releaseTerminalMs = 40;
/** Of a program that waits for input behind half a line. */
const releaseMs = 1_000;
