import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { gather } from './http-body.ts';
import type { ClientExchange } from './http-client.ts';
import { listenHttp, type HttpListener } from './http-server.ts';
import type { Understood } from './http-understood.ts';
import { turns, until, World } from './testing/http-world.ts';

/** A client that writes what it likes. */
class Raw {
  readonly #socket: Socket;
  got = '';
  isClosed = false;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes) => (this.got += bytes.toString('latin1'))).on('error', () => {});
    this.#socket.on('close', () => (this.isClosed = true));
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  /** The next answers, whole. */
  async answers(count: number): Promise<string[]> {
    const found: string[] = [];
    await until(() => {
      for (let length = answerLength(this.got); length !== undefined; length = answerLength(this.got)) {
        found.push(this.got.slice(0, length));
        this.got = this.got.slice(length);
      }
      return found.length >= count || this.isClosed;
    });
    return found;
  }

  async ask(text: string): Promise<string> {
    this.send(text);
    return (await this.answers(1))[0] ?? '';
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Of the first answer, where it is there. */
function answerLength(text: string): number | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const length = Number(/\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
  return text.length < end + 4 + length ? undefined : end + 4 + length;
}

const get = (path: string, token = 'good', method = 'GET'): string =>
  `${method} /http/crm${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
const status = (answer: string): string => answer.slice(9, 12);
const undated = (answer: string): string => answer.replace(/\r\ndate: [^\r]*/i, '');

async function opened(): Promise<{ world: World; raw: Raw }> {
  const world = await World.open();
  const raw = new Raw(world.listener.port);
  after(() => raw.close());
  return { world, raw };
}

/** A request that came before is under way, and its target takes its time. */
async function slowAgain(world: World, raw: Raw): Promise<void> {
  raw.send(get('/slow'));
  await until(() => world.release !== undefined);
  world.release!();
  await raw.answers(1);
  world.release = undefined;
  raw.send(get('/slow'));
  await until(() => world.release !== undefined);
}

describe('a request that came on the connection before', () => {
  it('is asked of policy and recorded each time, and read once', async () => {
    const { world, raw } = await opened();
    const first = await raw.ask(get('/a'));
    const questions = world.ports.questions.length;
    for (let times = 0; times < 3; times += 1) assert.equal(undated(await raw.ask(get('/a'))), undated(first));
    assert.equal(world.asks, 1);
    assert.equal(world.ports.questions.length, questions + 3);
    assert.deepEqual(world.seen, ['GET /a', 'GET /a', 'GET /a', 'GET /a']);
    assert.equal(world.ports.audit.types().filter((type) => type === 'operation.decided').length, 4);
    assert.equal(world.ports.audit.types().filter((type) => type === 'operation.completed').length, 4);
    assert.equal(world.sessions.list()[0]?.operations, 4);
  });

  it('is refused where policy says otherwise meanwhile', async () => {
    const { world, raw } = await opened();
    assert.equal(status(await raw.ask(get('/a'))), '200');
    world.ports.decision = { kind: 'deny', code: 'policy-denied', message: 'no', policies: ['p'] };
    assert.equal(status(await raw.ask(get('/a'))), '403');
    world.ports.decision = { kind: 'allow', policies: ['p'] };
    assert.equal(status(await raw.ask(get('/a'))), '200');
    assert.deepEqual(world.seen, ['GET /a', 'GET /a']);
  });

  it('is read anew where its session has ended', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    for (const session of world.sessions.list()) session.end('an operator ended it');
    await world.recorded('session.closed', 1);
    assert.equal(status(await raw.ask(get('/a'))), '200');
    assert.equal(world.ports.audit.types().filter((type) => type === 'session.opened').length, 2);
    world.ports.identityEndsAtMs = 0;
    for (const session of world.sessions.list()) session.end('an operator ended it');
    await world.recorded('session.closed', 2);
    assert.notEqual(status(await raw.ask(get('/a'))), '200', 'its identity has ended');
  });

  it('is read anew where its target was configured anew', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    world.configure();
    await raw.ask(get('/a'));
    assert.equal(world.asks, 2);
    await raw.ask(get('/a'));
    assert.equal(world.asks, 2);
  });

  it('is asked about anew where what it was asked by has changed', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    world.asked = (asked) => ({ ...asked, upstream: { ...asked.upstream, target: '/b' } });
    await raw.ask(get('/a'));
    assert.deepEqual(world.seen, ['GET /a', 'GET /b']);
  });

  it('is another one with another token, on another connection and with another method', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    assert.equal(status(await raw.ask(get('/a', 'bad'))), '401');
    const other = new Raw(world.listener.port);
    await other.ask(get('/a'));
    assert.equal(world.asks, 2);
    await other.ask(get('/a', 'good', 'DELETE'));
    assert.deepEqual(world.seen, ['GET /a', 'GET /a', 'DELETE /a']);
    other.close();
  });

  it('is not kept where it has a secret besides its credential', async () => {
    const { world, raw } = await opened();
    for (let times = 0; times < 2; times += 1) {
      await raw.ask(get('/a').replace('Host', 'X-Api-Key: abc\r\nHost'));
      await raw.ask(get('/a?access_token=abc'));
    }
    assert.equal(world.asks, 4);
    await raw.ask(get('/a?page=2'));
    await raw.ask(get('/a?page=2'));
    assert.equal(world.asks, 5);
  });

  it('is held like the first one, and its hold ends when its client goes away', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a', 'good', 'DELETE'));
    world.hold();
    raw.send(get('/a', 'good', 'DELETE'));
    await until(() => world.ports.desk.requests.length === 1);
    assert.equal(world.asks, 1);
    raw.close();
    await until(() => world.ports.audit.records.some((one) => one.type === 'operation.decided' && one.decision === 'deny'));
    assert.deepEqual(world.seen, ['DELETE /a']);
  });

  it('is told by its connection’s end that nobody waits for it', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    assert.equal(await raw.ask(get('/nothing')).then(status), '204');
    assert.equal(await raw.ask(get('/nothing')).then(status), '204', 'an answer without a body');
    await slowAgain(world, raw);
    raw.close();
    await until(() => world.ports.audit.records.some((one) => one.type === 'operation.completed' && one.reason === 'the client went away'));
  });

  it('has its long answer, and the next request waits for it', async () => {
    const { world, raw } = await opened();
    const first = await raw.ask(get('/long'));
    raw.send(get('/long'));
    raw.send(get('/a'));
    const [again = '', next = ''] = await raw.answers(2);
    assert.equal(
      undated(again).replace(/\r\n(connection|keep-alive): [^\r]*/gi, ''),
      undated(first).replace(/\r\n(connection|keep-alive): [^\r]*/gi, ''),
    );
    assert.match(next, /upstream$/);
    assert.deepEqual(world.seen, ['GET /long', 'GET /long', 'GET /a']);
  });

  it('has an answer of some length as the first one had it', async () => {
    const { raw } = await opened();
    const [first, again] = [await raw.ask(get('/middling')), await raw.ask(get('/middling'))];
    assert.equal(undated(again), undated(first));
    assert.ok(again.endsWith('middling '.repeat(2_000)));
  });

  it('answers HEAD with a head', async () => {
    const { raw } = await opened();
    const head = get('/a', 'good', 'HEAD');
    for (let times = 0; times < 2; times += 1) {
      raw.send(head);
      await until(() => raw.got.endsWith('\r\n\r\n'));
      assert.equal(status(raw.got), '200');
      raw.got = '';
    }
  });

  it('is answered in order with those that come while it is served', async () => {
    const { world, raw } = await opened();
    await slowAgain(world, raw);
    const post = `POST /http/crm/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Length: 3\r\n\r\nabc`;
    raw.send(post.slice(0, 60));
    await turns(2);
    raw.send(post.slice(60) + get('/a'));
    await turns(2);
    assert.deepEqual(world.seen, ['GET /slow', 'GET /slow']);
    world.release!();
    const answers = await raw.answers(3);
    assert.deepEqual(
      answers.map((one) => one.slice(one.indexOf('\r\n\r\n') + 4)),
      ['slow', 'abc', 'upstream'],
    );
    assert.deepEqual(world.seen, ['GET /slow', 'GET /slow', 'POST /echo', 'GET /a']);
  });

  it('waits for one that is being served', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    raw.send(get('/slow'));
    await until(() => world.release !== undefined);
    raw.send(get('/a'));
    await turns(4);
    assert.deepEqual(world.seen, ['GET /a', 'GET /slow']);
    world.release!();
    assert.deepEqual(
      (await raw.answers(2)).map((one) => one.slice(one.indexOf('\r\n\r\n') + 4)),
      ['slow', 'upstream'],
    );
  });

  it('shows the recording what it was answered with, and not what the first one was', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/state'));
    world.state = 'storm';
    await raw.ask(get('/state'));
    assert.deepEqual(
      world.ports.recording.samples.map(({ rows }) => rows[0]?.at(-1)),
      ['calm', 'storm'],
    );
  });

  it('is a body where it stands in the place of one', async () => {
    const { world, raw } = await opened();
    await raw.ask(get('/a'));
    raw.send(
      `POST /http/crm/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\nContent-Length: ${get('/a').length}\r\n\r\n`,
    );
    await turns(2);
    const answer = await raw.ask(get('/a'));
    assert.ok(answer.endsWith(get('/a')));
    assert.deepEqual(world.seen, ['GET /a', 'POST /echo']);
  });

  it('is told where the gateway ends, and not cut off', async () => {
    const { world, raw } = await opened();
    world.ports.audit.immediate = true;
    await slowAgain(world, raw);
    const closed = world.listener.close('maintenance');
    assert.equal(status((await raw.answers(1))[0] ?? ''), '503');
    await closed;
  });
});

function listening(handle: (client: ClientExchange) => Promise<void>): Promise<HttpListener> {
  const end = (): Promise<void> => Promise.resolve();
  return listenHttp({ host: '127.0.0.1', port: 0, tls: undefined, maxConnections: 10, handle, end, failed: () => {} });
}

describe('what comes behind an answer that is on its way', () => {
  it('waits until that is out', async () => {
    const listener = await listening(async (client) => {
      const isFirst = client.understood === undefined;
      client.understood ??= { holds: true, onEveryAnswer: [], request: { method: 'GET', fields: [] } } as unknown as Understood;
      const body = Buffer.alloc(isFirst ? 3 : 8 * 1024 * 1024, 'x');
      client.sendHead(200, [{ name: 'content-length', value: String(body.length) }]);
      void client.write(body);
      client.end();
    });
    const raw = new Raw(listener.port);
    const request = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
    await raw.ask(request);
    raw.pause();
    raw.send(request);
    await turns(2);
    raw.send(request.replace('/a', '/b'));
    await turns(2);
    raw.resume();
    assert.deepEqual(
      (await raw.answers(2)).map((one) => one.length > 8_000_000),
      [true, false],
    );
    raw.close();
    await listener.close('over');
  });
});

/** What a server makes of what it is sent: method, path and body of each request, in order. */
interface Reader {
  readonly port: number;
  readonly seen: string[];
  close(): void;
}

/** Node alone. */
async function plainReader(): Promise<Reader> {
  const seen: string[] = [];
  const server: Server = createServer({ keepAlive: true, requireHostHeader: false }, (request, response) => {
    let body = '';
    const at = seen.push('') - 1;
    request.on('data', (bytes: Buffer) => (body += bytes.toString('latin1')));
    request.on('end', () => {
      seen[at] = `${request.method} ${request.url} ${body}`;
      response.end('ok');
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Behind what recognises requests; it says how many it recognised. */
async function recognisingReader(): Promise<Reader & { recognised: number }> {
  const seen: string[] = [];
  const reader = { port: 0, seen, recognised: 0, close: () => {} };
  const listener = await listening(async (client) => {
    const known = client.understood as unknown as { readonly label: string } | undefined;
    if (known === undefined) {
      const { method, target } = client.head;
      const label = `${method} ${target} `;
      const at = seen.push('') - 1;
      const { bytes } = await gather(client.request, 1 << 20);
      seen[at] = label + bytes.toString('latin1');
      client.understood = { label, holds: true, request: { method, fields: [] } } as unknown as Understood;
    } else {
      reader.recognised += 1;
      seen.push(known.label);
    }
    await client.answer(200, [], Buffer.from('ok'));
  });
  return Object.assign(reader, { port: listener.port, close: () => void listener.close('over') });
}

/** Requests with and without bodies, bodies that look like requests, halves, and what is no request at all. */
function stream(random: () => number): string[] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const plain = (): string => `${pick(['GET', 'HEAD', 'DELETE'])} /${pick(['a', 'b'])} HTTP/1.1\r\nHost: x\r\n\r\n`;
  const message = (): string => {
    const body = pick(['', 'x', plain(), plain().slice(0, -2), '\r\n\r\n', `0\r\n\r\n${plain()}`]);
    switch (Math.floor(random() * 20)) {
      case 0:
        return `POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      case 1: {
        const chunk = body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`;
        return `POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
      }
      case 2:
        return `GET /q HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      case 3:
        return `\r\n${plain()}`;
      case 4:
        return `${plain()}${plain()}`;
      default:
        return plain();
    }
  };
  const pieces: string[] = [];
  for (let count = 8 + Math.floor(random() * 12); count > 0; count -= 1) {
    const text = message();
    const cut = random() < 0.1 ? Math.floor(random() * text.length) : 0;
    if (cut > 0) pieces.push(text.slice(0, cut));
    pieces.push(text.slice(cut));
  }
  return pieces;
}

/** Small, and the same each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

describe('a stream of requests', () => {
  it('means the same whether some of them are recognised or all are parsed', async () => {
    const [plain, ours] = [await plainReader(), await recognisingReader()];
    after(() => {
      plain.close();
      ours.close();
    });
    for (let seed = 1; seed <= 80; seed += 1) {
      const pieces = stream(seeded(seed));
      for (const reader of [plain, ours]) {
        reader.seen.length = 0;
        const raw = new Raw(reader.port);
        for (const piece of [...pieces, 'GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']) {
          raw.send(piece);
          // So that it comes as a piece of its own.
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        await until(() => raw.isClosed);
      }
      assert.deepEqual(ours.seen, plain.seen, `seed ${seed}: ${JSON.stringify(pieces)}`);
    }
    assert.ok(ours.recognised > 100, `${ours.recognised} were recognised`);
  });
});
