import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { everySplit } from '../../core/testing/every-split.ts';
import * as encode from './encode.ts';
import { createFramer, tagTable } from './frame.ts';
import type { TagTable } from './frame.ts';
import { CLIENT_TAG, LIMIT_BYTES, SERVER_TAG } from './messages.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const fromServer = tagTable({
  expecting: 'a result',
  count: [SERVER_TAG.DataRow],
  forward: [SERVER_TAG.CopyData, SERVER_TAG.NoticeResponse],
  open: [
    [SERVER_TAG.RowDescription, 1_000],
    [SERVER_TAG.CommandComplete, 1_000],
    [SERVER_TAG.ReadyForQuery, 5],
  ],
});
const fromClient = tagTable({
  expecting: 'a message after login',
  forward: [CLIENT_TAG.CopyData],
  open: [
    [CLIENT_TAG.Query, LIMIT_BYTES.query],
    [CLIENT_TAG.Parse, LIMIT_BYTES.query],
    [CLIENT_TAG.Bind, LIMIT_BYTES.bind],
    [CLIENT_TAG.Execute, LIMIT_BYTES.small],
    [CLIENT_TAG.Sync, 4],
  ],
});

const serverStream = join(
  encode.rowDescription([{ name: 'a', tableOid: 16_384, column: 1, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 }]),
  encode.dataRow([text('one')]),
  encode.dataRow([null]),
  encode.noticeResponse(new Map([['M', 'x']])),
  encode.dataRow([text('')]),
  encode.commandComplete('SELECT 3'),
  encode.readyForQuery('I'),
);
const clientStream = join(
  encode.parse({ name: '', query: 'SELECT $1', parameterTypes: [] }),
  encode.bind({ portal: '', statement: '', parameterFormats: [], parameters: [text('1')], resultFormats: [] }),
  encode.execute('', 0),
  encode.emptyClientMessage('Sync'),
  encode.copyData(text('12')),
  encode.query('SELECT 1'),
);

interface Seen {
  /** Everything handed out, in order. */
  readonly bytes: Uint8Array;
  /** Opened frames: tag and body. */
  readonly opened: readonly string[];
  readonly counted: number;
}

/** Reads all chunks; copies what it is handed, as an owner must. */
function read(chunks: Iterable<Uint8Array>, table: TagTable): Seen {
  const framer = createFramer();
  const parts: Uint8Array[] = [];
  const opened: string[] = [];
  let counted = 0;
  for (const chunk of chunks) {
    framer.push(chunk);
    for (;;) {
      const found = framer.next(table);
      if (found === undefined) break;
      assert.ok(framer.end > framer.start, 'nothing empty is handed out');
      parts.push(framer.view().slice());
      if (found === 'frame') opened.push(`${String.fromCharCode(framer.tag)} ${Buffer.from(framer.body()).toString('latin1')}`);
      else counted += framer.counted;
    }
  }
  assert.ok(framer.atBoundary);
  assert.equal(framer.unreadBytes, 0);
  return { bytes: join(...parts), opened, counted };
}

it('a server’s answer is the same however it is cut', () => {
  const whole = read([serverStream], fromServer);
  assert.deepEqual(whole.bytes, serverStream);
  assert.equal(whole.counted, 3);
  assert.deepEqual(
    whole.opened.map((frame) => frame[0]),
    ['T', 'C', 'Z'],
  );
  everySplit(serverStream, (chunks) => assert.deepEqual(read(chunks, fromServer), whole));
});

it('a client’s pipeline is the same however it is cut', () => {
  const whole = read([clientStream], fromClient);
  assert.deepEqual(whole.bytes, clientStream);
  assert.deepEqual(
    whole.opened.map((frame) => frame[0]),
    ['P', 'B', 'E', 'S', 'Q'],
  );
  assert.equal(whole.opened[4], 'Q SELECT 1\0');
  everySplit(clientStream, (chunks) => assert.deepEqual(read(chunks, fromClient), whole));
});

it('neighbours are handed out as one view of the pushed chunk', () => {
  const rows = join(encode.dataRow([text('a')]), encode.dataRow([text('bb')]), encode.dataRow([null]));
  const framer = createFramer();
  framer.push(rows);
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.counted, 3);
  assert.equal(framer.view().buffer, rows.buffer);
  assert.deepEqual([framer.start, framer.end], [0, rows.length]);
  assert.equal(framer.next(fromServer), undefined);
});

it('the table may change between two frames of one chunk', () => {
  const row = encode.dataRow([text('secret')]);
  const framer = createFramer();
  framer.push(join(encode.commandComplete('x'), row, row));
  assert.equal(framer.next(fromServer), 'frame');
  const masking = tagTable({ expecting: 'a row', open: [[SERVER_TAG.DataRow, LIMIT_BYTES.openedRow]] });
  assert.equal(framer.next(masking), 'frame');
  assert.deepEqual(framer.view(), row);
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.counted, 1);
});

