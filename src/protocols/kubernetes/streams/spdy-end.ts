import { resetStatus, SpdySession, type Inflate, type SpdyEvent } from '../../spdy/index.ts';
import { channels, type Channel, type ChannelEvent, type StreamEnd } from './channels.ts';

/** Exec and attach over SPDY: a stream for each channel, named by its header `streamtype`, all opened by the client, each accepted by an answer. */
export class SpdyEnd implements StreamEnd {
  readonly #session: SpdySession;
  readonly #streams = new Map<Channel, number>();
  readonly #channels = new Map<number, Channel>();

  /** `role`: the gateway's own; `server` towards a client. */
  constructor(role: 'client' | 'server', inflate: Inflate) {
    this.#session = new SpdySession(role, inflate);
  }

  receive(bytes: Uint8Array): readonly ChannelEvent[] {
    return this.#session.receive(bytes).flatMap((event) => this.#event(event) ?? []);
  }

  #event(event: SpdyEvent): ChannelEvent | undefined {
    if (event.kind === 'opened') return this.#opened(event.stream, event.headers.get('streamtype')?.[0]);
    if (event.kind === 'going-away') return { kind: 'end' };
    const channel = this.#channels.get(event.stream);
    if (channel === undefined) return undefined;
    switch (event.kind) {
      case 'replied':
        return { kind: 'accepted', channel };
      case 'data':
        return { kind: 'data', channel, bytes: event.bytes };
      case 'finished':
        return { kind: 'close', channel };
      case 'reset':
        this.#streams.delete(channel);
        return { kind: 'close', channel };
      default:
        return event satisfies never;
    }
  }

  #opened(stream: number, name: string | undefined): ChannelEvent | undefined {
    const channel = channels.find((known) => known === name);
    if (channel === undefined || this.#streams.has(channel)) {
      this.#session.reset(stream, resetStatus.refusedStream);
      return undefined;
    }
    this.#name(stream, channel);
    return { kind: 'open', channel };
  }

  #name(stream: number, channel: Channel): void {
    this.#streams.set(channel, stream);
    this.#channels.set(stream, channel);
  }

  open(channel: Channel): boolean {
    this.#name(this.#session.open(new Map([['streamtype', [channel]]])), channel);
    return false;
  }

  accept(channel: Channel): void {
    this.#with(channel, (stream) => this.#session.reply(stream));
  }

  send(channel: Channel, bytes: Uint8Array): void {
    this.#with(channel, (stream) => this.#session.send(stream, bytes, false));
  }

  close(channel: Channel): void {
    this.#with(channel, (stream) => this.#session.send(stream, new Uint8Array(0), true));
  }

  finish(): void {
    this.#session.goAway();
  }

  take(): readonly Uint8Array[] {
    return this.#session.take();
  }

  #with(channel: Channel, act: (stream: number) => void): void {
    const stream = this.#streams.get(channel);
    if (stream !== undefined) act(stream);
  }
}
