import { connect, type NetConnectOpts, type Socket } from 'node:net';
import * as encode from '../../src/protocols/postgres/encode.ts';
import type { Path } from './world.ts';

/** A client that costs next to nothing: it signs in, sends texts, and looks at no more of the answers than their ends. */
export interface RawClient {
  /** Runs one statement and discards its rows. `bytes` of the whole answer, `tag` of its last CommandComplete. */
  run(sql: string): Promise<{ readonly bytes: number; readonly tag: string }>;
  close(): void;
}

/** Signs in with a password in the clear, where one is asked for. */
export async function rawClient(path: Pick<Path, 'port' | 'database' | 'user' | 'password'>): Promise<RawClient> {
  const answer = new Answer();
  const options: NetConnectOpts = {
    host: '127.0.0.1',
    port: path.port,
    noDelay: true,
    // One buffer for every read: nothing is kept.
    onread: {
      buffer: Buffer.allocUnsafe(256 * 1024),
      callback: (length, buffer) => {
        answer.take(buffer, length);
        return true;
      },
    },
  };
  const socket = connect(options);
  socket.on('error', (error) => answer.fail(error));
  socket.on('close', () => answer.fail(new Error('the connection was closed')));
  answer.onPassword = () => socket.write(encode.passwordMessage(path.password));
  const parameters = [
    { name: 'user', value: path.user },
    { name: 'database', value: path.database },
  ];
  await sent(socket, answer, encode.startupMessage(0, parameters));
  return {
    run: (sql) => sent(socket, answer, encode.query(sql)),
    close: () => {
      socket.destroy();
    },
  };
}

function sent(socket: Socket, answer: Answer, bytes: Uint8Array): Promise<{ bytes: number; tag: string }> {
  const done = answer.next();
  socket.write(bytes);
  return done;
}

/** Counts bytes until a read ends with ReadyForQuery, which nothing follows in a dialogue of one question at a time. */
class Answer {
  onPassword: () => void = () => {};
  #bytes = 0;
  #tail = Buffer.alloc(0);
  #wanted: PromiseWithResolvers<{ bytes: number; tag: string }> | undefined;

  next(): Promise<{ bytes: number; tag: string }> {
    this.#wanted = Promise.withResolvers();
    return this.#wanted.promise;
  }

  take(buffer: Uint8Array, length: number): void {
    this.#bytes += length;
    const end = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    const tail = length >= tailBytes ? end.subarray(length - tailBytes) : Buffer.concat([this.#tail, end]).subarray(-tailBytes);
    this.#tail = Buffer.from(tail);
    if (this.#tail.subarray(-9).equals(cleartextWanted)) {
      this.onPassword();
      return;
    }
    const isError = this.#bytes === length && end[0] === 0x45;
    if (isError) this.fail(new Error(`refused: ${end.toString('latin1').replaceAll('\0', ' ')}`));
    else if (this.#tail.subarray(-6, -1).equals(readyForQuery)) this.#done();
  }

  fail(error: Error): void {
    this.#wanted?.reject(error);
    this.#wanted = undefined;
  }

  #done(): void {
    const tag = /C\0\0\0.([A-Z][A-Z 0-9]*)\0/s.exec(this.#tail.toString('latin1'))?.[1] ?? '';
    this.#wanted?.resolve({ bytes: this.#bytes, tag });
    this.#wanted = undefined;
    this.#bytes = 0;
    this.#tail = Buffer.alloc(0);
  }
}

/** Room for CommandComplete, what the gateway notes behind it, and ReadyForQuery. */
const tailBytes = 512;
const cleartextWanted = Buffer.from('520000000800000003', 'hex');
const readyForQuery = Buffer.from('5a00000005', 'hex');
