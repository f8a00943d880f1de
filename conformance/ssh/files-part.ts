import { rmSync } from 'node:fs';
import { progress } from '../../bench/parts/report.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../part.ts';
import { ensureDebian } from '../parts/debian.ts';
import { alike, remote, shownOf } from './files-cases.ts';
import { startSshWorld } from './world.ts';

/** Files over SSH, done at the machine itself and through the gateway: what clients show, and what lies on both sides afterwards. */
export const filesPart: Part = {
  name: 'files',
  about: `sftp, scp, rsync, git, paramiko and Ansible, ${alike.length} cases`,
  run,
};

async function run(options: PartOptions): Promise<PartReport> {
  ensureDebian(['openssh-client', 'openssh-sftp-server', 'rsync', 'git', 'python3-paramiko', 'ansible-core']);
  const world = await startSshWorld();
  options.onInterrupt(() => world.close());
  const rows: PartRow[] = [];
  try {
    const behind = await world.behind();
    for (const [name, runCase] of alike) {
      if (options.only.length > 0 && !options.only.includes(name)) continue;
      progress(`files: ${name}`);
      const direct = await shownOf(runCase, world.direct, world.folder);
      const gateway = await shownOf(runCase, behind, world.folder);
      const [control = ''] = direct.split('\n');
      rows.push({
        name,
        control: control === 'exit 0' ? 'ok' : control,
        verdict: gateway === direct ? 'same' : 'differs',
        reason: gateway === direct ? undefined : firstDifference(direct, gateway),
      });
    }
  } finally {
    await world.close();
    rmSync(remote, { recursive: true, force: true });
  }
  return { rows, notes: [] };
}

function firstDifference(direct: string, gateway: string): string {
  const lines = gateway.split('\n');
  const at = direct.split('\n').findIndex((line, index) => line !== lines[index]);
  return `${direct.split('\n')[at] ?? 'nothing'} / ${lines[at] ?? 'nothing'}`.slice(0, 200);
}
