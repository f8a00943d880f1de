import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GatewayFault } from '../core/fault.ts';
import { Http2Violation } from '../protocols/http2/index.ts';
import { block, frame, uint32 } from '../protocols/http2/testing/frames.ts';
import { gather } from './http-body.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import { opened, rawTarget, type RawConnection } from './testing/http2-target.ts';

/** What becomes of a target that is wrong, hostile, or just not finished: octet by octet. */

const ok = block([':status', '200'], ['content-type', 'application/grpc']);
const head = (stream: number, of = ok, flags = 4): Uint8Array => frame(1, flags, stream, of);
const trailers = (stream: number): Uint8Array => frame(1, 5, stream, block(['grpc-status', '0']));
const data = (stream: number, text: string, flags = 0): Uint8Array => frame(0, flags, stream, text);
const whole = (stream: number, text = 'seven'): Uint8Array[] => [head(stream), data(stream, text), trailers(stream)];
const short = { hasShortAnswer: true };
const patient = { shortAnswerMs: 60_000 };
const bodyOf = (answer: UpstreamAnswer): string => Buffer.from(answer.whole ?? assert.fail('not whole')).toString();
const isUnavailable = (error: unknown): error is GatewayFault => error instanceof GatewayFault && error.code === 'upstream-unavailable';

/** The connection ends, told by `code`, and so do the calls on it; the next call gets another one. */
async function endsConnection(code: number, wrong: (to: RawConnection, stream: number) => void): Promise<void> {
  const { send, request, until } = await rawTarget(patient);
  const [first, second] = [send(short), send(short)];
  const { to, stream } = await request(1);
  wrong(to, stream);
  for (const call of [first, second]) {
    const failed: unknown = await call.then((answer) => answer.trailers()).catch((error: unknown) => error);
    assert.ok(isUnavailable(failed) && failed.cause instanceof Http2Violation);
    assert.equal(failed.cause.code, code);
  }
  await until(() => to.socket.destroyed || to.socket.readableEnded);
  // It is lost where the target had sent more than was read.
  for (const goAway of to.of(7)) assert.equal(goAway.payload.readUInt32BE(4), code);
  const third = send(short);
  const next = await request(2);
  assert.notEqual(next.to, to);
  next.to.send(...whole(next.stream));
  assert.equal(bodyOf(await third), 'seven');
}

/** The stream ends, told by `code`, and no other one. */
async function endsStream(code: number, ...wrong: ((stream: number) => Uint8Array)[]): Promise<void> {
  const { send, request, until } = await rawTarget(patient);
  const [first, second] = [send(short), send(short)];
  const { to, stream } = await request(0);
  const other = await request(1);
  to.send(...wrong.map((of) => of(stream)));
  const reset = await until(() => to.of(3)[0]);
  assert.deepEqual([reset.stream, reset.payload.readUInt32BE(0)], [stream, code]);
  await assert.rejects(
    first.then((answer) => answer.trailers()),
    isUnavailable,
  );
  other.to.send(...whole(other.stream));
  assert.equal(bodyOf(await second), 'seven');
}

