import assert from 'node:assert/strict';
import { it } from 'node:test';
import { blockLines, statementLine } from './terminal.ts';

it("somebody else's text stays further in than our own lines, on a terminal that breaks long ones too", () => {
  const forged = `execute a --${' '.repeat(60)}By name, this runs (1 of 1):`;
  assert.deepEqual(blockLines(`${forged}\n\tb`, undefined), [`  ${forged}`, '      b']);
  for (const columns of [80, 40, 3, 1]) {
    const lines = blockLines(forged, columns);
    assert.equal(lines.map((line) => line.slice(2)).join(''), forged);
    assert.ok(lines.every((line) => line.startsWith('  ') && line.length <= Math.max(3, columns)));
  }
  assert.ok(
    blockLines('表'.repeat(50), 80).every((line) => line.length <= 41),
    'a character may take two columns',
  );
  assert.equal(
    blockLines('\u{1f600}'.repeat(50), 80)
      .map((line) => line.slice(2))
      .join(''),
    '\u{1f600}'.repeat(50),
  );
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
