import { createServer, type AddressInfo, type Socket } from 'node:net';
import { after } from 'node:test';
import { Pipeline } from '../../core/pipeline.ts';
import { TestPorts } from '../../core/testing/ports.ts';
import { frame } from '../../protocols/http2/testing/frames.ts';
import type { Forwarded } from '../http-upstream.ts';
import type { UpstreamAnswer } from '../http-upstream-answer.ts';
import { Http2Upstream } from '../http2-upstream.ts';
import type { StopSignal } from '../stop.ts';

const closers: (() => void)[] = [];
after(() => closers.forEach((close) => close()));

/** A session to forward under. */
export const opened = (async () => {
  const ports = new TestPorts();
  ports.target = { name: 'ledger', protocol: 'grpc', labels: {}, masking: 'taint', hold: 'wait' };
  return new Pipeline(ports).open({
    signIn: { credential: 'good', targetName: 'ledger', acts: () => [], facts: {}, part: undefined, claimedUser: '' },
    listenerTarget: undefined,
    protocol: 'grpc',
    peer: '127.0.0.1:1',
  });
})();

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** One connection to a target whose every octet the test chooses. */
export class RawConnection {
  readonly socket: Socket;
  /** What the gateway has sent, in order. */
  readonly frames: RawFrame[] = [];
  readonly #told: () => void;
  #bytes = Buffer.alloc(0);
  #hasPreface = false;

  constructor(socket: Socket, told: () => void) {
    this.socket = socket;
    this.#told = told;
    socket.on('error', () => {});
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('close', told);
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  of(type: number): readonly RawFrame[] {
    return this.frames.filter((one) => one.type === type);
  }

  #take(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (!this.#hasPreface) {
      if (this.#bytes.length < prefaceBytes) return;
      this.#hasPreface = true;
      this.#bytes = this.#bytes.subarray(prefaceBytes);
    }
    while (this.#bytes.length >= 9) {
      const length = this.#bytes.readUIntBE(0, 3);
      if (this.#bytes.length < 9 + length) break;
      const [type, flags] = [this.#bytes.readUInt8(3), this.#bytes.readUInt8(4)];
      this.frames.push({ type, flags, stream: this.#bytes.readUInt32BE(5), payload: this.#bytes.subarray(9, 9 + length) });
      this.#bytes = this.#bytes.subarray(9 + length);
    }
    this.#told();
  }
}

/** `settings`: what the target begins with. */
export async function rawTarget({
  settings = frame(4, 0, 0),
  shortAnswerMs,
}: { readonly settings?: Uint8Array; readonly shortAnswerMs?: number } = {}) {
  const connections: RawConnection[] = [];
  let waiting: (() => void)[] = [];
  const told = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  const server = createServer((socket) => {
    connections.push(new RawConnection(socket, told));
    socket.write(settings);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const upstream = new Http2Upstream({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, tls: undefined }, shortAnswerMs);
  closers.push(() => {
    upstream.close();
    server.close();
    for (const { socket } of connections) socket.destroy();
  });
  const send = (more: Partial<Forwarded> = {}, signal: StopSignal = new AbortController().signal): Promise<UpstreamAnswer> => {
    const forwarded: Forwarded = { method: 'POST', target: '/a.B/C', fields: [], body: { kind: 'none' }, ...more };
    const sent = opened.then(({ grant, id }) => upstream.send(forwarded, grant, id, signal));
    // It may fail before the test looks.
    sent.catch(() => {});
    return sent;
  };
  /** Until what is looked for is there. */
  const until = async <T>(look: () => T | undefined | false): Promise<T> => {
    for (;;) {
      const found = look();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  /** The request that came as number `index` over all of its connections, in the order in which they were opened. */
  const request = (index = 0): Promise<{ readonly to: RawConnection; readonly stream: number }> =>
    until(() => connections.flatMap((to) => to.of(1).map(({ stream }) => ({ to, stream })))[index]);
  return { connections, upstream, send, until, request };
}

const prefaceBytes = 24;