describe('a target that breaks the rules of a connection', () => {
  const cases: Readonly<Record<string, readonly [code: number, wrong: (to: RawConnection, stream: number) => void]>> = {
    'by a frame that is too long': [0x6, (to, stream) => to.send(frame(0, 0, stream, 'x'.repeat(16_385)))],
    'by a header block that does not end': [
      0xb,
      (to, stream) => to.send(frame(1, 0, stream, ok), ...Array.from({ length: 300 }, () => frame(9, 0, stream))),
    ],
    'by frames inside of a header block': [0x1, (to, stream) => to.send(frame(1, 0, stream, ok), data(stream, 'x'))],
    'by a push': [0x1, (to, stream) => to.send(frame(5, 4, stream, `${uint32(2)}${ok}`))],
    'by an answer to what nobody has asked': [0x1, (to) => to.send(head(99))],
    'by a stream of its own': [0x1, (to) => to.send(head(2))],
    'by data of a stream that was not begun': [0x1, (to) => to.send(data(99, 'x'))],
    'by a reset of a stream that was not begun': [0x1, (to) => to.send(frame(3, 0, 99, uint32(8)))],
    'by a window of a stream that was not begun': [0x1, (to) => to.send(frame(8, 0, 99, uint32(8)))],
    'by compression that is not the same at both ends': [0x9, (to, stream) => to.send(head(stream, '\x88\xfe'))],
    'by a window that is widened by nothing': [0x1, (to) => to.send(frame(8, 0, 0, uint32(0)))],
    'by a window that is too large': [0x3, (to) => to.send(frame(8, 0, 0, uint32(0x7fff_ffff)))],
    'by windows of streams that are too large': [0x3, (to) => to.send(frame(4, 0, 0, `\0\x04${uint32(0x8000_0000)}`))],
    'by windows of streams that become too large': [
      0x3,
      (to, stream) => to.send(frame(8, 0, stream, uint32(0x7fff_0000)), frame(4, 0, 0, `\0\x04${uint32(0x7fff_ffff)}`)),
    ],
    'by a frame size that there is not': [0x1, (to) => to.send(frame(4, 0, 0, `\0\x05${uint32(100)}`))],
    'by asking for pushes': [0x1, (to) => to.send(frame(4, 0, 0, `\0\x02${uint32(1)}`))],
    'by PINGs without end': [0xb, (to) => to.send(...Array.from({ length: 11_000 }, () => frame(6, 1, 0, 'opaque..')))],
    'by empty frames without end': [0xb, (to, stream) => to.send(head(stream), ...Array.from({ length: 11_000 }, () => data(stream, '')))],
    'by priorities without end': [0xb, (to) => to.send(...Array.from({ length: 11_000 }, () => frame(2, 0, 1, '12345')))],
    'by settings that it does not wait to see acknowledged': [
      0xb,
      (to) => to.send(...Array.from({ length: 11_000 }, () => frame(4, 0, 0))),
    ],
  };
  for (const [name, [code, wrong]] of Object.entries(cases)) {
    it(`${name} loses the connection, and the next call has another one`, () => endsConnection(code, wrong));
  }

  it('by more data than the connection has room for loses it: that is what many answers keep that nobody reads', async () => {
    const { send, request, until } = await rawTarget({ settings: frame(4, 0, 0, `\0\x03${uint32(250)}`) });
    const calls = Array.from({ length: 140 }, () => send());
    const { to } = await request(139);
    const text = 'x'.repeat(16_000);
    // 256,000 octets each, within the window of each stream.
    for (const { stream } of to.of(1)) {
      to.send(head(stream), ...Array.from({ length: 16 }, () => data(stream, text)));
      await turn();
    }
    // What it was told is lost with what was not read of it any more.
    await until(() => to.socket.destroyed);
    const updates = to.of(8).filter(({ stream }) => stream === 0);
    const allowed = 65_535 + updates.reduce((bytes, { payload }) => bytes + payload.readUInt32BE(0), 0);
    assert.ok(allowed <= 33 * 1024 * 1024, `${allowed}`);
    for (const call of calls)
      await assert.rejects(
        call.then((answer) => answer.trailers()),
        isUnavailable,
      );
  });

  it('by asking again and again without reading the answers loses it', async () => {
    const { send, request, until } = await rawTarget(patient);
    const call = send(short);
    const { to, stream } = await request();
    to.socket.pause();
    // A byte of an answer in between, so that it is not the silence that ends it.
    to.send(head(stream));
    for (let round = 0; round < 2_000 && !to.socket.destroyed; round += 1) {
      to.send(...Array.from({ length: 500 }, () => frame(6, 0, 0, 'opaque..')), data(stream, 'x'));
      await turn();
    }
    to.socket.resume();
    const answer = await call;
    assert.throws(() => answer.trailers(), isUnavailable);
    await until(() => to.socket.destroyed);
  });

  it('by going on behind the end of an answer loses it', async () => {
    const { send, request, until } = await rawTarget(patient);
    const pieces = (async function* () {
      yield Buffer.from('x');
      await new Promise(() => {});
    })();
    const call = send({ ...short, body: { kind: 'streamed', octets: undefined, pieces } });
    const { to, stream } = await request();
    to.send(...whole(stream), data(stream, 'more'));
    assert.equal(bodyOf(await call), 'seven');
    // Its few octets were read: nothing of what it is told is lost.
    const goAway = await until(() => to.of(7)[0]);
    assert.equal(goAway.payload.readUInt32BE(4), 0x5);
  });

  it('before anything else is one that does not begin HTTP/2', async () => {
    for (const settings of [frame(6, 0, 0, 'opaque..'), Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')]) {
      const { send } = await rawTarget({ settings });
      await assert.rejects(send(), { code: 'upstream-unavailable', publicMessage: /does not begin HTTP\/2/ });
    }
  });
});

describe('a target that breaks the rules of a stream', () => {
  const malformed: Readonly<Record<string, readonly ((stream: number) => Uint8Array)[]>> = {
    'without a status': [(id) => head(id, block(['content-type', 'application/grpc']))],
    'with two statuses': [(id) => head(id, block([':status', '200'], [':status', '204']))],
    'with a status that is none': [(id) => head(id, block([':status', '20']))],
    'with a status behind a field': [(id) => head(id, block(['a', 'b'], [':status', '200']))],
    'with a status of HTTP/1.1': [(id) => head(id, block([':status', '101']))],
    'with a pseudo-header field that answers have not': [(id) => head(id, block([':status', '200'], [':path', '/']))],
    'with capitals in a name': [(id) => head(id, block([':status', '200'], ['X-A', 'b']))],
    'with a name that is none': [(id) => head(id, block([':status', '200'], ['a b', 'c']))],
    'with a line break in a value': [(id) => head(id, block([':status', '200'], ['a', 'b\r\nc: d']))],
    'with space around a value': [(id) => head(id, block([':status', '200'], ['a', ' b']))],
    'with a field of a connection': [(id) => head(id, block([':status', '200'], ['connection', 'close']))],
    'with a coding of HTTP/1.1': [(id) => head(id, block([':status', '200'], ['transfer-encoding', 'chunked']))],
    'with two lengths': [(id) => head(id, block([':status', '200'], ['content-length', '1'], ['content-length', '1']))],
    'with a length that is none': [(id) => head(id, block([':status', '200'], ['content-length', '+1']))],
    'whose head is too long': [(id) => head(id, `\x88${block(['a', 'b']).repeat(256)}`)],
    'that is longer than was announced': [
      (id) => head(id, block([':status', '200'], ['content-length', '3'])),
      (id) => data(id, 'four', 1),
    ],
    'that is shorter than was announced': [
      (id) => head(id, block([':status', '200'], ['content-length', '5'])),
      (id) => data(id, 'four', 1),
    ],
    'that ends with its head and announces a body': [(id) => head(id, block([':status', '200'], ['content-length', '5']), 5)],
    'that has a body and may have none': [(id) => head(id, block([':status', '204'])), (id) => data(id, 'x', 1)],
    'whose body comes first': [(id) => data(id, 'x')],
    'whose trailers do not end it': [head, (id) => head(id, block(['grpc-status', '0']))],
    'whose trailers have a status': [head, (id) => head(id, block([':status', '200']), 5)],
    'whose trailers are malformed': [head, (id) => head(id, block(['grpc-status', '0\n']), 5)],
    'that is informational and ends': [(id) => head(id, block([':status', '103']), 5)],
    'that is informational without end': Array.from({ length: 17 }, () => (id: number) => head(id, block([':status', '103']))),
    'whose window is widened by nothing': [(id) => frame(8, 0, id, uint32(0))],
  };
  for (const [name, frames] of Object.entries(malformed)) {
    it(`by an answer ${name} loses that answer alone`, () => endsStream(0x1, ...frames));
  }

  it('by a window that is too large loses that answer alone', () => endsStream(0x3, (id) => frame(8, 0, id, uint32(0x7fff_ffff))));

  it('by more data than its window has room for loses that answer alone', () =>
    endsStream(0x3, head, ...Array.from({ length: 17 }, () => (id: number) => data(id, 'x'.repeat(16_000)))));

  it('by giving up loses it: what was not whole is not, what was whole stays so', async () => {
    const { send, request } = await rawTarget(patient);
    const calls = [send(short), send(short), send(short)];
    const { to } = await request(2);
    const [first, second, third] = to.of(1).map(({ stream }) => stream) as [number, number, number];
    to.send(frame(3, 0, first, uint32(2)));
    await assert.rejects(calls[0]!, isUnavailable);
    to.send(head(second), data(second, 'half'), frame(3, 0, second, uint32(0)));
    const broken = await calls[1]!;
    assert.equal(broken.whole, undefined);
    assert.throws(() => broken.trailers(), isUnavailable);
    to.send(...whole(third), frame(3, 0, third, uint32(0)));
    assert.equal(bodyOf(await calls[2]!), 'seven');
  });

  it('by going away loses every answer that is not whole', async () => {
    const { send, request } = await rawTarget(patient);
    const calls = [send(short), send(short)];
    const { to } = await request(1);
    const [first] = to.of(1).map(({ stream }) => stream) as [number];
    to.socket.end(Buffer.concat(whole(first)));
    assert.equal(bodyOf(await calls[0]!), 'seven');
    await assert.rejects(calls[1]!, isUnavailable);
  });
});

describe('a target that does what it may', () => {
  it('answers in any cuts, with padding, informational answers before, and many frames for one head', async () => {
    const { send, request } = await rawTarget(patient);
    const parts = (stream: number): Uint8Array[] => [
      head(stream, block([':status', '103'], ['link', 'x'])),
      frame(1, 0, stream, '\x88'),
      frame(9, 0, stream),
      frame(9, 4, stream, block(['content-type', 'application/grpc'])),
      frame(0, 8, stream, '\x03se\0\0\0'),
      frame(6, 0, 0, 'opaque..'),
      data(stream, 'ven'),
      frame(0, 8, stream, '\x01\0'),
      trailers(stream),
    ];
    for (let cut = 1; cut < 200; cut += 7) {
      const call = send(short);
      const { to, stream } = await request((cut - 1) / 7);
      const bytes = Buffer.concat(parts(stream));
      for (let at = 0; at < bytes.length; at += cut) {
        to.send(bytes.subarray(at, at + cut));
        if (cut > 20) await turn();
      }
      const answer = await call;
      assert.equal(bodyOf(answer), 'seven');
      assert.deepEqual(answer.fields, [{ name: 'content-type', value: 'application/grpc' }]);
      assert.deepEqual(answer.trailers(), [{ name: 'grpc-status', value: '0' }]);
    }
  });

  it('answers HEAD with the length of what it does not send', async () => {
    const { send, request } = await rawTarget();
    const call = send({ method: 'HEAD' });
    const { to, stream } = await request();
    to.send(head(stream, block([':status', '200'], ['content-length', '5']), 5));
    assert.equal(bodyOf(await call), '');
  });

  it('sets and asks: its settings and its PING are acknowledged', async () => {
    const { send, request, until } = await rawTarget();
    const call = send();
    const { to, stream } = await request();
    to.send(frame(4, 0, 0, `\0\x03${uint32(7)}`), frame(6, 0, 0, 'whatever'), ...whole(stream));
    await call;
    await until(() => to.of(4).filter(({ flags }) => flags === 1).length === 2);
    const pong = await until(() => to.of(6)[0]);
    assert.deepEqual([pong.flags, pong.payload.toString()], [1, 'whatever']);
  });

  it('still sends to what was given up: nobody is told, its room is given back, and compression goes on', async () => {
    const { send, request, until } = await rawTarget();
    const abort = new AbortController();
    const first = send({}, abort.signal);
    const { to, stream } = await request();
    abort.abort(new GatewayFault('session-ended', { publicMessage: 'session ended' }));
    await assert.rejects(first, { code: 'session-ended' });
    await until(() => to.of(3)[0]);
    // x: y is kept in the table.
    to.send(head(stream, '\x88\x40\x01x\x01y'), ...Array.from({ length: 140 }, () => data(stream, 'x'.repeat(16_000))));
    await until(() => to.of(8).find((update) => update.stream === 0 && update.payload.readUInt32BE(0) < 4_000_000));
    const second = send();
    const next = await request(1);
    to.send(head(next.stream, '\x88\xbe', 5));
    assert.deepEqual((await second).fields, [{ name: 'x', value: 'y' }]);
  });

  it('takes no new calls: those it has not looked at go elsewhere, where all of them is there, and the others go on', async () => {
    const { send, request, connections, until } = await rawTarget(patient);
    const pieces = (async function* () {
      yield Buffer.from('x');
      await new Promise(() => {});
    })();
    const first = send(short);
    await request(0);
    const second = send({ ...short, body: { kind: 'whole', bytes: Buffer.from('again') } });
    await request(1);
    const third = send({ ...short, body: { kind: 'streamed', octets: undefined, pieces } });
    const { to } = await request(2);
    to.send(frame(7, 0, 0, `${uint32(1)}${uint32(0)}`));
    await assert.rejects(third, isUnavailable);
    const other = await request(3);
    assert.equal(connections.length, 2);
    other.to.send(...whole(other.stream, 'there'));
    to.send(...whole(1, 'here'));
    assert.equal(bodyOf(await first), 'here');
    assert.equal(bodyOf(await second), 'there');
    await until(() => to.socket.destroyed || to.socket.readableEnded);
  });

  it('takes as many calls as it says, also where it says so later, and other connections have the rest', async () => {
    const { send, request, connections } = await rawTarget({ settings: frame(4, 0, 0, `\0\x03${uint32(2)}`) });
    const calls = Array.from({ length: 5 }, () => send());
    await request(4);
    assert.equal(connections.length, 3);
    for (const to of connections) for (const { stream } of to.of(1)) to.send(...whole(stream));
    await Promise.all(calls);
  });

  it('has calls on sixteen connections, and no more', async () => {
    const { send, request, connections } = await rawTarget({ settings: frame(4, 0, 0, `\0\x03${uint32(1)}`) });
    const calls: Promise<UpstreamAnswer>[] = [];
    for (let call = 0; call < 16; call += 1) {
      calls.push(send());
      await request(call);
    }
    await assert.rejects(send(), { code: 'upstream-unavailable', publicMessage: /too many calls/ });
    assert.equal(connections.length, 16);
    for (const to of connections) to.send(...whole(1));
    await Promise.all(calls);
  });
});

describe('the body of a request', () => {
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
  const sentTo = (to: RawConnection): Buffer => Buffer.concat(to.of(0).map(({ payload }) => payload));
  const isAll = (to: RawConnection): boolean => to.of(0).some(({ flags }) => flags === 1);

  it('goes as far as the target lets it, in frames that it takes, and on when it lets it', async () => {
    const { send, request, until } = await rawTarget({ settings: frame(4, 0, 0, `\0\x04${uint32(20_000)}`) });
    const call = send({ body: { kind: 'whole', bytes: body } });
    const { to, stream } = await request();
    await until(() => sentTo(to).length === 20_000);
    assert.ok(to.of(0).every(({ payload }) => payload.length <= 16_384));
    to.send(frame(8, 0, stream, uint32(10_000)));
    await until(() => sentTo(to).length === 30_000);
    // For streams that run, too, and back behind what was sent.
    to.send(frame(4, 0, 0, `\0\x04${uint32(10_000)}`), frame(8, 0, stream, uint32(10_000)), frame(6, 0, 0, 'opaque..'));
    await until(() => to.of(6).length === 1);
    assert.equal(sentTo(to).length, 30_000);
    to.send(frame(4, 0, 0, `\0\x04${uint32(0x7fff_ffff)}`));
    // Now it is the connection's window that is full.
    await until(() => sentTo(to).length === 65_535);
    to.send(frame(8, 0, 0, uint32(100_000)));
    await until(() => isAll(to));
    assert.ok(sentTo(to).equals(body));
    to.send(...whole(stream));
    await call;
  });

  it('that passes as it comes waits for room, and takes turns with others', async () => {
    const { send, request, until } = await rawTarget({ settings: frame(4, 0, 0, `\0\x04${uint32(0x7fff_ffff)}`) });
    let asked = 0;
    const pieces = (async function* () {
      for (; asked < 10; asked += 1) yield body.subarray(asked * 10_000, (asked + 1) * 10_000);
    })();
    const first = send({ body: { kind: 'streamed', octets: undefined, pieces } });
    const { to, stream } = await request();
    await until(() => sentTo(to).length === 65_535);
    assert.equal(asked, 6);
    const second = send({ body: { kind: 'whole', bytes: body } });
    const next = await request(1);
    to.send(frame(8, 0, 0, uint32(30_000)));
    await until(() => to.of(0).some((one) => one.stream === next.stream));
    to.send(frame(8, 0, 0, uint32(1_000_000)));
    await until(() => to.of(0).filter(({ flags }) => flags === 1).length === 2);
    for (const id of [stream, next.stream]) {
      assert.ok(
        Buffer.concat(
          to
            .of(0)
            .filter((one) => one.stream === id)
            .map(({ payload }) => payload),
        ).equals(body),
      );
    }
    to.send(...whole(stream), ...whole(next.stream));
    await Promise.all([first, second]);
  });

  it('that breaks off is seen to', async () => {
    const { send, request, until } = await rawTarget();
    const pieces = (async function* () {
      yield Buffer.from('x');
      throw new Error('gone');
    })();
    const call = send({ body: { kind: 'streamed', octets: undefined, pieces } });
    const { to } = await request();
    await assert.rejects(call, isUnavailable);
    const reset = await until(() => to.of(3)[0]);
    assert.equal(reset.payload.readUInt32BE(0), 8);
    assert.ok(!isAll(to));
  });

  it('goes on behind an answer that came early, unless the target gives it up', async () => {
    const { send, request, until } = await rawTarget(patient);
    let more: (() => void) | undefined;
    const pieces = (async function* () {
      yield Buffer.from('one');
      await new Promise<void>((resolve) => (more = resolve));
      yield Buffer.from('two');
    })();
    const call = send({ ...short, body: { kind: 'streamed', octets: undefined, pieces } });
    const { to, stream } = await request();
    to.send(...whole(stream));
    assert.equal(bodyOf(await call), 'seven');
    await until(() => more !== undefined);
    more!();
    await until(() => isAll(to));
    assert.equal(sentTo(to).toString(), 'onetwo');
    assert.equal(to.of(3).length, 0);
  });
});

it('a call without a genuine grant reaches nobody', async () => {
  const { upstream, connections } = await rawTarget();
  const { grant } = await opened;
  const forwarded = { method: 'POST', target: '/a.B/C', fields: [], body: { kind: 'none' } } as const;
  const { signal } = new AbortController();
  await assert.rejects(upstream.send(forwarded, grant, 'another session', signal), { code: 'internal' });
  await assert.rejects(upstream.send(forwarded, grant, 'another session', signal), { code: 'internal' });
  assert.equal(connections.length, 1);
  assert.equal(connections[0]!.of(1).length, 0);
});

describe('a call that nobody waits for any more', () => {
  it('ends also while the rest of a short answer is waited for: a head alone is not how it went', async () => {
    const { send, request, until } = await rawTarget(patient);
    const abort = new AbortController();
    const call = send(short, abort.signal);
    const { to, stream } = await request();
    to.send(head(stream), frame(6, 0, 0, 'it came.'));
    await until(() => to.of(6)[0]);
    abort.abort(new GatewayFault('session-ended', { publicMessage: 'session ended' }));
    await assert.rejects(call, { code: 'session-ended' });
    const reset = await until(() => to.of(3)[0]);
    assert.deepEqual([reset.stream, reset.payload.readUInt32BE(0)], [stream, 8]);
  });

  it('needs no connection: one that fails then is nobody’s', async () => {
    const { upstream, connections } = await rawTarget({ settings: frame(6, 0, 0, 'opaque..') });
    const { grant, id } = await opened;
    const signal = AbortSignal.abort(new GatewayFault('session-ended', { publicMessage: 'session ended' }));
    const forwarded = { method: 'POST', target: '/a.B/C', fields: [], body: { kind: 'none' } } as const;
    await assert.rejects(upstream.send(forwarded, grant, id, signal), { code: 'session-ended' });
    await assert.rejects(upstream.send(forwarded, grant, id, new AbortController().signal), { code: 'upstream-unavailable' });
    assert.equal(connections.length, 1);
  });

  it('does not wait for its connection', async () => {
    const { send, connections } = await rawTarget({ settings: new Uint8Array(0) });
    const abort = new AbortController();
    const call = send({}, abort.signal);
    while (connections.length === 0) await turn();
    abort.abort(new GatewayFault('session-ended', { publicMessage: 'session ended' }));
    await assert.rejects(call, { code: 'session-ended' });
  });
});

describe('an answer that nobody reads', () => {
  it('takes up its own room and not that of others, and is read to its end later', async () => {
    const { send, request, until } = await rawTarget();
    const slow = send();
    const { to, stream } = await request();
    const text = 'abcdefgh'.repeat(2_000);
    to.send(head(stream), ...Array.from({ length: 16 }, () => data(stream, text)));
    const answer = await slow;
    assert.equal(answer.whole, undefined);
    for (let call = 1; call <= 40; call += 1) {
      const sent = send();
      const next = await request(call);
      to.send(head(next.stream), ...Array.from({ length: 8 }, () => data(next.stream, text)), trailers(next.stream));
      await sent;
    }
    assert.ok(to.of(8).every((update) => update.stream === 0));
    const reading = gather(answer.body, 10_000_000);
    await until(() => to.of(8).some((update) => update.stream === stream));
    to.send(data(stream, 'end', 1));
    const { bytes } = await reading;
    assert.equal(bytes.toString(), `${text.repeat(16)}end`);
  });

  it('in pieces of one octet is as small as what it holds', async () => {
    const { send, request } = await rawTarget();
    const call = send();
    const { to, stream } = await request();
    const text = Array.from({ length: 50_000 }, (_, at) => String.fromCharCode(97 + (at % 26))).join('');
    to.send(head(stream), ...Array.from(text, (one) => data(stream, one)), trailers(stream));
    const answer = await call;
    while (answer.whole === undefined) await turn();
    assert.equal(bodyOf(answer), text);
  });
});
