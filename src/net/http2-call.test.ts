import assert from 'node:assert/strict';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { createDemoAuthority } from '../cli/demo/certificates.ts';
import type { ClientExchange } from './http-client.ts';
import { gather } from './http-body.ts';
import { listenHttp, type HttpListener } from './http-server.ts';

/** What a client of HTTP/2 gets of the answers that are given to its requests. */

let listener: HttpListener;
let session: ClientHttp2Session;
let handle: (client: ClientExchange) => Promise<void> | void;

before(async () => {
  const authority = await createDemoAuthority();
  const { certificate: cert, key } = await authority.issue(['localhost']);
  listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { cert, key },
    maxConnections: 10,
    handle: async (client) => handle(client),
    end: async () => {},
    failed: (error) => assert.fail(String(error)),
  });
  session = connect(`https://localhost:${listener.port}`, { ca: authority.certificate, host: '127.0.0.1' } as object);
});
after(async () => {
  session.close();
  await listener.close('over');
});

interface Seen {
  readonly head: IncomingHttpHeaders;
  readonly informed: readonly number[];
  readonly body: string;
  readonly trailers: IncomingHttpHeaders | undefined;
  readonly rstCode: number;
}

/** `send`: what goes out behind the head of the request. */
async function ask(
  answer: typeof handle,
  fields: Readonly<Record<string, string>> = {},
  send: (stream: ClientHttp2Stream) => void = (stream) => stream.end(),
  options: { readonly waitForTrailers?: boolean } = {},
): Promise<Seen> {
  handle = answer;
  const stream = session.request({ ':method': 'POST', ':path': '/a', ...fields }, { endStream: false, ...options });
  let head: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders | undefined;
  let body = '';
  const informed: number[] = [];
  stream.on('error', () => {});
  stream.on('headers', (sent) => informed.push(Number(sent[':status'])));
  stream.on('response', (sent) => (head = sent));
  stream.on('trailers', (sent) => (trailers = sent));
  stream.setEncoding('latin1').on('data', (text: string) => (body += text));
  send(stream);
  await new Promise((resolve) => stream.on('close', resolve));
  return { head, informed, body, trailers, rstCode: stream.rstCode ?? 0 };
}

const fields = [{ name: 'x-a', value: '1' }];

