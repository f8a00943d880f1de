import assert from 'node:assert/strict';
import { constants, createServer, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import type { HeaderField } from '../protocols/request.ts';
import { gather } from './http-body.ts';
import type { Forwarded } from './http-upstream.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import { Http2Upstream } from './http2-upstream.ts';
import { opened } from './testing/http2-target.ts';

/** What the connections to a target that speaks HTTP/2 make of what it says, and of what it does not say. */

const closers: (() => void)[] = [];
after(() => closers.forEach((close) => close()));

/** A target that does what it is told with every stream that comes. */
async function targetThat(
  answer: (stream: ServerHttp2Stream, number: number, head: IncomingHttpHeaders, raw: readonly string[]) => void,
  { mostStreams = 100, shortAnswerMs }: { readonly mostStreams?: number; readonly shortAnswerMs?: number } = {},
) {
  const sessions: Http2Session[] = [];
  let streams = 0;
  const server = createServer({ settings: { maxConcurrentStreams: mostStreams } });
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, head, _flags, raw) => {
    stream.on('error', () => {});
    answer(stream, streams++, head, raw);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const upstream = new Http2Upstream({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, tls: undefined }, shortAnswerMs);
  closers.push(() => {
    upstream.close();
    server.close();
    for (const session of sessions) session.destroy();
  });
  const send = async (more: Partial<Forwarded> = {}, signal = new AbortController().signal): Promise<UpstreamAnswer> => {
    const { grant, id } = await opened;
    const fields = [{ name: 'x-a', value: '1' }];
    return upstream.send({ method: 'POST', target: '/a.B/C', fields, body: { kind: 'none' }, ...more }, grant, id, signal);
  };
  return { send, sessions };
}

/** As a server of gRPC does: head, one message, status. */
function answers(stream: ServerHttp2Stream, bytes: string | Buffer): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-b': '2' }));
  stream.end(bytes);
}

/** Until the client has what was sent. */
async function whole(answer: UpstreamAnswer): Promise<Uint8Array> {
  while (answer.whole === undefined) await turn();
  return answer.whole;
}

const big = Buffer.alloc(3_000_000, 'b');

