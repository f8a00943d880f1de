import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import {
  flip,
  cut,
  append,
  remove,
  exchange,
  rewrite,
  journalOnly,
  resign,
  rollBack,
  forge,
  otherOrigin,
  replaceKey,
  splitView,
  twoRoots,
  reorderHistory,
  beheadHistory,
  forgetCheckpoint,
  edit,
  drop,
  insert,
  duplicate,
  swapNeighbours,
  swapFar,
  type Alter,
  type Original,
  type Place,
} from './alterations.test.ts';
import { otherKey, ownKey, readLeaves } from './forge.test.ts';
import { buildLog, ORIGIN, scratch, type BuiltLog } from './harness.test.ts';
import { verifyLog, type ProblemKind, type VerifyReport } from './index.ts';

/**
 * Copies of a real log are altered in every way we could think of, each at many places drawn from a seed, and every one has to be
 * found. VERIFIER_TAMPER_RUNS sets how many places for each way (default 4); VERIFIER_TAMPER_SEED which ones.
 */
const RUNS = Number(process.env['VERIFIER_TAMPER_RUNS'] ?? 4);
const SEED = Number(process.env['VERIFIER_TAMPER_SEED'] ?? 1);
const SIZE = 1000;

let area: string;
let log: BuiltLog;
let original: Original;

before(async () => {
  area = await scratch();
  log = await buildLog(join(area, 'original'), SIZE, 300, { segmentBytes: 64 * 1024 });
  original = { log, leaves: await readLeaves(log.folder, SIZE), own: await ownKey(log.root, ORIGIN) };
});

test('the log that the others are copies of is whole', async () => {
  const report = await verify(log.root);
  assert.deepEqual(report.problems, []);
  assert.equal(report.ok, true);
  assert.equal(report.keyPinned, true);
  assert.deepEqual([report.size, report.records, report.checkpoints], [SIZE, SIZE, 5]);
  assert.ok(report.bodies.checked > 0 && report.recordings.checked > 0);
});

/** `kinds`: at least one problem is of one of these. `known`: the checkpoint of this size was kept elsewhere. */
const alterations: Record<string, { readonly alter: Alter; readonly kinds?: readonly ProblemKind[]; readonly known?: number }> = {
  'flipped byte in an entry bundle': { alter: flip('tile/entries'), kinds: ['altered', 'removed', 'inserted'] },
  'flipped byte in a hash tile of level 0': { alter: flip('tile/0'), kinds: ['altered'] },
  'flipped byte in a hash tile of level 1': { alter: flip('tile/1'), kinds: ['altered'] },
  'flipped byte in the journal': { alter: flip('journal'), kinds: ['altered', 'truncated'] },
  'flipped byte in the checkpoint': { alter: flip('checkpoint'), kinds: ['altered', 'forged-checkpoint'] },
  'flipped byte in the history of checkpoints': { alter: flip('checkpoints') },
  'flipped byte in the key': { alter: flip('log.pub'), kinds: ['altered', 'wrong-key'] },
  'flipped byte in a body': { alter: flip('bodies'), kinds: ['altered'] },
  'flipped byte in a recording': { alter: flip('../recordings'), kinds: ['altered'] },
  'cut entry bundle': { alter: cut('tile/entries') },
  'cut hash tile': { alter: cut('tile') },
  'cut journal': { alter: cut('journal') },
  'cut checkpoint': { alter: cut('checkpoint') },
  'cut history of checkpoints': { alter: cut('checkpoints') },
  'cut body': { alter: cut('bodies'), kinds: ['altered'] },
  'cut recording': { alter: cut('../recordings'), kinds: ['altered'] },
  'bytes behind a bundle, tile or checkpoint': { alter: append },
  'deleted entry bundle': { alter: remove('tile/entries'), kinds: ['missing'] },
  'deleted hash tile': { alter: remove('tile/0'), kinds: ['missing'] },
  'deleted hash tile of level 1': { alter: remove('tile/1'), kinds: ['missing'] },
  'deleted journal segment': { alter: remove('journal'), kinds: ['missing', 'truncated'] },
  'deleted checkpoint': { alter: remove('checkpoint'), kinds: ['missing'] },
  'deleted history of checkpoints': { alter: remove('checkpoints'), kinds: ['missing'] },
  'deleted key': { alter: remove('log.pub'), kinds: ['missing'] },
  'deleted body': { alter: remove('bodies'), kinds: ['missing'] },
  'deleted recording': { alter: remove('../recordings'), kinds: ['missing'] },
  'two sessions’ recordings exchanged': { alter: exchange('../recordings'), kinds: ['altered'] },
  'two entry bundles exchanged': { alter: exchange('tile/entries'), kinds: ['altered', 'removed', 'inserted'] },
  'two hash tiles exchanged': { alter: exchange('tile/0'), kinds: ['altered'] },

  'record edited, tiles as they were': { alter: rewrite(edit), kinds: ['altered'] },
  'record removed, tiles as they were': { alter: rewrite(drop), kinds: ['removed'] },
  'record put in, tiles as they were': { alter: rewrite(insert), kinds: ['inserted'] },
  'record copied, tiles as they were': { alter: rewrite(duplicate), kinds: ['inserted'] },
  'neighbours reordered, tiles as they were': { alter: rewrite(swapNeighbours), kinds: ['reordered'] },
  'record edited in bundles and tiles': { alter: rewrite(edit, 'tiles'), kinds: ['altered', 'rewritten'] },
  'record removed from bundles and tiles': { alter: rewrite(drop, 'tiles') },
  'record put in in bundles and tiles': { alter: rewrite(insert, 'tiles') },
  'records exchanged in bundles and tiles': { alter: rewrite(swapFar, 'tiles'), kinds: ['altered', 'reordered', 'rewritten'] },
  'record edited everywhere': { alter: rewrite(edit, 'tiles', 'journal'), kinds: ['rewritten'] },
  'record removed everywhere': { alter: rewrite(drop, 'tiles', 'journal'), kinds: ['rewritten', 'truncated'] },
  'record put in everywhere': { alter: rewrite(insert, 'tiles', 'journal'), kinds: ['rewritten'] },
  'records exchanged everywhere': { alter: rewrite(swapFar, 'tiles', 'journal'), kinds: ['rewritten'] },
  'record edited in the journal only': { alter: journalOnly(edit), kinds: ['altered'] },
  'record removed from the journal only': { alter: journalOnly(drop), kinds: ['removed', 'truncated'] },
  'records reordered in the journal only': { alter: journalOnly(swapNeighbours), kinds: ['reordered'] },

  'everything written again and signed with the right key, against a kept checkpoint': {
    alter: resign(),
    kinds: ['rewritten'],
    known: SIZE,
  },
  'log cut back to an older checkpoint, against a newer one': { alter: rollBack, kinds: ['truncated'], known: SIZE },
  'everything signed with another key, its public key in the folder': { alter: resign(otherKey(ORIGIN)), kinds: ['forged-checkpoint'] },
  'checkpoint forged with another key': { alter: forge, kinds: ['forged-checkpoint'] },
  'checkpoint of another log of the same key': { alter: otherOrigin, kinds: ['forged-checkpoint'] },
  'public key replaced': { alter: replaceKey, kinds: ['wrong-key'] },
  'second history signed by the right key': { alter: splitView, kinds: ['split-view'] },
  'two roots for one size signed by the right key': { alter: twoRoots, kinds: ['split-view'] },
  'history of checkpoints reordered': { alter: reorderHistory },
  'first entry of the history removed': { alter: beheadHistory, kinds: ['truncated'] },
  'kept checkpoint removed from the history': { alter: forgetCheckpoint, kinds: ['altered'], known: 300 },
};

