import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { escapeInvisible, escapeLine } from './escape.ts';

it('what is invisible, turns the writing round or moves the cursor is shown', () => {
  for (const [name, character] of Object.entries({
    'right-to-left override': '\u202e',
    'left-to-right isolate': '\u2066',
    'right-to-left mark': '\u200f',
    'zero-width space': '\u200b',
    'zero-width joiner': '\u200d',
    'byte order mark': '\ufeff',
    'word joiner': '\u2060',
    'soft hyphen': '\u00ad',
    escape: '\u001b',
    'carriage return': '\r',
    backspace: '\b',
    'C1 control sequence introducer': '\u009b',
    delete: '\u007f',
    'line separator': '\u2028',
    'no-break space': '\u00a0',
    'ideographic space': '\u3000',
    'Hangul filler': '\u3164',
    'variation selector': '\ufe0f',
    'tag letter': '\u{e0041}',
    'private use': '\ue000',
    'lone surrogate': '\ud800',
    unassigned: '\u0378',
  })) {
    const code = character.codePointAt(0)!.toString(16);
    assert.equal(escapeInvisible(`a${character}b`), `a\\u{${code}}b`, name);
  }
});

it('ordinary text stays as it is', () => {
  const text = 'SELECT *\n\tFROM "Größe" WHERE name = \'日本 é 😀\' -- C:\\users \\u0041';
  assert.equal(escapeInvisible(text), text);
});

it('an escape that was in the text already cannot pass for one of ours', () => {
  assert.equal(escapeInvisible('\\u{202e}'), '\\u{5c}u{202e}');
});

it('one line stays one line', () => assert.equal(escapeLine('a\nb\tc'), 'a\\u{a}b\\u{9}c'));

it('different texts look different', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '\\', 'u', '{', '5', 'c', '}', '\u202e', '\r', ' ') });
  fc.assert(
    fc.property(text, text, (a, b) => (a === b) === (escapeInvisible(a) === escapeInvisible(b))),
    { numRuns: 2000 },
  );
});
