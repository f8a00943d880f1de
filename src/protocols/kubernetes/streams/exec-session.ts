import { GatewayFault, toFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Outcome, Side } from '../../../core/effect.ts';
import { streamMasker, type StreamMasker } from '../../../masking/stream.ts';
import { maskProse } from '../../../masking/text.ts';
import type { TunnelEffect, TunnelEvent, TunnelSession } from '../../tunnel.ts';
import type { ExecOptions } from '../exec-options.ts';
import { statusOf } from '../fault.ts';
import type { Channel, ChannelEvent, StreamEnd } from './channels.ts';
import type { StreamContext } from './context.ts';
import { endingOf, type Ending } from './exit-status.ts';
import { Transcript } from '../../transcript/transcript.ts';

export interface ExecParts {
  readonly options: ExecOptions;
  readonly isCopy: boolean;
  readonly client: StreamEnd;
  /** The client's side opens no streams of its own (WebSocket). */
  readonly opensAll: boolean;
  /** Whether each side ends in a Status. */
  readonly tellsStatus: { readonly client: boolean; readonly upstream: boolean };
  readonly upstream: StreamEnd;
  readonly grant: Grant;
  readonly operationId: string;
  readonly context: StreamContext;
}

/**
 * One exec or attach, from 101 to its end: what the client sends goes to the target, what the target sends is masked and recorded. The two sides may speak
 * different forms.
 *
 * Traps: (1) nothing overtakes: the Status comes behind all output, what was held back included. (2) The command itself was decided before the upgrade; nothing in it is
 * decided here, and what a shell does with its input cannot be. (3) Nothing is held for people. (4) Bytes behind the heads are received first. (5) The exit code is the
 * target's own; where none was told, the client is told so, since silence would pass for success. (6) There is nothing to cancel but the whole.
 */
export class ExecSession implements TunnelSession {
  readonly #parts: ExecParts;
  readonly #maskers: Readonly<Record<'stdout' | 'stderr', StreamMasker>>;
  readonly #transcript: Transcript;
  #effects: TunnelEffect[] = [];
  /** What has come on the error stream. */
  #error: Uint8Array = new Uint8Array(0);
  #ending: Ending | undefined;
  #isOver = false;
  #bytes = 0;
  /** For which of what is held back the timer runs. */
  #timed: { readonly masker: StreamMasker; readonly from: number } | undefined;

