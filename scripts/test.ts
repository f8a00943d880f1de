import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { ensureDebian, testPackages } from '../conformance/parts/debian.ts';

/**
 * `npm test [-- <part of a path> …]`: every test of the project, or those whose path contains one of the words. Installs the real
 * programs that tests drive when they are missing.
 */
const words = process.argv.slice(2);
const files = globSync(['src/**/*.test.ts', 'verifier/**/*.test.ts', 'conformance/**/*.test.ts'])
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  process.stderr.write(`no test file matches ${words.join(' ')}\n`);
  process.exit(2);
}
if (files.some((file) => file.startsWith('conformance'))) ensureDebian(testPackages);
const seedModule = new URL('property-seed.ts', import.meta.url).href;
// Most of the time a test waits for some server: two at once keep two cores busy.
const options = ['--import', seedModule, '--test', '--test-timeout=300000', '--test-concurrency=2'];
const runner = spawn(process.execPath, [...options, ...files], { stdio: 'inherit' });
runner.on('exit', (code) => process.exit(code ?? 1));
