import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { describe as descriptors, fieldOption } from '../../src/protobuf/testing/describe.ts';
import { startHouse, type House } from './house.ts';
import { Caller } from './peers/caller.ts';
import { definitionOf, startSelfDescribing, type SelfDescribing } from './peers/reflection.ts';

const { set } = descriptors(
  { Wanted: ['string number = 1'], Account: ['string owner = 1', 'string ssn = 2 [ssn]', 'string remark = 3 [unheard-of]'] },
  ['Get(Wanted) returns (Account)'],
);
const account = { owner: 'Ada', ssn: '536-90-4399', remark: 'pays on Fridays' };

let server: SelfDescribing;
let house: House;
const callers: Caller[] = [];

before(async () => {
  house = await startHouse({
    policies: `@id("everybody reads") permit (principal, action in [Action::"connect", Action::"execute"], resource);
@id("fraud desk sees") permit (principal in Group::"fraud", action == Action::"reveal", resource);`,
    dataClasses: { ssn: { mask: 'partial-last4' } },
    async targets(certificate, folder) {
      writeFileSync(join(folder, 'accounts.binpb'), set);
      server = await startSelfDescribing({ set, answer: account }, { certificate, versions: ['v1'] });
      const { port } = server;
      return {
        described: { port, settings: { schema: { descriptor_sets: ['file:accounts.binpb'], field_option: fieldOption } } },
        reflected: { port, settings: { schema: { reflection: '1h', field_option: fieldOption } } },
        unmarked: { port, settings: { schema: { descriptor_sets: ['file:accounts.binpb'] } } },
      };
    },
  });
});
after(async () => {
  for (const caller of callers) caller.close();
  await house?.close();
  server?.close();
});

async function get(target: string, as: string): Promise<unknown> {
  const caller = new Caller(definitionOf(set), 'acme.v1.Accounts', await house.way(target, as));
  callers.push(caller);
  const { message, details, trailers } = await caller.unary<typeof account>('Get', { number: '7' });
  return [message ?? details, trailers.get('sallyport-masked')];
}

for (const target of ['described', 'reflected']) {
  test(`a field whose option names its data class is masked (${target})`, async () => {
    assert.deepEqual(await get(target, 'pipeline'), [{ ...account, ssn: '***-**-4399', remark: '' }, ['ssn=1, unheard-of=1']]);
    // A class that is not configured hides its fields from everybody.
    assert.deepEqual(await get(target, 'fraud-omar'), [{ ...account, remark: '' }, ['unheard-of=1']]);
  });
}

test('where the target names no option, none is looked for', async () => {
  assert.deepEqual(await get('unmarked', 'pipeline'), [account, []]);
});
