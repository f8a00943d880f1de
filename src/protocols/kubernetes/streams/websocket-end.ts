import { GatewayFault } from '../../../core/fault.ts';
import { fromBase64, toBase64 } from '../../base64.ts';
import { closePayload } from '../../websocket/close.ts';
import { encodeFrame, opcodes, type Opcode } from '../../websocket/frame.ts';
import { MessageReader, type Message } from '../../websocket/messages.ts';
import { channels, type Channel, type ChannelEvent, type StreamEnd } from './channels.ts';

/** Four octets nobody can foresee, for each frame that goes to a server (RFC 6455 section 5.3). */
export type MaskKey = () => Uint8Array;

type DataMessage = Message & { readonly kind: 'text' | 'binary' | 'close' };

/**
 * Messages of one side, for the channels of exec and for tunnelled SPDY. Pings are answered here. `masked`: undefined towards a client, whose frames are masked
 * while ours are not.
 */
export class Messages {
  readonly #reader: MessageReader;
  readonly #maskKey: MaskKey | undefined;
  #out: Uint8Array[] = [];
  #isClosed = false;

  constructor(maskKey: MaskKey | undefined) {
    this.#maskKey = maskKey;
    this.#reader = new MessageReader({ fromClient: maskKey === undefined, maxMessageBytes });
  }

  /** Data messages, and at the end `close`. Throws `protocol-violation`. */
  receive(bytes: Uint8Array): readonly DataMessage[] {
    return this.#reader.push(bytes).flatMap((message): readonly DataMessage[] => {
      switch (message.kind) {
        case 'ping':
          this.#write(opcodes.pong, message.bytes);
          return [];
        case 'pong':
          return [];
        case 'violation':
          this.close(message.closeCode);
          throw new GatewayFault('protocol-violation', { publicMessage: `WebSocket: ${message.reason}` });
        case 'close':
          this.close(1000);
          return [message];
        case 'text':
        case 'binary':
          return [message];
        default:
          return message satisfies never;
      }
    });
  }

  send(opcode: typeof opcodes.text | typeof opcodes.binary, payload: Uint8Array): void {
    this.#write(opcode, payload);
  }

  close(code: number): void {
    this.#write(opcodes.close, closePayload({ code, reason: '' }));
    this.#isClosed = true;
  }

  take(): readonly Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #write(opcode: Opcode, payload: Uint8Array): void {
    if (!this.#isClosed) this.#out.push(encodeFrame(opcode, payload, this.#maskKey?.()));
  }
}

/**
 * Exec and attach over WebSocket: the first octet of a message names its channel; in the `base64.` variants messages are text, and it is a digit. Version 5 has
 * a channel 255, whose message names a channel on which nothing more comes; before it, the end of stdin could not be told.
 */
export class WebSocketEnd implements StreamEnd {
  readonly #messages: Messages;
  readonly #isText: boolean;
  readonly #tellsClose: boolean;
  readonly #isClient: boolean;
  readonly #readable: ReadonlySet<Channel>;

  /** `maskKey`: given towards a target. */
  constructor(version: string, maskKey: MaskKey | undefined) {
    this.#messages = new Messages(maskKey);
    this.#isText = version.includes('base64');
    this.#tellsClose = version.startsWith('v5.');
    this.#isClient = maskKey !== undefined;
    this.#readable = new Set(maskKey === undefined ? ['stdin', 'resize'] : ['stdout', 'stderr', 'error']);
  }

  receive(bytes: Uint8Array): readonly ChannelEvent[] {
    return this.#messages.receive(bytes).flatMap((message): readonly ChannelEvent[] => {
      if (message.kind === 'close') return [{ kind: 'end' }];
      if ((message.kind === 'text') !== this.#isText) throw violation(`a ${message.kind} message`);
      return message.bytes.length === 0 ? [] : [this.#event(message.bytes)];
    });
  }

  #event(message: Uint8Array): ChannelEvent {
    const index = this.#isText ? message[0]! - digitZero : message[0]!;
    const payload = this.#isText ? decoded(message.subarray(1)) : message.subarray(1);
    if (index === closeIndex && this.#tellsClose) return { kind: 'close', channel: this.#channel(payload.length === 1 ? payload[0]! : -1) };
    return { kind: 'data', channel: this.#channel(index), bytes: payload };
  }

  #channel(index: number): Channel {
    const channel = channels[index];
    if (channel === undefined || !this.#readable.has(channel)) throw violation(`a message for channel ${index}`);
    return channel;
  }

  open(): boolean {
    return true;
  }

  accept(): void {}

  send(channel: Channel, bytes: Uint8Array): void {
    const index = channels.indexOf(channel);
    if (this.#isText) {
      this.#messages.send(opcodes.text, encoder.encode(`${index}${toBase64(bytes)}`));
      return;
    }
    const message = new Uint8Array(1 + bytes.length);
    message[0] = index;
    message.set(bytes, 1);
    this.#messages.send(opcodes.binary, message);
  }

  /** Only a client tells it: kubectl takes the message for one of a channel that it does not know. */
  close(channel: Channel): void {
    if (this.#isClient && this.#tellsClose && channel === 'stdin')
      this.#messages.send(opcodes.binary, Uint8Array.of(closeIndex, channels.indexOf(channel)));
  }

  finish(): void {
    this.#messages.close(1000);
  }

  take(): readonly Uint8Array[] {
    return this.#messages.take();
  }
}

function decoded(text: Uint8Array): Uint8Array {
  const bytes = fromBase64(decoder.decode(text));
  if (bytes === undefined) throw violation('what is no base64');
  return bytes;
}

function violation(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `WebSocket: ${what} has no meaning here` });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const digitZero = 0x30;
const closeIndex = 255;
/** kubectl and API servers send 32 KiB at a time. */
const maxMessageBytes = 4 * 1024 * 1024;
