import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../../src/core/fault.ts';
import { exactCommands } from '../../../src/shell/exact.ts';
import { readCommand } from '../../../src/shell/read.ts';
import { evasions } from './evasions.ts';

/** Whether it really does away with the file. */
function works(line: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-evasion-'));
  try {
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious\n');
    spawnSync('bash', ['-c', line], { cwd: folder, env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: folder }, timeout: 20_000 });
    return !existsSync(victim) || readFileSync(victim, 'utf8') !== 'precious\n';
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Programs that anyone would forbid who wants to keep the file. */
const openly = new Set(['rm', 'mv', 'unlink', 'truncate', 'dd', 'cp', 'install', 'sed', 'shred', 'find']);

describe('a file that somebody wants to be rid of', () => {
  it('goes by ways of which none is taken for a harmless command', () => {
    const listed = exactCommands(['true', 'echo x', 'cat /dev/null', 'ls', 'printf victim']);
    let worked = 0;
    for (const line of evasions) {
      if (works(line)) worked += 1;
      const reading = readCommand(line);
      if (reading instanceof GatewayFault || reading.kind === 'script') continue;
      // A simple command says which program it is, and that is the one that does it, or one of which policy is told that it runs others.
      const program = reading.argv[0]!;
      assert.ok(openly.has(program) || reading.facts.interpreters.length > 0, line);
      assert.ok(!listed.includes(reading), line);
    }
    assert.ok(evasions.length >= 100);
    // A few need programs that are not everywhere.
    assert.ok(worked >= evasions.length - 8, `${worked} of ${evasions.length} work`);
  });

  it('is never in the words of a script: policy has no program and no argv to be led astray by', () => {
    const scripts = evasions.flatMap((line) => {
      const reading = readCommand(line);
      return reading instanceof GatewayFault || reading.kind === 'simple' ? [] : [reading];
    });
    assert.ok(scripts.length >= 60, String(scripts.length));
    for (const { syntax } of scripts) assert.ok(syntax.length > 0);
  });
});
