import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { CadenceParts } from './cadence.ts';
import { CheckpointCadence } from './cadence.ts';
import type { Snapshot } from './publish.ts';

test('a checkpoint of all records that is asked for while another is under way comes after it, one of full tiles does not', async () => {
  const taken: boolean[] = [];
  const published = Promise.withResolvers<string>();
  const parts = {
    journal: { deleteBelow: () => Promise.resolve() },
    lock: { isHeld: () => Promise.resolve(true) },
    publisher: {
      publish: () => published.promise,
      snapshot: (tiled: boolean) => {
        taken.push(tiled);
        return { size: 0 } as Snapshot;
      },
    },
    retryMs: 1,
    flushed: <Taken>(take: () => Taken) => Promise.resolve(take()),
    onLost: () => {},
    onChange: () => {},
  };
  const cadence = new CheckpointCadence(parts as unknown as CadenceParts);
  cadence.signSoon(true);
  await turn();
  cadence.signSoon(true);
  await turn();
  assert.deepEqual(taken, [true]);
  cadence.signSoon();
  cadence.signSoon();
  published.resolve('note');
  for (let i = 0; i < 10; i++) await turn();
  assert.deepEqual(taken, [true, false]);
});
