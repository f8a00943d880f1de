import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { compileDataClasses, type DataClasses } from '../../../masking/classes.ts';
import type { DataClass, MaskKind } from '../../../masking/types.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import { maskStretch } from './mask.ts';
import { MaskedFile, type Fetched, type Served } from './masked-file.ts';

const card = '4111 1111 1111 1111';
const classesOf = (mask: MaskKind): DataClasses => {
  const dataClass: DataClass = { name: 'card', columns: [], paths: [], detect: [{ kind: 'recogniser', name: 'card-number' }], mask };
  return compileDataClasses([dataClass], nodeCrypto, new Uint8Array(32));
};
const partial = classesOf('partial-last4');

/** A file at a target that answers when it is told to, and gives at most `most` bytes at a time. */
class Target {
  readonly content: Buffer;
  readonly file: MaskedFile;
  readonly counts = new Map<string, number>();
  readonly fetches: { offset: number; length: number; answer: (fetched: Fetched) => void }[] = [];
  readonly #most: number;

  constructor(content: Buffer, classes = partial, most = Infinity) {
    this.content = content;
    this.#most = most;
    this.file = new MaskedFile({
      fetch: (offset, length, answer) => void this.fetches.push({ offset, length, answer }),
      mask: (before, bytes, after) => maskStretch(classes, classes.detectors, before, bytes, after),
      count: (masked) => masked.forEach((count, name) => this.counts.set(name, (this.counts.get(name) ?? 0) + count)),
    });
  }

