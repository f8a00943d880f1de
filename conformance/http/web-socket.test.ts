import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { eventually, run, start, type Running } from '../harness.ts';
import { startHouse, type House } from './house.ts';

/** WebSockets of Python's `websockets`, which offers and takes compression by itself, behind the gateway; clients are Node's own and Python's. */
let server: Running;
let house: House;
const ssn = '078-05-1120';

before(async () => {
  const port = await freePort();
  server = start(python, ['-u', '-c', program, String(port)], process.env);
  await eventually('the server', () => server.stdout().includes('listening') || undefined);
  house = await startHouse({
    handle: (_request, response) => response.end(),
    adjust: (config) => {
      const targets = config['targets'] as Record<string, unknown>;
      const upstream = { url: `http://127.0.0.1:${port}/v1`, tls: 'unsafe_disable' };
      targets['feed'] = { protocol: 'http', upstream };
      targets['plain'] = { protocol: 'http', upstream, unsafe_unmasked_media_types: ['application/octet-stream'] };
      targets['small'] = { protocol: 'http', upstream, limits: { bytes: 1_000 } };
      (config['data_classes'] as Record<string, unknown>)['ssn'] = { paths: ['feed/echo#$.ssn'], detect: 'us-ssn', mask: 'partial-last4' };
    },
    policies: `@id("pipelines open sockets")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"http:websocket"], resource);
@id("fraud reads and sees, and opens nothing")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
@id("one place waits")
@review("dba") @approvals("1") @expires("15m") @message("This feed needs a DBA.")
forbid (principal, action == Action::"http:websocket", resource in Path::"feed/guarded");
`,
  });
});
after(async () => {
  await house.close();
  server.process.kill();
  await server.done;
});

describe('a WebSocket that policy allows', () => {
  it('carries messages both ways, masked where something is hidden (Node)', async () => {
    const socket = await Socket.open('feed', '/echo');
    socket.send(`{"ssn":"any value","note":"and ${ssn} in a text"}`);
    const shown = JSON.parse(await socket.next()) as { ssn: string; note: string };
    assert.notEqual(shown.ssn, 'any value');
    assert.equal(shown.note, 'and ***-**-1120 in a text');
    socket.close();
    assert.equal((await socket.closed).code, 1000);
  });

  it('takes its sub-protocol from the target', async () => {
    const socket = await Socket.open('feed', '/echo', ['other', 'chat']);
    assert.equal(socket.protocol, 'chat');
    socket.close();
  });

  it('carries messages in fragments, and long ones (Python, which offers compression)', async () => {
    const script = `
import asyncio, ssl, sys, websockets
async def main(url, authority, token):
    context = ssl.create_default_context(cafile=authority)
    async with websockets.connect(url, ssl=context, extra_headers={"Authorization": "Bearer " + token}, max_size=None) as socket:
        assert not socket.extensions, socket.extensions
        await socket.send(["{\\"a\\":", "\\"fragments\\"}"])
        print(await socket.recv())
        await socket.send("[\\"" + "x" * 300000 + "\\"]")
        print(len(await socket.recv()))
        pong = await socket.ping()
        await asyncio.wait_for(pong, 10)
        print("pong")
asyncio.run(main(*sys.argv[1:]))
`;
    const url = `wss://localhost:${house.httpsPort}/http/feed/echo`;
    const { stdout, stderr } = await run(python, ['-c', script, url, house.authorityFile, await house.token('pipeline')], process.env);
    assert.equal(stdout, '{"a":"fragments"}\n300004\npong\n', stderr);
  });

  it('shows no binary message where something is hidden, unless the target lets it pass', async () => {
    const socket = await Socket.open('feed', '/echo');
    socket.send(new Uint8Array([1, 2, 3]));
    const { code, reason } = await socket.closed;
    assert.equal(code, 1008);
    assert.match(reason, /^a message of the target cannot be shown/);
    const other = await Socket.open('plain', '/echo');
    other.send(new Uint8Array([1, 2, 3]));
    assert.equal(await other.next(), 'binary 1,2,3');
    other.close();
  });

  it('is on record with what was masked, and its messages in the recording, nothing of them open', async () => {
    const socket = await Socket.open('feed', '/echo');
    socket.send(`{"ssn":"${ssn}","password":"hunter2"}`);
    await socket.next();
    socket.close();
    await socket.closed;
    const decided = await eventually('the record', async () => {
      const found = (await house.records(['operation.decided'])).filter(({ text }) =>
        String(text).startsWith('GET /echo\nupgrade: websocket'),
      );
      return found.at(-1);
    });
    assert.deepEqual(decided['acts'], [{ action: 'http:websocket', object: 'Path::"feed/echo"' }]);
    const completed = await eventually('its end', async () =>
      (await house.records(['operation.completed'])).find(({ operation }) => operation === decided['operation']),
    );
    assert.deepEqual([completed['outcome'], completed['masked']], ['succeeded', { ssn: 1 }]);
  });

  it('waits for people where policy says so, and is opened when they have answered', async () => {
    const opening = Socket.open('feed', '/guarded/echo');
    const erin = await house.api('dba-erin');
    const { id, text } = await eventually('the request', async () => {
      const { approvals } = await erin.get<{ approvals: { id: string; text: string }[] }>('/api/v1/approvals', { state: 'pending' });
      return approvals[0];
    });
    assert.match(text, /^GET \/guarded\/echo\nupgrade: websocket/);
    await erin.post(`/api/v1/approvals/${id}/approve`, { reason: 'because' });
    const socket = await opening;
    socket.send('{"a":1}');
    assert.equal(await socket.next(), '{"a":1}');
    socket.close();
  });

  it('ends with its session, while it is open', async () => {
    const socket = await Socket.open('feed', '/echo');
    const pia = await house.api('platform-pia');
    const { sessions } = await pia.get<{ sessions: { id: string; target: string }[] }>('/api/v1/sessions');
    // Those of other tests may end by themselves meanwhile.
    await Promise.allSettled(
      sessions.filter(({ target }) => target === 'feed').map(({ id }) => pia.delete(`/api/v1/sessions/${id}`, { reason: 'enough' })),
    );
    const { code, reason } = await socket.closed;
    assert.equal(code, 1008);
    assert.match(reason, /^session ended: /);
  });

  it('ends at the limit of bytes', async () => {
    const socket = await Socket.open('small', '/flood');
    const { code, reason } = await socket.closed;
    assert.equal(code, 1008);
    assert.match(reason, /^bytes \(1000\) of target small is exceeded/);
  });

  it('bears a storm of pings from the target', async () => {
    const socket = await Socket.open('feed', '/pings');
    assert.equal(await socket.next(), 'done');
    socket.close();
  });

  it('is told where the target goes away without a word', async () => {
    const socket = await Socket.open('feed', '/vanish');
    assert.equal((await socket.closed).code, 1014);
  });

  it('with a message that is too long ends there', async () => {
    const socket = await Socket.open('feed', '/long');
    assert.equal((await socket.closed).code, 1014);
  });
});

