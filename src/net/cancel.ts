import { once } from 'node:events';
import type { Socket } from 'node:net';
import { dial, encrypt, type UpstreamAddress } from './upstream.ts';

/** Cancel keys that this gateway has given out, and whom they reach. A key is the gateway's own; the target's key never leaves it. */
export class CancelRegistry {
  readonly #byKey = new Map<string, () => void>();
  readonly #elsewhere: (key: Uint8Array) => void;

  /** `elsewhere` is asked for keys that are not known here: another process of this gateway may have given them out. */
  constructor(elsewhere: (key: Uint8Array) => void = () => {}) {
    this.#elsewhere = elsewhere;
  }

  register(key: Uint8Array, cancel: () => void): () => void {
    const name = keyName(key);
    this.#byKey.set(name, cancel);
    return () => this.#byKey.delete(name);
  }

  /** A client's request, for a key of this process or of another one. The client is told nothing either way. */
  request(key: Uint8Array): void {
    if (!this.cancel(key)) this.#elsewhere(key);
  }

  /** True where the key was known here. */
  cancel(key: Uint8Array): boolean {
    const cancel = this.#byKey.get(keyName(key));
    cancel?.();
    return cancel !== undefined;
  }
}

export interface CancelDelivery {
  readonly packet: Uint8Array;
  readonly tlsRequest: Uint8Array | undefined;
  readonly tlsAccept: number;
}

/** Brings a cancel to the target on a connection of its own, encrypted as the session itself is. Best effort, as the protocol has it. */
export async function deliverCancel(address: UpstreamAddress, delivery: CancelDelivery): Promise<void> {
  let socket: Socket = await dial(address);
  try {
    socket.setTimeout(5_000, () => socket.destroy());
    if (delivery.tlsRequest !== undefined) {
      socket.write(delivery.tlsRequest);
      const answer = await firstBytes(socket);
      if (answer?.length !== 1 || answer[0] !== delivery.tlsAccept) return;
      socket = await encrypt(socket, address, undefined);
    }
    socket.on('error', () => {});
    socket.setTimeout(5_000, () => socket.destroy());
    socket.end(delivery.packet);
    await once(socket, 'close');
  } finally {
    socket.destroy();
  }
}

/** Undefined where the connection ends without any. */
async function firstBytes(socket: Socket): Promise<Uint8Array | undefined> {
  const ended = new AbortController();
  socket.once('close', () => ended.abort());
  try {
    const [bytes] = (await once(socket, 'data', { signal: ended.signal })) as [Uint8Array];
    return bytes;
  } catch {
    return undefined;
  }
}

function keyName(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex');
}