describe('an answer to a client of HTTP/2', () => {
  it('that is there as a whole has its length and nothing behind it', async () => {
    const { head, body, trailers, rstCode } = await ask((client) => void client.answer(201, fields, Buffer.from('all of it')));
    assert.deepEqual(
      [head[':status'], head['x-a'], head['content-length'], body, trailers, rstCode],
      [201, '1', '9', 'all of it', undefined, 0],
    );
  });

  it('that is whole and long comes whole', async () => {
    const long = Buffer.alloc(1_000_000, 'l');
    const { body } = await ask((client) => client.answer(200, [], long));
    assert.ok(body === long.toString());
  });

  it('of messages has its pieces and its trailers, in order', async () => {
    const trailers = [
      { name: 'grpc-status', value: '0' },
      { name: 'x-b', value: '1' },
      { name: 'x-b', value: '2' },
    ];
    const pieces = ['one ', 'two ', 'one '].map((text) => Buffer.from(text));
    const first = await ask((client) => client.answerWithTrailers(200, fields, pieces, trailers));
    assert.deepEqual([first.body, first.trailers?.['grpc-status'], first.trailers?.['x-b']], ['one two one ', '0', '1, 2']);
    const again = await ask((client) => client.answerWithTrailers(200, fields, [pieces[0]!, pieces[0]!], []));
    assert.deepEqual([again.body, again.trailers, again.rstCode], ['one one ', undefined, 0]);
    const none = await ask((client) => client.answerWithTrailers(200, fields, [], trailers));
    assert.deepEqual([none.body, none.trailers?.['grpc-status']], ['', '0']);
  });

  for (const trailers of [[], [{ name: 'x-b', value: '2' }]]) {
    it(`that comes piece by piece ends with ${trailers.length === 0 ? 'nothing' : 'what stands'} behind it`, async () => {
      const seen = await ask(async (client) => {
        client.sendHead(200, fields);
        assert.ok(client.headSent && !client.isGone);
        for (const text of ['a', 'b', 'c']) await client.write(Buffer.from(text));
        client.end(trailers);
        assert.ok(client.isGone);
      });
      assert.deepEqual([seen.head['x-a'], seen.body, seen.trailers?.['x-b'], seen.rstCode], ['1', 'abc', trailers[0]?.value, 0]);
    });
  }

  it('is nothing but a head: the rest of the request is not waited for', async () => {
    const { head, body, rstCode } = await ask(
      (client) => {
        client.endWithHead(200, [{ name: 'grpc-status', value: '7' }]);
        assert.ok(client.isGone);
      },
      {},
      (stream) => void stream.write('more comes'),
    );
    assert.deepEqual([head['grpc-status'], body, rstCode], ['7', '', constants.NGHTTP2_NO_ERROR]);
  });

  it('to HEAD has the length of what it does not have', async () => {
    const { head, body } = await ask((client) => void client.answer(200, [], Buffer.from('body')), { ':method': 'HEAD' });
    assert.deepEqual([head['content-length'] ?? 'none', body], ['none', '']);
  });

  it('has what stands in every head, several fields of one name, and no field of HTTP/1.1', async () => {
    const { head } = await ask((client) => {
      client.answersWith([{ name: 'x-every', value: 'yes' }]);
      const cookies = ['a=1', 'b=2'].map((value) => ({ name: 'set-cookie', value }));
      void client.answer(200, [...cookies, { name: 'connection', value: 'close' }], Buffer.from('x'));
    });
    assert.deepEqual([head['x-every'], head['set-cookie'], head['connection']], ['yes', ['a=1', 'b=2'], undefined]);
    assert.ok(head['date'] !== undefined);
  });

  it('that is broken off is not whole', async () => {
    const { body, rstCode } = await ask(async (client) => {
      client.sendHead(200, []);
      await client.write(Buffer.from('half'));
      setImmediate(() => client.destroy());
    });
    assert.ok(body.length <= 4);
    assert.equal(rstCode, constants.NGHTTP2_INTERNAL_ERROR);
  });

  it('waits for a client that does not read', async () => {
    const long = Buffer.alloc(1_000_000, 'l');
    let waited = true;
    let reads = (): void => {};
    const { body } = await ask(
      async (client) => {
        client.sendHead(200, []);
        const writing = client.write(long).then(() => (waited = false));
        for (let turns = 0; turns < 100; turns += 1) await new Promise(setImmediate);
        assert.ok(waited);
        reads();
        await writing;
        client.end();
      },
      {},
      (stream) => {
        stream.pause();
        stream.end();
        reads = () => stream.resume();
      },
    );
    assert.equal(body.length, long.length);
  });
});

