import { fileURLToPath } from 'node:url';
import { run } from '../../harness.ts';

/** A driver, and how its program is started. Each program prints what its capabilities gave, one JSON line each. */
export interface DriverClient {
  readonly name: string;
  readonly command: string;
  readonly parameters: readonly string[];
}

export type Given = { readonly value: unknown } | { readonly error: string };

export const driverClients: readonly DriverClient[] = [
  { name: 'node-postgres', command: process.execPath, parameters: [here('node-postgres.ts')] },
  { name: 'postgres.js', command: process.execPath, parameters: [here('postgres-js.ts')] },
  { name: 'psycopg 3', command: '/usr/bin/python3', parameters: [here('psycopg3_client.py')] },
  { name: 'psycopg2', command: '/usr/bin/python3', parameters: [here('psycopg2_client.py')] },
  { name: 'asyncpg', command: '/usr/bin/python3', parameters: [here('asyncpg_client.py')] },
  {
    name: 'JDBC',
    command: 'java',
    parameters: ['-XX:TieredStopAtLevel=1', '-cp', '/usr/share/java/postgresql.jar', '-Xshare:auto', here('Jdbc.java')],
  },
];

/** What every capability of the driver gave in this environment, by name. Throws where the program itself failed. */
export async function runClient(client: DriverClient, env: NodeJS.ProcessEnv): Promise<ReadonlyMap<string, Given>> {
  const { status, stdout, stderr } = await run(client.command, client.parameters, { ...env, PYTHONDONTWRITEBYTECODE: '1' });
  if (status !== 0) throw new Error(`${client.name} ended with ${status}:\n${stderr}\n${stdout.slice(-2_000)}`);
  const given = new Map<string, Given>();
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const { capability, ...rest } = JSON.parse(line) as { capability: string } & Given;
    given.set(capability, rest);
  }
  return given;
}

function here(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
