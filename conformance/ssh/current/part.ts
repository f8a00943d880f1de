import { delimiter } from 'node:path';
import { progress } from '../../../bench/parts/report.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { currentSsh, type CurrentSsh } from '../../parts/current-ssh.ts';
import { compareSshCase, sshCases, startMatrixWorld } from '../matrix/part.ts';
import type { SshWorld } from '../world.ts';
import { currentCases } from './cases.ts';

/** Debian's stable release is older than what people have: the same with clients and a server of the next one. */
export const currentPart: Part = {
  name: 'current-openssh',
  about: 'with OpenSSH 10, PuTTY 0.83 and a new Dropbear: post-quantum key exchange',
  async run(options) {
    const current = currentSsh();
    if (typeof current === 'string') return { rows: [], notes: [`skipped: ${current}`] };
    const path = process.env['PATH'];
    process.env['PATH'] = [current.path, path].join(delimiter);
    try {
      return await run(current, options);
    } finally {
      process.env['PATH'] = path;
    }
  },
};

async function run(current: CurrentSsh, { only, onInterrupt }: PartOptions): Promise<PartReport> {
  const isWanted = (name: string): boolean => only.length === 0 || only.some((text) => name.includes(text));
  const cases = [...currentCases, ...sshCases.filter(({ quick }) => quick)].filter(({ name }) => isWanted(name));
  const world = await startMatrixWorld(undefined, {
    program: current.sshd,
    config: [...current.sshdConfig, 'LogLevel DEBUG1', 'RekeyLimit 1M'],
  });
  onInterrupt(() => world.close());
  const rows: PartRow[] = [];
  try {
    for (const one of cases) {
      progress(`current-openssh: ${one.name}`);
      rows.push(...(await compareSshCase(one, world)));
    }
    if (isWanted(upstream)) rows.push(await signsOn(world));
  } finally {
    await world.close();
  }
  return { rows, notes: [current.version] };
}

/** The client's own exchange is another one, so that what sshd tells is the gateway's. */
async function signsOn(world: SshWorld): Promise<PartRow> {
  const before = world.sshd.log().length;
  const door = await world.behind();
  const { code } = await door.ssh(['head -c 20000000 /dev/zero | wc -c'], { options: ['-o', 'KexAlgorithms=curve25519-sha256'] });
  const names = [
    ...world.sshd
      .log()
      .slice(before)
      .matchAll(/kex: algorithm: (\S+)/g),
  ].map(([, name]) => name!);
  const isHybrid = code === 0 && names.length > 0 && names.every((name) => name === 'mlkem768x25519-sha256');
  return isHybrid
    ? { name: upstream, control: 'ok', verdict: 'same' }
    : { name: upstream, control: 'ok', verdict: 'differs', reason: `exit ${code}, ${names.join()}` };
}

const upstream = 'the gateway signs on at sshd with mlkem768x25519-sha256';
