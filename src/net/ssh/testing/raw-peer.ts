import type { Duplex } from 'node:stream';

/** A peer that sends and reads packets as they are before the first keys (RFC 4253 section 6), by hand. */
export class RawPeer {
  /** Its own first line, and the other side's, without their ends. */
  readonly line = 'SSH-2.0-OpenSSH_raw';
  theirLine = '';
  readonly #stream: Duplex;
  readonly #payloads: AsyncGenerator<Buffer, undefined>;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#payloads = this.#read();
    stream.on('error', () => {});
    stream.write(`${this.line}\r\n`);
  }

  send(...payloads: readonly Uint8Array[]): void {
    for (const payload of payloads) this.#stream.write(packet(payload));
  }

  /** The next message; undefined when the other side has closed. */
  async next(): Promise<Buffer | undefined> {
    return (await this.#payloads.next()).value;
  }

  async *#read(): AsyncGenerator<Buffer, undefined> {
    let bytes: Buffer = Buffer.alloc(0);
    for await (const chunk of this.#stream as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk]);
      if (this.theirLine === '') {
        const end = bytes.indexOf('\r\n');
        if (end < 0) continue;
        this.theirLine = bytes.toString('latin1', 0, end);
        bytes = bytes.subarray(end + 2);
      }
      while (bytes.length >= 5 && bytes.length >= 4 + bytes.readUInt32BE()) {
        const length = bytes.readUInt32BE();
        yield bytes.subarray(5, 4 + length - bytes[4]!);
        bytes = bytes.subarray(4 + length);
      }
    }
    return undefined;
  }
}

/** An SSH packet that is not encrypted yet. */
export function packet(payload: Uint8Array): Buffer {
  const padding = 8 - ((payload.length + 5) % 8) + 8;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(1 + payload.length + padding);
  head[4] = padding;
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}

/** A string (RFC 4251 section 5). */
export function string(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export interface RawInit {
  readonly exchanges: readonly string[];
  readonly hostKeys?: readonly string[];
  readonly isFollowedByGuess?: boolean;
}

/** SSH_MSG_KEXINIT (RFC 4253 section 7.1). */
export function keyExchangeInit({ exchanges, hostKeys = ['ssh-ed25519'], isFollowedByGuess = false }: RawInit): Buffer {
  const [cipher, mac, none, nothing] = ['aes128-gcm@openssh.com', 'hmac-sha2-256', 'none', ''].map(string) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const lists = [string(exchanges.join()), string(hostKeys.join()), cipher, cipher, mac, mac, none, none, nothing, nothing];
  return Buffer.concat([Buffer.of(20), Buffer.alloc(16), ...lists, Buffer.of(Number(isFollowedByGuess), 0, 0, 0, 0)]);
}
