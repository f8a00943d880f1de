import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Definitions } from './definitions.ts';
import { anything } from './footprint.ts';

const by = {};

describe('definitions', () => {
  it('go at once where nothing is compared, and not before what is compared then has been', async () => {
    const definitions = new Definitions();
    assert.equal(definitions.begin(anything, by).announced, undefined);
    const read = Promise.withResolvers<void>();
    definitions.compares(read.promise);
    let hasGone = false;
    void definitions.begin(anything, by).announced?.then(() => (hasGone = true));
    // What is compared later does not hold it.
    definitions.compares(new Promise(() => {}));
    await turn();
    assert.equal(hasGone, false);
    read.resolve();
    await turn();
    assert.equal(hasGone, true);
  });

  it('that are open count for whoever is judged meanwhile, and are told of once', async () => {
    const over: (string | undefined)[] = [];
    const definitions = new Definitions(
      async () => {},
      (_, what) => over.push(what),
    );
    assert.equal(definitions.mark(), 0);
    const { definition: first } = definitions.begin(anything, by);
    const { definition: second } = definitions.begin(anything, by);
    const elsewhere = definitions.beginElsewhere(anything, by);
    let isOver = false;
    void definitions.whenOver().then(() => (isOver = true));
    definitions.end(first, 'code');
    assert.equal(definitions.mark(), 1);
    assert.deepEqual(definitions.since(1), [second, elsewhere]);
    definitions.end(second, undefined);
    definitions.end(second, undefined);
    await turn();
    assert.equal(isOver, false);
    definitions.end(elsewhere, 'relations');
    await turn();
    assert.deepEqual([isOver, definitions.mark(), over], [true, 3, ['code', undefined]]);
  });

  it('are remembered for a while, and whoever was judged before that knows nothing', () => {
    const definitions = new Definitions();
    for (let i = 0; i < 1_000; i += 1) definitions.end(definitions.begin(anything, by).definition, 'code');
    assert.equal(definitions.since(1_000)?.length, 0);
    assert.equal(definitions.since(900)?.length, 100);
    assert.equal(definitions.since(0), undefined);
  });
});
