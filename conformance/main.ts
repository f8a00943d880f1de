import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cosmosConformance } from './cosmos/index.ts';
import { postgresConformance, postgresParts } from './postgres/index.ts';

/**
 * `npm run conformance -- postgres`: the same clients, tools and test suites directly and through the gateway, as a table. Ends with 1
 * where something is different and the tables of exceptions do not say why. See docs/reference/transparency.md.
 */
const usage = `usage: npm run conformance -- postgres [part …] [options]
       npm run conformance -- cosmos

${postgresParts.map(({ name, about }) => `  ${name.padEnd(14)}  ${about}`).join('\n')}

  --only TEST     only this test of the parts (again for more of them)
  --keep DIR      outputs and differences stay in this folder

Installs the Debian packages that are missing when run as root. PostgreSQL's regression suite is downloaded from Debian's archive and
compiled the first time, below ~/.cache/sallyport. Everything takes long: an hour where two cores have other work.
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
  const [protocol, ...names] = positionals;
  if (protocol === 'cosmos' && names.length === 0 && !values.help) return (await cosmosConformance((close) => started.push(close))) ? 0 : 1;
  const parts = postgresParts.filter(({ name }) => names.length === 0 || names.includes(name));
  if (values.help || protocol !== 'postgres' || parts.length < names.length) {
    (values.help ? process.stdout : process.stderr).write(usage);
    return values.help ? 0 : 2;
  }
  const options = {
    only: values.only,
    keep: values.keep === undefined ? undefined : resolve(values.keep),
    onInterrupt: (close: () => Promise<void>) => started.push(close),
  };
  return (await postgresConformance(parts, options)) ? 0 : 1;
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