for (const [name, { alter, kinds, known }] of Object.entries(alterations)) {
  test(`found: ${name}`, async () => {
    for (let run = 0; run < RUNS; run += 1) {
      const root = join(area, 'copy');
      await cp(log.root, root, { recursive: true });
      try {
        const done = await alter(placeAt(root, `${SEED} ${name} ${run}`));
        const report = await verify(root, known === undefined ? undefined : log.checkpoints.get(known));
        const found = JSON.stringify(report.problems.slice(0, 5));
        assert.equal(report.ok, false, `${done}: not found`);
        if (kinds !== undefined)
          assert.ok(
            report.problems.some(({ kind }) => kinds.includes(kind)),
            `${done}: found as ${found}`,
          );
      } finally {
        await rm(root, { recursive: true });
      }
    }
  });
}

test('what the key’s holder can do unseen without a kept checkpoint is exactly what the statement says', async () => {
  for (const alter of [rollBack, resign()]) {
    const root = join(area, 'copy');
    await cp(log.root, root, { recursive: true });
    await alter(placeAt(root, 'unseen'));
    const report = await verify(root);
    assert.match(report.statement, /without a kept checkpoint/);
    assert.deepEqual(
      report.problems.filter(({ kind }) => kind !== 'bookkeeping' && kind !== 'approval'),
      [],
    );
    await rm(root, { recursive: true });
  }
});

test('without a pinned key the folder’s own is believed, and the report says so', async () => {
  const root = join(area, 'copy');
  await cp(log.root, root, { recursive: true });
  await resign(otherKey(ORIGIN), (records) => records)(placeAt(root, 'unpinned'));
  const report = await verifyLog({ folder: join(root, 'audit') });
  assert.deepEqual([report.ok, report.keyPinned], [true, false]);
  assert.match(report.statement, /not pinned/);
  await rm(root, { recursive: true });
});

function placeAt(root: string, seed: string): Place {
  return { root, folder: join(root, 'audit'), original, random: generator(seed) };
}

async function verify(root: string, knownCheckpoint?: string): Promise<VerifyReport> {
  return verifyLog({
    folder: join(root, 'audit'),
    publicKey: log.key,
    recordings: join(root, 'recordings'),
    ...(knownCheckpoint === undefined ? {} : { knownCheckpoint }),
  });
}

/** xorshift32 seeded by a text (FNV-1a): the same places at every run. */
function generator(seed: string): (below: number) => number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(seed)) state = Math.imul(state ^ byte, 0x01000193);
  state |= 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
