import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditLog } from '../src/audit/index.ts';
import type { AuditRecord } from '../src/core/record.ts';
import { openLog, ORIGIN, principal, scratch, story } from './harness.test.ts';
import { describeReport, verifyLog, type VerifyReport } from './index.ts';

/** A gateway's own log and the logs of two workers, as the processes of a gateway leave them: the first worker has one session, an operation of which ran on an approval. */
interface Gateway {
  readonly folder: string;
  readonly key: string;
  readonly own: AuditLog;
  readonly workers: readonly AuditLog[];
  close(): Promise<void>;
}

type Change = (records: readonly AuditRecord[]) => readonly AuditRecord[];
const asItIs: Change = (records) => records;

async function gateway(changes: { readonly own?: Change; readonly worker?: Change } = {}): Promise<Gateway> {
  const root = await scratch();
  const own = await openLog(root);
  const workers = [await openWorker(root, 1), await openWorker(root, 2)];
  const records: AuditRecord[] = [];
  for await (const record of story(join(root, 'recordings'), 4)) {
    records.push(record);
    if (record.type === 'session.closed') break;
  }
  const isApproval = ({ type }: AuditRecord): boolean => type.startsWith('approval.');
  const started: AuditRecord = { type: 'gateway.started', version: '1', durability: 'process', config_digest: '', unsafe: [] };
  own.append(started);
  for (const [index, log] of workers.entries()) {
    log.append({ ...started, worker: index + 1 });
    const checkpoint = await log.checkpoint();
    own.append({ type: 'worker.started', worker: index + 1, log: `workers/${index + 1}`, verifier_key: log.verifierKey, checkpoint });
  }
  const asked = records
    .filter(isApproval)
    .map((record) => (record.type === 'approval.requested' ? { ...record, log: 'workers/1' } : record));
  for (const record of (changes.own ?? asItIs)(asked)) own.append(record);
  const sessions = records.filter((record) => !isApproval(record) && record.type !== 'gateway.started');
  for (const record of (changes.worker ?? asItIs)(sessions)) workers[0]!.append(record);
  const checkpoint = await workers[0]!.checkpoint();
  own.append({ type: 'log.witnessed', log: 'workers/1', checkpoint });
  await own.checkpoint();
  const close = async (): Promise<void> => {
    for (const log of [own, ...workers]) await log.close();
  };
  return { folder: join(root, 'audit'), key: own.verifierKey, own, workers, close };
}

function openWorker(root: string, number: number): Promise<AuditLog> {
  return openLog(root, {
    folder: join(root, 'audit', 'workers', String(number)),
    origin: `${ORIGIN}/workers/${number}`,
    privateKeyFile: join(root, `worker-${number}.key`),
  });
}

function verify({ folder, key }: Gateway): Promise<VerifyReport> {
  return verifyLog({ folder, publicKey: key });
}

function found({ problems }: VerifyReport): readonly string[] {
  return problems.map(({ kind, where, detail }) => `${kind} ${where}: ${detail}`);
}

test('the logs of workers are verified with the gateway’s own, by its key alone, also while they are written', async () => {
  const gw = await gateway();
  const live = await verify(gw);
  assert.deepEqual(found(live), []);
  await gw.close();
  const report = await verify(gw);
  assert.deepEqual(found(report), []);
  assert.match(report.statement, /; and 2 logs of workers with \d+ records, each held by its checkpoints on record$/);
  assert.deepEqual(
    report.logs.map(({ log, report: { keyPinned, knownCheckpoint } }) => [log, keyPinned, knownCheckpoint]),
    [
      ['workers/1', true, 'contained'],
      ['workers/2', true, 'contained'],
    ],
  );
  assert.ok(describeReport(report).some((line) => line.startsWith('workers/2: complete, unaltered')));
});

test('a log that is gone is found, and so is one that begins anew or was cut', async () => {
  const gw = await gateway();
  await gw.close();
  const root = join(gw.folder, '..');
  const kept = join(root, 'kept');
  await cp(join(gw.folder, 'workers', '1'), kept, { recursive: true });

  await rm(join(gw.folder, 'workers', '1'), { recursive: true });
  const gone = found(await verify(gw));
  assert.equal(gone.length, 1);
  assert.match(gone[0]!, /^missing workers\/1: this log is gone; record 1 of the gateway’s own log/);

  const anew = await openWorker(root, 1);
  await anew.close();
  const began = found(await verify(gw));
  assert.ok(
    began.some((line) => /^truncated workers\/1: checkpoint of record \d+ in the gateway’s own log: .* has \d+ records/.test(line)),
    String(began),
  );

  await rm(join(gw.folder, 'workers', '1'), { recursive: true });
  await cp(kept, join(gw.folder, 'workers', '1'), { recursive: true });
  assert.deepEqual(found(await verify(gw)), []);
});

