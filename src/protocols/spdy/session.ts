import { GatewayFault } from '../../core/fault.ts';
import { SpdyDecoder } from './decode.ts';
import { SpdyEncoder } from './encode.ts';
import type { Inflate } from './header-block.ts';
import { resetStatus, type SpdyFrame, type SpdyHeaders } from './messages.ts';

/** What the peer did. Ids are the connection's own. */
export type SpdyEvent =
  /** It opened a stream, and waits for `reply` or `reset`. */
  | { readonly kind: 'opened'; readonly stream: number; readonly headers: SpdyHeaders }
  /** It has answered to a stream of ours. */
  | { readonly kind: 'replied'; readonly stream: number }
  /** The bytes die at the next call. */
  | { readonly kind: 'data'; readonly stream: number; readonly bytes: Uint8Array }
  /** It sends no more on this stream. */
  | { readonly kind: 'finished'; readonly stream: number }
  /** It wants to hear no more of this stream, and sends no more. */
  | { readonly kind: 'reset'; readonly stream: number }
  /** It ends the connection once what runs is over. */
  | { readonly kind: 'going-away' };

/**
 * One end of a SPDY/3.1 connection: streams in, streams out; no I/O. What is to be written collects until `take`. A session without I/O of which the ordering
 * traps are left to whoever uses it: nothing is decided here.
 *
 * Flow control (section 2.6.8): a client is given window for whatever it has sent, so that one that keeps to windows never waits. Ours does not keep to the
 * peer's: spdystream, on which kubectl, API servers and kubelets stand, never gives any, and would have to be waited for for ever. What holds a fast
 * sender back is TCP, as it is without a gateway. A server is given none: those of Kubernetes pay no heed to it, and close the connection behind the last of their output. What
 * was sent to them then and was not read makes the kernel reset the connection, and drop the output that is still on its way.
 *
 * Data that comes before the answer to its stream is dropped by spdystream, so that what is sent on a stream of ours waits for it.
 */
export class SpdySession {
  readonly #decoder: SpdyDecoder;
  readonly #encoder = new SpdyEncoder();
  readonly #isClient: boolean;
  readonly #streams = new Map<number, Stream>();
  #out: Uint8Array[] = [];
  #nextId: number;
  #lastOfPeer = 0;
  /** Of the connection as a whole, beside its streams'. */
  readonly #whole = { unacknowledged: 0 };

  constructor(role: 'client' | 'server', inflate: Inflate) {
    this.#decoder = new SpdyDecoder(inflate);
    this.#isClient = role === 'client';
    this.#nextId = this.#isClient ? 1 : 2;
  }

  /** Everything to be written since the last call, in order. */
  take(): readonly Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** Throws `protocol-violation` and `limit-exceeded`: the connection cannot go on. */
  receive(bytes: Uint8Array): readonly SpdyEvent[] {
    return this.#decoder.receive(bytes).flatMap((frame) => this.#event(frame));
  }

  // ---- what we do

  open(headers: SpdyHeaders): number {
    const stream = this.#nextId;
    this.#nextId += 2;
    this.#streams.set(stream, begunStream(true));
    this.#write({ kind: 'syn-stream', stream, fin: false, unidirectional: false, headers });
    return stream;
  }

  reply(stream: number): void {
    const found = this.#streams.get(stream);
    if (found === undefined || found.isAnswered) return;
    found.isAnswered = true;
    this.#write({ kind: 'syn-reply', stream, fin: false, headers: new Map() });
  }

  /** Of a stream that is over nothing is sent any more. The bytes are copied where they have to wait. */
  send(stream: number, bytes: Uint8Array, fin: boolean): void {
    const found = this.#streams.get(stream);
    if (found === undefined || found.weEnded) return;
    found.weEnded = fin;
    if (found.isOurs && !found.isAnswered) {
      found.waiting.push(bytes.slice());
      found.waitingBytes += bytes.length;
      if (found.waitingBytes > maxWaitingBytes)
        throw new GatewayFault('limit-exceeded', { publicMessage: 'SPDY: too much sent on a stream that nobody has answered' });
    } else this.#write({ kind: 'data', stream, fin, bytes });
    this.#forgetEnded(stream, found);
  }

