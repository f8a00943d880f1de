import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../../src/core/fault.ts';
import { quoted } from '../../../src/shell/quote.ts';
import { readCommand } from '../../../src/shell/read.ts';

/** Programs that say what they were called and with which words: each word ended by NUL, all of a call ended by a record separator and NUL. */
const folder = mkdtempSync(join(tmpdir(), 'sallyport-words-'));
const names = ['run', 'a-b', 'x.y', 'Z9', 'a:b', 'a@b', 'a,b', 'a+b', 'wéird name', "it's", 'st*r', 'do$lar', 'hash#'];
mkdirSync(join(folder, 'bin'));
const printer = join(folder, 'printer');
writeFileSync(printer, '#!/bin/dash\nprintf \'%s\\0\' "${0##*/}" "$@"\nprintf \'\\036\\0\'\n');
chmodSync(printer, 0o755);
for (const name of names) symlinkSync(printer, join(folder, 'bin', name));
// A name of a file that an unquoted pattern would match.
for (const name of ['match1', 'match2', 'a', 'b']) writeFileSync(join(folder, name), '');
after(() => rmSync(folder, { recursive: true, force: true }));

const posix: Readonly<Record<string, readonly string[]>> = {
  dash: ['dash'],
  bash: ['bash', '--norc', '--noprofile'],
  busybox: ['busybox', 'sh'],
  zsh: ['zsh', '-f'],
  mksh: ['mksh'],
  ksh: ['ksh93'],
};

/** What the shell passes to the program of each line; one process, in which one line after the other is given to a shell of its own. */
function passed(shell: readonly string[], lines: readonly string[], locale = 'C.UTF-8'): readonly (readonly string[])[] {
  const { stdout, status, stderr } = spawnSync('xargs', ['-0', '-n', '1', ...shell, '-c'], {
    input: lines.map((line) => `${line}\0`).join(''),
    cwd: folder,
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder, LC_ALL: locale, EXPANDED: 'variable' },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  assert.equal(status, 0, stderr.slice(0, 500));
  const calls = stdout.split('\u001e\0');
  assert.equal(calls.pop(), '');
  return calls.map((call) => call.split('\0').slice(0, -1));
}

/** Pieces of which command lines are made, in every quoting and with everything that a shell could take for something else. */
const piece = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'match',
    '1',
    '-',
    '--',
    '=',
    ':',
    ',',
    '.',
    '/',
    '@',
    '%',
    '+',
    '_',
    '-n',
    'x=y',
    '~',
    '*',
    '?',
    '[',
    ']',
    '{',
    '}',
    '{a,b}',
    '!',
    '^',
    '#',
  ),
  fc.constantFrom(
    '\\',
    '\\\\',
    "\\'",
    '\\"',
    '\\ ',
    '\\*',
    '\\$',
    '\\n',
    '$EXPANDED',
    '${EXPANDED}',
    '`',
    '$(a)',
    '<',
    '>',
    '|',
    '&',
    ';',
    '(',
    ')',
    '\n',
    '\t',
  ),
  fc.constantFrom(
    "'",
    '"',
    "''",
    '""',
    "'a b'",
    '"a b"',
    '"$EXPANDED"',
    "'$EXPANDED'",
    '"\\$"',
    '"\\a"',
    '"\\\\"',
    '"\\""',
    '"\\`"',
    "'\\'",
    "'*'",
    '"*"',
    "'~'",
    '"~"',
    "$'a'",
    '$"a"',
  ),
  fc.constantFrom(
    "'é'",
    '"é"',
    'é',
    "'日本'",
    "'\u{1f600}'",
    "'\u00a0'",
    '\u00a0',
    "'it'\\''s'",
    "'!'",
    '"!"',
    "'#'",
    "'{a,b}'",
    '"{a,b}"',
    "'match*'",
    'match*',
    'if',
    'then',
    '1>',
    '2',
  ),
  fc.string({ unit: 'grapheme-ascii', maxLength: 4 }),
  fc.string({ unit: 'grapheme', maxLength: 3 }).map((text) => `'${text.replaceAll("'", '')}'`),
);
const word = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(''));
const program = fc
  .constantFrom(...names)
  .chain((name) =>
    fc.constantFrom(
      name,
      `'${name}'`,
      `"${name}"`,
      `${name.slice(0, 1)}'${name.slice(1)}'`,
      `${name.slice(0, -1)}\\${name.slice(-1)}`,
      `${join(folder, 'bin')}/${name}`,
    ),
  );
