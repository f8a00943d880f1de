import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { progress } from '../../../bench/parts/report.ts';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { ensureDebian } from '../../parts/debian.ts';
import { normalAccount, type Account, type SshdOptions } from '../../parts/sshd.ts';
import type { Door } from '../door.ts';
import { startSshWorld, type SshWorld } from '../world.ts';
import { runSshCase, type Secrets, type SshCase } from './case.ts';
import { beyond, channelCases } from './channels.ts';
import { clientCases } from './clients.ts';
import { commandCases } from './commands.ts';
import { forwardCases, reserved } from './forwards.ts';
import { listeningCases } from './listening.ts';
import { signInCases } from './sign-in.ts';
import { terminalCases } from './terminals.ts';
import { toolCases } from './tools.ts';

export const sshCases: readonly SshCase[] = [
  ...signInCases,
  ...commandCases,
  ...terminalCases,
  ...channelCases,
  ...forwardCases,
  ...listeningCases,
  ...clientCases,
  ...toolCases,
];

/** Everything as whoever runs this, root it may be, and as a normal user of the machine. */
export const matrixParts: readonly Part[] = [
  {
    name: 'clients',
    about: `what people and programs do over SSH, ${sshCases.length} cases`,
    run: (options) => run('clients', undefined, options),
  },
  {
    name: 'normal-user',
    about: 'the same as a normal user of the machine',
    run: (options) => run('normal-user', normalAccount(), options),
  },
];

async function run(name: string, account: Account | undefined, options: PartOptions): Promise<PartReport> {
  const cases = sshCases.filter((one) => options.only.length === 0 || options.only.some((text) => one.name.includes(text)));
  if (cases.length === 0) return { rows: [], notes: [] };
  if (name === 'normal-user' && account === undefined) {
    return { rows: [], notes: ['this process is a normal user already: see clients'] };
  }
  ensureDebian([...new Set(cases.flatMap(({ packages = [] }) => packages))]);
  progress(`${name}: a machine behind a gateway`);
  const world = await startMatrixWorld(account);
  options.onInterrupt(() => world.close());
  const rows: PartRow[] = [];
  try {
    for (const one of cases) {
      progress(`${name}: ${one.name}`);
      rows.push(...(await compareSshCase(one, world, keeper(options, name))));
    }
  } finally {
    await world.close();
  }
  return { rows, notes: [] };
}

/** Forwards to this machine's own ports have to be named, or loopback is refused. */
export async function startMatrixWorld(account: Account | undefined, sshd: SshdOptions = {}): Promise<SshWorld> {
  Object.assign(reserved, { echo: await freePort(), silent: await freePort() });
  const world = await startSshWorld({
    account,
    sshd,
    adjust(config, sshd) {
      // The disk of a busy machine may not answer for seconds: then operations are denied, which is right, and not what is compared here.
      config['audit'] = { durability: 'process' };
      const forwards = [reserved.echo, reserved.silent, sshd.port].map((port) => ({ to: `127.0.0.1:${port}` }));
      Object.assign(config['targets']!['box'] as object, { forwards });
    },
  });
  Object.assign(beyond, { port: world.sshd.port, user: world.sshd.user, identity: world.direct.identity });
  return world;
}

/** A row for each part of the case. */
export async function compareSshCase(
  one: SshCase,
  world: SshWorld,
  keep: (name: string, shown: Readonly<Record<string, string>>) => void = () => {},
): Promise<readonly PartRow[]> {
  const nothing: Secrets = { gatewayToken: async () => undefined, oidcToken: async () => undefined };
  const secrets: Secrets = { gatewayToken: () => world.gatewayToken('pipeline'), oidcToken: () => world.token('pipeline') };
  let control: Readonly<Record<string, string>>;
  try {
    control = await runSshCase(one, world.direct, nothing, world.folder);
  } catch (error) {
    return [
      { name: one.name, control: `fails: ${(error as Error).message}`, verdict: 'differs', reason: 'there is nothing to compare with' },
    ];
  }
  keep(`${one.name}.direct`, control);
  const wrong = Object.values(control).filter((text) => /^exit (?!0\b)|waiting for \{/.test(text));
  if (wrong.some((text) => one.fails !== true || !text.startsWith('exit'))) {
    return [{ name: one.name, control: wrong[0] ?? '', verdict: 'differs', reason: 'there is nothing to compare with' }];
  }
  try {
    const door: Door = await world.behind();
    const behind = await runSshCase(one, door, secrets, world.folder);
    keep(`${one.name}.gateway`, behind);
    return [...new Set([...Object.keys(control), ...Object.keys(behind)])].map((part) =>
      row(one, part, control[part] ?? '', behind[part] ?? ''),
    );
  } catch (error) {
    return [{ name: one.name, control: 'ok', verdict: 'differs', reason: (error as Error).message }];
  }
}

function row(one: SshCase, part: string, control: string, behind: string): PartRow {
  const name = part === '' ? one.name : `${one.name}: ${part}`;
  if (control === behind) return { name, control: 'ok', verdict: one.exception === undefined ? 'same' : 'no exception' };
  if (one.exception !== undefined) return { name, control: 'ok', verdict: 'exception', reason: one.exception };
  return { name, control: 'ok', verdict: 'differs', reason: firstDifference(control, behind) };
}

function firstDifference(control: string, behind: string): string {
  let at = 0;
  while (at < control.length && control[at] === behind[at]) at += 1;
  const from = Math.max(0, at - 40);
  return `${JSON.stringify(control.slice(from, from + 200))} became ${JSON.stringify(behind.slice(from, from + 200))}`;
}

function keeper({ keep }: PartOptions, part: string): (name: string, shown: Readonly<Record<string, string>>) => void {
  return (name, shown) => {
    if (keep === undefined) return;
    mkdirSync(join(keep, part), { recursive: true });
    const text = Object.entries(shown).map(([step, output]) => `### ${step}\n${output}\n`);
    writeFileSync(join(keep, part, name.replaceAll(/[^\w.-]+/g, '-')), text.join(''));
  };
}
