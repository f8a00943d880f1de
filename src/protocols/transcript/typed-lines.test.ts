import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TypedLines } from './typed-lines.ts';

/** `>` before what is typed, `<` before what the terminal shows. */
function recorded(...steps: readonly string[]): string {
  const lines = new TypedLines();
  const out = steps.flatMap((step) => {
    const rest = step.slice(1);
    return step.startsWith('>') ? lines.typed(new TextEncoder().encode(rest)) : lines.shown(rest);
  });
  return [...out, ...lines.end()].join('');
}

describe('what is typed', () => {
  it('is recorded as it was where the terminal showed it', () => {
    assert.equal(recorded('>l', '<l', '>s', '<s', '>\r', '<\r\na b\r\n$ '), 'ls\r');
    assert.equal(recorded('>ls -la\r', '<ls -la\r\ntotal 0\r\n$ '), 'ls -la\r');
    assert.equal(recorded('>ca', '<ca', '>\t', '<t /etc/', '>x\r', '<x\r\n'), 'ca\tx\r');
    assert.equal(recorded('>ab\x7fc\r', '<ab\b \bc\r\n'), 'ab\x7fc\r');
    assert.equal(recorded('>\x1b[A', '<echo é', '>\r', '<\r\n'), '\x1b[A\r');
    assert.equal(recorded('>é😀\r', '<é😀\r\n'), 'é😀\r');
  });

  it('is stars where it did not', () => {
    assert.equal(recorded('>secret', '>\r', '<\r\ns e c r e t\r\n'), '******\r');
    assert.equal(recorded('>secret\r', '<\r\nwelcome'), '******\r');
    assert.equal(recorded('>secret'), '******');
    assert.equal(recorded('>secret\r', '>ls\r', '<\r\nls\r\n'), '******\r**\r', 'typed ahead: what shows what cannot be told');
    assert.equal(recorded('>pässwörd\r', '<*********\r\n'), '********\r');
  });

  it('is bounded', () => {
    assert.equal(recorded(`>${'x'.repeat(5000)}`).length, 5000);
    assert.equal(recorded('>a', `<${'b'.repeat(100_000)}`, '>\r', '<a\n'), '*\r');
  });
});