it('random streams, tables and cuts: nothing is lost, doubled or reordered', () => {
  const message = fc.record({
    tag: fc.constantFrom(SERVER_TAG.DataRow, SERVER_TAG.CopyData, SERVER_TAG.CommandComplete),
    size: fc.oneof(fc.nat(40), fc.integer({ min: 8_000, max: 9_000 }), fc.nat(40_000)),
  });
  const table = tagTable({
    expecting: 'anything',
    count: [SERVER_TAG.DataRow],
    forward: [SERVER_TAG.CopyData],
    open: [[SERVER_TAG.CommandComplete, 1 << 20]],
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), fc.array(fc.nat(30_000), { maxLength: 30 }), (messages, cuts) => {
      const stream = join(...messages.map(({ tag, size }, index) => frame(tag, new Uint8Array(size).fill(index + 1))));
      const seen = read(cutAt(stream, cuts), table);
      assert.deepEqual(seen.bytes, stream);
      assert.equal(seen.counted, messages.filter(({ tag }) => tag === SERVER_TAG.DataRow).length);
      const opened = messages.flatMap(({ tag, size }, index) =>
        tag === SERVER_TAG.CommandComplete ? [`C ${String.fromCharCode(index + 1).repeat(size)}`] : [],
      );
      assert.deepEqual(seen.opened, opened);
    }),
    { numRuns: 300 },
  );
});

it('a long forwarded frame passes as it comes and is never assembled', () => {
  const framer = createFramer();
  const whole = frame(SERVER_TAG.DataRow, new Uint8Array(100_000).fill(7));
  framer.push(join(encode.dataRow([]), whole.subarray(0, 10)));
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.counted, 2);
  assert.equal(framer.remaining, whole.length - 10);
  assert.equal(framer.atBoundary, false);
  assert.equal(framer.next(fromServer), undefined);
  framer.push(whole.subarray(10, 50_000));
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.counted, 0, 'it was counted where it began');
  assert.equal(framer.view().length, 49_990);
  assert.equal(framer.tag, SERVER_TAG.DataRow);
  framer.push(join(whole.subarray(50_000), encode.readyForQuery('I')));
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.atBoundary, true);
  assert.equal(framer.next(fromServer), 'frame');
});

it('a short forwarded frame is kept until it is whole, so that the stream stays at a boundary', () => {
  const framer = createFramer();
  const row = encode.dataRow([text('x'.repeat(8_000))]);
  framer.push(join(encode.dataRow([]), row.subarray(0, 7_000)));
  assert.equal(framer.next(fromServer), 'run');
  assert.equal(framer.counted, 1);
  assert.equal(framer.next(fromServer), undefined);
  assert.equal(framer.atBoundary, true);
  assert.equal(framer.unreadBytes, 7_000);
  framer.push(row.subarray(7_000));
  assert.equal(framer.next(fromServer), 'run');
  assert.deepEqual(framer.view(), row);
});

it('an announced length takes no memory before its bytes have come', () => {
  const framer = createFramer();
  const header = frame(CLIENT_TAG.Query, new Uint8Array(0));
  new DataView(header.buffer).setUint32(1, LIMIT_BYTES.query);
  framer.push(header);
  assert.equal(framer.next(fromClient), undefined);
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < 100; index += 1) {
    framer.push(new Uint8Array(10));
    assert.equal(framer.next(fromClient), undefined);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 1 << 20);
  assert.equal(framer.unreadBytes, 1_005);
});

it('views stay as they are while later chunks come', () => {
  const framer = createFramer();
  const rows = ['first', 'second', 'third'].map((value) => encode.dataRow([text(value)]));
  const stream = join(...rows);
  const kept: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += 3) {
    framer.push(stream.subarray(at, at + 3));
    while (framer.next(fromServer) !== undefined) kept.push(framer.view());
  }
  assert.deepEqual(join(...kept), stream);
});

it('a kept copy is a copy, also where the socket gave a Buffer', () => {
  const framer = createFramer();
  const chunk = Buffer.from(encode.query('SELECT 1'));
  framer.push(chunk);
  assert.equal(framer.next(fromClient), 'frame');
  const kept = framer.body().slice();
  chunk.fill(0);
  assert.equal(new TextDecoder().decode(kept), 'SELECT 1\0');
});

it('what waits unread is safe after retain, and in order', () => {
  const framer = createFramer();
  const chunk = join(encode.query('one'), encode.query('two'), encode.query('three').subarray(0, 4));
  framer.push(chunk);
  assert.equal(framer.next(fromClient), 'frame');
  framer.retain();
  chunk.fill(0xff);
  framer.push(encode.query('three').subarray(4));
  framer.push(encode.query('four'));
  const seen: string[] = [];
  while (framer.next(fromClient) !== undefined) seen.push(Buffer.from(framer.body()).toString());
  assert.deepEqual(seen, ['two\0', 'three\0', 'four\0']);
});

