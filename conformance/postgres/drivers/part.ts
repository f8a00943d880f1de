import { progress } from '../../../bench/parts/report.ts';
import { ensureDebian, testPackages } from '../../parts/debian.ts';
import type { Part, PartOptions, PartReport, PartRow } from '../../part.ts';
import { startTwoBanks } from './bank.ts';
import { driverClients, runClient, type Given } from './clients.ts';
import { assertSame } from './compare.ts';

/** Every driver's capabilities against each PostgreSQL, directly and through the gateway, masking included. */
export const drivers: Part = {
  name: 'drivers',
  about: 'what node-postgres, postgres.js, psycopg 3, psycopg2, asyncpg and JDBC can do, on PostgreSQL 18 and 15',
  run,
};

async function run({ only, onInterrupt }: PartOptions): Promise<PartReport> {
  ensureDebian(testPackages);
  const clients = driverClients.filter(({ name }) => only.length === 0 || only.includes(name));
  if (clients.length === 0) return { rows: [], notes: [] };
  progress('drivers: two banks behind a gateway');
  const banks = await startTwoBanks();
  onInterrupt(() => banks.close());
  const rows: PartRow[] = [];
  try {
    for (const server of banks.servers) {
      for (const client of clients) {
        progress(`drivers: ${client.name}, ${server.name}`);
        const direct = await runClient(client, await server.direct());
        const gateway = await runClient(client, await server.gateway());
        for (const [capability, given] of direct)
          rows.push(row(`${client.name}, ${server.name}: ${capability}`, capability, given, gateway.get(capability)));
      }
    }
  } finally {
    await banks.close();
  }
  return { rows, notes: [] };
}

function row(name: string, capability: string, direct: Given, gateway: Given | undefined): PartRow {
  if ('error' in direct) return { name, control: 'fails', verdict: 'differs', reason: direct.error };
  try {
    assertSame(capability, direct, gateway);
    return { name, control: 'ok', verdict: 'same' };
  } catch (error) {
    return { name, control: 'ok', verdict: 'differs', reason: (error as Error).message };
  }
}
