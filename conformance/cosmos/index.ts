import { CosmosClient } from '@azure/cosmos';
import { ensureDebian } from '../parts/debian.ts';
import { startHouse, type House } from './house.ts';
import { capabilities, outcomeOf, uniqueName, workbench, type Workbench } from './matrix.ts';
import { startOracle } from './oracle.ts';
import { tokenAuth } from './python/client.ts';
import { pythonOutcomes } from './python/matrix.ts';

/**
 * `npm run conformance -- cosmos`: everything that `@azure/cosmos` can do, directly and through the gateway, in front of two emulators; what azure-cosmos of Python does
 * with items; then random queries in search of a hidden value. Prints a table. False where something is different or comes out.
 */
export async function cosmosConformance(onInterrupt: (close: () => Promise<void>) => void): Promise<boolean> {
  const same = await compared(onInterrupt);
  return (await searched(onInterrupt)) && same;
}

async function compared(onInterrupt: (close: () => Promise<void>) => void): Promise<boolean> {
  ensureDebian(['python3-azure-cosmos']);
  const house = await startHouse();
  onInterrupt(() => house.close());
  try {
    const name = uniqueName();
    const ways: readonly (readonly [string, CosmosClient, CosmosClient, boolean])[] = [
      ['emulator, account key', house.direct(), house.client('pipeline', 'bank'), false],
      ['emulator, Entra token', house.direct(), house.client('pipeline', 'entra'), false],
      [
        'cosmosdb-server',
        new CosmosClient({ endpoint: house.vercelUrl, key: house.emulator.key, connectionPolicy: { enableEndpointDiscovery: false } }),
        house.client('pipeline', 'other'),
        true,
      ],
    ];
    const benches: (readonly [Workbench, Workbench, boolean])[] = [];
    for (const [index, [, direct, through, small]] of ways.entries())
      benches.push([await workbench(direct, `${name}-${index}`), await workbench(through, `${name}-${index}-x`), small]);
    print(['', ...ways.map(([way]) => way)]);
    let isSame = true;
    for (const capability of capabilities) {
      const verdicts: string[] = [];
      for (const [index, [direct, through, small]] of benches.entries()) {
        if (small && capability.small !== true) {
          verdicts.push('-');
          continue;
        }
        const expected = await outcomeOf(capability, direct);
        const actual = (await outcomeOf(capability, through)).replaceAll(`${name}-${index}-x`, `${name}-${index}`);
        verdicts.push(actual === expected ? (expected.startsWith('error') ? `same (${expected})` : 'same') : 'DIFFERS');
        if (actual !== expected) process.stderr.write(`${capability.name}: directly ${expected}\n  through the gateway ${actual}\n`);
        isSame &&= actual === expected;
      }
      print([capability.name, ...verdicts]);
    }
    for (const [, direct] of ways) direct.dispose();
    return (await comparedInPython(house, name)) && isSame;
  } finally {
    await house.close();
  }
}

async function comparedInPython(house: House, name: string): Promise<boolean> {
  const { url, emulator, authorityFile: ca } = house;
  const [one, other] = [`${name}-python`, `${name}-python-x`];
  for (const id of [one, other]) {
    const { database } = await house.direct().databases.create({ id });
    await database.containers.create({ id: 'items', partitionKey: { paths: ['/kind'] } });
  }
  const expected = await pythonOutcomes({ endpoint: emulator.url, auth: { masterKey: emulator.key }, ca }, one);
  const auth = tokenAuth(other, await house.token('pipeline'));
  const actual = await pythonOutcomes({ endpoint: `${url}/cosmos/bank`, auth, ca }, other);
  let isSame = true;
  for (const [call, outcome] of expected) {
    const isSameHere = actual.get(call) === outcome;
    print([`Python: ${call}`, isSameHere ? (outcome.startsWith('error') ? `same (${outcome})` : 'same') : 'DIFFERS']);
    if (!isSameHere) process.stderr.write(`${call}: directly ${outcome}\n  through the gateway ${actual.get(call)}\n`);
    isSame &&= isSameHere;
  }
  return isSame;
}

async function searched(onInterrupt: (close: () => Promise<void>) => void): Promise<boolean> {
  const oracle = await startOracle();
  onInterrupt(() => oracle.house.close());
  try {
    const { asked, answered } = await oracle.alike(1_000);
    print(['random queries', `${asked} asked, ${answered} answered, nothing came out, two containers answer alike`]);
    await oracle.withConditions(500);
    print(['random queries with conditions', '500 asked, nothing came out']);
    return true;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return false;
  } finally {
    await oracle.house.close();
  }
}

function print([name = '', ...cells]: readonly string[]): void {
  process.stdout.write(`${[name.padEnd(52), ...cells.map((cell) => cell.padEnd(24))].join(' ').trimEnd()}\n`);
}
