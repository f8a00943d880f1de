import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ensureDebian, benchPackages } from '../conformance/parts/debian.ts';
import { benchHttp } from './http/index.ts';
import { benchKubernetes } from './kubernetes/index.ts';
import { keepAwake } from './parts/awake.ts';
import { line, progressDone } from './parts/report.ts';
import { benchGrpc } from './grpc/index.ts';
import { benchSsh, sections as sshSections, type Section as SshSection } from './ssh/index.ts';
import { benchPostgres, sections, type Section } from './postgres/index.ts';

/**
 * `npm run bench -- <protocol>`: what the gateway costs beside its peers, on this machine, in this run. See docs/performance.md.
 */
const usage = `usage: npm run bench -- postgres [section …] [options]
       npm run bench -- http [options]
       npm run bench -- grpc [options]
       npm run bench -- kubernetes [options]
       npm run bench -- ssh [section …] [options]

  sections        ${sections.join(', ')} (default: all)
                  of ssh: ${sshSections.join(', ')}
  --quick         about a minute: fewer rounds and cases, smaller results
  --rounds N      how often every case is measured (default 3; medians are shown)
  --seconds N     how long each case runs each time (default 4)
  --json FILE     everything that was measured
  --gateway DIR   measure the gateway of another checkout; with ssh, beside this one's
  --awake         keep the cores from going to sleep: waking one takes longer than a statement
  --profile DIR   CPU profiles of the gateway go there (open them in Chrome's developer tools)
`;

const closers: (() => Promise<void>)[] = [];

async function close(): Promise<void> {
  for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next().catch((error: unknown) => console.error(error));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'string' },
      awake: { type: 'boolean', default: false },
      gateway: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [protocol, ...asked] = positionals;
  const known: readonly string[] = protocol === 'postgres' ? sections : protocol === 'ssh' ? sshSections : [];
  const wrong = asked.filter((name) => !known.includes(name));
  if (values.help || !['postgres', 'http', 'grpc', 'kubernetes', 'ssh'].includes(protocol ?? '') || wrong.length > 0) {
    (values.help ? process.stdout : process.stderr).write(usage);
    return values.help ? 0 : 2;
  }
  ensureDebian(benchPackages);
  const { quick } = values;
  if (values.awake) closers.push(keepAwake());
  const common = {
    quick,
    rounds: Number(values.rounds ?? (quick ? 1 : 3)),
    profileFolder: values.profile,
    gatewayFolder: values.gateway,
    onClose: (closer: () => Promise<void>) => void closers.push(closer),
  };
  const seconds = Number(values.seconds ?? (quick ? 2 : 4));
  const figures =
    protocol === 'http'
      ? await benchHttp(common)
      : protocol === 'grpc'
        ? await benchGrpc({ ...common, seconds })
        : protocol === 'kubernetes'
          ? await benchKubernetes(common)
          : protocol === 'ssh'
            ? await benchSsh({ ...common, sections: asked.length === 0 ? sshSections : (asked as SshSection[]) })
            : await benchPostgres({
                ...common,
                seconds,
                sections: asked.length === 0 ? sections : (asked as Section[]),
              });
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  return 0;
}

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(130);
    stopping = true;
    progressDone();
    line('stopping');
    void close().then(() => process.exit(130));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  progressDone();
  if (!stopping) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  if (!stopping) await close();
}
