import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { RecentMap } from './recent-map.ts';

it('keeps what was used within the last `limit` other entries, never answers wrongly, and forgets in the end', () => {
  const limit = 4;
  fc.assert(
    fc.property(fc.array(fc.record({ key: fc.nat(20), set: fc.boolean() }), { maxLength: 200 }), (steps) => {
      const map = new RecentMap<number, string>(limit);
      const truth = new Map<number, string>();
      let used: number[] = [];
      for (const [turn, { key, set }] of steps.entries()) {
        if (set) {
          map.set(key, `${key} ${turn}`);
          truth.set(key, `${key} ${turn}`);
        } else {
          const found = map.get(key);
          if (found !== undefined) assert.equal(found, truth.get(key));
          if (used.slice(0, limit).includes(key)) assert.notEqual(found, undefined);
          if (found === undefined) continue;
        }
        used = [key, ...used.filter((other) => other !== key)];
      }
    }),
  );
  const map = new RecentMap<number, number>(limit);
  for (let key = 0; key < 100; key += 1) map.set(key, key);
  assert.equal([...Array(100).keys()].filter((key) => map.get(key) !== undefined).length <= 2 * limit, true);
});
