import { parseArgs } from 'node:util';
import { fuzzClassification } from './classification/run.ts';
import { fuzzJson } from './json/run.ts';
import { fuzzMasking } from './masking/run.ts';
import { fuzzProtocol } from './protocol/run.ts';
import type { RunOptions, RunResult } from './report.ts';
import { fuzzStreams } from './streams/run.ts';
import { Watchdog } from './watchdog.ts';

const fuzzers: ReadonlyMap<string, (options: RunOptions) => Promise<RunResult>> = new Map([
  ['classification', fuzzClassification],
  ['json', fuzzJson],
  ['masking', fuzzMasking],
  ['protocol', fuzzProtocol],
  ['streams', fuzzStreams],
]);

const usage = `usage: npm run fuzz [-- classification | json | masking | protocol | streams …] [options]

  classification   statements run on a real PostgreSQL: what changed there, and what the gateway says of them
  json             texts of which it is known what stands where: is what is hidden masked, and nothing else, whatever the spelling
  masking          queries and scripts through a gateway: does any byte that comes back hold a value that is to be masked
  protocol         messages cut, changed, repeated and reordered, in both directions
  streams          texts through a masked stream, cut anywhere: is all shown as if each character were looked at by itself

  --seconds N      how long each runs (default 600)
  --seed N         the same seed makes the same cases (default: from the clock)
  --case N         that one case only
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string' },
      case: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const seconds = Number(values.seconds);
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const only = values.case === undefined ? undefined : Number(values.case);
  const unknown = positionals.filter((name) => !fuzzers.has(name));
  if (values.help || unknown.length > 0 || !(seconds > 0) || !Number.isInteger(seed) || (only !== undefined && !Number.isInteger(only))) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  let found = 0;
  for (const name of positionals.length === 0 ? fuzzers.keys() : positionals) {
    print(`${name}: seed ${seed}, ${only === undefined ? `${seconds} s` : `case ${only}`}`);
    const watchdog = new Watchdog(`npm run fuzz -- ${name} --seed ${seed}`);
    const next = (caseIndex: number): void => watchdog.at(caseIndex);
    const result = await fuzzers.get(name)!({ seconds, seed, only, progress: (line) => print(`  ${line}`), next });
    await watchdog.stop();
    report(name, seed, result);
    found += result.findings.length;
  }
  return found > 0 ? 1 : 0;
}

function report(name: string, seed: number, { cases, counts, findings }: RunResult): void {
  const told = Object.entries(counts).map(([what, count]) => `${what} ${count}`);
  print(
    `${name}: seed ${seed}: ${[`cases ${cases}`, ...told].join(', ')}: ${findings.length === 0 ? 'nothing found' : `${findings.length} found`}`,
  );
  for (const finding of findings) {
    print(`\n  FOUND ${finding.what}`);
    for (const line of finding.minimal) print(`    ${line}`);
    print(`    ${finding.detail}`);
    print(`    again: npm run fuzz -- ${name} --seed ${seed} --case ${finding.caseIndex}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Ends the servers too, which end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exit(await main());