describe('an answer over HTTP/2', () => {
  it('is whole without anybody reading it, its trailers with it', async () => {
    const { send } = await targetThat((stream) => answers(stream, 'seven'));
    const answer = await send();
    assert.equal(answer.status, 200);
    assert.equal(answer.fields.find(({ name }) => name === 'content-type')?.value, 'application/grpc');
    assert.ok(!answer.fields.some(({ name }) => name.startsWith(':')));
    assert.equal(Buffer.from(await whole(answer)).toString(), 'seven');
    assert.deepEqual(answer.trailers(), [
      { name: 'grpc-status', value: '0' },
      { name: 'x-b', value: '2' },
    ]);
  });

  it('is whole where it is nothing but a head, and where it has no trailers', async () => {
    const { send } = await targetThat((stream, number) => {
      stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: number === 0 });
      if (number > 0) stream.end('no trailers');
    });
    const [head, body] = [await send(), await send()];
    assert.deepEqual([(await whole(head)).length, head.trailers()], [0, []]);
    assert.deepEqual([Buffer.from(await whole(body)).toString(), body.trailers()], ['no trailers', []]);
  });

  it('is there for a reader who comes when all of it has come, and its stream is closed', async () => {
    const { send } = await targetThat((stream) => answers(stream, 'late'));
    const answer = await send();
    await whole(answer);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    assert.equal((await gather(answer.body, 100)).bytes.toString(), 'late');
    assert.equal(answer.whole, undefined);
    assert.equal(answer.trailers().length, 2);
  });

  it('is never kept as a whole where it is long: it waits with the target until somebody reads it, and nothing of it is lost', async () => {
    let stream: ServerHttp2Stream | undefined;
    const { send } = await targetThat((one) => {
      stream = one;
      answers(one, big);
    });
    const answer = await send();
    for (let turns = 0; turns < 200; turns += 1) await turn();
    assert.equal(answer.whole, undefined);
    assert.ok(stream!.state.localWindowSize! < big.length);
    assert.ok(!stream!.writableFinished);
    const { bytes } = await gather(answer.body, 2 * big.length);
    assert.ok(bytes.equals(big));
    assert.equal(answer.trailers()[0]?.value, '0');
  });

  it('waits for a reader who stops, too', async () => {
    let stream: ServerHttp2Stream | undefined;
    const { send } = await targetThat((one) => {
      stream = one;
      answers(one, big);
    });
    const answer = await send();
    let length = 0;
    for await (const chunk of answer.body) {
      if (length === 0) for (let turns = 0; turns < 200; turns += 1) await turn();
      if (length === 0) assert.ok(!stream!.writableFinished);
      length += (chunk as Buffer).length;
    }
    assert.equal(length, big.length);
    assert.equal(answer.trailers()[0]?.value, '0');
  });

  for (const isRead of [false, true]) {
    it(`is not whole where the target breaks off, ${isRead ? 'while it is read' : 'before anybody reads it'}`, async () => {
      const { send } = await targetThat((stream) => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.write('half', () => setImmediate(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR)));
      });
      const answer = await send();
      if (!isRead) for (let turns = 0; turns < 200; turns += 1) await turn();
      assert.equal(answer.whole, undefined);
      const read = async (): Promise<void> => {
        for await (const _ of answer.body);
      };
      await assert.rejects(read(), { code: 'upstream-unavailable' });
      assert.throws(() => answer.trailers(), { code: 'upstream-unavailable' });
    });
  }

  it('that is short is waited for as a whole, also where its end comes a turn later', async () => {
    const { send } = await targetThat(
      (stream) => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.on('wantTrailers', () => setImmediate(() => stream.sendTrailers({ 'grpc-status': '0' })));
        stream.write('one', () => setImmediate(() => stream.end('two')));
      },
      { shortAnswerMs: 60_000 },
    );
    for (let call = 0; call < 5; call += 1) {
      const answer = await send({ hasShortAnswer: true });
      assert.equal(Buffer.from(answer.whole ?? []).toString(), 'onetwo');
      assert.equal(answer.trailers()[0]?.value, '0');
    }
  });

  it('that is short is not waited for where its end does not come, or more comes than is kept, or it breaks off', async () => {
    const { send } = await targetThat((stream, number) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: number === 2 });
      if (number === 0) stream.write('one');
      if (number === 1) stream.end(big);
      if (number === 2) stream.write('half', () => setImmediate(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR)));
    });
    const first = await send({ hasShortAnswer: true });
    assert.equal(first.whole, undefined);
    for await (const chunk of first.body) {
      assert.equal(String(chunk), 'one');
      break;
    }
    const second = await send({ hasShortAnswer: true });
    assert.equal(second.whole, undefined);
    assert.ok((await gather(second.body, 2 * big.length)).bytes.equals(big));
    const third = await send({ hasShortAnswer: true });
    assert.equal(third.whole, undefined);
    assert.throws(() => third.trailers(), { code: 'upstream-unavailable' });
  });

  for (const isRead of [false, true]) {
    it(`that nobody wants ends at the target${isRead ? ', also where it was begun to be read' : ''}`, async () => {
      const closed = Promise.withResolvers<number>();
      const { send } = await targetThat((stream) => {
        stream.on('close', () => closed.resolve(stream.rstCode));
        stream.respond({ ':status': 200 });
        stream.write('more comes');
      });
      const answer = await send();
      if (isRead) answer.body.resume();
      answer.discard();
      assert.equal(await closed.promise, constants.NGHTTP2_CANCEL);
    });
  }
});

