import { join } from 'node:path';
import { progress } from '../../../bench/parts/report.ts';
import type { Part, PartOptions, PartReport } from '../../part.ts';
import { ensureDebian, testPackages } from '../../parts/debian.ts';
import { kubectlVersions } from '../../parts/kubectl.ts';
import { startPostgres15 } from '../../parts/postgres15.ts';
import { chosenCases, compareCases, waysOf } from '../matrix/part.ts';
import { startHttpBehind } from '../matrix/run.ts';
import { startGatewayWorld } from '../world.ts';
import { LATER, realCases } from './cases.ts';
import { startRealCluster, type RealCluster } from './cluster.ts';
import { nodeName, startNode } from './node.ts';
import { realPrograms } from './programs.ts';
import { compareReadings } from './readings.ts';

/** At the API server that is compiled from its own sources, of which nothing was written here. */
export const realParts: readonly Part[] = [
  {
    name: 'real',
    about:
      'both kubectl at a real Kubernetes 1.20: etcd, kube-apiserver, and as root a kubelet; compiled the first time, which takes half an hour',
    isOptional: true,
    run,
  },
];

async function run(options: PartOptions): Promise<PartReport> {
  ensureDebian(testPackages);
  const programs = await realPrograms({ progress: (step) => progress(`real: ${step}`), onInterrupt: options.onInterrupt });
  progress(`real: kube-apiserver ${programs.version} behind a gateway`);
  // Containers are made of namespaces and control groups, which only root can make.
  const hasNode = process.getuid?.() === 0;
  let cluster: RealCluster | undefined;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of closers.splice(0).reverse()) await stop();
  };
  options.onInterrupt(close);
  try {
    const world = await startGatewayWorld(async (place, tls) => {
      closers.push(async () => {
        for (const stop of place.closers.splice(0).reverse()) await stop();
      });
      cluster = await startRealCluster(programs, place, tls);
      if (hasNode) await startNode(place, { programs, cluster, tls });
      return cluster.port;
    });
    closers.push(() => world.close());
    const { makeNamespace } = cluster!;
    const http = await startHttpBehind();
    closers.push(() => http.close());
    const postgres = await startPostgres15({ folder: join(world.folder, 'postgres') });
    closers.push(() => postgres.stop());
    const around = { folder: world.folder, node: nodeName, httpPort: http.port, postgres, makeNamespace };
    const reports: PartReport[] = [];
    for (const [index, version] of kubectlVersions.entries()) {
      const cases = chosenCases(realCases(hasNode), options);
      const report = await compareCases(cases, version, waysOf(world), around, { name: `real-${version}`, first: 100 * index, options });
      reports.push({ ...report, rows: report.rows.map((row) => ({ ...row, name: `${version} ${row.name}` })) });
      if (options.only.length > 0) continue;
      progress(`real: what is on record of kubectl ${version}`);
      reports.push({ rows: [await compareReadings(world, cluster!, version)], notes: [] });
    }
    const notes = [
      ...new Set(reports.flatMap((report) => report.notes)),
      `${[...LATER].join(', ')}: left out, Kubernetes 1.20 knows an alpha form alone`,
      ...(hasNode ? [] : ['whatever runs in pods: left out, only root can start containers']),
    ];
    return { rows: reports.flatMap(({ rows }) => rows), notes };
  } finally {
    await close();
  }
}
