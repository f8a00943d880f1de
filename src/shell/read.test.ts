import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import { exactCommands } from './exact.ts';
import { readCommand } from './read.ts';

/** The words of a simple command; for anything else why it is none; or that it is refused. */
function reading(text: string): readonly string[] | string {
  const found = readCommand(text);
  if (found instanceof GatewayFault) return found.code;
  return found.kind === 'simple' ? found.argv : found.syntax.join(' ');
}

describe('a command line', () => {
  it('of one simple command with literal words is these words', () => {
    const lines: readonly (readonly [string, readonly string[]])[] = [
      ['systemctl restart app', ['systemctl', 'restart', 'app']],
      ['  df\t-h  ', ['df', '-h']],
      [`a 'b c' "d e" f\\ g`, ['a', 'b c', 'd e', 'f g']],
      [`"sys"te'm'ctl --x=y`, ['systemctl', '--x=y']],
      [`a '' ""`, ['a', '', '']],
      [`a '$x' '\`id\`' '*' '~' '{a,b}' '#' ';' '&' '|' '!' '\\'`, ['a', '$x', '`id`', '*', '~', '{a,b}', '#', ';', '&', '|', '!', '\\']],
      [`a "\\$x" "\\\`" "\\"" "\\\\" "\\n"`, ['a', '$x', '`', '"', '\\', '\\n']],
      ['a \\* \\$ \\; \\~ \\#', ['a', '*', '$', ';', '~', '#']],
      ["a 'é' 'é\\' \"é\"\\b", ['a', 'é', 'é\\', 'éb']],
      ['./run a:b,c@d%e+f', ['./run', 'a:b,c@d%e+f']],
      ["bash -c 'id; rm x'", ['bash', '-c', 'id; rm x']],
    ];
    for (const [line, argv] of lines) assert.deepEqual(reading(line), argv, line);
  });

  it('that is anything else says why', () => {
    const lines: readonly (readonly [string, string])[] = [
      ['', 'nothing'],
      ['a | b', 'pipeline'],
      ['a; b', 'list'],
      ['a && b', 'list'],
      ['a &', 'background'],
      ['a\nb', 'list newline'],
      ['a $(b)', 'substitution'],
      ['a `b`', 'substitution'],
      ['a $x', 'variable'],
      ['a > b', 'redirection'],
      ['a << x\nx', 'here-document newline'],
      ['a *', 'glob'],
      ['a [x]', 'glob'],
      ['a ~', 'tilde'],
      ['a {b,c}', 'brace'],
      ['(a)', 'group'],
      ['if a; then b; fi', 'compound'],
      ['f() { a; }', 'function group'],
      ['X=1 a', 'assignment'],
      ['a # b', 'comment'],
      ['a !b', 'history'],
      ['a "b!"', 'history'],
      ['%1', 'job'],
      ["''", 'nothing'],
      ['"" a', 'nothing'],
      ['a =b', 'equals'],
      [`a ''=b`, 'equals'],
      ['time a', 'compound'],
      // Our own reader has no objection; the parser knows that it is no word.
      ['export a=b', 'ambiguous assignment'],
      ['$x', 'computed-program variable'],
      ['a é', 'encoding'],
      ['a "é\\" b"', 'encoding'],
      ['a\u0001', 'control'],
      ["a 'b\nc'", 'newline'],
      ['-c id', 'option'],
    ];
    for (const [line, syntax] of lines) assert.equal(reading(line), syntax, JSON.stringify(line));
  });

  it('that no shell could run is refused', () => {
    for (const line of ['a "b', "a 'b", 'a |', '&& a', 'if a', 'a $(', 'a $(b', '((', 'a\0b', 'a\ud800'])
      assert.equal(reading(line), 'unclassified', JSON.stringify(line));
    assert.equal(reading('a'.repeat(65_537)), 'limit-exceeded');
    assert.equal(reading('('.repeat(60_000)), 'unclassified');
  });
});

describe('commands that a target lists', () => {
  it('are known by their words', () => {
    const listed = exactCommands(['systemctl restart app', "echo 'a b'"]);
    const has = (text: string): boolean => {
      const found = readCommand(text);
      return !(found instanceof GatewayFault) && found.kind === 'simple' && listed.includes(found);
    };
    for (const text of ['systemctl restart app', 'systemctl  re"start" app', 'echo "a b"', 'echo a\\ b']) assert.ok(has(text), text);
    for (const text of [
      'systemctl restart',
      'systemctl restart app x',
      'systemctl "restart app"',
      'echo a b',
      '/bin/systemctl restart app',
    ])
      assert.ok(!has(text), text);
    assert.equal(listed.size, 2);
  });

  it('are simple commands, or the list is refused', () => {
    for (const text of ['a; b', 'a $x', 'a "', 'ls *']) assert.throws(() => exactCommands([text]), GatewayFault);
  });
});
