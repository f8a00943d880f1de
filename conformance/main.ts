import { ensureDebian, testPackages } from './parts/debian.ts';
import { startTwoBanks } from './postgres/drivers/bank.ts';
import { driverClients, runClient, type Given } from './postgres/drivers/clients.ts';
import { assertSame } from './postgres/drivers/compare.ts';

/**
 * `npm run conformance -- postgres`: every driver's capabilities against each PostgreSQL, directly and through the gateway, as a table.
 * Ends with 1 where something works directly and not, or not in the same way, through the gateway.
 */
const suites: Readonly<Record<string, () => Promise<boolean>>> = { postgres };

const [name = '', ...more] = process.argv.slice(2);
const suite = suites[name];
if (suite === undefined || more.length > 0) {
  process.stderr.write(`usage: npm run conformance -- ${Object.keys(suites).join('|')}\n`);
  process.exit(2);
}
process.exitCode = (await suite()) ? 0 : 1;

async function postgres(): Promise<boolean> {
  ensureDebian(testPackages);
  const banks = await startTwoBanks();
  const failures: string[] = [];
  try {
    for (const server of banks.servers) {
      const columns: { readonly name: string; readonly direct: Results; readonly gateway: Results }[] = [];
      for (const client of driverClients) {
        const direct = await runClient(client, await server.direct());
        columns.push({ name: client.name, direct, gateway: await runClient(client, await server.gateway()) });
      }
      const rows = [...new Set(columns.flatMap(({ direct }) => [...direct.keys()]))].sort();
      const cells = rows.map((capability) =>
        columns.map(({ name, direct, gateway }) => {
          const given = direct.get(capability);
          if (given === undefined) return '';
          if ('error' in given) failures.push(`${server.name}, ${name}, ${capability}, directly: ${given.error}`);
          const problem = difference(capability, given, gateway.get(capability));
          if (problem !== undefined) failures.push(`${server.name}, ${name}, ${capability}: ${problem}`);
          return `${'error' in given ? 'fails' : 'ok'} | ${problem === undefined ? 'ok' : 'fails'}`;
        }),
      );
      print(
        server.name,
        rows,
        columns.map((column) => column.name),
        cells,
      );
    }
  } finally {
    await banks.close();
  }
  for (const failure of failures) process.stdout.write(`${failure}\n`);
  return failures.length === 0;
}

type Results = ReadonlyMap<string, Given>;

function difference(capability: string, direct: Given, gateway: Given | undefined): string | undefined {
  try {
    assertSame(capability, direct, gateway);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function print(title: string, rows: readonly string[], columns: readonly string[], cells: readonly (readonly string[])[]): void {
  const first = Math.max(title.length, ...rows.map((row) => row.length));
  const width = Math.max(12, ...columns.map((column) => column.length)) + 2;
  const line = (head: string, rest: readonly string[]): string =>
    `${head.padEnd(first + 2)}${rest.map((cell) => cell.padEnd(width)).join('')}`.trimEnd();
  process.stdout.write(
    `\n${line(title, columns)}\n${line(
      '',
      columns.map(() => 'direct | gw'),
    )}\n`,
  );
  for (const [index, row] of rows.entries()) process.stdout.write(`${line(row, cells[index]!)}\n`);
  process.stdout.write('\n');
}