it('untagged packets: one at a time, and what follows is left for TLS', () => {
  const hello = encode.startupMessage(0, [{ name: 'user', value: 'alice' }]);
  everySplit(hello, (chunks) => {
    const framer = createFramer();
    let packets = 0;
    for (const chunk of chunks) {
      framer.push(chunk);
      while (framer.nextStartup() !== undefined) {
        packets += 1;
        assert.deepEqual(framer.view(), hello);
        assert.deepEqual(framer.body(), hello.subarray(4));
      }
    }
    assert.equal(packets, 1);
  });
  const framer = createFramer();
  framer.push(join(encode.sslRequest(), new Uint8Array([0x16, 3, 1])));
  assert.equal(framer.peek(), 0);
  assert.equal(framer.nextStartup(), 'frame');
  assert.equal(framer.peek(), 0x16);
  framer.push(new Uint8Array([9]));
  assert.deepEqual(framer.takeUnread(), new Uint8Array([0x16, 3, 1, 9]));
  assert.equal(framer.takeUnread(), undefined);
  assert.equal(framer.peek(), undefined);
});

it('one byte can be looked at and passed over', () => {
  const framer = createFramer();
  assert.equal(framer.peek(), undefined);
  assert.throws(() => framer.skip(), RangeError);
  framer.push(new Uint8Array([0x53]));
  assert.equal(framer.peek(), 0x53);
  framer.skip();
  assert.equal(framer.unreadBytes, 0);
  framer.push(encode.readyForQuery('I'));
  assert.equal(framer.next(fromServer), 'frame');
});

it('impossible and excessive lengths end the stream before anything is taken for them', () => {
  const cases: [length: number, code: string][] = [
    [0, 'protocol-violation'],
    [1, 'protocol-violation'],
    [2, 'protocol-violation'],
    [3, 'protocol-violation'],
    [LIMIT_BYTES.query + 1, 'limit-exceeded'],
    [0x7fff_ffff, 'limit-exceeded'],
    [0x8000_0000, 'protocol-violation'],
    [0xffff_ffff, 'protocol-violation'],
  ];
  for (const [length, code] of cases) {
    const header = frame(CLIENT_TAG.Query, new Uint8Array(0));
    new DataView(header.buffer).setUint32(1, length);
    const framer = createFramer();
    framer.push(header);
    assert.throws(() => framer.next(fromClient), isFault(code), `length ${length}`);
    assert.throws(() => framer.next(fromClient), isFault(code), 'and stays so');

    const before = createFramer();
    before.push(join(encode.query('fine'), header));
    assert.equal(before.next(fromClient), 'frame');
    assert.throws(() => before.next(fromClient), isFault(code), `length ${length} after a good message`);
  }
  for (const [length, code] of [
    [0, 'protocol-violation'],
    [7, 'protocol-violation'],
    [10_001, 'limit-exceeded'],
    [0x7fff_ffff, 'limit-exceeded'],
    [0xffff_ffff, 'protocol-violation'],
  ] as const) {
    const packet = new Uint8Array(4);
    new DataView(packet.buffer).setUint32(0, length);
    const framer = createFramer();
    framer.push(packet);
    assert.throws(() => framer.nextStartup(), isFault(code), `startup length ${length}`);
  }
});

it('a limit is reached exactly', () => {
  const table = tagTable({ expecting: 'x', open: [[CLIENT_TAG.Query, 10]], forward: [CLIENT_TAG.CopyData], forwardLimitBytes: 6 });
  const framer = createFramer();
  framer.push(join(frame(CLIENT_TAG.Query, new Uint8Array(6)), frame(CLIENT_TAG.CopyData, new Uint8Array(2))));
  assert.equal(framer.next(table), 'frame');
  assert.equal(framer.next(table), 'run');
  framer.push(frame(CLIENT_TAG.CopyData, new Uint8Array(3)));
  assert.throws(() => framer.next(table), isFault('limit-exceeded'));
});

it('a message type that the state does not expect is one fault that names both', () => {
  const framer = createFramer();
  framer.push(join(encode.dataRow([]), encode.backendKeyData(1, new Uint8Array(4))));
  assert.equal(framer.next(fromServer), 'run', 'what came before it still counts');
  assert.throws(
    () => framer.next(fromServer),
    (error: unknown) => {
      assert.ok(error instanceof GatewayFault);
      assert.equal(error.code, 'protocol-violation');
      assert.equal(error.detail, "message type 'K' where a result was expected");
      return true;
    },
  );
});

it('a tag cannot have two rules', () => {
  assert.throws(() => tagTable({ expecting: 'x', forward: [0x44], count: [0x44] }), RangeError);
});

it('any bytes: the framer faults or goes on, and hands out what it was given', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 }), (chunks) => {
      const framer = createFramer();
      const parts: Uint8Array[] = [];
      try {
        for (const chunk of chunks) {
          framer.push(chunk);
          while (framer.next(fromServer) !== undefined) parts.push(framer.view().slice());
        }
      } catch (error) {
        assert.ok(error instanceof GatewayFault, String(error));
      }
      const all = join(...chunks);
      const given = join(...parts);
      assert.deepEqual(given, all.subarray(0, given.length));
    }),
    { numRuns: 20_000 },
  );
});

function isFault(code: string): (error: unknown) => boolean {
  return (error) => error instanceof GatewayFault && error.code === code;
}

function frame(tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = tag;
  new DataView(bytes.buffer).setUint32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

function* cutAt(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.slice(at, at + size);
    at = Math.min(bytes.length, at + size);
  }
  yield bytes.slice(at);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
