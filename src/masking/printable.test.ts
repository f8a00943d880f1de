import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AsciiText, isAscii, Printable } from './printable.ts';

describe('printable bytes, four at a time', () => {
  it('are none but 0x20 to 0x7e, wherever in a word another stands and whatever stands beside it', () => {
    for (let byte = 0; byte < 256; byte += 1) {
      for (const beside of [0x20, 0x7e]) {
        for (let place = 0; place < 4; place += 1) {
          const word = new Uint8Array(4).fill(beside);
          word[place] = byte;
          assert.equal(new Printable(word).end(0), byte >= 0x20 && byte <= 0x7e ? 4 : 0, `${byte} beside ${beside} at ${place}`);
        }
      }
    }
  });

  it('are told up to the word that holds something else, from where words begin in memory', () => {
    const memory = new Uint8Array(64).fill(0x61);
    for (let offset = 0; offset < 8; offset += 1) {
      const bytes = memory.subarray(offset, 60);
      const first = -bytes.byteOffset & 3;
      assert.equal(new Printable(bytes).end(first), first + ((bytes.length - first) & ~3));
      if (first !== 0) assert.equal(new Printable(bytes).end(0), 0);
      memory[32] = 0x0a;
      assert.equal(new Printable(bytes).end(first), 32 - offset);
      memory[32] = 0x61;
    }
  });

  it('of too few bytes for a word are none', () => {
    for (let length = 0; length < 4; length += 1) assert.equal(new Printable(new Uint8Array(length).fill(0x61)).end(0), 0);
  });
});

describe('a text of ASCII, four bytes at a time', () => {
  it('holds neither NUL nor what is above 0x7f nor the other byte, wherever in a word they stand and whatever stands beside them', () => {
    for (const other of [0, 0x5c, 0x01, 0x7f]) {
      for (let byte = 0; byte < 256; byte += 1) {
        for (const beside of [0x02, 0x0a, 0x5b, 0x5d, 0x7e]) {
          for (let place = 0; place < 4; place += 1) {
            const word = new Uint8Array(4).fill(beside);
            word[place] = byte;
            const isText = byte !== 0 && byte !== other && byte < 0x80;
            assert.equal(new AsciiText(word, other).end(0), isText ? 4 : 0, `${byte} beside ${beside} at ${place}`);
          }
        }
      }
    }
  });

  it('is told up to the word that holds something else, from where words begin in memory', () => {
    const memory = new Uint8Array(64).fill(0x0a);
    for (let offset = 0; offset < 8; offset += 1) {
      const bytes = memory.subarray(offset, 60);
      const first = -bytes.byteOffset & 3;
      assert.equal(new AsciiText(bytes).end(first), first + ((bytes.length - first) & ~3));
      if (first !== 0) assert.equal(new AsciiText(bytes).end(0), 0);
      memory[32] = 0;
      assert.equal(new AsciiText(bytes).end(first), 32 - offset);
      memory[32] = 0x0a;
    }
    for (let length = 0; length < 4; length += 1) assert.equal(new AsciiText(new Uint8Array(length).fill(0x61)).end(0), 0);
  });
});

describe('ASCII', () => {
  it('is what holds no byte above 0x7f, wherever it would stand', () => {
    const memory = new Uint8Array(64).fill(0x7f);
    for (let from = 0; from < 8; from += 1) {
      for (let to = from; to < 24; to += 1) {
        const bytes = memory.subarray(from, to);
        assert.ok(isAscii(bytes));
        for (let at = 0; at < bytes.length; at += 1) {
          bytes[at] = 0x80;
          assert.ok(!isAscii(bytes), `${from} to ${to} at ${at}`);
          bytes[at] = 0x7f;
        }
      }
    }
  });
});