  constructor(parts: ExecParts) {
    this.#parts = parts;
    const { context, options, isCopy } = parts;
    const masker = (): StreamMasker => streamMasker(context.classes, context.detectors);
    this.#maskers = { stdout: masker(), stderr: masker() };
    this.#transcript = new Transcript({ classes: context.classes, detectors: context.recordDetectors, tty: options.tty, isCopy });
  }

  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[] {
    return this.#run(() => {
      const end = side === 'client' ? this.#parts.client : this.#parts.upstream;
      for (const event of end.receive(bytes)) {
        if (this.#isOver) return;
        if (side === 'client') this.#fromClient(event);
        else this.#fromTarget(event);
        // What was read dies at the next call, and order between the sides is kept.
        this.#flush();
      }
    }, side);
  }

  decide(_operationId: string, _outcome: Outcome): readonly TunnelEffect[] {
    return [];
  }

  notify(event: TunnelEvent): readonly TunnelEffect[] {
    return this.#run(() => {
      switch (event.kind) {
        case 'opened':
          if (this.#parts.opensAll) for (const channel of channelsOf(this.#parts.options)) this.#parts.upstream.open(channel);
          return;
        case 'deadline':
          this.#timed = undefined;
          this.#release();
          return;
        case 'closed':
          if (event.side === 'client') this.#clientIsGone();
          else this.#targetIsDone();
          return;
        case 'end':
          this.#fail(event.fault);
          return;
        case 'held':
        case 'diverted':
        case 'divert-ended':
          return;
        default:
          event satisfies never;
      }
    }, undefined);
  }

  // ---- what the client does

  #fromClient(event: ChannelEvent): void {
    const { client, upstream } = this.#parts;
    switch (event.kind) {
      case 'open':
        if (upstream.open(event.channel)) client.accept(event.channel);
        return;
      case 'data':
        this.#input(event.channel, event.bytes);
        upstream.send(event.channel, event.bytes);
        return;
      case 'close':
        upstream.close(event.channel);
        return;
      case 'end':
        this.#clientIsGone();
        return;
      case 'accepted':
        return;
      default:
        event satisfies never;
    }
  }

  #input(channel: Channel, bytes: Uint8Array): void {
    if (channel === 'stdin') this.#transcript.input(bytes);
    else if (channel === 'resize') {
      const size = /"Width":(\d{1,5}),"Height":(\d{1,5})/.exec(decoder.decode(bytes));
      if (size !== null) this.#transcript.resize(Number(size[1]), Number(size[2]));
    } else throw new GatewayFault('protocol-violation', { publicMessage: `a client sends nothing on ${channel}` });
  }

  // ---- what the target does

  #fromTarget(event: ChannelEvent): void {
    const { client } = this.#parts;
    switch (event.kind) {
      case 'accepted':
        client.accept(event.channel);
        return;
      case 'data':
        if (event.channel === 'stdout' || event.channel === 'stderr') this.#output(event.channel, event.bytes);
        else if (event.channel === 'error') this.#gatherError(event.bytes);
        return;
      case 'close':
        if (event.channel === 'stdout' || event.channel === 'stderr') this.#show(event.channel, this.#maskers[event.channel].end());
        else if (event.channel === 'error') this.#tellError();
        client.close(event.channel);
        return;
      case 'end':
        this.#targetIsDone();
        return;
      case 'open':
        // A target opens nothing.
        throw new GatewayFault('protocol-violation', { publicMessage: 'the target has opened a stream' });
      default:
        event satisfies never;
    }
  }

  #output(channel: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this.#transcript.output(channel === 'stdout' ? 'output' : 'error', bytes);
    if (bytes.length === 0) this.#parts.client.send(channel, bytes);
    else this.#show(channel, this.#maskers[channel].push(bytes));
  }

  #show(channel: 'stdout' | 'stderr', pieces: readonly Uint8Array[]): void {
    const { isCopy, client } = this.#parts;
    const [found] = isCopy ? this.#maskers[channel].masked.keys() : [];
    if (found !== undefined) throw notToBeCopied(found);
    for (const piece of pieces) {
      this.#bytes += piece.length;
      client.send(channel, piece);
    }
  }

  /** A Status comes in one piece or several; it is passed on when it is whole. */
  #gatherError(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#error.length + bytes.length);
    joined.set(this.#error);
    joined.set(bytes, this.#error.length);
    if (joined.length > maxErrorBytes)
      throw new GatewayFault('limit-exceeded', { publicMessage: 'the target has told too much on the error stream' });
    this.#error = joined;
    if (this.#parts.tellsStatus.upstream && endingOf(decoder.decode(joined), true) !== undefined) this.#tellError();
  }

  #tellError(): void {
    if (this.#ending !== undefined) return;
    const { client, tellsStatus, context } = this.#parts;
    const text = decoder.decode(this.#error);
    this.#ending = endingOf(text, tellsStatus.upstream);
    if (this.#ending === undefined) return;
    this.#release();
    if (text === '') return;
    const shown = maskProse(context.classes, context.detectors, text);
    client.send('error', shown === text ? this.#error : encoder.encode(shown));
  }

  #release(): void {
    for (const channel of ['stdout', 'stderr'] as const) this.#show(channel, this.#maskers[channel].release());
  }

  // ---- how it ends

  #targetIsDone(): void {
    if (this.#error.length > 0 || !this.#parts.tellsStatus.upstream) this.#tellError();
    if (this.#ending === undefined)
      throw new GatewayFault('upstream-unavailable', {
        publicMessage: 'the target closed the connection before it told how the command ended',
      });
    this.#release();
    this.#over(this.#ending, undefined);
  }

  #clientIsGone(): void {
    this.#over(this.#ending ?? { outcome: 'cancelled', errorCode: undefined }, undefined);
  }

  /** The client is told on the error stream, which is where it looks for how the command ended. What is held back is not shown any more. */
  #fail(fault: GatewayFault): void {
    if (this.#isOver) return;
    const { client, tellsStatus, operationId } = this.#parts;
    if (this.#ending === undefined) {
      client.send('error', tellsStatus.client ? statusOf(fault, { operationId }).body : encoder.encode(fault.publicMessage));
      client.close('error');
    }
    this.#over(this.#ending ?? { outcome: 'failed', errorCode: fault.code }, fault);
  }

  #over(ending: Ending, fault: GatewayFault | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { client, upstream, operationId } = this.#parts;
    client.finish();
    upstream.finish();
    this.#transcript.end();
    this.#flush();
    const masked = new Map<string, number>();
    for (const masker of Object.values(this.#maskers))
      for (const [name, count] of masker.masked) masked.set(name, (masked.get(name) ?? 0) + count);
    this.#effects.push(
      {
        kind: 'complete',
        completion: {
          operationId,
          ...ending,
          reason: fault?.publicMessage,
          rows: 0,
          bytes: this.#bytes,
          masked: Object.fromEntries(masked),
        },
      },
      { kind: 'close', fault },
    );
  }

  // ---- effects

  #run(act: () => void, side: Side | undefined): readonly TunnelEffect[] {
    if (this.#isOver) return [];
    try {
      act();
    } catch (error) {
      const fault = toFault(error);
      this.#fail(side === 'upstream' && fault.code === 'protocol-violation' ? brokenByTarget(fault) : fault);
    }
    this.#flush();
    if (!this.#isOver) this.#time();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #flush(): void {
    const { client, upstream, grant, operationId } = this.#parts;
    for (const bytes of upstream.take()) this.#effects.push({ kind: 'forward', bytes, grant });
    for (const bytes of client.take()) this.#effects.push({ kind: 'reply', bytes, grant });
    for (const part of this.#transcript.take()) this.#effects.push({ kind: 'transcript', operationId, part });
  }

  /** One timer at a time: for what is held back, from when it is held back. */
  #time(): void {
    if (this.#timed !== undefined && this.#timed.masker.heldFrom === this.#timed.from) return;
    const masker = Object.values(this.#maskers).find(({ heldFrom }) => heldFrom !== undefined);
    const before = this.#timed;
    this.#timed = masker === undefined ? undefined : { masker, from: masker.heldFrom! };
    const afterMs = this.#timed === undefined ? undefined : this.#parts.options.tty ? releaseTerminalMs : releaseMs;
    if (before !== undefined || afterMs !== undefined) this.#effects.push({ kind: 'deadline', afterMs });
  }
}

/** As the API server expects them (k8s.io/apiserver and kubelet `remotecommand`). */
function channelsOf({ stdin, stdout, stderr, tty }: ExecOptions): readonly Channel[] {
  const asked = { error: true, stdin, stdout, stderr: stderr && !tty, resize: tty };
  return (['error', 'stdin', 'stdout', 'stderr', 'resize'] as const).filter((channel) => asked[channel]);
}

function brokenByTarget(cause: GatewayFault): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target broke the protocol of its streams',
    detail: cause.publicMessage,
    cause,
  });
}

function notToBeCopied(name: string): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `what is copied holds values of the data class ${name}, which are hidden from you; a copy with masks in it would be another file`,
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Echo of what is typed must not be felt to come late. */
const releaseTerminalMs = 40;
/** Of a program that waits for input behind half a line. */
const releaseMs = 1_000;
const maxErrorBytes = 64 * 1024;
