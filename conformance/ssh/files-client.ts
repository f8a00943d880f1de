import { decodeAnswer, decodeHello } from '../../src/protocols/ssh/sftp/decode.ts';
import { packet, type Field } from '../../src/protocols/ssh/sftp/encode.ts';
import { PacketReader } from '../../src/protocols/ssh/sftp/frame.ts';
import { STATUS, TYPE, type Answer } from '../../src/protocols/ssh/sftp/messages.ts';
import { sftpSession } from '../../src/protocols/ssh/sftp/session.ts';
import { Direct, type DirectOptions } from './files-direct.ts';

/** A client that sends any packets it likes, through the session, to the real `sftp-server`. */
export class RawClient {
  readonly direct: Direct;
  /** What the gateway says beside the protocol. */
  stderr = '';
  /** Resolves with the status of the program when the channel is over. */
  readonly over: Promise<number | undefined>;
  readonly #reader = new PacketReader();
  readonly #waiting = new Map<number, ((answer: Answer) => void)[]>();
  #greeted: ((extensions: readonly string[]) => void) | undefined;
  #lastId = 0;

  constructor(options: Omit<DirectOptions, 'program' | 'reply' | 'over'>) {
    let end: (exit: number | undefined) => void = () => undefined;
    this.over = new Promise((resolve) => (end = resolve));
    this.direct = new Direct(
      {
        ...options,
        program: ['/usr/lib/openssh/sftp-server'],
        reply: (stream, bytes) => (stream === 'stdout' ? this.#receive(bytes) : (this.stderr += Buffer.from(bytes).toString())),
        over: (exit) => end(exit),
      },
      sftpSession,
    );
  }

  static async open(options: Omit<DirectOptions, 'program' | 'reply' | 'over'>): Promise<RawClient> {
    const client = new RawClient(options);
    await client.greet();
    return client;
  }

  greet(version = 3): Promise<readonly string[]> {
    return new Promise((resolve) => {
      this.#greeted = resolve;
      this.direct.send(packet(TYPE.init, undefined, version));
    });
  }

  ask(type: number, ...fields: readonly Field[]): Promise<Answer> {
    this.#lastId += 1;
    return this.askAs(this.#lastId, type, ...fields);
  }

  /** With an id of the caller's choice, also one that is in use. */
  askAs(id: number, type: number, ...fields: readonly Field[]): Promise<Answer> {
    return new Promise((resolve) => {
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
      this.direct.send(packet(type, id, ...fields));
    });
  }

  /** The code of a status, or what else was answered; with the text where it is a refusal. */
  async status(type: number, ...fields: readonly Field[]): Promise<string> {
    return statusText(await this.ask(type, ...fields));
  }

  async open(path: string, flags: number, attributes: Field = noAttributes): Promise<Uint8Array> {
    const answer = await this.ask(TYPE.open, path, flags, attributes);
    if (answer.kind !== 'handle') throw new Error(statusText(answer));
    return answer.handle;
  }

  async read(handle: Uint8Array, offset: number, length: number): Promise<string> {
    const answer = await this.ask(TYPE.read, handle, BigInt(offset), length);
    return answer.kind === 'data' ? Buffer.from(answer.data).toString() : statusText(answer);
  }

  async path(type: number, ...fields: readonly Field[]): Promise<string> {
    const answer = await this.ask(type, ...fields);
    return answer.kind === 'name' ? Buffer.from(answer.names[0]!.name).toString() : statusText(answer);
  }

  /** Texts of what was asked of policy, in order. */
  get asked(): readonly string[] {
    return this.direct.recorded.asked.map(({ text }) => text);
  }

  async close(): Promise<void> {
    this.direct.end();
    await this.over;
  }

  #receive(bytes: Uint8Array): void {
    this.#reader.push(bytes);
    for (let one = this.#reader.next(); one !== undefined; one = this.#reader.next()) {
      const whole = Uint8Array.from(one);
      if (whole[0] === TYPE.version) this.#greeted?.(decodeHello(whole, TYPE.version).extensions.map(([name]) => name));
      else this.#answer(decodeAnswer(whole));
    }
  }

  #answer(answer: Answer): void {
    const [first, ...rest] = this.#waiting.get(answer.id) ?? [];
    if (first === undefined) throw new Error(`an answer to ${answer.id}, which was not asked`);
    this.#waiting.set(answer.id, rest);
    first(answer);
  }
}

export function statusText(answer: Answer): string {
  if (answer.kind !== 'status') return answer.kind;
  const name = Object.entries(STATUS).find(([, code]) => code === answer.code)?.[0] ?? String(answer.code);
  return answer.message.startsWith('sallyport: ') ? `${name}: ${answer.message.slice(11)}` : name;
}

export const noAttributes: Field = { raw: Uint8Array.of(0, 0, 0, 0) };

export function permissions(mode: number): Field {
  return { raw: packet(0, undefined, 4, mode).subarray(5) };
}

export function size(bytes: bigint): Field {
  return { raw: packet(0, undefined, 1, bytes).subarray(5) };
}
