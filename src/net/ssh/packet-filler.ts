import type Protocol from 'ssh2/lib/protocol/Protocol.js';
import { sendChannelData } from './payload.ts';

/**
 * Fills packets with what goes to one channel: each costs its cipher, its MAC and its place in a list as much as some 10 KB of data do, and small answers come in crowds (SFTP's head
 * of each 32 KB, requests that are read ahead). What fills no packet waits for the end of this turn, or for anything that belongs behind it.
 */
export class PacketFiller {
  readonly #protocol: Protocol;
  readonly #peer: number;
  readonly #packetBytes: number;
  #stream: 'data' | 'extended' = 'data';
  #pieces: Uint8Array[] = [];
  #length = 0;
  #isEndAwaited = false;

  constructor(protocol: Protocol, peer: number, packetBytes: number) {
    this.#protocol = protocol;
    this.#peer = peer;
    this.#packetBytes = packetBytes;
  }

  /** Nobody keeps `bytes` afterwards. */
  put(stream: 'data' | 'extended', bytes: Uint8Array): void {
    if (stream !== this.#stream) this.flush();
    this.#stream = stream;
    let rest = bytes;
    while (this.#length + rest.length >= this.#packetBytes) {
      const taken = this.#packetBytes - this.#length;
      this.#pieces.push(rest.subarray(0, taken));
      this.#length = this.#packetBytes;
      rest = rest.subarray(taken);
      this.flush();
    }
    if (rest.length === 0) return;
    this.#pieces.push(Uint8Array.from(rest));
    this.#length += rest.length;
    if (this.#isEndAwaited) return;
    this.#isEndAwaited = true;
    process.nextTick(() => {
      this.#isEndAwaited = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.#length === 0) return;
    const [pieces, length] = [this.#pieces, this.#length];
    this.drop();
    sendChannelData(this.#protocol, this.#peer, this.#stream, pieces, length);
  }

  /** Nothing goes to the channel any more. */
  drop(): void {
    this.#pieces = [];
    this.#length = 0;
  }
}
