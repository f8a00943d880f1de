import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'start-'));
after(() => rmSync(folder, { recursive: true }));
const program = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
const noting = join(folder, 'noting.cjs');
writeFileSync(
  noting,
  `require('node:fs').appendFileSync(process.env.STARTS, JSON.stringify([process.pid, process.execArgv, process.argv.slice(2)]) + '\\n');`,
);

/** How Node was started, each time. */
function starts(args: readonly string[], options = ''): readonly [number, readonly string[], readonly string[]][] {
  const file = join(folder, `${args.join('-')}${options}`.replaceAll(/[^a-z-]/g, ''));
  const env = { ...process.env, STARTS: file, NODE_OPTIONS: `--require ${noting} ${options}` };
  execFileSync(process.execPath, [program, ...args], { env, stdio: 'ignore' });
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [number, string[], string[]]);
}

describe('the gateway', { skip: process.platform !== 'linux' }, () => {
  it('starts anew in the same process, with its code in large pages, once', () => {
    const [first, second, ...more] = starts(['serve', '--help']);
    assert.deepEqual(more, []);
    assert.deepEqual([second?.[0], second?.[2]], [first?.[0], ['serve', '--help']]);
    assert.deepEqual([first?.[1], second?.[1]], [[], ['--use-largepages=silent']]);
  });

  it('leaves it at what it is told about large pages', () => {
    assert.equal(starts(['serve', '--help'], '--use-largepages=off').length, 1);
  });

  it('is the only command that does', () => {
    assert.equal(starts(['audit', '--help']).length, 1);
  });
});
