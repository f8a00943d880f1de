import { GatewayFault } from '../core/fault.ts';

/**
 * One text for each list of words, which every POSIX shell splits into exactly these words. What is not plainly safe stands in single quotes. Backslashes, single quotes and
 * exclamation marks stand outside of them behind a backslash, since csh expands `!` and fish reads `\` within single quotes too: so those shells read the same words.
 * Throws on control characters: csh ends a quoted text at a line feed.
 */
export function quoted(argv: readonly string[]): string {
  return argv.map((word, index) => (index === 0 ? quotedProgram(word) : quotedWord(word))).join(' ');
}

/** An equals sign would make an assignment of it, a percent sign a job, and a keyword is none in quotes. */
function quotedProgram(word: string): string {
  return plainProgram.test(word) ? word : inQuotes(word);
}

function quotedWord(word: string): string {
  return plainWord.test(word) ? word : inQuotes(word);
}

function inQuotes(word: string): string {
  if (control.test(word))
    throw new GatewayFault('unclassified', {
      publicMessage: 'a word of a command holds a control character, which shells read differently',
    });
  const pieces = word.split(/([\\'!])/).filter((piece) => piece !== '');
  if (pieces.length === 0) return "''";
  return pieces.map((piece) => (piece === '\\' || piece === "'" || piece === '!' ? `\\${piece}` : `'${piece}'`)).join('');
}

/** Shells give none of these a meaning within a word. A word of zsh that begins with `=` would be a path. */
const plainWord = /^[A-Za-z0-9_@%+:,./-][A-Za-z0-9_@%+=:,./-]*$/;
const plainProgram = /^[A-Za-z0-9_./][A-Za-z0-9_@+:,./-]*$/;
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/;
