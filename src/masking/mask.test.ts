import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { nodeCrypto } from '../net/crypto.ts';
import { createMasker, keepLastFourOfAscii } from './mask.ts';

const masker = createMasker(nodeCrypto, new Uint8Array(32).fill(7));
const other = createMasker(nodeCrypto, new Uint8Array(32).fill(8));

const lastFour = (text: string) => masker.mask({ class: 'x', kind: 'partial-last4' }, text);
const hash = (text: string, name = 'x') => masker.mask({ class: name, kind: 'hash' }, text)!;
const pseudonym = (text: string, name = 'x') => masker.mask({ class: name, kind: 'pseudonym' }, text)!;
const shape = (value: string) => value.replace(/[0-9]/g, '9').replace(/[a-z]/g, 'a').replace(/[A-Z]/g, 'A');

describe('partial-last4', () => {
  it('shows texts of ASCII as it shows any other', () => {
    const all = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join('');
    const texts = [all, '', '1', '1234567', '12345678', '4111 1111 1111 1111', 'a-b.c/d(e)f+g@h_i,j:k', '\t\n12345678', '!!!!12345678!!!!'];
    for (let at = 0; at + 9 <= all.length; at += 1) texts.push(all.slice(at, at + 9));
    // What is beyond ASCII, and only groups, changes nothing else.
    for (const text of texts) assert.equal(lastFour(`${text}\u00a0`), `${lastFour(text)}\u00a0`, JSON.stringify(text));
  });

  it('keeps four and the grouping', () => {
    assert.equal(lastFour('4111 1111 1111 1234'), '**** **** **** 1234');
    assert.equal(lastFour('123-45-6789'), '***-**-6789');
    assert.equal(lastFour('(212) 555-1234'), '(***) ***-1234');
    assert.equal(lastFour('DE89370400440532013000'), '******************3000');
    assert.equal(lastFour('müller-straße'), '******-**raße');
  });

  it('keeps nothing of short values', () => {
    assert.equal(lastFour('1234567'), '*******');
    assert.equal(lastFour('12-34'), '**-**');
    assert.equal(lastFour(''), '');
  });

  it('shows no other character', () => {
    assert.equal(lastFour('<a>"x";\n12345678'), '************5678');
  });

  it('does the same on bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        const bytes = Buffer.from(`ab${text}cd`);
        const fast = keepLastFourOfAscii(bytes, 2, bytes.length - 2);
        assert.equal(fast, true);
        assert.equal(bytes.toString(), `ab${lastFour(text)}cd`);
      }),
    );
    const beyond = Buffer.from('12345678é');
    assert.equal(keepLastFourOfAscii(beyond, 0, beyond.length), false);
    assert.equal(beyond.toString(), '12345678é');
  });
});

describe('hash', () => {
  it('is keyed by key and class, and stable', () => {
    assert.match(hash('a'), /^hash:[0-9a-f]{16}$/);
    assert.equal(hash('a'), hash('a'));
    assert.notEqual(hash('a'), hash('b'));
    assert.notEqual(hash('a'), hash('a', 'y'));
    assert.notEqual(hash('a'), other.mask({ class: 'x', kind: 'hash' }, 'a'));
  });
});

describe('pseudonym', () => {
  it('keeps the shape, never the value', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 80 }), (text) => {
        const masked = pseudonym(text);
        assert.equal(masked, pseudonym(text));
        // A permutation may leave a value as it is, but only one in a million of the shape.
        if (masker.valueOf('x', text) === undefined) assert.notEqual(masked, text === '*'.repeat(text.length) ? undefined : text);
        assert.equal(masked.length, text.length);
        if (!/[\p{L}\p{N}]/u.test(text)) return;
        assert.equal(shape(masked), shape(text));
      }),
    );
  });

  it('writes letters of other scripts as Latin ones', () => {
    assert.match(pseudonym('Müller 12'), /^[A-Z][a-z]{5} \d\d$/);
  });

  it('differs by class and key', () => {
    assert.notEqual(pseudonym('1234567890'), pseudonym('1234567890', 'y'));
    assert.notEqual(pseudonym('1234567890'), other.mask({ class: 'x', kind: 'pseudonym' }, '1234567890'));
  });

  it('spreads evenly', () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let value = 0; value < 2000; value++) for (const digit of pseudonym(String(100_000 + value))) counts[Number(digit)]!++;
    for (const count of counts) assert.ok(count > 1050 && count < 1350, String(counts));
  });

  it('goes on past one block of the stream', () => {
    assert.match(pseudonym('1'.repeat(100)), /^\d{100}$/);
    assert.ok(new Set(pseudonym('1'.repeat(100)).match(/.{20}/g)).size === 5);
  });
});

describe('redact and null', () => {
  it('do not depend on the value', () => {
    assert.equal(masker.mask({ class: 'ssn', kind: 'redact' }, 'anything'), '[redacted:ssn]');
    assert.equal(masker.mask({ class: 'ssn', kind: 'null' }, 'anything'), null);
  });
});
