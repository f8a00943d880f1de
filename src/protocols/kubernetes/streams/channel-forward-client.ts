import { channelViolation, ChannelMessages } from './channel-messages.ts';
import type { ForwardClient, ForwardEvent } from './forward-client.ts';

/**
 * Port forwarding over the channels of a WebSocket (k8s.io/kubelet `pkg/cri/streaming/portforward/websocket.go`): each port that the request's query names is one connection,
 * with a channel for data and one for errors. On each the port comes first, as two octets, the lower one first. The end of one connection cannot be told, only that of the whole.
 */
export class ChannelForwardClient implements ForwardClient {
  readonly endsEach = false;
  readonly #messages: ChannelMessages;
  readonly #ports: readonly number[];
  /** The connections that are not over, by the index of their port. */
  readonly #open: Set<number>;

  constructor(version: string, ports: readonly number[]) {
    this.#messages = new ChannelMessages(version, undefined);
    this.#ports = ports;
    this.#open = new Set(ports.keys());
  }

  get isDone(): boolean {
    return this.#open.size === 0;
  }

  begin(): readonly ForwardEvent[] {
    return this.#ports.flatMap((port, index): readonly ForwardEvent[] => {
      const octets = Uint8Array.of(port & 0xff, port >> 8);
      this.#messages.send(2 * index, octets);
      this.#messages.send(2 * index + 1, octets);
      const id = String(index);
      return [
        { kind: 'begun', id, port },
        { kind: 'asked', id },
      ];
    });
  }

  *receive(bytes: Uint8Array): Iterable<ForwardEvent> {
    for (const message of this.#messages.receive(bytes)) {
      if (message.channel === undefined) yield { kind: 'end' };
      else yield* this.#data(message.channel, message.bytes);
    }
  }

  #data(channel: number, bytes: Uint8Array): readonly ForwardEvent[] {
    // On the channels of errors only the target speaks.
    if (channel < 0 || channel >= 2 * this.#ports.length || channel % 2 === 1) throw channelViolation(`a message for channel ${channel}`);
    return bytes.length > 0 ? [{ kind: 'data', id: String(channel / 2), bytes }] : [];
  }

  send(id: string, bytes: Uint8Array): void {
    this.#send(Number(id), 0, bytes);
  }

  tell(id: string, words: string): void {
    this.#send(Number(id), 1, encoder.encode(words));
  }

  #send(index: number, offset: 0 | 1, bytes: Uint8Array): void {
    this.#messages.send(2 * index + offset, bytes);
  }

  finish(): void {}

  end(id: string): void {
    this.#open.delete(Number(id));
  }

  goAway(): void {}

  close(): void {
    this.#messages.close();
  }

  take(): readonly Uint8Array[] {
    return this.#messages.take();
  }
}

const encoder = new TextEncoder();