describe('a request over HTTP/2', () => {
  it('has its fields and its body, in order', async () => {
    const seen = Promise.withResolvers<readonly unknown[]>();
    const { send } = await targetThat((stream, _number, head) => {
      let body = '';
      stream.setEncoding('latin1').on('data', (text: string) => (body += text));
      stream.on('end', () => {
        seen.resolve([head[':path'], head['x-a'], body]);
        answers(stream, '');
      });
    });
    await send({ body: { kind: 'whole', bytes: Buffer.from('body') } });
    assert.deepEqual(await seen.promise, ['/a.B/C', '1', 'body']);
  });

  describe('with trailers', () => {
    const fields = [
      { name: 'x-checksum', value: '7' },
      { name: 'x-signature', value: 'abc' },
    ];
    /** What a target sees of a request: its body, what stands behind it, and whether it was cut short. */
    const seenBy = async (more: Partial<Forwarded>, options: { readonly windowBytes?: number } = {}) => {
      const seen = Promise.withResolvers<{ readonly body: number; readonly behind: readonly string[]; readonly code: number }>();
      const { send } = await targetThat((stream) => {
        let body = 0;
        let behind: readonly string[] = [];
        stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, raw: readonly string[]) => (behind = raw));
        const read = (): void => void stream.on('data', (piece: Buffer) => (body += piece.length));
        // Until then, what does not fit into the windows waits.
        if (options.windowBytes === undefined) read();
        else setTimeout(read, 50);
        stream.on('close', () => seen.resolve({ body, behind, code: stream.rstCode }));
        stream.on('end', () => stream.destroyed || stream.aborted || answers(stream, ''));
      });
      const answer = send(more);
      answer.catch(() => {});
      return { answer, seen: await seen.promise };
    };
    const raw = ['x-checksum', '7', 'x-signature', 'abc'];
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('one');
      yield Buffer.from('two');
    }

    it('has them behind a body that is there as a whole', async () => {
      const { seen } = await seenBy({ body: { kind: 'whole', bytes: Buffer.from('body') }, trailers: () => fields });
      assert.deepEqual(seen, { body: 4, behind: raw, code: 0 });
    });

    it('has them behind a body of nothing', async () => {
      const { seen } = await seenBy({ body: { kind: 'whole', bytes: Buffer.alloc(0) }, trailers: () => fields });
      assert.deepEqual(seen, { body: 0, behind: raw, code: 0 });
    });

    it('has them behind a body that waits for the windows of the target', async () => {
      const { seen } = await seenBy({ body: { kind: 'whole', bytes: big }, trailers: () => fields }, { windowBytes: 0 });
      assert.deepEqual(seen, { body: big.length, behind: raw, code: 0 });
    });

    it('has them behind a body that passes as it comes, and asks for them when that is over', async () => {
      let over = false;
      async function* asTheyCome(): AsyncGenerator<Uint8Array> {
        yield* pieces();
        over = true;
      }
      const { seen } = await seenBy({
        body: { kind: 'streamed', octets: undefined, pieces: asTheyCome() },
        trailers: () => (over ? fields : []),
      });
      assert.deepEqual(seen, { body: 6, behind: raw, code: 0 });
    });

    it('ends behind its body where there are none', async () => {
      const { seen } = await seenBy({ body: { kind: 'streamed', octets: undefined, pieces: pieces() }, trailers: () => [] });
      assert.deepEqual(seen, { body: 6, behind: [], code: 0 });
    });

    for (const [what, trailers] of [
      ['cannot stand there', () => [{ name: ':path', value: '/b' }]],
      [
        'are no fields',
        (): never => {
          throw new GatewayFault('protocol-violation', { publicMessage: 'no field' });
        },
      ],
    ] as const) {
      it(`is broken off at the target where they ${what}: it is not taken for whole`, async () => {
        const { answer, seen } = await seenBy({ body: { kind: 'streamed', octets: undefined, pieces: pieces() }, trailers });
        assert.equal(seen.code, constants.NGHTTP2_CANCEL);
        assert.deepEqual(seen.behind, []);
        await assert.rejects(answer, { code: 'upstream-unavailable' });
      });
    }
  });

  it('takes the place of one that is over: one stream at a time is enough for many', async () => {
    const { send, sessions } = await targetThat((stream) => answers(stream, 'x'), { mostStreams: 1 });
    for (let call = 0; call < 5; call += 1) {
      await whole(await send());
      for (let turns = 0; turns < 20; turns += 1) await turn();
    }
    assert.equal(sessions.length, 1);
  });

  it('that the target refuses before it looks at it goes once more, and no further', async () => {
    let refused = 0;
    const { send } = await targetThat((stream) => {
      refused += 1;
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    await assert.rejects(send(), { code: 'upstream-unavailable' });
    assert.equal(refused, 2);
  });

  it('whose stream closes without an answer is told so', async () => {
    const { send } = await targetThat((stream) => stream.close(constants.NGHTTP2_CANCEL));
    await assert.rejects(send(), { code: 'upstream-unavailable' });
  });

  it('ends at the target when nobody waits for it any more', async () => {
    const abort = new AbortController();
    const closed = Promise.withResolvers<number>();
    const { send } = await targetThat((stream) => {
      stream.on('close', () => closed.resolve(stream.rstCode));
      abort.abort(new GatewayFault('session-ended', { publicMessage: 'session ended' }));
    });
    await assert.rejects(send({}, abort.signal), { code: 'session-ended' });
    assert.equal(await closed.promise, constants.NGHTTP2_CANCEL);
  });
});

