import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cosmosConformance } from './cosmos/index.ts';
import { grpcParts } from './grpc/part.ts';
import { httpParts } from './http/index.ts';
import { kubernetesParts } from './kubernetes/index.ts';
import type { Part } from './part.ts';
import { postgresParts } from './postgres/index.ts';
import { runParts } from './report.ts';
import { sshParts } from './ssh/index.ts';

/** Parts that are compared and printed in one way, or a run of its own. */
type Protocol =
  | { readonly parts: readonly Part[] }
  | { readonly about: string; readonly run: (onInterrupt: (close: () => Promise<void>) => void) => Promise<boolean> };

/**
 * `npm run conformance -- postgres`: the same clients, tools and test suites directly and through the gateway, as a table. Ends with 1
 * where something is different and the tables of exceptions do not say why. See docs/reference/transparency.md.
 */
const protocols: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ['postgres', { parts: postgresParts }],
  ['grpc', { parts: grpcParts }],
  ['http', { parts: httpParts }],
  ['kubernetes', { parts: kubernetesParts }],
  ['ssh', { parts: sshParts }],
  [
    'cosmos',
    { about: 'everything that @azure/cosmos can do, in front of two emulators, and azure-cosmos of Python', run: cosmosConformance },
  ],
]);

const usage = `usage: npm run conformance -- PROTOCOL [part …] [options]

${[...protocols].map(([name, protocol]) => `${name}\n${aboutOf(protocol)}`).join('\n\n')}

  --only TEST     only this test of the parts (again for more of them)
  --keep DIR      outputs and differences stay in this folder

Installs the Debian packages that are missing when run as root. PostgreSQL's regression suite is downloaded from Debian's archive and
compiled the first time, kubectl is downloaded, both below ~/.cache/sallyport. Everything of PostgreSQL takes long: an hour where two cores
have other work. What is optional (real) runs only where it is asked for by name.
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      keep: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [name = '', ...names] = positionals;
  const protocol = protocols.get(name);
  const onInterrupt = (close: () => Promise<void>): void => void started.push(close);
  if (protocol !== undefined && 'run' in protocol && names.length === 0 && !values.help) return (await protocol.run(onInterrupt)) ? 0 : 1;
  const all = protocol !== undefined && 'parts' in protocol ? protocol.parts : [];
  const parts = all.filter((part) => (names.length === 0 ? part.isOptional !== true : names.includes(part.name)));
  if (values.help || parts.length === 0 || parts.length < names.length) {
    (values.help ? process.stdout : process.stderr).write(usage);
    return values.help ? 0 : 2;
  }
  const keep = values.keep === undefined ? undefined : resolve(values.keep);
  return (await runParts(parts, { only: values.only, keep, onInterrupt })) ? 0 : 1;
}

function aboutOf(protocol: Protocol): string {
  if ('about' in protocol) return `  ${protocol.about}`;
  return protocol.parts.map((part) => `  ${part.name.padEnd(14)}  ${part.about}`).join('\n');
}

const started: (() => Promise<void>)[] = [];
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(130);
    stopping = true;
    void Promise.allSettled(started.map((close) => close())).then(() => process.exit(130));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!stopping) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
