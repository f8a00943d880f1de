import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditRecord } from '../src/core/record.ts';
import { openLog, principal, scratch, story } from './harness.test.ts';
import { verifyLog, type ProblemKind, type VerifyReport } from './index.ts';

/**
 * Logs whose tree and signatures hold, and whose records do not fit together: what a faulty gateway, or the key's holder who leaves
 * out a record and signs again, would leave behind.
 */

/** Records of one whole session, with an operation that ran on an approval of two people. */
async function session(): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of story(join(await scratch(), 'recordings'), 4)) {
    records.push(record);
    if (record.type === 'session.closed') return records;
  }
  return records;
}

type Change = (records: AuditRecord[]) => AuditRecord[];

const faults: Record<string, { readonly change: Change; readonly kind: ProblemKind; readonly says: RegExp }> = {
  'session opened twice': { change: repeat('session.opened'), kind: 'bookkeeping', says: /opened a second time/ },
  'session never opened': { change: without('session.opened'), kind: 'bookkeeping', says: /not opened/ },
  'session of an earlier run of the gateway': {
    change: after('session.opened', [{ type: 'gateway.started', version: '1', durability: 'process', config_digest: '', unsafe: [] }]),
    kind: 'bookkeeping',
    says: /earlier run/,
  },
  'operation completed without a decision': { change: without('operation.decided'), kind: 'bookkeeping', says: /was not decided/ },
  'operation completed twice': { change: repeat('operation.completed'), kind: 'bookkeeping', says: /ended already/ },
  'operation decided twice': { change: repeat('operation.decided'), kind: 'bookkeeping', says: /decided a second time/ },
  'operation completed though refused': {
    change: edit('operation.decided', { decision: 'deny', code: 'x' }),
    kind: 'bookkeeping',
    says: /refused/,
  },
  'operation completed after the session': {
    change: (records) => [...records, records.findLast(({ type }) => type === 'operation.completed')!],
    kind: 'bookkeeping',
    says: /is closed/,
  },
  'operation of another principal': {
    change: edit('operation.decided', { principal: 'github|other' }),
    kind: 'bookkeeping',
    says: /another principal/,
  },
  'operation on another target': { change: edit('operation.decided', { target: 'ledger' }), kind: 'bookkeeping', says: /another target/ },
  'session closed with too few operations': {
    change: edit('session.closed', { operations: 2 }),
    kind: 'bookkeeping',
    says: /with 2 operations/,
  },
  'note in a session that is none': { change: edit('session.note', { session: 'nobody' }), kind: 'bookkeeping', says: /not opened/ },

  'approval never requested': { change: without('approval.requested'), kind: 'approval', says: /nobody has requested/ },
  'approval requested twice': { change: repeat('approval.requested'), kind: 'approval', says: /a second time/ },
  'approval by one person of two': { change: without('approval.answered'), kind: 'approval', says: /asks for 2 .* 1 approved/ },
  'approval twice by the same person': {
    change: edit('approval.answered', { subject: 'bob' }),
    kind: 'approval',
    says: /asks for 2 .* 1 approved/,
  },
  'approval by the same person under another issuer’s name': {
    change: edit('approval.answered', { subject: 'bob', issuer: 'entra-2' }),
    kind: 'approval',
    says: /asks for 2 .* 1 approved/,
  },
  'approval by the requester': {
    change: edit('approval.answered', principal('github', 'repo:bank/orders', 'user', ['dba'])),
    kind: 'approval',
    says: /the one who asked/,
  },
  'approval by the requester under another issuer’s name': {
    change: edit('approval.answered', { ...principal('github', 'repo:bank/orders', 'user', ['dba']), issuer: 'github-2' }),
    kind: 'approval',
    says: /the one who asked/,
  },
  'approval by an agent': { change: edit('approval.answered', { kind: 'agent' }), kind: 'approval', says: /not by a person/ },
  'approval by someone of another group': {
    change: edit('approval.answered', { groups: ['staff'] }),
    kind: 'approval',
    says: /asks for 2/,
  },
  'approval that was denied': { change: edit('approval.answered', { answer: 'denied' }), kind: 'approval', says: /was denied/ },
  'approval not used up': { change: without('approval.ended', 'used'), kind: 'approval', says: /not used up/ },
  'approval used up twice': { change: repeat('approval.ended', 'used'), kind: 'approval', says: /used already/ },
  'approval that had expired': { change: edit('approval.ended', { state: 'expired' }), kind: 'approval', says: /had ended/ },
  'approval answered for another operation': {
    change: edit('approval.answered', { operation: 's000005-1' }),
    kind: 'approval',
    says: /for another operation/,
  },
  'approval of another principal': {
    change: edit('approval.requested', { principal: 'github|other' }),
    kind: 'approval',
    says: /another principal/,
  },
  'approval for another target': { change: edit('approval.requested', { target: 'ledger' }), kind: 'approval', says: /another target/ },
  'approval used for two operations': { change: secondUse, kind: 'approval', says: /was used before/ },
  'refusal that names an approval': { change: refuseApproved, kind: 'approval', says: /is refused, yet/ },

  'member missing': { change: edit('session.opened', { peer: undefined }), kind: 'malformed', says: /peer is missing/ },
  'member of the wrong type': { change: edit('session.note', { event: 7 }), kind: 'malformed', says: /event is not a string/ },
  'decision that is none': { change: edit('operation.decided', { decision: 'maybe' }), kind: 'malformed', says: /cannot be "maybe"/ },
  'recording outside its folder': {
    change: edit('session.closed', { recording: { file: '../../etc/passwd', sha256: 'a'.repeat(64), bytes: 1 } }),
    kind: 'malformed',
    says: /no path below/,
  },
  'reference to a body that is none': {
    change: edit('session.note', { bodies: { event: 'text' } }),
    kind: 'malformed',
    says: /refer to a body/,
  },
};

