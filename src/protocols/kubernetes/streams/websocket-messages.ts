import { GatewayFault } from '../../../core/fault.ts';
import { closePayload } from '../../websocket/close.ts';
import { encodeFrame, opcodes, type Opcode } from '../../websocket/frame.ts';
import { MessageReader, type Message } from '../../websocket/messages.ts';

/** Four octets nobody can foresee, for each frame that goes to a server (RFC 6455 section 5.3). */
export type MaskKey = () => Uint8Array;

type DataMessage = Message & { readonly kind: 'text' | 'binary' | 'close' };

/**
 * Messages of one side, for channels and for tunnelled SPDY. Pings are answered here. `masked`: undefined towards a client, whose frames are masked
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

/** kubectl and API servers send 32 KiB at a time. */
const maxMessageBytes = 4 * 1024 * 1024;
