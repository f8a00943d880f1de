import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Stamps } from './stamps.ts';

test('times are those of the clock, and policies those in force, one after the other', () => {
  const moment = fc.oneof(
    fc.constantFrom(7, 8),
    fc.nat({ max: 3_000 }),
    fc.integer({ min: 0, max: 8.64e15 }),
    fc.double({ min: 0, max: 1e6, noNaN: true }),
  );
  const policy = fc.constantFrom('', 'a', 'b');
  fc.assert(
    fc.property(fc.array(fc.tuple(moment, policy), { maxLength: 20 }), (moments) => {
      let now = 0;
      let active = '';
      const stamps = new Stamps({ gateway: 'gw', policyVersion: () => active, clock: { now: () => now, monotonic: () => 0 } });
      for ([now, active] of moments) {
        const stamp = { v: 1, time: new Date(now).toISOString(), gateway: 'gw', policy_version: active };
        for (let time = 0; time < 2; time += 1) assert.deepEqual(stamps.now(), stamp);
      }
    }),
    { numRuns: 1_000 },
  );
});