describe('header fields over HTTP/2', () => {
  const name = fc.oneof(
    fc.constantFrom('content-type', 'user-agent', 'grpc-timeout', 'authorization', 'accept'),
    fc.stringMatching(/^x-[a-z0-9_.-]{0,20}$/),
  );
  const inside = fc.string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f && (code < 0x80 || code > 0x9f))
      .map((code) => String.fromCharCode(code)),
    maxLength: 80,
  });
  const value = fc.oneof(
    fc.constantFrom('', 'a', 'trailers'),
    fc.stringMatching(/^[!-~]{1,300}$/),
    inside.map((text) => text.trim()),
  );
  const fields = fc.uniqueArray(fc.record({ name, value }, { noNullPrototype: true }), { maxLength: 12, selector: (one) => one.name });
  const exchange = fc.record({ asked: fields, askedBehind: fields, answered: fields, behind: fields });

  it('are the same for us and for nghttp2, both ways, whatever stands in its tables', async () => {
    let now: { readonly answered: readonly HeaderField[]; readonly behind: readonly HeaderField[] } = { answered: [], behind: [] };
    let asked: readonly string[] = [];
    let askedBehind: readonly string[] = [];
    const { send } = await targetThat((stream, _number, _head, raw) => {
      asked = raw;
      askedBehind = [];
      stream.on('trailers', (_trailers: IncomingHttpHeaders, _flags: number, behind: readonly string[]) => (askedBehind = behind));
      stream.resume();
      stream.respond([':status', '200', ...now.answered.flatMap((field) => [field.name, field.value])], { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(now.behind.map((field) => [field.name, field.value]))));
      stream.end('body');
    });
    await fc.assert(
      fc.asyncProperty(exchange, async (one) => {
        now = one;
        const body = { kind: 'whole', bytes: Buffer.from('body') } as const;
        const answer = await send({ fields: one.asked, body, trailers: () => one.askedBehind });
        await whole(answer);
        assert.deepEqual(
          [asked.slice(8), askedBehind],
          [one.asked, one.askedBehind].map((list) => list.flatMap((field) => [field.name, field.value])),
        );
        assert.deepEqual(
          answer.fields.filter((field) => field.name !== 'date'),
          one.answered,
        );
        assert.deepEqual(answer.trailers(), one.behind);
      }),
      { numRuns: 300 },
    );
  });
});
