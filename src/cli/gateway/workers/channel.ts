import type { Socket } from 'node:net';
import { GatewayFault, toFault } from '../../../core/fault.ts';

/** What one side does when the other asks. Every argument and result can be cloned. */
type Side = { readonly [name: string]: (argument: never, socket?: Socket) => unknown };

/** The end of a pipe between two processes: `process` in a child, a `ChildProcess` in its parent. */
export interface Pipe {
  send(message: unknown, socket: Socket | undefined, sent: (error: Error | null) => void): void;
  onMessage(listener: (message: unknown, socket: Socket | undefined) => void): void;
}

/**
 * Calls to the other process of this gateway, and answers to its calls, in order. A call that is not answered in time, or whose other side is
 * gone, rejects with a fault: whoever asked for permission does not have it.
 */
export class Channel<Theirs extends Side> {
  readonly #pipe: Pipe;
  readonly #calls = new Map<number, Call>();
  readonly #report: (what: string, error: unknown) => void;
  #next = 0;
  #closed = false;

  constructor(pipe: Pipe, ours: Side, report: (what: string, error: unknown) => void) {
    this.#pipe = pipe;
    this.#report = report;
    pipe.onMessage((message, socket) => void this.#take(ours, message as Message, socket));
  }

  /** Rejects with the fault that the other side threw, or with `internal` where it does not answer within `withinMs`. */
  async call<Name extends keyof Theirs & string>(
    name: Name,
    argument: Parameters<Theirs[Name]>[0],
    withinMs = patienceMs,
  ): Promise<Awaited<ReturnType<Theirs[Name]>>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const call = (this.#next += 1);
    const timer = setTimeout(() => this.#settle(call, () => reject(silent(name, 'it does not answer'))), withinMs);
    this.#calls.set(call, { resolve, reject, timer, name });
    this.#send({ call, name, argument }, undefined, (error) => this.#settle(call, () => reject(silent(name, error.message))));
    return (await promise) as Awaited<ReturnType<Theirs[Name]>>;
  }

  /** No answer is waited for; what the other side throws stands in its own log. `failed`: it did not even get there. */
  tell<Name extends keyof Theirs & string>(
    name: Name,
    argument: Parameters<Theirs[Name]>[0],
    socket?: Socket,
    failed: (error: Error) => void = () => {},
  ): void {
    this.#send({ name, argument }, socket, failed);
  }

  /** The other process is gone: nothing will be answered any more. */
  close(): void {
    this.#closed = true;
    for (const [number, call] of this.#calls) this.#settle(number, () => call.reject(silent(call.name, 'it has ended')));
  }

  #send(message: Message, socket: Socket | undefined, failed: (error: Error) => void): void {
    if (this.#closed) {
      failed(new Error('it has ended'));
      return;
    }
    try {
      this.#pipe.send(message, socket, (error) => {
        if (error !== null) failed(error);
      });
    } catch (error) {
      failed(error as Error);
    }
  }

  async #take(ours: Side, message: Message, socket: Socket | undefined): Promise<void> {
    if (!('name' in message)) {
      this.#answered(message);
      return;
    }
    try {
      const step = ours[message.name];
      if (step === undefined) throw new Error(`there is no ${message.name}`);
      const value = await step(message.argument as never, socket);
      if (message.call !== undefined) this.#send({ answered: message.call, value }, undefined, () => {});
    } catch (error) {
      if (message.call === undefined) this.#report(`${message.name} failed`, error);
      else this.#send({ answered: message.call, fault: packFault(error) }, undefined, () => {});
    }
  }

  #answered({ answered, value, fault }: Answer): void {
    const call = this.#calls.get(answered);
    this.#settle(answered, () => {
      if (fault === undefined) call?.resolve(value);
      else call?.reject(unpackFault(fault));
    });
  }

  #settle(call: number, how: () => void): void {
    const known = this.#calls.get(call);
    if (known === undefined) return;
    clearTimeout(known.timer);
    how();
    this.#calls.delete(call);
  }
}

interface Call {
  readonly name: string;
  readonly timer: NodeJS.Timeout;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

type Message = Question | Answer;

interface Question {
  readonly name: string;
  readonly argument: unknown;
  /** Absent where no answer is waited for. */
  readonly call?: number;
}

interface Answer {
  readonly answered: number;
  readonly value?: unknown;
  readonly fault?: PackedFault;
}

type PackedFault = Pick<GatewayFault, 'code' | 'publicMessage' | 'detail' | 'hint'>;

/** Its cause stays where it happened. */
function packFault(error: unknown): PackedFault {
  const { code, publicMessage, detail, hint } = toFault(error);
  return { code, publicMessage, detail, hint };
}

function unpackFault({ code, publicMessage, detail, hint }: PackedFault): GatewayFault {
  return new GatewayFault(code, { publicMessage, detail, ...(hint === undefined ? {} : { hint }) });
}

function silent(name: string, why: string): GatewayFault {
  return new GatewayFault('internal', {
    publicMessage: 'another process of the gateway cannot be reached',
    detail: `${name}: ${why}`,
    hint: 'Try again in a moment.',
  });
}

const patienceMs = 10_000;