test('a log that nobody named is found where there is a session in it, and else noted', async () => {
  const gw = await gateway();
  await gw.close();
  await cp(join(gw.folder, 'workers', '2'), join(gw.folder, 'workers', '3'), { recursive: true });
  assert.deepEqual(found(await verify(gw)), ['bookkeeping workers/3: says that it is the log of worker 2']);
  await rm(join(gw.folder, 'workers', '3'), { recursive: true });
  const other = await gateway();
  await other.close();
  await cp(join(other.folder, 'workers', '1'), join(gw.folder, 'workers', '4'), { recursive: true });
  assert.ok(found(await verify(gw)).includes('inserted workers/4: no record of the gateway’s own log tells of this log'));
  await rm(join(gw.folder, 'workers', '4'), { recursive: true });
  // The same name and another key: it is not the log that was named.
  await rm(join(gw.folder, 'workers', '1'), { recursive: true });
  await cp(join(other.folder, 'workers', '1'), join(gw.folder, 'workers', '1'), { recursive: true });
  assert.ok(found(await verify(gw)).some((line) => line.startsWith('wrong-key workers/1: log.pub')));
});

test('no record leads the verifier out of its folder', async () => {
  const gw = await gateway();
  gw.own.append({ type: 'log.witnessed', log: '../../elsewhere', checkpoint: 'x' });
  await gw.close();
  const problems = found(await verify(gw));
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^malformed \.\.\/\.\.\/elsewhere: is named by record \d+ and is no name of a worker’s log$/);
});

for (const [what, changes, says] of [
  ['nobody requested', { own: () => [] }, /runs on approval s000005-a, which nobody has requested/],
  ['too few gave', { own: withoutAnswerOf('bob') }, /asks for 2 of group dba, and 1 approved/],
  ['was not used up', { own: without('used') }, /not used up on record/],
  ['is for another target', { worker: onTarget('ledger') }, /for another target/],
  ['was used before', { worker: twice }, /which had ended or was used before/],
  ['the requester gave, under another name of the issuer', { own: answeredBySelf }, /given by the one who asked for it/],
] as const satisfies readonly (readonly [string, { own?: Change; worker?: Change }, RegExp])[]) {
  test(`an operation in a worker’s log on an approval that ${what}`, async () => {
    const gw = await gateway(changes);
    await gw.close();
    const problems = found(await verify(gw));
    assert.ok(
      problems.some((line) => line.includes('workers/1: record ') && says.test(line)),
      problems.join('\n'),
    );
    const alone = await verifyLog({ folder: join(gw.folder, 'workers', '1') });
    assert.ok(!alone.problems.some(({ kind }) => kind === 'approval'));
    assert.ok(alone.notes.some((note) => note.includes('ran on approvals: their records are in the gateway’s own log')));
  });
}

function withoutAnswerOf(subject: string): Change {
  return (records) =>
    records.flatMap((record) => {
      if (record.type === 'approval.answered' && record.subject === subject) return [];
      return [record];
    });
}

function without(state: string): Change {
  return (records) => records.filter((record) => record.type !== 'approval.ended' || record.state !== state);
}

function onTarget(target: string): Change {
  return (records) => records.map((record) => (record.type === 'operation.decided' && record.approvals ? { ...record, target } : record));
}

function twice(records: readonly AuditRecord[]): readonly AuditRecord[] {
  return records.flatMap((record): AuditRecord[] => {
    if (record.type !== 'operation.decided' || record.approvals === undefined) return [record];
    return [record, { ...record, operation: `${record.session}-9` }];
  });
}

/** The session’s principal is `github|repo:bank/orders` of https://github.example. */
function answeredBySelf(records: readonly AuditRecord[]): readonly AuditRecord[] {
  const self = { ...principal('github', 'repo:bank/orders', 'user', ['dba']), issuer: 'hub' };
  return records.map((record) => (record.type === 'approval.answered' && record.subject === 'bob' ? { ...record, ...self } : record));
}