  /** Answers everything, the newest question first where `backwards`. */
  answer(backwards = false): void {
    for (
      let next = backwards ? this.fetches.pop() : this.fetches.shift();
      next !== undefined;
      next = backwards ? this.fetches.pop() : this.fetches.shift()
    ) {
      const bytes = Uint8Array.from(this.content.subarray(next.offset, next.offset + Math.min(next.length, this.#most)));
      next.answer(bytes.length === 0 ? { kind: 'end' } : { kind: 'data', bytes });
      // What was given out is another's now.
      bytes.fill(0x41);
    }
  }

  read(offset: number, length: number, backwards = false): Served {
    let served: Served | undefined;
    this.file.read(offset, length, (one) => (served = one.kind === 'data' ? { kind: 'data', bytes: Uint8Array.from(one.bytes) } : one));
    this.answer(backwards);
    assert(served !== undefined, 'the read was answered');
    return served;
  }

  text(offset: number, length: number): string {
    const served = this.read(offset, length);
    assert.equal(served.kind, 'data');
    return Buffer.from((served as Fetched & { kind: 'data' }).bytes).toString();
  }
}

/** Text with a card number at each of these offsets. */
function textWith(length: number, ...offsets: readonly number[]): Buffer {
  const text = Buffer.alloc(length, 'some words and no number\n');
  for (const offset of offsets) text.write(` ${card} `, offset - 1);
  return text;
}

const blockBytes = 128 * 1024;

describe('a file whose text is masked', () => {
  it('shows the same wherever it is read from, and hides a number that two reads cut in two', () => {
    const at = 1000;
    const whole = textWith(5000, at);
    for (let cut = at - 2; cut <= at + card.length + 2; cut += 1) {
      const target = new Target(whole);
      const shown = target.text(cut, 4000) && target.text(0, cut) + target.text(cut, 5000 - cut);
      assert.equal(shown, whole.toString().replace(card, '**** **** **** 1111'), `cut at ${cut}`);
    }
  });

  it('hides a number that lies across two blocks, byte by byte, whichever is read first', () => {
    for (let before = 0; before <= card.length; before += 1) {
      const whole = textWith(3 * blockBytes, blockBytes - before, 2 * blockBytes - 5);
      const expected = whole.toString().replaceAll(card, '**** **** **** 1111');
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 0, 2],
      ]) {
        const target = new Target(whole);
        const parts = new Map(order.map((block) => [block, target.text(block * blockBytes, blockBytes)]));
        assert.equal([0, 1, 2].map((block) => parts.get(block)).join(''), expected, `${before} before the border, read as ${order.join()}`);
      }
    }
  });

  it('keeps its length whatever the mask, and whatever the characters', () => {
    const digits = '４１１１-１１１１-１１１１-１１１１';
    const text = Buffer.from(`a ${card} b ${digits} c \u001b[31m4111\u001b[0m 1111 1111 1111\n`);
    for (const mask of ['redact', 'hash', 'null', 'pseudonym', 'partial-last4'] as const) {
      const served = new Target(text, classesOf(mask)).read(0, 1000);
      assert(served.kind === 'data');
      const shown = Buffer.from(served.bytes);
      assert.equal(shown.length, text.length, mask);
      assert.equal(shown.toString().includes('4111 1111'), false, mask);
      assert.equal(shown.toString().includes('４１１１-１１１１'), false, mask);
      assert.equal(shown.includes('4111\u001b[0m 1111 1111'), false, mask);
    }
  });

  it('is served in any order of answers, from a target that gives little at a time, and counts each value once', () => {
    const whole = textWith(3 * blockBytes + 100, 50, blockBytes - 3, 2 * blockBytes + 7, 3 * blockBytes);
    const expected = whole.toString().replaceAll(card, '**** **** **** 1111');
    for (const [most, backwards] of [
      [Infinity, false],
      [Infinity, true],
      [30_000, false],
      [30_001, true],
    ] as const) {
      const target = new Target(whole, partial, most);
      const served: Buffer[] = [];
      for (let at = 0; at < whole.length + 40_000; at += 40_000)
        target.file.read(at, 40_000, (one) => (one.kind === 'data' ? served.push(Buffer.from(one.bytes)) : assert.equal(one.kind, 'end')));
      target.answer(backwards);
      assert.equal(Buffer.concat(served).toString(), expected);
      assert.equal(target.counts.get('card'), 4);
      assert.equal(target.file.isIdle, true);
      assert.equal(target.text(blockBytes - 3, card.length), '**** **** **** 1111');
      assert.equal(target.counts.get('card'), 4, 'read again, it is not counted again');
    }
  });

  it('asks for a few blocks at a time, however much is asked of it', () => {
    const target = new Target(textWith(64 * blockBytes));
    for (let at = 0; at < 64; at += 1) target.file.read(at * blockBytes, blockBytes, () => undefined);
    assert(target.fetches.length <= 17, `${target.fetches.length} blocks`);
  });

  it('is refused where it is no text: in its beginning, or later on', () => {
    assert.equal(new Target(Buffer.from('PK\u0003\u0004\0\0')).read(0, 100).kind, 'refused');
    assert.equal(new Target(Buffer.from(card, 'utf16le')).read(0, 100).kind, 'refused');
    const mixed = new Target(Buffer.concat([textWith(blockBytes), Buffer.alloc(100)]));
    assert.equal(mixed.read(0, 100).kind, 'data');
    assert.equal(mixed.read(blockBytes, 100).kind, 'refused');
    const compressed = Buffer.from(Array.from({ length: 5000 }, (_, at) => ((at * 7919) % 255) + 1));
    assert.equal(new Target(compressed).read(0, 100).kind, 'refused');
  });

  it('of other languages and of other eight-bit characters is text', () => {
    for (const text of ['Größe übergeben – ça va, Привет, 你好\n', '\u001b[1mbold\u001b[0m\r\n'])
      assert.equal(new Target(Buffer.from(text)).read(0, 100).kind, 'data');
    assert.equal(new Target(Buffer.from('caf\xe9, na\xefve and some more words of it\n', 'latin1')).read(0, 100).kind, 'data');
  });

  it('ends where it ends, also when it was read to there before', () => {
    const target = new Target(Buffer.from('short\n'));
    assert.equal(target.text(0, 100), 'short\n');
    assert.equal(target.read(6, 100).kind, 'end');
    assert.equal(target.read(5_000_000, 100).kind, 'end');
    assert.equal(new Target(Buffer.alloc(0)).read(0, 10).kind, 'end');
    assert.equal(new Target(textWith(blockBytes)).read(blockBytes, 10).kind, 'end');
  });

  it('is not shown beside what could not be read', () => {
    const target = new Target(textWith(3 * blockBytes));
    let served: Served | undefined;
    target.file.read(0, blockBytes, (one) => (served = one));
    const [first] = target.fetches.splice(0);
    first!.answer({ kind: 'data', bytes: target.content.subarray(0, blockBytes) });
    target.fetches.splice(0).forEach(({ answer }) => answer({ kind: 'failed', code: 4, message: 'no' }));
    assert.deepEqual(served, { kind: 'failed', code: 4, message: 'no' });
  });

  it('shows every byte alike in any reads at all', () => {
    const whole = textWith(4 * blockBytes, 10, blockBytes - 10, 2 * blockBytes - 8200, 2 * blockBytes, 3 * blockBytes + 8190);
    const expected = whole.toString().replaceAll(card, '**** **** **** 1111');
    const read = fc.record({ offset: fc.nat(4 * blockBytes), length: fc.integer({ min: 1, max: 200_000 }) });
    fc.assert(
      fc.property(fc.array(read, { minLength: 1, maxLength: 4 }), fc.boolean(), (reads, backwards) => {
        const target = new Target(whole);
        for (const { offset, length } of reads) {
          target.file.read(offset, length, (served) => {
            const shown = served.kind === 'data' ? Buffer.from(served.bytes).toString() : '';
            assert.equal(shown, expected.slice(offset, offset + length));
          });
        }
        target.answer(backwards);
        assert.equal(target.file.isIdle, true);
      }),
      { numRuns: 40 },
    );
  });
});
