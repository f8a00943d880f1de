import { opcodes } from '../../websocket/frame.ts';
import { GatewayFault } from '../../../core/fault.ts';
import { Messages, type MaskKey } from './websocket-messages.ts';

/** In what bytes of SPDY travel: as they are, or in the binary messages of a WebSocket, cut anywhere. */
export interface ByteForm {
  /** Undefined: the peer has ended it. */
  receive(bytes: Uint8Array): readonly Uint8Array[] | undefined;
  send(pieces: readonly Uint8Array[]): void;
  finish(): void;
  take(): readonly Uint8Array[];
}

export class PlainBytes implements ByteForm {
  #out: Uint8Array[] = [];

  receive(bytes: Uint8Array): readonly Uint8Array[] {
    return [bytes];
  }

  send(pieces: readonly Uint8Array[]): void {
    this.#out.push(...pieces);
  }

  finish(): void {}

  take(): readonly Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}

export class TunnelledBytes implements ByteForm {
  readonly #messages: Messages;

  /** `maskKey`: given towards a target. */
  constructor(maskKey: MaskKey | undefined) {
    this.#messages = new Messages(maskKey);
  }

  receive(bytes: Uint8Array): readonly Uint8Array[] | undefined {
    const pieces: Uint8Array[] = [];
    for (const message of this.#messages.receive(bytes)) {
      if (message.kind === 'close') return pieces.length === 0 ? undefined : pieces;
      if (message.kind === 'text')
        throw new GatewayFault('protocol-violation', { publicMessage: 'WebSocket: a text message has no meaning here' });
      pieces.push(message.bytes);
    }
    return pieces;
  }

  send(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#messages.send(opcodes.binary, piece);
  }

  finish(): void {
    this.#messages.close(1000);
  }

  take(): readonly Uint8Array[] {
    return this.#messages.take();
  }
}
