import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { compressedFlag, encodeFrame, FrameCounter, FrameReader } from './frame.ts';

const limits = { maxBytes: 1_000, of: 'answer' } as const;
const messages = fc.array(
  fc.record({ flags: fc.constantFrom(0, compressedFlag), message: fc.uint8Array({ maxLength: 300 }) }, { noNullPrototype: true }),
  {
    maxLength: 8,
  },
);

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Cut at random places, some pieces empty. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('messages', () => {
  it('are the same in whatever cuts they come, for who reads and who counts', () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat(), { maxLength: 20 }), (sent, places) => {
        const stream = joined(sent.map(({ flags, message }) => encodeFrame(flags, message)));
        const [reader, counter] = [new FrameReader(limits), new FrameCounter(limits)];
        const read = cut(stream, places).flatMap((piece) => {
          counter.push(piece);
          return reader.push(piece);
        });
        assert.deepEqual(
          read.map(({ flags, message }) => ({ flags, message: new Uint8Array(message) })),
          sent,
        );
        assert.deepEqual(joined(read.map(({ raw }) => raw)), stream);
        assert.deepEqual([counter.messages, reader.isBetween, counter.isBetween], [sent.length, true, true]);
      }),
    );
  });

  it('are the same byte by byte', () => {
    const stream = joined([encodeFrame(1, Uint8Array.of(7, 8)), encodeFrame(0, new Uint8Array(0)), encodeFrame(0, new Uint8Array(999))]);
    const reader = new FrameReader(limits);
    const read = [...stream].flatMap((byte) => reader.push(Uint8Array.of(byte)));
    assert.deepEqual(
      read.map(({ flags, message }) => [flags, message.length]),
      [
        [1, 2],
        [0, 0],
        [0, 999],
      ],
    );
  });

  it('that are cut off are told from those that are whole', () => {
    const stream = encodeFrame(0, new Uint8Array(9));
    for (let length = 1; length < stream.length; length += 1) {
      const [reader, counter] = [new FrameReader(limits), new FrameCounter(limits)];
      reader.push(stream.subarray(0, length));
      counter.push(stream.subarray(0, length));
      assert.deepEqual([reader.isBetween, counter.isBetween], [false, false], `${length} bytes`);
      assert.throws(() => new FrameReader(limits).pushWhole(stream.subarray(0, length)), isFault('protocol-violation'));
    }
  });

  it('that announce too much are refused by their header, before anything of them has come', () => {
    const header = encodeFrame(0, new Uint8Array(1_001)).subarray(0, 5);
    for (const announced of [header, Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff)]) {
      assert.throws(() => new FrameReader(limits).push(announced), isFault('limit-exceeded'));
      assert.throws(() => new FrameCounter(limits).push(announced), isFault('limit-exceeded'));
      const [reader, counter] = [new FrameReader(limits), new FrameCounter(limits)];
      assert.throws(() => [...announced].forEach((byte) => reader.push(Uint8Array.of(byte))), isFault('limit-exceeded'));
      assert.throws(() => [...announced].forEach((byte) => counter.push(Uint8Array.of(byte))), isFault('limit-exceeded'));
    }
  });

  it('with flags that gRPC does not know are refused', () => {
    for (const flags of [2, 0x80, 0xff]) {
      assert.throws(() => new FrameReader(limits).push(encodeFrame(flags, Uint8Array.of(1))), isFault('protocol-violation'));
      assert.throws(() => new FrameCounter(limits).push(encodeFrame(flags, Uint8Array.of(1))), isFault('protocol-violation'));
    }
  });

  it('of any bytes end in a fault or not at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
        for (const make of [() => new FrameReader(limits), () => new FrameCounter(limits)]) {
          const taker = make();
          try {
            for (const piece of pieces) taker.push(piece);
          } catch (error) {
            assert.ok(error instanceof GatewayFault, String(error));
          }
        }
      }),
    );
  });

  it('are not views of a Buffer, of which a copy would be none', () => {
    const [frame] = new FrameReader(limits).push(Buffer.from(encodeFrame(0, Uint8Array.of(1))));
    assert.equal(Object.getPrototypeOf(frame!.message), Uint8Array.prototype);
  });
});

function isFault(code: GatewayFault['code']): (error: unknown) => boolean {
  return (error) => error instanceof GatewayFault && error.code === code;
}
