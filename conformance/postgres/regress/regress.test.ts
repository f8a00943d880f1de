import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { exceptions } from './exceptions.ts';
import { scheduled } from './suite.ts';

it('a schedule is read in its order, comments and ignored tests aside', () => {
  const schedule = '# comment: test: none\ntest: first\n\nignore: random\ntest: second third\n# end\ntest:  random\n';
  assert.deepEqual(scheduled(schedule), ['first', 'second', 'third', 'random']);
});

it('the page on transparency lists exactly the exceptions that are granted', () => {
  const page = readFileSync(new URL('../../../docs/reference/transparency.md', import.meta.url), 'utf8');
  const section = page.split('## Exceptions of the regression suite')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `(\w+)` +\| (.*?) +\|$/gm)].map(([, test = '', reason = '']) => [test, reason] as const);
  assert.deepEqual(rows, [...exceptions]);
});
