import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CosmosClient } from '@azure/cosmos';
import { CosmosClient as Client } from '@azure/cosmos';
import { startHouse, type House } from './house.ts';
import { capabilities, outcomeOf, uniqueName, workbench, type Capability } from './matrix.ts';

let house: House;
before(async () => {
  house = await startHouse();
});
after(() => house.close());

/** Each on a database of its own, in the same order. */
async function compare(direct: CosmosClient, through: CosmosClient, chosen: readonly Capability[]): Promise<void> {
  const name = uniqueName();
  const [one, other] = [await workbench(direct, name), await workbench(through, `${name}-x`)];
  for (const capability of chosen) {
    const [expected, actual] = [await outcomeOf(capability, one), await outcomeOf(capability, other)];
    assert.equal(actual.replaceAll(`${name}-x`, name), expected, capability.name);
  }
}

test('the SDK does the same through the gateway as directly, which signs with the account key', () =>
  compare(house.direct(), house.client('pipeline', 'bank'), capabilities));

test('and where the gateway has a token of Entra ID', () =>
  compare(house.direct(), house.client('pipeline', 'entra'), capabilities.slice(0, 20)));

test('and in front of @vercel/cosmosdb-server', () =>
  compare(
    // Its account document names https, which it does not speak here.
    new Client({ endpoint: house.vercelUrl, key: house.emulator.key, connectionPolicy: { enableEndpointDiscovery: false } }),
    house.client('pipeline', 'other'),
    capabilities.filter(({ small }) => small === true),
  ));

test('nothing of the client’s credential went upstream', () => {
  const authorizations = house.emulator.seen.map(({ headers }) => decodeURIComponent(headers.authorization ?? ''));
  assert.ok(authorizations.length > 100);
  for (const one of authorizations)
    assert.match(one, /^type=master&ver=1\.0&sig=[A-Za-z0-9+/]{43}=$|^type=aad&ver=1\.0&sig=upstream-bdfghjklmn$/);
});
