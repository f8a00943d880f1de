import { progress } from '../../bench/parts/report.ts';
import { ensureDebian, testPackages } from '../parts/debian.ts';
import type { Part, PartReport, PartRow } from '../part.ts';
import { clients, servers, startInterop, type Interop, type Outcomes, type PeerName } from './interop.ts';
import { caseNames } from './peers/cases.ts';

/** The parts of `npm run conformance -- grpc`, in the order in which they run. */
export const grpcParts: readonly Part[] = [interop('interop', true), interop('undescribed', false)];

function interop(name: string, describes: boolean): Part {
  const what = describes ? 'a gateway that has the servers’ schema' : 'a gateway that knows nothing of them';
  return {
    name,
    about: `gRPC's interoperability tests, grpc-js and grpcio as clients and servers, through ${what}`,
    async run({ only, onInterrupt }): Promise<PartReport> {
      ensureDebian(testPackages);
      const running = await startInterop(describes);
      onInterrupt(() => running.close());
      const rows: PartRow[] = [];
      try {
        for (const client of clients) for (const server of servers) rows.push(...(await compared(running, client, server)));
      } finally {
        await running.close();
      }
      return { rows: rows.filter((row) => only.length === 0 || only.includes(row.name)), notes: [] };
    },
  };
}

async function compared(running: Interop, client: PeerName, server: PeerName): Promise<readonly PartRow[]> {
  progress(`${client} to ${server}`);
  const direct = await running.run(client, server, 'direct');
  const through: Outcomes = await running.run(client, server, 'gateway');
  return caseNames.map((name) => ({
    name: `${client} to ${server}: ${name}`,
    control: direct[name],
    verdict: direct[name] === through[name] ? 'same' : 'differs',
    ...(direct[name] === through[name] ? {} : { reason: through[name] }),
  }));
}
