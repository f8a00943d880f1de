import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fuzzClassification } from '../../fuzz/classification/run.ts';
import { fuzzMasking } from '../../fuzz/masking/run.ts';
import { fuzzProtocol } from '../../fuzz/protocol/run.ts';
import type { RunOptions, RunResult } from '../../fuzz/report.ts';

/** Half a minute of each, with a seed of the day: `npm run fuzz -- <name> --seed N` does the same again. */
const fuzzers: readonly (readonly [string, (options: RunOptions) => Promise<RunResult>])[] = [
  ['classification', fuzzClassification],
  ['masking', fuzzMasking],
  ['protocol', fuzzProtocol],
];

describe('fuzzing finds nothing', () => {
  const seed = Math.floor(Date.now() / 86_400_000);
  for (const [name, fuzz] of fuzzers) {
    it(`${name}, seed ${seed}`, async () => {
      const { cases, findings } = await fuzz({ seconds: 30, seed, only: undefined, progress: () => {} });
      assert.ok(cases > 0);
      assert.deepEqual(findings, []);
    });
  }
});