describe('a request of a client of HTTP/2', () => {
  it('has its head, its body and what stands behind it', async () => {
    let seen: readonly unknown[] = [];
    await ask(
      async (client) => {
        const { bytes } = await gather(client.request, 100);
        const { head, scheme, isHttp2, isWhole, trailers, contentType, peer } = client;
        seen = [head.version, head.method, head.target, scheme, isHttp2, isWhole, bytes.toString(), trailers, contentType];
        assert.match(peer, /^127\.0\.0\.1:[0-9]+$/);
        assert.ok(head.rawHeaders.includes(':authority'));
        client.endWithHead(204, []);
      },
      { 'content-type': 'text/plain' },
      (stream) => {
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-b': '2' }));
        stream.end('body');
      },
      { waitForTrailers: true },
    );
    assert.deepEqual(seen, ['2.0', 'POST', '/a', 'https', true, true, 'body', ['x-b', '2'], 'text/plain']);
  });

  it('has its body taken at once where all of it has come', async () => {
    const seen: unknown[] = [];
    for (const text of ['body', '']) {
      const { trailers, rstCode } = await ask(
        (client) => {
          setImmediate(() => {
            const bytes = client.takeBody(100);
            seen.push(bytes?.toString(), client.trailers, client.isWhole, client.takeBody(100));
            client.answerWithTrailers(200, [], [Buffer.from('x')], [{ name: 'x-b', value: '2' }]);
          });
        },
        {},
        (stream) => {
          stream.on('wantTrailers', () => stream.sendTrailers({ 'x-b': '2' }));
          stream.end(text);
        },
        { waitForTrailers: true },
      );
      assert.deepEqual([trailers?.['x-b'], rstCode], ['2', 0]);
    }
    assert.deepEqual(seen, ['body', ['x-b', '2'], true, undefined, '', ['x-b', '2'], true, undefined]);
  });

  it('has its body waited for where more may come, or it is longer', async () => {
    const seen: unknown[] = [];
    const answer = (client: ClientExchange): void => {
      setImmediate(() => {
        seen.push(client.takeBody(3), client.isWhole);
        void gather(client.request, 100).then(({ bytes }) => {
          seen.push(bytes.toString(), client.isWhole);
          client.endWithHead(204, []);
        });
        more();
      });
    };
    let more = (): void => {};
    await ask(answer, {}, (stream) => void stream.end('long'));
    await ask(answer, {}, (stream) => {
      stream.write('b');
      more = () => void stream.end('c');
    });
    assert.deepEqual(seen, [undefined, false, 'long', true, undefined, false, 'bc', true]);
  });

  it('makes room for the next ones when its body is taken', async () => {
    const body = Buffer.alloc(50_000, 'b');
    let taken = 0;
    for (let number = 0; number < 40; number += 1) {
      const { head } = await ask(
        (client) => {
          const wait = (): void => {
            const bytes = client.takeBody(100_000);
            if (bytes === undefined) setImmediate(wait);
            else {
              taken += bytes.length;
              client.endWithHead(204, []);
            }
          };
          wait();
        },
        {},
        (stream) => void stream.end(body),
      );
      assert.equal(head[':status'], 204);
    }
    assert.equal(taken, 40 * body.length);
  });

  it('is told to go on, and that its answer takes time', async () => {
    const { informed, head } = await ask(
      (client) => {
        client.continue();
        client.waiting();
        client.endWithHead(200, []);
        client.waiting();
      },
      { expect: '100-continue' },
    );
    assert.deepEqual([informed, head[':status']], [[100, 102], 200]);
  });

  it('with another expectation is no other request', async () => {
    const { head } = await ask((client) => client.endWithHead(417, []), { expect: 'wonders' });
    assert.equal(head[':status'], 417);
  });

  it('whose client goes away is over, and what is still said to it goes nowhere', async () => {
    const gone = Promise.withResolvers<void>();
    const over: string[] = [];
    let leaves = (): void => {};
    await ask(
      (client) => {
        leaves();
        client.onGone(() => over.push('gone'));
        client.onGone(() => {
          client.sendHead(200, fields);
          void client.write(Buffer.from('x'));
          client.end([{ name: 'x-b', value: '2' }]);
          client.endWithHead(200, []);
          client.answerWithTrailers(200, [], [Buffer.from('x')], []);
          client.continue();
          assert.ok(client.isGone);
          gone.resolve();
        });
      },
      {},
      (stream) => {
        leaves = () => stream.close(constants.NGHTTP2_CANCEL);
      },
    );
    await gone.promise;
    assert.deepEqual(over, ['gone']);
  });

  it('that was answered is not gone', async () => {
    const over: string[] = [];
    const closed = Promise.withResolvers<void>();
    await ask((client) => {
      client.onGone(() => over.push('gone'));
      void client.answered().then(() => closed.resolve());
      client.answerWithTrailers(200, [], [Buffer.from('x')], [{ name: 'x-b', value: '2' }]);
    });
    await closed.promise;
    assert.deepEqual(over, []);
  });

  it('may be CONNECT: Node does not answer in our place', async () => {
    let method = '';
    handle = (client) => {
      method = client.head.method;
      client.endWithHead(501, []);
    };
    const stream = session.request({ ':method': 'CONNECT', ':authority': 'elsewhere:443' });
    const status = await new Promise((resolve) => stream.on('response', (head) => resolve(head[':status'])));
    stream.close();
    assert.deepEqual([method, status], ['CONNECT', 501]);
  });
});
