import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openAuditLog, type AuditLog, type AuditLogOptions } from '../src/audit/index.ts';
import type { AuditRecord, RecordedPrincipal } from '../src/core/record.ts';

/** Shared by the tests of this folder: real logs, written by the gateway's own audit log, with records as a gateway's pipeline leaves them. */

/** A folder that is gone after the tests of the file. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'verifier-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

export const ORIGIN = 'gw.bank.example/sallyport/gw-1';

export async function openLog(root: string, changes: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog({
    folder: join(root, 'audit'),
    origin: ORIGIN,
    gateway: 'gw-1',
    policyVersion: () => 'a'.repeat(64),
    privateKeyFile: join(root, 'log.key'),
    digestKeyFile: join(root, 'digest.key'),
    durability: 'process',
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    ...changes,
  });
}

export interface BuiltLog {
  /** Holds `audit/` and `recordings/`. */
  readonly root: string;
  readonly folder: string;
  readonly key: string;
  /** Signed notes by the size they were signed at. */
  readonly checkpoints: ReadonlyMap<number, string>;
}

/** A log of exactly `size` records, with checkpoints about every `every` records and at the end. */
export async function buildLog(root: string, size: number, every = 300, limits: AuditLogOptions['limits'] = {}): Promise<BuiltLog> {
  await mkdir(join(root, 'recordings', '2026-11-22'), { recursive: true });
  const log = await openLog(root, { limits });
  const checkpoints = new Map<number, string>();
  const records = story(join(root, 'recordings'));
  try {
    for (let count = 0; count < size; count += 1) {
      const last = log.append((await records.next()).value);
      if (last % 2000 === 1999) await log.durable(last);
      if ((count + 1) % every === 0 || count + 1 === size) checkpoints.set(count + 1, await log.checkpoint());
    }
    return { root, folder: join(root, 'audit'), key: log.verifierKey, checkpoints };
  } finally {
    await log.close();
  }
}

/** What a busy gateway records, without end: sessions one after the other, some reviewed, some with content too large for a leaf. Later runs on the same log begin at another session. */
export async function* story(recordings: string, firstSession = 0): AsyncGenerator<AuditRecord, never> {
  yield { type: 'gateway.started', version: '0.1.0', durability: 'disk', config_digest: 'c'.repeat(64), unsafe: [] };
  yield { type: 'policy.changed', policy_digest: 'a'.repeat(64), policies: 3, previous: '' };
  await mkdir(join(recordings, '2026-11-22'), { recursive: true });
  for (let number = firstSession + 1; ; number += 1) yield* session(`s${String(number).padStart(6, '0')}`, number, recordings);
}

async function* session(id: string, number: number, recordings: string): AsyncGenerator<AuditRecord, void> {
  yield {
    type: 'session.opened',
    session: id,
    operation: `${id}-0`,
    target: 'orders',
    protocol: 'postgres',
    peer: '10.0.0.7:50112',
    claimed_user: 'größe\u{1F600}\u2028',
    acts: [{ action: 'connect', object: 'Target::"orders"' }],
    policies: ['pipelines may read production'],
    ...principal('github', 'repo:bank/orders', 'agent', ['deployers']),
  };
  let operations = 0;
  for (let count = 0; count < 1 + (number % 7); count += 1) yield* operation(id, (operations += 1), 'select 1', undefined);
  if (number % 5 === 0) yield* reviewed(id, (operations += 1), `${id}-a`);
  // Longer than any leaf: moved beside the log.
  if (number % 40 === 0) yield* operation(id, (operations += 1), `select '${'9'.repeat(70_000 + (number % 1000))}'`, undefined);
  yield { type: 'session.note', session: id, event: 'notice', detail: { '10': 1, '9': 'é', code: '00000' } };
  yield {
    type: 'session.closed',
    session: id,
    reason: 'client',
    operations: operations + (number % 3),
    duration_ms: 12.5,
    ...(number % 4 === 0 ? { recording: await sealedRecording(recordings, id) } : {}),
  };
}

async function* operation(
  session: string,
  number: number,
  text: string,
  approvals: string[] | undefined,
): AsyncGenerator<AuditRecord, void> {
  const denied = number % 4 === 3 && approvals === undefined;
  yield {
    type: 'operation.decided',
    session,
    operation: `${session}-${number}`,
    target: 'orders',
    principal: 'github|repo:bank/orders',
    decision: denied ? 'deny' : 'allow',
    ...(denied ? { code: 'access-denied' as const } : {}),
    policies: ['pipelines may read production'],
    acts: [{ action: 'sql:select', object: 'Relation::"orders/public.customers"' }],
    facts: { protocol: 'postgres', unbounded: false, functions: ['lower'], ratio: 0.1 },
    text,
    text_exact: false,
    digest: 'd'.repeat(64),
    parameters: ['1', null],
    data_classes: ['ssn'],
    ...(approvals === undefined ? {} : { approvals }),
    pure_read: approvals === undefined,
  };
  if (denied) return;
  yield {
    type: 'operation.completed',
    session,
    operation: `${session}-${number}`,
    outcome: 'succeeded',
    rows: number,
    bytes: 120,
    duration_ms: 0.25,
    masked: { ssn: 2 },
  };
}

async function* reviewed(session: string, number: number, approval: string): AsyncGenerator<AuditRecord, void> {
  yield {
    type: 'approval.requested',
    approval,
    session,
    operation: `${session}-${number}`,
    target: 'orders',
    principal: 'github|repo:bank/orders',
    reviews: [{ policy: 'schema changes wait for a DBA', group: 'dba', approvals: 2 }],
    binding: 'b'.repeat(64),
    text: 'drop table customers',
    expires: '2026-11-22T01:00:00.000Z',
  };
  for (const subject of ['ann', 'bob']) {
    yield {
      type: 'approval.answered',
      approval,
      session,
      operation: `${session}-${number}`,
      answer: 'approved',
      reason: 'ok',
      group: 'dba',
      ...principal('entra', subject, 'user', ['dba', 'staff']),
    };
  }
  yield { type: 'approval.ended', approval, state: 'approved' };
  yield { type: 'approval.ended', approval, state: 'used' };
  yield* operation(session, number, 'drop table customers', [approval]);
}

export function principal(issuer: string, subject: string, kind: string, groups: string[]): RecordedPrincipal {
  return {
    issuer,
    issuer_url: `https://${issuer}.example`,
    subject,
    kind,
    display: subject,
    token_id: 't-1',
    token_expires: '2026-11-22T02:00:00.000Z',
    groups,
    groups_known: true,
    claims: { repository: 'bank/orders', run: 17, protected: true },
  };
}

async function sealedRecording(folder: string, session: string): Promise<{ file: string; sha256: string; bytes: number }> {
  const file = `2026-11-22/${session}.jsonl`;
  const content = `{"session":"${session}"}\n`.repeat(20);
  await writeFile(join(folder, file), content);
  return { file, sha256: createHash('sha256').update(content).digest('hex'), bytes: Buffer.byteLength(content) };
}
