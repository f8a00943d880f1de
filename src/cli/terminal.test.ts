import assert from 'node:assert/strict';
import { it } from 'node:test';
import { brokenLine, statementLine } from './terminal.ts';

it('a line that is longer than the terminal is wide goes on further in, where it cannot pass for one of ours', () => {
  const forged = `  execute a --${' '.repeat(60)}By name, this runs (1 of 1):`;
  assert.deepEqual(brokenLine(forged, 2, undefined), [forged]);
  assert.deepEqual(brokenLine('  1234567', 2, 9), ['  1234567']);
  assert.deepEqual(brokenLine('  12345678', 2, 9), ['  1234567', '  8']);
  for (const columns of [80, 40, 17, 3, 1])
    for (const indent of [2, 16]) {
      const [first = '', ...rest] = brokenLine(forged, indent, columns);
      assert.equal(first + rest.map((line) => line.slice(indent)).join(''), forged);
      assert.ok(rest.every((line) => line.startsWith(' '.repeat(indent)) && line.length <= Math.max(indent + 1, columns)));
    }
  assert.ok(
    brokenLine('表'.repeat(50), 2, 80).every((line) => line.length <= 41),
    'a character may take two columns',
  );
  const [first = '', ...rest] = brokenLine('\u{1f600}'.repeat(50), 2, 80);
  assert.equal(first + rest.map((line) => line.slice(2)).join(''), '\u{1f600}'.repeat(50), 'none is cut in two');
});

it('a statement on one line begins with what it runs by name, which no statement can say for itself', () => {
  assert.equal(statementLine({ text: 'select  1', runs: [] }, 40), 'select 1');
  const runs = ['prepare a as\n delete from "t" by x', 'select 1'];
  assert.equal(
    statementLine({ text: 'execute a; execute b', runs }, 100),
    'runs "prepare a as delete from \\"t\\" by x", "select 1" by execute a; execute b',
  );
  assert.equal(statementLine({ text: 'execute a', runs: ['x'.repeat(500)] }, 20), `runs "${'x'.repeat(13)}…`);
});
