import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { LoggedRecord, RecordQuery, TailOptions } from './disk/query.ts';
import { LogsTogether, type FoundRecord, type NamedLog, type Place } from './together.ts';

/** A log of these seconds. */
function log(name: string, seconds: readonly number[]): NamedLog & { tail(options: TailOptions): AsyncGenerator<LoggedRecord> } {
  const all = seconds.map((second, sequence): LoggedRecord => {
    const time = new Date(second * 1000).toISOString();
    return { sequence, record: { type: 'gateway.stopped', reason: '', v: 1, time, gateway: 'g', policy_version: '' } };
  });
  return {
    name,
    query: async function* ({ first = 0, end = Infinity, order }: RecordQuery) {
      const found = all.filter(({ sequence }) => sequence >= first && sequence < end);
      yield* order === 'oldest' ? found : found.toReversed();
    },
    length: async () => seconds.length,
    tail: async function* () {},
  };
}

const own = log('gateway', [1, 4, 9]);
const others = [log('workers/1', [2, 3, 8]), log('workers/2', [5, 7, 6])];
const together = new LogsTogether(own, () => others);

it('logs are read as one by time, and each in its own order whatever its clock says', async () => {
  const found = await all(together.query({ order: 'oldest' }));
  assert.deepEqual(found.map(show), ['g0', '10', '11', 'g1', '20', '21', '22', '12', 'g2']);
  const newest = await all(together.query({}));
  assert.deepEqual(newest.map(show), ['g2', '12', '22', '21', '20', 'g1', '11', '10', 'g0']);
});

for (const order of ['oldest', 'newest'] as const) {
  it(`reading goes on at any place, ${order} first, and misses and repeats nothing`, async () => {
    const whole = await all(together.query({ order }));
    for (const [at, { place }] of whole.entries()) {
      const rest = await all(together.query({ order, from: place as Place }));
      assert.deepEqual(rest.map(show), whole.slice(at).map(show));
    }
  });
}

it('one log of several is read by its name; one that is not there is an error', async () => {
  const found = await all(together.query({ order: 'oldest', log: 'workers/2', from: 1 }));
  assert.deepEqual(found.map(show), ['21', '22']);
  await assert.rejects(all(together.query({ log: 'workers/9' })), { code: 'unsupported' });
});

it('a single log is read as it is, and its places are its sequences', async () => {
  const single = new LogsTogether(own, () => []);
  const found = await all(single.query({ order: 'newest', from: 1 }));
  assert.deepEqual(
    found.map(({ log: name, place, sequence }) => [name, place, sequence]),
    [
      [undefined, 1, 1],
      [undefined, 0, 0],
    ],
  );
});

it('a tail of several logs begins where it is told and goes on behind each record', async () => {
  const stop = new AbortController();
  const seen: FoundRecord[] = [];
  for await (const record of together.tail({ from: 'gateway:2,workers/1:3,workers/2:1', signal: stop.signal })) {
    seen.push(record);
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen.map(show), ['21', '22', 'g2']);
  assert.equal(seen.at(-1)?.place, 'gateway:3,workers/1:3,workers/2:3');
});

async function all(found: AsyncGenerator<FoundRecord>): Promise<FoundRecord[]> {
  const records: FoundRecord[] = [];
  for await (const record of found) records.push(record);
  return records;
}

function show({ log: name, sequence }: FoundRecord): string {
  return `${name?.replace('gateway', 'g').replace('workers/', '')}${sequence}`;
}