  reset(stream: number, status: number): void {
    if (this.#streams.delete(stream)) this.#write({ kind: 'rst-stream', stream, status });
  }

  goAway(): void {
    this.#write({ kind: 'goaway', lastStream: this.#lastOfPeer, status: 0 });
  }

  // ---- what the peer does

  #event(frame: SpdyFrame): readonly SpdyEvent[] {
    switch (frame.kind) {
      case 'syn-stream':
        return this.#opened(frame.stream, frame.headers, frame.fin, frame.unidirectional);
      case 'syn-reply':
        return this.#replied(frame.stream, frame.fin);
      case 'data':
        return this.#data(frame.stream, frame.bytes, frame.fin);
      case 'headers':
        // Kubernetes has no use for headers behind a stream's first ones.
        return frame.fin ? this.#finished(frame.stream) : [];
      case 'rst-stream':
        return this.#streams.delete(frame.stream) ? [{ kind: 'reset', stream: frame.stream }] : [];
      case 'ping':
        // Section 2.6.5: odd ids are the client's. An answer to a ping of ours is not waited for, since we send none.
        if ((frame.id % 2 === 0) === this.#isClient) this.#write(frame);
        return [];
      case 'goaway':
        return [{ kind: 'going-away' }];
      case 'settings':
      case 'window-update':
        return [];
      default:
        return frame satisfies never;
    }
  }

  #opened(stream: number, headers: SpdyHeaders, fin: boolean, unidirectional: boolean): readonly SpdyEvent[] {
    if ((stream % 2 === 1) === this.#isClient || stream <= this.#lastOfPeer) throw violation('a stream id out of order');
    this.#lastOfPeer = stream;
    if (this.#streams.size >= maxStreams) {
      this.#write({ kind: 'rst-stream', stream, status: resetStatus.refusedStream });
      return [];
    }
    this.#streams.set(stream, { ...begunStream(false), weEnded: unidirectional, peerEnded: fin });
    return [{ kind: 'opened', stream, headers }, ...(fin ? [{ kind: 'finished', stream } as const] : [])];
  }

  #replied(stream: number, fin: boolean): readonly SpdyEvent[] {
    const found = this.#streams.get(stream);
    if (found === undefined || !found.isOurs) return this.#ofNothing(stream);
    if (found.isAnswered) throw violation('a stream was answered twice');
    found.isAnswered = true;
    const last = found.waiting.length - 1;
    for (const [index, bytes] of found.waiting.entries())
      this.#write({ kind: 'data', stream, fin: index === last && found.weEnded, bytes });
    found.waiting = [];
    return [{ kind: 'replied', stream }, ...(fin ? this.#finished(stream) : this.#forgetEnded(stream, found))];
  }

  #data(stream: number, bytes: Uint8Array, fin: boolean): readonly SpdyEvent[] {
    this.#acknowledge(0, bytes.length, this.#whole);
    const found = this.#streams.get(stream);
    if (found === undefined) return this.#ofNothing(stream);
    if (found.peerEnded) throw violation('data behind the end of its stream');
    if (!fin) this.#acknowledge(stream, bytes.length, found);
    const data: readonly SpdyEvent[] = bytes.length === 0 ? [] : [{ kind: 'data', stream, bytes }];
    return fin ? [...data, ...this.#finished(stream)] : data;
  }

  #finished(stream: number): readonly SpdyEvent[] {
    const found = this.#streams.get(stream);
    if (found === undefined || found.peerEnded) return [];
    found.peerEnded = true;
    this.#forgetEnded(stream, found);
    return [{ kind: 'finished', stream }];
  }

  /** Of a stream that is over already, something may still be on its way. One that never was is a defect of the peer. */
  #ofNothing(stream: number): readonly never[] {
    const isOurs = (stream % 2 === 1) === this.#isClient;
    if (stream >= (isOurs ? this.#nextId : this.#lastOfPeer + 1)) throw violation('a frame of a stream that was never opened');
    return [];
  }

  #forgetEnded(stream: number, { weEnded, peerEnded, waiting }: Stream): readonly never[] {
    if (weEnded && peerEnded && waiting.length === 0) this.#streams.delete(stream);
    return [];
  }

  #acknowledge(stream: number, bytes: number, counted: { unacknowledged: number }): void {
    if (this.#isClient) return;
    counted.unacknowledged += bytes;
    if (counted.unacknowledged < acknowledgedBytes) return;
    this.#write({ kind: 'window-update', stream, delta: counted.unacknowledged });
    counted.unacknowledged = 0;
  }

  #write(frame: SpdyFrame): void {
    for (const piece of this.#encoder.encode(frame)) this.#out.push(piece);
  }
}

interface Stream {
  readonly isOurs: boolean;
  isAnswered: boolean;
  weEnded: boolean;
  peerEnded: boolean;
  /** What is sent on it before it is answered. */
  waiting: Uint8Array[];
  waitingBytes: number;
  /** Bytes for which the peer was not given window yet. */
  unacknowledged: number;
}

function begunStream(isOurs: boolean): Stream {
  return { isOurs, isAnswered: false, weEnded: false, peerEnded: false, waiting: [], waitingBytes: 0, unacknowledged: 0 };
}

function violation(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `SPDY: ${what}` });
}

/** Of one connection at a time; more are refused. kubectl opens two for each forwarded connection. */
const maxStreams = 512;
/** Of a stream that is not answered yet: what a client sends that waits for no answer (WebSocket) while its target makes up its mind. */
const maxWaitingBytes = 16 * 1024 * 1024;
/** Half of the window that every stream begins with. */
const acknowledgedBytes = 32 * 1024;