describe('a WebSocket that is refused', () => {
  const upgrade = async (as: string | undefined, url: string) => {
    const head = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
    const { stdout } = await house.curl(
      as,
      '--http1.1',
      '-m',
      '10',
      ...head.flatMap((field) => ['-H', field]),
      '-w',
      '\n%{http_code}',
      url,
    );
    return stdout;
  };
  const at = (path: string) => `https://localhost:${house.httpsPort}/http/feed${path}`;

  it('by policy: whoever may read may not open one', async () => {
    const answer = await upgrade('fraud-omar', at('/echo'));
    assert.match(answer, /urn:sallyport:problem:policy-denied/);
    assert.match(answer, /\n403$/);
  });

  it('without a token', async () => {
    assert.match(await upgrade(undefined, at('/echo')), /\n401$/);
  });

  it('by the target: its own answer', async () => {
    assert.match(await upgrade('pipeline', at('/forbidden')), /not for you[^]*\n403$/);
  });
});

/** Debian's, for which its packages are. */
const python = '/usr/bin/python3';

/** Node's own client. */
class Socket {
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;
  readonly #messages: string[] = [];

  static async open(target: string, path: string, protocols: readonly string[] = []): Promise<Socket> {
    const headers = { authorization: `Bearer ${await house.token('pipeline')}` };
    const options = { protocols: [...protocols], headers } as unknown as string[];
    const socket = new Socket(new WebSocket(`wss://localhost:${house.httpsPort}/http/${target}${path}`, options));
    await socket.#opened;
    return socket;
  }

  readonly #opened: Promise<void>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      this.#messages.push(typeof data === 'string' ? data : `binary ${new Uint8Array(data as ArrayBuffer).join()}`);
    });
    this.closed = new Promise((resolve) => {
      socket.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
    });
    this.#opened = new Promise((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('not opened')));
    });
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(message);
  }

  next(): Promise<string> {
    return eventually('a message', () => this.#messages.shift());
  }

  close(): void {
    this.#socket.close(1000);
  }
}

const program = `
import asyncio, http, sys, websockets
async def serve(socket, path):
    if path.endswith("/echo"):
        async for message in socket:
            await socket.send(message)
    elif path.endswith("/flood"):
        for index in range(100):
            await socket.send("x" * 300)
        await socket.wait_closed()
    elif path.endswith("/pings"):
        for index in range(5000):
            await socket.ping()
        await socket.send("done")
        await socket.wait_closed()
    elif path.endswith("/vanish"):
        socket.transport.abort()
    elif path.endswith("/long"):
        await socket.send("x" * 3000000)
        await socket.wait_closed()
async def refuse(path, headers):
    if path.endswith("/forbidden"):
        return http.HTTPStatus.FORBIDDEN, [("Content-Type", "text/plain")], b"not for you"
async def main():
    async with websockets.serve(serve, "127.0.0.1", int(sys.argv[1]), process_request=refuse, subprotocols=["chat"], ping_interval=None, max_size=None):
        print("listening")
        await asyncio.Future()
asyncio.run(main())
`;
