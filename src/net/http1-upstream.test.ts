import assert from 'node:assert/strict';
import { get } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import { Pipeline } from '../core/pipeline.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import { TestPorts } from '../core/testing/ports.ts';
import { gather } from './http-body.ts';
import { HttpUpstream, type Forwarded } from './http-upstream.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';

/** What the connections to a target make of what it says, and of what it does not say. */

const closers: (() => void)[] = [];
after(() => closers.forEach((close) => close()));

/** A target that says what it is told to, whatever it is asked. */
class Target {
  readonly #server: Server;
  readonly upstream: HttpUpstream;
  /** Connections, in order, with all that was said on them. */
  readonly connections: { readonly socket: Socket; heard: string }[] = [];

  /** `answer`: called for every head that comes, with its number on the connection and the connection's own, from 0. */
  static async start(answer: (socket: Socket, request: number, connection: number) => void): Promise<Target> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const target = new Target(server);
    server.on('connection', (socket) => {
      const number = target.connections.length;
      const connection = { socket, heard: '' };
      target.connections.push(connection);
      let heads = 0;
      socket.on('error', () => {});
      socket.on('data', (bytes: Buffer) => {
        connection.heard += bytes.toString('latin1');
        for (const found = (): number => connection.heard.split('\r\n\r\n').length - 1; heads < found();) answer(socket, heads++, number);
      });
    });
    return target;
  }

  constructor(server: Server) {
    this.#server = server;
    this.upstream = new HttpUpstream({ host: '127.0.0.1', port: this.port, tls: undefined });
    closers.push(() => {
      this.upstream.close();
      server.close();
      for (const { socket } of this.connections) socket.destroy();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async send(forwarded: Partial<Forwarded> = {}, signal = new AbortController().signal): Promise<UpstreamAnswer> {
    const session = await opened;
    const request = { method: 'GET', target: '/x', fields: [], body: { kind: 'none' }, ...forwarded } as const;
    return this.upstream.send(request, session.grant, session.id, signal);
  }

  async text(forwarded: Partial<Forwarded> = {}): Promise<string> {
    return textOf(await this.send(forwarded));
  }
}

const opened: Promise<PipelineSession> = (async () => {
  const ports = new TestPorts();
  ports.target = { name: 'crm', protocol: 'http', labels: {}, masking: 'taint', hold: 'wait' };
  return new Pipeline(ports).open({
    signIn: { credential: 'good', targetName: 'crm', acts: () => [], facts: {}, part: undefined, claimedUser: '' },
    listenerTarget: undefined,
    protocol: 'http',
    peer: '127.0.0.1:1',
  });
})();

async function textOf(answer: UpstreamAnswer): Promise<string> {
  return Buffer.from(answer.whole ?? (await gather(answer.body, 1_000_000)).bytes).toString();
}

const fails = (code: string, detail: RegExp) => (error: unknown) =>
  error instanceof GatewayFault && error.code === code && detail.test(`${error.publicMessage} ${error.detail}`);
const until = async (what: () => boolean): Promise<void> => {
  while (!what()) await new Promise((resolve) => setImmediate(resolve));
};
/** Everything that is under way on loopback has arrived. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

const ok = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('an answer', () => {
  for (const [name, said, text] of [
    ['with a length', ok('body'), 'body'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n', 'body'],
    ['that is empty', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['behind others that only inform', `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${ok('body')}`, 'body'],
  ] as const) {
    it(`${name} is whole however it comes, and its connection is used again`, async () => {
      const target = await Target.start((socket, request) => {
        if (request % 2 === 0) socket.write(said, 'latin1');
        else void byteByByte(socket, said);
      });
      assert.deepEqual([await target.text(), await target.text()], [text, text]);
      assert.equal(target.connections.length, 1);
    });
  }

  it('that ends with its connection is whole, and the next one comes over another', async () => {
    const target = await Target.start((socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    assert.deepEqual([await target.text(), await target.text()], ['all of it', 'all of it']);
    assert.equal(target.connections.length, 2);
  });

  it('that says so is the last one of its connection', async () => {
    const target = await Target.start((socket) => socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx`));
    assert.deepEqual([await target.text(), await target.text()], ['x', 'x']);
    assert.equal(target.connections.length, 2);
  });

  it('with the head of the one before is read by its own request: to HEAD it has no body', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n';
    const target = await Target.start((socket, request) => socket.write(request === 1 ? head : `${head}ab`));
    const texts = [await target.text(), await target.text({ method: 'HEAD' }), await target.text()];
    assert.deepEqual(texts, ['ab', '', 'ab']);
    assert.equal(target.connections.length, 1);
  });

  it('that cannot be trusted is refused each time', async () => {
    const target = await Target.start((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'));
    for (let times = 0; times < 2; times += 1) await assert.rejects(target.send(), fails('upstream-unavailable', /read in one way/));
  });

  it('has trailers', async () => {
    const target = await Target.start((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n'),
    );
    assert.deepEqual((await target.send()).trailers(), [{ name: 'x-sum', value: '1' }]);
  });

  it('that is long waits until somebody reads it', async () => {
    const total = 32 * 1024 * 1024;
    const target = await Target.start((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      socket.write(Buffer.alloc(total));
    });
    const answer = await target.send();
    await settle();
    assert.ok(target.connections[0]!.socket.writableLength > total / 2, 'most of it has not left the target');
    let length = 0;
    for await (const piece of answer.body as AsyncIterable<Buffer>) length += piece.length;
    assert.equal(length, total);
  });

  it('that breaks off is an error of its body, and not its end', async () => {
    const target = await Target.start((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome'));
    const answer = await target.send();
    await assert.rejects(gather(answer.body, 100), fails('upstream-unavailable', /reset/));
  });

  it('that nobody wants any more is not read to its end: the connection closes', async () => {
    const target = await Target.start((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome'));
    (await target.send()).discard();
    await until(() => target.connections[0]!.socket.destroyed);
  });
});

describe('what a target may not say closes its connection, and is no answer:', () => {
  for (const [name, said] of [
    ['garbage', 'SSH-2.0-OpenSSH\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a malformed chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['informational answers without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)],
  ] as const) {
    it(name, async () => {
      const target = await Target.start((socket) => socket.write(said));
      await assert.rejects(target.send(), fails('upstream-unavailable', /malformed|switched/));
      await until(() => target.connections[0]!.socket.destroyed);
    });
  }

  it('an answer that nobody asked for, behind the one that somebody did', async () => {
    const target = await Target.start((socket, _request, connection) =>
      socket.write(ok('first') + (connection === 0 ? ok('poisoned') : '')),
    );
    assert.deepEqual([await target.text(), await target.text()], ['first', 'first']);
    assert.equal(target.connections.length, 2);
  });

  it('an answer that nobody asked for, while the connection waits', async () => {
    const target = await Target.start((socket) => socket.write(ok('first')));
    assert.equal(await target.text(), 'first');
    target.connections[0]!.socket.write(ok('poisoned'));
    await until(() => target.connections[0]!.socket.destroyed);
    assert.equal(await target.text(), 'first');
    assert.equal(target.connections.length, 2);
  });

  it('an answer before its request was sent, as far as the next request is concerned', async () => {
    const target = await Target.start((socket) => socket.write(ok('early')));
    let more = (): void => {};
    const pieces = (async function* () {
      yield Buffer.from('begun');
      await new Promise<void>((resolve) => (more = resolve));
      yield Buffer.from(' ended');
    })();
    assert.equal(await target.text({ method: 'POST', body: { kind: 'streamed', octets: undefined, pieces } }), 'early');
    await until(() => target.connections[0]!.socket.destroyed);
    more();
    assert.equal(await target.text(), 'early');
    assert.equal(target.connections.length, 2);
  });

  it('anything at all that Node’s own client reads in another way', async () => {
    const heads = [
      'HTTP/1.1 200 OK\r\nContent-Length: 4',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nConnection: close',
      'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked',
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n folded: x',
      'HTTP/1.1 200 OK\r\nContent-Length : 4',
      'HTTP/1.1 200 OK\nContent-Length: 4',
      'HTTP/1.1 200 OK\r\nContent-Length: 04',
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: \u0001',
      'HTTP/1.1 200 OK',
      'HTTP/1.1  200 OK\r\nContent-Length: 4',
    ];
    const bodies = [
      'body',
      '4\r\nbody\r\n0\r\n\r\n',
      '4;x\r\nbody\r\n0\r\na: b\r\n\r\n',
      '4 \r\nbody\r\n0\r\n\r\n',
      '4\nbody\n0\n\n',
      '\r\n4\r\nbody\r\n0\r\n\r\n',
    ];
    let accepted = 0;
    for (const head of heads) {
      for (const body of bodies) {
        // What is behind the end is another test's.
        if (/Content-Length: 0?4/.test(head) && body !== 'body') continue;
        const target = await Target.start((socket) => socket.end(`${head}\r\n\r\n${body}`, 'latin1'));
        const ours = await target.text().catch(() => undefined);
        if (ours === undefined) continue;
        accepted += 1;
        assert.equal(ours, await byNode(target.port), JSON.stringify(`${head}\r\n\r\n${body}`));
      }
    }
    assert.ok(accepted > 10, `only ${accepted} were accepted`);
  });
});

describe('a request', () => {
  it('whose idle connection the target has closed goes out once more where it changes nothing, and only there', async () => {
    for (const [method, answers] of [
      ['GET', true],
      ['POST', false],
    ] as const) {
      const target = await Target.start((socket, request, connection) => {
        if (connection === 0 && request > 0) socket.destroy();
        else socket.write(ok('answer'));
      });
      assert.equal(await target.text(), 'answer');
      const second = target.text({ method });
      if (answers) assert.equal(await second, 'answer');
      else await assert.rejects(second, fails('upstream-unavailable', /idle connection was closed/));
      assert.equal(target.connections.length, answers ? 2 : 1);
    }
  });

  it('that a new connection leaves without an answer is not sent again', async () => {
    const target = await Target.start((socket) => socket.destroy());
    await assert.rejects(target.send(), fails('upstream-unavailable', /without an answer/));
    assert.equal(target.connections.length, 1);
  });

  it('is framed anew: none, a length, chunks', async () => {
    const target = await Target.start((socket) => setTimeout(() => socket.write(ok('')), 20));
    const pieces = async function* () {
      yield Buffer.from('one');
      yield new Uint8Array(0);
      yield Buffer.from(' and two');
    };
    await target.text();
    await target.text({ method: 'POST' });
    await target.text({ method: 'POST', body: { kind: 'whole', bytes: Buffer.from('body') } });
    await target.text({ method: 'POST', body: { kind: 'whole', bytes: Buffer.alloc(100_000, 'x') } });
    await target.text({ method: 'POST', body: { kind: 'streamed', octets: 11, pieces: pieces() } });
    await target.text({ method: 'POST', body: { kind: 'streamed', octets: undefined, pieces: pieces() } });
    const host = `host: 127.0.0.1:${target.port}\r\n`;
    assert.equal(
      target.connections[0]!.heard,
      [
        `GET /x HTTP/1.1\r\n${host}\r\n`,
        `POST /x HTTP/1.1\r\n${host}content-length: 0\r\n\r\n`,
        `POST /x HTTP/1.1\r\n${host}content-length: 4\r\n\r\nbody`,
        `POST /x HTTP/1.1\r\n${host}content-length: 100000\r\n\r\n${'x'.repeat(100_000)}`,
        `POST /x HTTP/1.1\r\n${host}content-length: 11\r\n\r\none and two`,
        `POST /x HTTP/1.1\r\n${host}transfer-encoding: chunked\r\n\r\n3\r\none\r\n8\r\n and two\r\n0\r\n\r\n`,
      ].join(''),
    );
  });

  it('has its trailers behind its body', async () => {
    const target = await Target.start((socket) => setTimeout(() => socket.write(ok('')), 20));
    const trailers = () => [{ name: 'x-sum', value: '1' }];
    const bytes = Buffer.from('body');
    await target.text({ method: 'POST', body: { kind: 'whole', bytes }, trailers });
    const pieces = (async function* () {
      yield bytes;
    })();
    await target.text({ method: 'POST', body: { kind: 'streamed', octets: undefined, pieces }, trailers });
    const heard = target.connections.map((connection) => connection.heard).join('');
    const [first, second] = heard.split('POST ').slice(1);
    assert.equal(first, second);
    assert.match(first!, /transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n$/);
  });

  for (const [name, octets, detail] of [
    ['longer', 3, /longer/],
    ['shorter', 9, /shorter/],
  ] as const) {
    it(`whose body is ${name} than was announced breaks off`, async () => {
      const target = await Target.start(() => {});
      const pieces = (async function* () {
        yield Buffer.from('body');
      })();
      await assert.rejects(
        target.send({ method: 'POST', body: { kind: 'streamed', octets, pieces } }),
        fails('upstream-unavailable', detail),
      );
      await until(() => target.connections[0]!.socket.destroyed);
      assert.ok(!target.connections[0]!.heard.endsWith('body'.slice(0, octets) + 'y'));
    });
  }

  for (const [name, forwarded] of [
    ['a line break in a value', { fields: [{ name: 'x', value: 'a\r\nHost: evil' }] }],
    ['a bare line feed in a value', { fields: [{ name: 'x', value: 'a\nHost: evil' }] }],
    ['a character beyond octets', { fields: [{ name: 'x', value: 'a\u010a' }] }],
    ['a line break in a name', { fields: [{ name: 'x\r\ny', value: 'a' }] }],
    ['a space in its target', { target: '/x HTTP/1.1' }],
    ['a line break in its method', { method: 'GET /\r\n' }],
  ] as const) {
    it(`with ${name} does not go out at all`, async () => {
      const target = await Target.start((socket) => socket.write(ok('')));
      await assert.rejects(target.send(forwarded), fails('internal', /cannot stand in a head/));
      await settle();
      assert.equal(target.connections[0]!.heard, '');
    });
  }

  it('that is given up is told so, and its connection closes', async () => {
    const target = await Target.start(() => {});
    const abort = new AbortController();
    const answer = target.send({}, abort.signal);
    await until(() => target.connections[0]?.heard !== undefined && target.connections[0].heard !== '');
    abort.abort(new GatewayFault('session-ended', { publicMessage: 'over' }));
    await assert.rejects(answer, fails('session-ended', /over/));
    await until(() => target.connections[0]!.socket.destroyed);
  });

  it('is not sent under a grant that is none', async () => {
    const target = await Target.start((socket) => socket.write(ok('')));
    const forged = { sessionId: 's1', operationId: 's1-1', sequence: 0 };
    const request = { method: 'GET', target: '/', fields: [], body: { kind: 'none' } } as const;
    await assert.rejects(target.upstream.send(request, forged, 's1', new AbortController().signal), fails('internal', /genuine/));
    await settle();
    assert.ok(target.connections.every(({ heard }) => heard === ''));
  });
});

async function byteByByte(socket: Socket, text: string): Promise<void> {
  for (const character of text) {
    socket.write(character, 'latin1');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Undefined where it takes it for no answer. */
function byNode(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/x', agent: false }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text)).on('error', () => resolve(undefined));
    });
    request.on('error', () => resolve(undefined));
  });
}
