import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzzClassification } from '../../fuzz/classification/run.ts';
import { fuzzMasking } from '../../fuzz/masking/run.ts';
import { fuzzProtocol } from '../../fuzz/protocol/run.ts';
import type { RunOptions, RunResult } from '../../fuzz/report.ts';

/** Half a minute of each, always from the same seed, so that a change is judged by itself; `npm run fuzz` takes a new one each time. */
const fuzzers: readonly (readonly [string, (options: RunOptions) => Promise<RunResult>])[] = [
  ['classification', fuzzClassification],
  ['masking', fuzzMasking],
  ['protocol', fuzzProtocol],
];

describe('fuzzing finds nothing', () => {
  const seed = 20_779;
  for (const [name, fuzz] of fuzzers) {
    it(`${name}, seed ${seed}`, async () => {
      const { cases, findings } = await fuzz({ seconds: 30, seed, only: undefined, progress: () => {} });
      assert.ok(cases > 0);
      assert.deepEqual(findings, []);
    });
  }
});
