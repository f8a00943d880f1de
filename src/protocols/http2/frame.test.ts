import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { everySplit } from '../../core/testing/every-split.ts';
import { FrameReader, type ServerFrames } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { frame } from './testing/frames.ts';
import { Http2Violation } from './violation.ts';

const join = (pieces: readonly Uint8Array[]): Buffer => Buffer.concat(pieces);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** What was said, pieces of data joined. */
class Said implements ServerFrames {
  readonly frames: unknown[] = [];
  windowBytes = 0;
  #data = '';

  data(stream: number, piece: Uint8Array, windowBytes: number, ends: boolean): void {
    this.windowBytes += windowBytes;
    this.#data += text(piece);
    if (ends) {
      this.frames.push(['data', stream, this.#data]);
      this.#data = '';
    }
  }
  headers(stream: number, block: Uint8Array, ends: boolean): void {
    this.frames.push(['headers', stream, text(block), ends]);
  }
  reset(stream: number, code: number): void {
    this.frames.push(['reset', stream, code]);
  }
  settings(settings: readonly unknown[]): void {
    this.frames.push(['settings', settings]);
  }
  ping(opaque: Uint8Array, isAnswer: boolean): void {
    this.frames.push(['ping', text(opaque), isAnswer]);
  }
  goAway(last: number, code: number): void {
    this.frames.push(['goaway', last, code]);
  }
  windowUpdate(stream: number, bytes: number): void {
    this.frames.push(['window', stream, bytes]);
  }
  other(): void {
    this.frames.push(['other']);
  }
}

function read(chunks: Iterable<Uint8Array>): Said {
  const said = new Said();
  const reader = new FrameReader(said);
  for (const chunk of chunks) reader.receive(chunk);
  return said;
}

const begin = frame(4, 0, 0);
const fails = (code: number, ...frames: Uint8Array[]): void =>
  everySplit(join([begin, ...frames]), (chunks) =>
    assert.throws(
      () => read(chunks),
      (error: unknown) => error instanceof Http2Violation && error.code === code,
    ),
  );

const everyKind = join([
  frame(4, 0, 0, '\x00\x03\x00\x00\x00\x64\x00\x04\x80\x00\x00\x00'),
  frame(4, 1, 0),
  frame(1, 0x04, 1, 'block'),
  frame(0, 0, 1, 'one'),
  frame(0, 0x08, 1, '\x04two\0\0\0\0'),
  frame(0, 0x01, 1, ''),
  frame(0, 0x09, 3, '\x02x\0\0'),
  frame(1, 0x2d, 3, '\x03\x80\0\0\x01\x07ab\0\0\0'),
  frame(1, 0x01, 5, 'a'),
  frame(9, 0, 5, 'b'),
  frame(9, 0x04, 5, 'c'),
  frame(3, 0, 7, '\0\0\0\x08'),
  frame(6, 0, 0, 'opaque..'),
  frame(6, 1, 0, 'opaque..'),
  frame(7, 0, 0, '\0\0\0\x05\0\0\0\x02because'),
  frame(8, 0, 0x8000_0009, '\x80\0\0\x0a'),
  frame(2, 0, 9, '12345'),
  frame(0xbe, 0xef, 9, 'grease'),
]);

describe('frames', () => {
  it('are the same in whatever cuts they come', () => {
    everySplit(everyKind, (chunks) => {
      const said = read(chunks);
      assert.deepEqual(said.frames, [
        [
          'settings',
          [
            [3, 100],
            [4, 0x8000_0000],
          ],
        ],
        ['other'],
        ['headers', 1, 'block', false],
        ['data', 1, 'onetwo'],
        ['data', 3, 'x'],
        ['headers', 3, 'ab', true],
        ['headers', 5, 'abc', true],
        ['reset', 7, 8],
        ['ping', 'opaque..', false],
        ['ping', 'opaque..', true],
        ['goaway', 5, 2],
        ['window', 9, 10],
        ['other'],
        ['other'],
      ]);
      // Padding counts (RFC 9113 section 6.1).
      assert.equal(said.windowBytes, 3 + 8 + 0 + 4);
    });
  });

  it('begin with SETTINGS', () => {
    everySplit(frame(6, 0, 0, 'opaque..'), (chunks) => assert.throws(() => read(chunks), Http2Violation));
    assert.throws(() => read([Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')]), Http2Violation);
  });

  it('that are too long are refused before they come', () => {
    const long = Buffer.alloc(9);
    for (const type of [0, 1, 4, 0xbe]) {
      long.writeUIntBE(16_385, 0, 3);
      long.writeUInt8(type, 3);
      long.writeUInt32BE(1, 5);
      fails(0x6, long);
    }
  });

  it('of another length than theirs are refused', () => {
    fails(0x6, frame(3, 0, 1, '\0\0\0'));
    fails(0x6, frame(4, 0, 0, '\0\x01\0\0\0'));
    fails(0x6, frame(4, 1, 0, '\0\x01\0\0\0\0'));
    fails(0x6, frame(6, 0, 0, 'short'));
    fails(0x6, frame(7, 0, 0, '\0\0\0\0'));
    fails(0x6, frame(8, 0, 1, '\0\0\0'));
    fails(0x6, frame(0, 0x08, 1, ''));
  });

  it('of the wrong stream are refused, and so is a push', () => {
    fails(0x1, frame(0, 0, 0, 'x'));
    fails(0x1, frame(1, 4, 0, 'x'));
    fails(0x1, frame(3, 0, 0, '\0\0\0\0'));
    fails(0x1, frame(4, 0, 1));
    fails(0x1, frame(6, 0, 1, 'opaque..'));
    fails(0x1, frame(7, 0, 1, '\0\0\0\0\0\0\0\0'));
    fails(0x1, frame(5, 4, 1, '\0\0\0\x02x'));
  });

  it('with more padding than there is room for are refused', () => {
    fails(0x1, frame(0, 0x08, 1, '\x03ab'));
    fails(0x1, frame(1, 0x0c, 1, '\x03ab'));
    fails(0x1, frame(1, 0x0c, 1, ''));
    fails(0x1, frame(1, 0x24, 1, '\0\0\0'));
  });

  it('of a header block come one behind the other, and come to an end', () => {
    fails(0x1, frame(1, 0, 1, 'a'), frame(6, 0, 0, 'opaque..'));
    fails(0x1, frame(1, 0, 1, 'a'), frame(9, 4, 3, 'b'));
    fails(0x1, frame(1, 0, 1, 'a'), frame(1, 4, 1, 'b'));
    fails(0x1, frame(9, 4, 1, 'b'));
    fails(0x1, frame(1, 4, 1, 'a'), frame(9, 4, 1, 'b'));
    const flood = (payload: string): unknown =>
      read([begin, frame(1, 0, 1, 'a'), ...Array.from({ length: 257 }, () => frame(9, 0, 1, payload))]);
    for (const payload of ['', 'x', 'x'.repeat(16_000)])
      assert.throws(
        () => flood(payload),
        (error: unknown) => (error as Http2Violation).code === 0xb,
      );
  });

  it('of any octets are read, or refused', () => {
    const any = fc.record({ type: fc.nat(10), flags: fc.nat(255), stream: fc.nat(5), payload: fc.uint8Array({ maxLength: 30 }) });
    fc.assert(
      fc.property(fc.array(any, { maxLength: 8 }), fc.array(fc.nat(200), { maxLength: 6 }), (frames, cuts) => {
        const all = join([begin, ...frames.map(({ type, flags, stream, payload }) => frame(type, flags, stream, payload))]);
        const at = [0, ...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
        const outcome = (chunks: readonly Uint8Array[]): unknown => {
          const said = new Said();
          const reader = new FrameReader(said);
          try {
            for (const chunk of chunks) reader.receive(chunk);
            return said.frames;
          } catch (error) {
            assert.ok(error instanceof Http2Violation);
            return [said.frames, error.message];
          }
        };
        assert.deepEqual(outcome(at.slice(1).map((end, index) => all.subarray(at[index], end))), outcome([all]));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('frames that are written', () => {
  it('are read as what they are', () => {
    const writer = new FrameWriter();
    const block = Buffer.alloc(40_000, 'h');
    const long = Buffer.alloc(16_384, 'l');
    writer.settings([[4, 0x1_0000]]);
    writer.acknowledgeSettings();
    writer.headers(1, Buffer.from('head'), true);
    writer.headers(3, block, false);
    writer.data(3, long, false);
    writer.data(3, Buffer.from('short'), true);
    writer.reset(5, 8);
    writer.ping(Buffer.from('opaque..'), true);
    writer.windowUpdate(0, 7);
    writer.goAway(0xb);
    const pieces = writer.take();
    assert.ok(pieces.includes(long), 'long data is not copied');
    assert.deepEqual(read(pieces).frames, [
      ['settings', [[4, 0x1_0000]]],
      ['other'],
      ['headers', 1, 'head', true],
      ['headers', 3, block.toString(), false],
      ['data', 3, `${long.toString()}short`],
      ['reset', 5, 8],
      ['ping', 'opaque..', true],
      ['window', 0, 7],
      ['goaway', 0, 0xb],
    ]);
    assert.deepEqual(writer.take(), []);
  });

  it('stay as they are while others are written', () => {
    const writer = new FrameWriter();
    const kept: [Uint8Array, string][] = [];
    for (let at = 0; at < 200; at += 1) {
      writer.data(1, Buffer.alloc(at * 40, at), false);
      for (const piece of writer.take()) kept.push([piece, text(piece)]);
    }
    for (const [piece, before] of kept) assert.equal(text(piece), before);
  });
});
