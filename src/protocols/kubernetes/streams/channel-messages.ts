import { GatewayFault } from '../../../core/fault.ts';
import { fromBase64, toBase64 } from '../../base64.ts';
import { opcodes } from '../../websocket/frame.ts';
import { Messages, type MaskKey } from './websocket-messages.ts';

/** What came on a channel; `channel` undefined: the peer ends the whole. */
export type ChannelMessage = { readonly channel: number; readonly bytes: Uint8Array } | { readonly channel: undefined };

/**
 * Channels in a WebSocket (k8s.io/apimachinery `pkg/util/httpstream/wsstream`): the first octet of a message names one; in the `base64.` variants messages are text, and
 * it is a character, counted from "0" on.
 */
export class ChannelMessages {
  readonly #messages: Messages;
  readonly #isText: boolean;

  /** `maskKey`: given towards a target. */
  constructor(version: string, maskKey: MaskKey | undefined) {
    this.#messages = new Messages(maskKey);
    this.#isText = version.includes('base64');
  }

  /** Throws `protocol-violation`. */
  receive(bytes: Uint8Array): readonly ChannelMessage[] {
    return this.#messages.receive(bytes).flatMap((message): readonly ChannelMessage[] => {
      if (message.kind === 'close') return [{ channel: undefined }];
      if ((message.kind === 'text') !== this.#isText) throw channelViolation(`a ${message.kind} message`);
      if (message.bytes.length === 0) return [];
      const [first, rest] = [message.bytes[0]!, message.bytes.subarray(1)];
      return [this.#isText ? { channel: first - digitZero, bytes: decoded(rest) } : { channel: first, bytes: rest }];
    });
  }

  /** In text, a channel is named by a character below 128. */
  send(channel: number, bytes: Uint8Array): void {
    if (this.#isText) {
      this.#messages.send(opcodes.text, encoder.encode(String.fromCharCode(digitZero + channel) + toBase64(bytes)));
      return;
    }
    const message = new Uint8Array(1 + bytes.length);
    message[0] = channel;
    message.set(bytes, 1);
    this.#messages.send(opcodes.binary, message);
  }

  close(): void {
    this.#messages.close(1000);
  }

  take(): readonly Uint8Array[] {
    return this.#messages.take();
  }
}

export function channelViolation(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `WebSocket: ${what} has no meaning here` });
}

function decoded(text: Uint8Array): Uint8Array {
  const bytes = fromBase64(decoder.decode(text));
  if (bytes === undefined) throw channelViolation('what is no base64');
  return bytes;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const digitZero = 0x30;
