import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { everySplit } from '../../core/testing/every-split.ts';
import { BodyReader, type MessageBody } from './message-body.ts';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** The body, what is left behind it, and its trailers. */
function read(body: MessageBody, chunks: Iterable<Uint8Array>) {
  const reader = new BodyReader(body);
  let text = '';
  let left = '';
  for (const chunk of chunks) {
    const end = reader.read(chunk, 0, (piece) => {
      assert.ok(piece.length > 0 || chunk.length === 0);
      text += String.fromCharCode(...piece);
    });
    left += String.fromCharCode(...chunk.subarray(end));
  }
  return { text, left, isOver: reader.isOver, trailers: reader.trailers, reader };
}

describe('a body ends', () => {
  const cases: readonly (readonly [string, MessageBody, string, string, string, readonly string[]])[] = [
    ['where there is none', { kind: 'none' }, 'next', '', 'next', []],
    ['behind its length', { kind: 'length', octets: 4 }, 'bodynext', 'body', 'next', []],
    ['at once, of length 0', { kind: 'length', octets: 0 }, 'next', '', 'next', []],
    ['behind the last chunk', { kind: 'chunked' }, '4\r\nbody\r\n00\r\n\r\nnext', 'body', 'next', []],
    [
      'behind its trailers',
      { kind: 'chunked' },
      'A\r\n0123456789\r\n0\r\nX-One: 1\r\nTwo:\t2 \r\n\r\nnext',
      '0123456789',
      'next',
      ['X-One', '1', 'Two', '2'],
    ],
    ['whatever its extensions', { kind: 'chunked' }, '1;a="b"\r\nx\r\n1; c\r\ny\r\n0;d\r\n\r\n', 'xy', '', []],
  ];
  for (const [name, body, sent, text, left, trailers] of cases) {
    it(name, () => {
      everySplit(bytesOf(sent), (chunks) => {
        const found = read(body, chunks);
        assert.deepEqual([found.text, found.left, found.isOver, found.trailers], [text, left, true, trailers]);
      });
    });
  }

  it('with its connection, and in no other way where nothing else ends it', () => {
    const found = read({ kind: 'until-close' }, [bytesOf('all '), bytesOf('of it')]);
    assert.deepEqual([found.text, found.isOver, found.reader.ended(), found.reader.isOver], ['all of it', false, true, true]);
  });

  it('nowhere where its connection ends too soon', () => {
    for (const body of [{ kind: 'length', octets: 5 }, { kind: 'chunked' }] as const) {
      assert.equal(read(body, [bytesOf('4\r\n')]).reader.ended(), false);
    }
  });
});

describe('chunks are refused', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['without a size', '\r\nx'],
    ['of a signed size', '+1\r\nx\r\n'],
    ['of a size with a prefix', '0x1\r\nx\r\n'],
    ['of a size with a space', '1 \r\nx\r\n'],
    ['of more than eight digits', '000000001\r\nx\r\n'],
    ['whose size ends in LF', '1\nx\r\n'],
    ['whose size ends in CR', '1\rx\r\n'],
    ['whose data ends in LF', '1\r\nx\n0\r\n\r\n'],
    ['that are longer than they say', '1\r\nxy\r\n0\r\n\r\n'],
    ['with a line feed in an extension', '1;a\nb\r\nx\r\n'],
    ['with NUL in an extension', '1;a\0\r\nx\r\n'],
    ['with long extensions', `1;${'a'.repeat(16 * 1024)}b\r\nx\r\n`],
    ['with a trailer that is no field', '0\r\nno field\r\n\r\n'],
    ['with a folded trailer', '0\r\na: b\r\n c\r\n\r\n'],
    ['with a space before a colon', '0\r\na : b\r\n\r\n'],
    ['with a bare CR in a trailer', '0\r\na: b\rc: d\r\n\r\n'],
    ['with a bare LF in a trailer', '0\r\na: b\nc: d\r\n\r\n'],
    ['with long trailers', `0\r\na: ${'b'.repeat(16 * 1024)}\r\n\r\n`],
  ];
  for (const [name, sent] of cases) {
    it(name, () => {
      assert.throws(
        () => read({ kind: 'chunked' }, [bytesOf(sent)]),
        (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
      );
    });
  }
});

it('fuzz: chunks in any form end in a body or in a fault of the sender', () => {
  const part = fc.oneof(
    fc.constantFrom('\r\n', '0', '1\r\nx\r\n', '5', ';', 'a: b', '\n', '\r', '0\r\n\r\n', 'ffffffff', ' '),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      try {
        read(
          { kind: 'chunked' },
          parts.map((one) => bytesOf(one)),
        );
      } catch (error) {
        assert.ok(error instanceof GatewayFault && error.code === 'protocol-violation', String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

it('fuzz: what was framed as chunks is read as it was, in any cuts', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 6 }), (pieces, cuts) => {
      const framed = `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${String.fromCharCode(...piece)}\r\n`).join('')}0\r\n\r\n`;
      const whole = bytesOf(framed);
      const at = [0, ...cuts.filter((cut) => cut <= whole.length).sort((a, b) => a - b), whole.length];
      const found = read(
        { kind: 'chunked' },
        at.slice(1).map((end, index) => whole.subarray(at[index], end)),
      );
      assert.deepEqual([found.text, found.isOver], [pieces.map((piece) => String.fromCharCode(...piece)).join(''), true]);
    }),
    { numRuns: 500 },
  );
});
