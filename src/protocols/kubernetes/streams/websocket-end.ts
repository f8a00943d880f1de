import { channelViolation, ChannelMessages } from './channel-messages.ts';
import { channels, type Channel, type ChannelEvent, type StreamEnd } from './channels.ts';
import type { MaskKey } from './websocket-messages.ts';

/**
 * Exec and attach over the channels of a WebSocket. Version 5 has a channel 255, whose message names a channel on which nothing more comes; before it, the end of stdin
 * could not be told.
 */
export class WebSocketEnd implements StreamEnd {
  readonly #messages: ChannelMessages;
  readonly #tellsClose: boolean;
  readonly #isClient: boolean;
  readonly #readable: ReadonlySet<Channel>;

  /** `maskKey`: given towards a target. */
  constructor(version: string, maskKey: MaskKey | undefined) {
    this.#messages = new ChannelMessages(version, maskKey);
    this.#tellsClose = version.startsWith('v5.');
    this.#isClient = maskKey !== undefined;
    this.#readable = new Set(maskKey === undefined ? ['stdin', 'resize'] : ['stdout', 'stderr', 'error']);
  }

  receive(bytes: Uint8Array): readonly ChannelEvent[] {
    return this.#messages
      .receive(bytes)
      .map((message) => (message.channel === undefined ? { kind: 'end' } : this.#event(message.channel, message.bytes)));
  }

  #event(index: number, payload: Uint8Array): ChannelEvent {
    if (index === closeIndex && this.#tellsClose) return { kind: 'close', channel: this.#channel(payload.length === 1 ? payload[0]! : -1) };
    return { kind: 'data', channel: this.#channel(index), bytes: payload };
  }

  #channel(index: number): Channel {
    const channel = channels[index];
    if (channel === undefined || !this.#readable.has(channel)) throw channelViolation(`a message for channel ${index}`);
    return channel;
  }

  open(): boolean {
    return true;
  }

  accept(): void {}

  send(channel: Channel, bytes: Uint8Array): void {
    this.#messages.send(channels.indexOf(channel), bytes);
  }

  /** Only a client tells it: kubectl takes the message for one of a channel that it does not know. */
  close(channel: Channel): void {
    if (this.#isClient && this.#tellsClose && channel === 'stdin')
      this.#messages.send(closeIndex, Uint8Array.of(channels.indexOf(channel)));
  }

  finish(): void {
    this.#messages.close();
  }

  take(): readonly Uint8Array[] {
    return this.#messages.take();
  }
}

const closeIndex = 255;