for (const [name, { change, kind, says }] of Object.entries(faults)) {
  test(`found: ${name}`, async () => {
    const { ok, problems } = await verifyRecords(change(await session()));
    assert.equal(ok, false);
    assert.ok(
      problems.some((problem) => problem.kind === kind && says.test(problem.detail)),
      JSON.stringify(problems),
    );
  });
}

test('the unchanged session is in order', async () => {
  const { problems, decidedWithoutCompletion, sessionsOpen, durability } = await verifyRecords(await session());
  assert.deepEqual(problems, []);
  assert.equal(decidedWithoutCompletion.count, 0);
  assert.deepEqual([sessionsOpen.open, sessionsOpen.ended], [0, 0]);
  assert.deepEqual(durability, ['disk']);
});

test('an allowed operation without an end is an unknown outcome, named', async () => {
  const records = (await session()).filter(({ type }) => type !== 'operation.completed');
  const { ok, decidedWithoutCompletion } = await verifyRecords(records);
  assert.equal(ok, true);
  const first = records.findIndex((record) => record.type === 'operation.decided' && record.decision === 'allow');
  assert.deepEqual(decidedWithoutCompletion.first[0], { session: 's000005', operation: 's000005-1', record: first });
  assert.equal(
    decidedWithoutCompletion.count,
    records.filter((record) => record.type === 'operation.decided' && record.decision === 'allow').length,
  );
});

test('sessions without an end: open, or cut off by the gateway’s next start; a hold that ends with its session is no fault', async () => {
  const records = await session();
  const late = records.findLast((record) => record.type === 'operation.decided')!;
  const opened = records.find((record) => record.type === 'session.opened')!;
  const started = records.find((record) => record.type === 'gateway.started')!;
  const report = await verifyRecords([
    ...records,
    { ...late, operation: 's000005-9', decision: 'deny', code: 'approval-cancelled', approvals: undefined } as unknown as AuditRecord,
    { ...opened, session: 'cut' },
    { ...started, durability: 'process' },
    { ...opened, session: 'open' },
  ]);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.sessionsOpen, { open: 1, ended: 1, first: ['cut', 'open'] });
  assert.deepEqual(report.durability, ['disk', 'process']);
  assert.ok(report.notes.some((note) => note.includes('durability “process”')));
  assert.ok(report.notes.some((note) => note.includes('after their session’s end')));
});

test('types and members of later versions are accepted and counted', async () => {
  const report = await verifyRecords([
    ...(await session()),
    { type: 'weather.changed', sky: 'blue' } as unknown as AuditRecord,
    { type: 'gateway.stopped', reason: 'done', mood: 'good' } as AuditRecord,
  ]);
  assert.deepEqual(report.problems, []);
  assert.ok(report.notes.some((note) => note.includes('"weather.changed"')));
});

test('a clock that goes back is a note with its size', async () => {
  let now = Date.parse('2026-11-22T10:00:00.000Z');
  const steps = [0, 5, 400, -600, 20, -90_000, 1000];
  const root = await scratch();
  const log = await openLog(root, { clock: { now: () => (now += steps.shift() ?? 1), monotonic: () => performance.now() } });
  for (let count = 0; count < 6; count += 1) log.append({ type: 'gateway.stopped', reason: String(count) });
  await log.close();
  const { ok, times, notes } = await verifyLog({ folder: join(root, 'audit') });
  assert.equal(ok, true);
  assert.deepEqual([times.stepsBack, times.largestStepBackMs], [1, 90_000]);
  assert.ok(notes.some((note) => note.includes('90000 ms')));
});

async function verifyRecords(records: readonly AuditRecord[]): Promise<VerifyReport> {
  const root = await scratch();
  const log = await openLog(root);
  for (const record of records) log.append(record);
  await log.close();
  return verifyLog({ folder: join(root, 'audit'), publicKey: log.verifierKey });
}

function isOne(record: AuditRecord, type: string, state?: string): boolean {
  return record.type === type && (state === undefined || (record.type === 'approval.ended' && record.state === state));
}

/** Without the first of a type. */
function without(type: string, state?: string): Change {
  return (records) => records.toSpliced(placeOf(records, type, state), 1);
}

function repeat(type: string, state?: string): Change {
  return (records) => {
    const place = placeOf(records, type, state);
    return records.toSpliced(place, 0, records[place]!);
  };
}

function after(type: string, more: AuditRecord[]): Change {
  return (records) => records.toSpliced(placeOf(records, type) + 1, 0, ...more);
}

/** Changes the first of a type. */
function edit(type: string, members: object): Change {
  return (records) => {
    const place = placeOf(records, type);
    return records.with(place, { ...records[place]!, ...members });
  };
}

function placeOf(records: readonly AuditRecord[], type: string, state?: string): number {
  const place = records.findIndex((record) => isOne(record, type, state));
  assert.ok(place >= 0, `there is a ${type}`);
  return place;
}

function secondUse(records: AuditRecord[]): AuditRecord[] {
  const place = records.findIndex((record) => record.type === 'operation.decided' && record.approvals !== undefined);
  return records.toSpliced(place + 1, 0, { ...records[place]!, operation: 's000005-99' } as AuditRecord);
}

function refuseApproved(records: AuditRecord[]): AuditRecord[] {
  const place = records.findIndex((record) => record.type === 'operation.decided' && record.approvals !== undefined);
  return records.with(place, { ...records[place]!, decision: 'deny' } as AuditRecord);
}
