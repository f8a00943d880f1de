import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { progress } from '../../../bench/parts/report.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { ensureDebian, testPackages } from '../../parts/debian.ts';
import { kubectlVersions, type KubectlVersion } from '../../parts/kubectl.ts';
import { startPostgres15 } from '../../parts/postgres15.ts';
import { startKubernetesWorld, type GatewayWorld, type KubernetesWorld } from '../world.ts';
import type { MatrixCase, Shown } from './case.ts';
import { clusterCases } from './cluster.ts';
import { objectCases } from './objects.ts';
import { differences, runCase, startHttpBehind, wrongControl, type Surroundings, type Way } from './run.ts';
import { streamCases } from './streams.ts';

export const matrixCases: readonly MatrixCase[] = [...objectCases, ...clusterCases, ...streamCases];

/** Each kubectl with the cluster that it finds today, and the newer one with a cluster that knows no WebSockets of version 5. */
export const kubectlParts: readonly Part[] = [
  ...kubectlVersions.map((version) => part(`kubectl-${version}`, version, 'current')),
  {
    ...part('older-cluster', '1.32', 'before-v5'),
    about: 'kubectl 1.32 at a cluster before WebSockets of version 5, where it falls back to SPDY',
  },
];

function part(name: string, version: KubectlVersion, generation: 'current' | 'before-v5'): Part {
  return {
    name,
    about: `everything that people do with kubectl ${version}, ${matrixCases.length} cases`,
    run: (options) => run(name, version, generation, options),
  };
}

async function run(name: string, version: KubectlVersion, generation: 'current' | 'before-v5', options: PartOptions): Promise<PartReport> {
  ensureDebian(testPackages);
  const cases = chosenCases(matrixCases, options);
  if (cases.length === 0) return { rows: [], notes: [] };
  progress(`${name}: a cluster behind a gateway`);
  const world = await startKubernetesWorld({ generation });
  const http = await startHttpBehind();
  const postgres = await startPostgres15({ folder: join(world.folder, 'postgres') });
  const close = async (): Promise<void> => {
    await postgres.stop();
    await http.close();
    await world.close();
  };
  options.onInterrupt(close);
  try {
    return await compareCases(cases, version, waysOf(world), surroundings(world, http.port, postgres), { name, options });
  } finally {
    await close();
  }
}

export function chosenCases(cases: readonly MatrixCase[], { only }: PartOptions): readonly MatrixCase[] {
  return cases.filter((one) => only.length === 0 || only.includes(one.name));
}

/** `name`: of the part. `first`: the number of the first case, by which namespaces are named. */
export async function compareCases(
  cases: readonly MatrixCase[],
  version: KubectlVersion,
  ways: readonly [Way, Way],
  around: Surroundings,
  { name, first = 0, options }: { readonly name: string; readonly first?: number; readonly options: PartOptions },
): Promise<PartReport> {
  const rows: PartRow[] = [];
  const notes: string[] = [];
  for (const [index, one] of cases.entries()) {
    if (one.only !== undefined && one.only.version !== version) {
      notes.push(`${one.name}: left out, ${one.only.because}`);
      continue;
    }
    progress(`${name}: ${one.name}`);
    rows.push(...(await compare(one, version, ways, first + index, around, keeper(options, name))));
  }
  return { rows, notes };
}

export function surroundings(world: KubernetesWorld, httpPort: number, postgres: Surroundings['postgres']): Surroundings {
  return {
    folder: world.folder,
    node: 'node-1',
    httpPort,
    postgres,
    makeNamespace: (name) => void world.cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }),
  };
}

export function waysOf(world: GatewayWorld): readonly [Way, Way] {
  return [
    { name: 'direct', server: world.directServer, kubectl: (version, namespace) => world.direct(version, namespace) },
    { name: 'behind', server: world.server, kubectl: (version, namespace) => world.kubectl(version, 'pipeline', namespace) },
  ];
}

/** A row for the case, or for each part of it that is different. */
async function compare(
  one: MatrixCase,
  version: KubectlVersion,
  [direct, behind]: readonly [Way, Way],
  number: number,
  around: Surroundings,
  keep: (name: string, shown: Shown) => void,
): Promise<readonly PartRow[]> {
  let control: Shown;
  try {
    control = await runCase(one, version, direct, number, around);
  } catch (error) {
    return [
      { name: one.name, control: `fails: ${(error as Error).message}`, verdict: 'differs', reason: 'there is nothing to compare with' },
    ];
  }
  keep(`${one.name}.direct`, control);
  const wrong = wrongControl(one, control);
  if (wrong.length > 0)
    return wrong.map((text) => ({ name: one.name, control: text, verdict: 'differs', reason: 'there is nothing to compare with' }));
  const row = { control: 'ok', name: one.name };
  try {
    const through = await runCase(one, version, behind, number, around);
    keep(`${one.name}.gateway`, through);
    const found = differences(control, through);
    if (found.length === 0) return Object.keys(control).map((part) => ({ ...row, name: `${one.name}: ${part}`, verdict: 'same' }));
    return Object.keys(control).map((part) => {
      const difference = found.find((different) => different.part === part)?.difference;
      return { ...row, name: `${one.name}: ${part}`, verdict: difference === undefined ? 'same' : 'differs', reason: difference };
    });
  } catch (error) {
    return [{ ...row, verdict: 'differs', reason: (error as Error).message }];
  }
}

function keeper({ keep }: PartOptions, part: string): (name: string, shown: Shown) => void {
  return (name, shown) => {
    if (keep === undefined) return;
    mkdirSync(join(keep, part), { recursive: true });
    const text = Object.entries(shown).map(([step, output]) => `### ${step}\n${output}\n`);
    writeFileSync(join(keep, part, name.replaceAll(/[^\w.-]+/g, '-')), text.join(''));
  };
}
