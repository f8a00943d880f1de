import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { progress } from '../../../bench/parts/report.ts';
import { ensureDebian } from '../../parts/debian.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { exceptions } from './exceptions.ts';
import { provideSuite, suitePackages, type Suite } from './suite.ts';
import { startControl, startThroughGateway, type Way } from './way.ts';

/**
 * PostgreSQL's own regression suite, each test against a server directly and against another one through the gateway. What psql prints
 * through the gateway must be what it prints without, to the byte.
 */
export const regress: Part = {
  name: 'regress',
  about: "PostgreSQL 15's regression suite through a gateway that allows everything",
  run,
};

async function run(options: PartOptions): Promise<PartReport> {
  ensureDebian(suitePackages);
  const suite = provideSuite(progress);
  const only = options.only.filter((test) => suite.tests.includes(test));
  if (only.length < options.only.length && only.length === 0) return { rows: [], notes: [] };
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-regress-'));
  // The server's user must pass through it.
  chmodSync(folder, 0o711);
  mkdirSync(join(folder, 'differences'));
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
    if (options.keep !== undefined) keep(folder, join(options.keep, 'regress'));
    rmSync(folder, { recursive: true, force: true });
  };
  options.onInterrupt(close);
  try {
    progress('two servers and a gateway');
    const at = { suite, folder, onClose: (closer: () => Promise<void>) => closers.push(closer) };
    const control = await startControl(at);
    const gateway = await startThroughGateway(at);
    const rows: PartRow[] = [];
    for (const test of chosen(suite, only)) {
      progress(`regress: ${test}`);
      if (only.length > 0 && !only.includes(test)) {
        await control.run(test);
        await gateway.run(test, true);
      } else rows.push(await compare(suite, folder, control, gateway, test));
    }
    return { rows, notes: [`PostgreSQL ${suite.version}`, refusals(folder)] };
  } finally {
    await close();
  }
}

/** Single tests need the tables that most of the others work on. */
function chosen(suite: Suite, only: readonly string[]): readonly string[] {
  return only.length === 0 ? suite.tests : suite.tests.filter((test) => only.includes(test) || groundwork.has(test));
}

async function compare(suite: Suite, folder: string, control: Way, gateway: Way, test: string): Promise<PartRow> {
  const direct = await control.run(test);
  const through = await gateway.run(test);
  const [first, second] = ['control', 'gateway'].map((way) => join(folder, way, 'results', `${test}.out`)) as [string, string];
  const row = { name: test, control: isExpected(suite, first, test) ? 'ok' : 'fails' };
  const reason = exceptions.get(test);
  // A test whose outcome is not the same each time is right where it is one that PostgreSQL expects.
  if (through === direct || isExpected(suite, second, test)) return { ...row, verdict: reason === undefined ? 'same' : 'no exception' };
  const found = difference(first, second);
  writeFileSync(join(folder, 'differences', `${test}.diff`), found, 'latin1');
  if (reason === undefined)
    return { ...row, verdict: 'differs', reason: `${found.split('\n').filter((line) => line.startsWith('+')).length} new lines` };
  if (found !== granted(test)) return { ...row, verdict: 'differs', reason: 'more or something else than the exception that is granted' };
  return { ...row, verdict: 'exception', reason };
}

/** Without what is another each time: line numbers, names of files and of operations; of pages of data only that they are there. */
function difference(first: string, second: string): string {
  const { stdout } = spawnSync('diff', ['-U3', first, second], { encoding: 'latin1', maxBuffer: 256 * 1024 * 1024 });
  return stdout
    .split('\n')
    .slice(2)
    .map((line) => line.replace(/^@@ .*/, '@@').replace(/\(operation ses_\w+-\d+\)/, '(operation)'))
    .map((line) => (line.length > longLine ? `${line.charAt(0)}...` : line))
    .filter((line, at, lines) => !line.endsWith('...') || line !== lines[at - 1])
    .join('\n');
}

/** The difference that an exception is granted for. */
function granted(test: string): string {
  return readFileSync(new URL(`exceptions/${test}.diff`, import.meta.url), 'latin1');
}

/** As pg_regress: `name.out`, or `name_0.out` to `name_9.out`, white space aside. */
function isExpected(suite: Suite, output: string, test: string): boolean {
  const expected = join(suite.folder, 'expected');
  const files = readdirSync(expected).filter((file) => file === `${test}.out` || new RegExp(`^${test}_[0-9]\\.out$`).test(file));
  return files.some((file) => spawnSync('diff', ['-q', '-w', join(expected, file), output]).status === 0);
}

/** From what the gateway recorded and what psql showed. */
function refusals(folder: string): string {
  const days = join(folder, 'gateway/sallyport/data/recordings');
  const decided = readdirSync(days)
    .flatMap((day) => readdirSync(join(days, day)).map((file) => readFileSync(join(days, day, file), 'utf8')))
    .reduce((sum, text) => sum + text.split('"event":"decided"').length - 1, 0);
  const results = join(folder, 'gateway/results');
  const refused = readdirSync(results)
    .map((file) => readFileSync(join(results, file), 'latin1'))
    .reduce((sum, text) => sum + text.split('(operation ses_').length - 1, 0);
  return `${decided} operations through the gateway, ${refused} of them refused (${((100 * refused) / decided).toFixed(2)} %)`;
}

function keep(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of ['control/results', 'gateway/results', 'differences'])
    cpSync(join(from, name), join(to, name), { recursive: true, force: true, errorOnExist: false });
}

const longLine = 200;
const groundwork = new Set([
  'test_setup',
  'copy',
  'create_function_c',
  'create_misc',
  'create_operator',
  'create_procedure',
  'create_table',
  'create_type',
  'create_index',
  'create_aggregate',
]);
