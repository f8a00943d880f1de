import { resetStatus, SpdySession, type Inflate, type SpdyEvent, type SpdyHeaders } from '../../spdy/index.ts';
import type { ByteForm } from './byte-form.ts';
import type { ForwardClient, ForwardEvent, ForwardStream } from './forward-client.ts';
import { portOf } from './forwarded-ports.ts';

/**
 * Port forwarding over SPDY (`portforward.k8s.io`): a connection is a pair of streams with the headers `port` and `requestid`, one of them `error`, one of them
 * `data`. `form`: in what the bytes of SPDY travel.
 */
export class SpdyForwardClient implements ForwardClient {
  readonly endsEach = true;
  readonly isDone = false;
  readonly #form: ByteForm;
  readonly #session: SpdySession;
  /** By request id, as long as the connection is not over. */
  readonly #pairs = new Map<string, Pair>();
  readonly #byStream = new Map<number, Pair>();

  constructor(form: ByteForm, inflate: Inflate) {
    this.#form = form;
    this.#session = new SpdySession('server', inflate);
  }

  begin(): readonly ForwardEvent[] {
    return [];
  }

  *receive(bytes: Uint8Array): Iterable<ForwardEvent> {
    const pieces = this.#form.receive(bytes);
    for (const piece of pieces ?? []) for (const event of this.#session.receive(piece)) yield* this.#event(event);
    if (pieces === undefined) yield { kind: 'end' };
  }

  #event(event: SpdyEvent): readonly ForwardEvent[] {
    if (event.kind === 'opened') return this.#opened(event.stream, event.headers);
    if (event.kind === 'going-away') return [event];
    const pair = this.#byStream.get(event.stream);
    if (pair === undefined || event.kind === 'replied') return [];
    // On the stream of errors only the target speaks.
    const isData = event.stream === pair.data;
    switch (event.kind) {
      case 'data':
        return isData ? [{ kind: 'data', id: pair.id, bytes: event.bytes }] : [];
      case 'finished':
        return isData ? [{ kind: 'finished', id: pair.id }] : [];
      case 'reset':
        return [{ kind: 'reset', id: pair.id }];
      default:
        return event satisfies never;
    }
  }

  #opened(stream: number, headers: SpdyHeaders): readonly ForwardEvent[] {
    const [type, id, portText] = ['streamtype', 'requestid', 'port'].map((name) => headers.get(name)?.[0]);
    const port = portOf(portText ?? '');
    const known = this.#pairs.get(id ?? '');
    const isRefused =
      (type !== 'data' && type !== 'error') ||
      id === undefined ||
      port === undefined ||
      (known === undefined ? this.#pairs.size >= maxConnections : known.port !== port || known[type] !== undefined);
    if (isRefused) {
      this.#session.reset(stream, resetStatus.refusedStream);
      return [];
    }
    const pair: Pair = known ?? { id, port, data: undefined, error: undefined };
    pair[type] = stream;
    this.#pairs.set(id, pair);
    this.#byStream.set(stream, pair);
    this.#session.reply(stream);
    return known === undefined ? [{ kind: 'begun', id, port }] : [{ kind: 'asked', id }];
  }

  send(id: string, bytes: Uint8Array): void {
    this.#write(id, 'data', bytes, false);
  }

  tell(id: string, words: string): void {
    this.#write(id, 'error', encoder.encode(words), false);
  }

  finish(id: string, stream: ForwardStream): void {
    this.#write(id, stream, new Uint8Array(0), true);
  }

  #write(id: string, stream: ForwardStream, bytes: Uint8Array, isLast: boolean): void {
    const number = this.#pairs.get(id)?.[stream];
    if (number !== undefined) this.#session.send(number, bytes, isLast);
  }

  end(id: string, isCut: boolean): void {
    const pair = this.#pairs.get(id);
    this.#pairs.delete(id);
    for (const stream of [pair?.data, pair?.error]) {
      if (stream === undefined) continue;
      this.#byStream.delete(stream);
      if (isCut) this.#session.reset(stream, resetStatus.cancel);
    }
  }

  goAway(): void {
    this.#session.goAway();
  }

  close(): void {
    this.#form.send(this.#session.take());
    this.#form.finish();
  }

  take(): readonly Uint8Array[] {
    this.#form.send(this.#session.take());
    return this.#form.take();
  }
}

interface Pair {
  readonly id: string;
  readonly port: number;
  data: number | undefined;
  error: number | undefined;
}

const encoder = new TextEncoder();
const maxConnections = 200;