const line = fc
  .tuple(
    fc.constantFrom('', ' ', '\t'),
    program,
    fc.array(fc.tuple(fc.constantFrom(' ', '  ', '\t'), word), { maxLength: 5 }),
    fc.constantFrom('', ' '),
  )
  .map(([before, first, rest, behind]) => before + first + rest.map(([blank, text]) => blank + text).join('') + behind);

/** Lines of which we say that they are simple, with the words that we say. */
function simpleLines(count: number): {
  readonly lines: readonly string[];
  readonly words: readonly (readonly string[])[];
  readonly others: number;
} {
  const lines: string[] = [];
  const words: (readonly string[])[] = [];
  let others = 0;
  for (const text of new Set(fc.sample(line, 50 * count))) {
    if (lines.length === count) break;
    const reading = readCommand(text);
    if (reading instanceof GatewayFault || reading.kind === 'script') {
      others += 1;
      continue;
    }
    // What quotes made another name of cannot say how it was called.
    if (!names.includes(asCalled(reading.argv)[0]!)) continue;
    lines.push(text);
    words.push(reading.argv);
  }
  return { lines, words, others };
}

/** What the printer was called: the last part of its path. */
const asCalled = (words: readonly string[]): readonly string[] => [words[0]!.slice(words[0]!.lastIndexOf('/') + 1), ...words.slice(1)];

function assertSame(
  shell: string,
  lines: readonly string[],
  found: readonly (readonly string[])[],
  wanted: readonly (readonly string[])[],
): void {
  for (const [index, text] of lines.entries())
    assert.deepEqual(found[index], asCalled(wanted[index]!), `${shell}: ${JSON.stringify(text)}`);
  assert.equal(found.length, lines.length, shell);
}

describe('a line of which we say that it is one simple command with these words', () => {
  const count = Number(process.env.SALLYPORT_SHELL_LINES ?? 150);
  const { lines, words, others } = simpleLines(count);

  for (const [name, shell] of Object.entries(posix)) {
    it(`is that to ${name}`, () => {
      assert.equal(lines.length, count);
      assert.ok(others > count, 'and most lines are not');
      assertSame(name, lines, passed(shell, lines), words);
    });
  }

  it('is that to bash and zsh in a locale without characters beyond ASCII', () => {
    for (const name of ['bash', 'zsh']) assertSame(name, lines.slice(0, 60), passed(posix[name]!, lines.slice(0, 60), 'C'), words);
  });
});

describe('our own quoting', () => {
  const count = Number(process.env.SALLYPORT_SHELL_LINES ?? 150);
  const text = fc.array(
    fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.string({ unit: 'grapheme', maxLength: 4 }),
      fc.constantFrom('', '!', '!!', "'", '\\', '\\\\', '-n', '~', '=a', '%1', '*', '$EXPANDED', '^', '#', '{a,b}'),
    ),
    {
      maxLength: 3,
    },
  );
  // oxlint-disable-next-line no-control-regex -- those cannot be
  const argument = text.map((parts) => parts.join('').replace(/[\u0000-\u001f\u007f-\u009f]/g, ''));
  const argv = fc.tuple(fc.constantFrom(...names), fc.array(argument, { maxLength: 4 })).map(([first, rest]) => [first, ...rest]);
  const all = fc.sample(argv, count / 3).filter((words) => words.every((one) => one.isWellFormed()));
  const lines = all.map(quoted);

  it('is read back as the same words, and is its own', () => {
    for (const [index, text_] of lines.entries()) {
      const reading = readCommand(text_);
      assert.ok(!(reading instanceof GatewayFault), text_);
      assert.deepEqual(reading.kind === 'simple' && [reading.argv, reading.canonical], [all[index], text_]);
    }
  });

  for (const [name, shell] of Object.entries({ ...posix, fish: ['fish', '--no-config'], tcsh: ['tcsh', '-f'] })) {
    it(`means these words to ${name}`, () => {
      // Start of a fish takes its time.
      const some = name === 'fish' ? 40 : lines.length;
      assertSame(name, lines.slice(0, some), passed(shell, lines.slice(0, some)), all);
    });
  }
});
