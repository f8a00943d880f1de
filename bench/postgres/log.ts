import { rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { openAuditLog } from '../../src/audit/index.ts';
import { toFault } from '../../src/core/fault.ts';
import type { AuditRecord } from '../../src/core/record.ts';
import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { median } from '../parts/statistics.ts';
import { appendDurably } from './disk.ts';
import type { World } from './world.ts';

export interface LogFigures {
  readonly recordBytes: number;
  readonly durableAppendsPerSecond: number;
  readonly rawPerSecond: number;
  /** Median of the rounds' own ratios. */
  readonly toRaw: number;
  readonly verifiedPerSecond: number;
}

/** The audit log by itself: 64 who append and wait, against a bare file that takes the same bytes, 64 records with each fdatasync. */
export async function benchLog(
  world: Pick<World, 'folder'>,
  options: { readonly rounds: number; readonly seconds: number; readonly verified: number },
): Promise<LogFigures> {
  const appends: number[] = [];
  const raws: number[] = [];
  const bytes = recordBytes(decided(1)) + frameHeaderBytes;
  for (let round = 0; round < options.rounds; round += 1) {
    progress(`audit log, round ${round + 1} of ${options.rounds}`);
    raws.push(rawPerSecond(world.folder, bytes, options.seconds));
    appends.push(await appendsPerSecond(join(world.folder, `audit-${round}`), options.seconds));
  }
  const verifiedPerSecond = await verified(join(world.folder, 'audit-verified'), options.verified);
  progressDone();
  return {
    recordBytes: bytes,
    durableAppendsPerSecond: median(appends),
    rawPerSecond: median(raws),
    toRaw: median(appends.map((count, round) => count / (raws[round] ?? Number.NaN))),
    verifiedPerSecond,
  };
}

export function printLog(figures: LogFigures): void {
  heading('The audit log');
  table(
    ['record bytes', 'durable appends/s, 64 waiting', 'bare file, records/s', 'ratio', 'verified records/s'],
    [
      [
        number(figures.recordBytes),
        number(figures.durableAppendsPerSecond),
        number(figures.rawPerSecond),
        number(figures.toRaw, 2),
        number(figures.verifiedPerSecond),
      ],
    ],
  );
}

async function appendsPerSecond(folder: string, seconds: number): Promise<number> {
  const log = await openedLog(folder, 'disk');
  const end = performance.now() + seconds * 1_000;
  let done = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      try {
        await log.durable(log.append(decided(done)));
        done += 1;
      } catch (error) {
        // A disk that does not answer for a moment: the log refuses until it has, as it does in the gateway.
        if (toFault(error).code !== 'audit-unavailable') throw error;
        await delay(20);
      }
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: waiting }, work));
  const took = (performance.now() - begin) / 1_000;
  await log.close();
  rmSync(folder, { recursive: true });
  return done / took;
}

function rawPerSecond(folder: string, bytes: number, seconds: number): number {
  let flushes = 0;
  const begin = performance.now();
  appendDurably(folder, bytes * waiting, (append) => {
    for (const end = begin + seconds * 1_000; performance.now() < end; flushes += 1) append();
  });
  return (flushes * waiting) / ((performance.now() - begin) / 1_000);
}

/** `sallyport audit verify` on a log of its own, less the time that it takes for a log of one record. */
async function verified(folder: string, records: number): Promise<number> {
  progress(`verifying ${number(records)} records`);
  const seconds = async (count: number): Promise<number> => {
    const log = await openedLog(folder, 'process');
    log.append({ type: 'gateway.started', version: '0', durability: 'process', config_digest: '', unsafe: [] });
    log.append(opened);
    for (let index = 1; index < count / 2; index += 1) {
      log.append(decided(index));
      const sequence = log.append(completed(index));
      if (index % 1_000 === 0) await log.durable(sequence);
      if (index % 50_000 === 0) await log.checkpoint();
    }
    log.append({ type: 'session.closed', session, reason: 'closed', operations: Math.ceil(count / 2) - 1, duration_ms: 1 });
    log.append({ type: 'gateway.stopped', reason: 'measured' });
    await log.close();
    const begin = performance.now();
    const parameters = [command, 'audit', 'verify', folder, '--public-key', join(folder, 'log.pub')];
    const { status, stdout, stderr } = spawnSync(process.execPath, parameters, { encoding: 'utf8' });
    const took = (performance.now() - begin) / 1_000;
    rmSync(folder, { recursive: true });
    if (status !== 0) throw new Error(`audit verify: ${stdout}${stderr}`);
    return took;
  };
  return records / ((await seconds(records)) - (await seconds(1)));
}

export function openedLog(folder: string, durability: 'disk' | 'process') {
  return openAuditLog({
    folder,
    origin: 'bench.example/log',
    gateway: 'gw-bench',
    policyVersion: () => 'b'.repeat(64),
    privateKeyFile: `${folder}.key`,
    digestKeyFile: `${folder}.digest-key`,
    durability,
    clock: { now: Date.now, monotonic: () => performance.now() },
  });
}

/** As pgbench's statement leaves it. */
export function decided(index: number): AuditRecord {
  return {
    type: 'operation.decided',
    session,
    operation: `${session}-${index}`,
    target: 'bench',
    principal: 'ci|repo:bank/orders:job',
    decision: 'allow',
    ...sameEachTime,
    text: `SELECT abalance FROM pgbench_accounts WHERE aid = ${100_000 + (index % 900_000)};`,
    text_exact: true,
    pure_read: true,
  };
}

/** The gateway gives the log the same objects for the same statement. */
const sameEachTime = {
  policies: ['pipelines may read and write'],
  acts: [{ action: 'sql:select', object: 'Relation::"bench/public.pgbench_accounts"' }],
  facts: { protocol: 'postgres', statements: ['select'], unbounded: false, opaque: false, functions: [] },
  data_classes: [],
};

export function completed(index: number): AuditRecord {
  const operation = `${session}-${index}`;
  return { type: 'operation.completed', session, operation, outcome: 'succeeded', rows: 1, bytes: 12, duration_ms: 0.214, masked: {} };
}

/** What a record takes in the log: its canonical JSON with the log's own members. */
export function recordBytes(record: AuditRecord): number {
  const own = { gateway: 'gw-bench', policy_version: 'b'.repeat(64), time: new Date().toISOString(), v: 1 };
  return Buffer.byteLength(JSON.stringify({ ...record, ...own }));
}

/** In front of each record in the journal. */
const frameHeaderBytes = 8;
const waiting = 64;
const session = 'ses_mh8o0f3k8d1c9b7a6f5e4d3c2b1a';
const opened: AuditRecord = {
  type: 'session.opened',
  session,
  operation: `${session}-0`,
  target: 'bench',
  protocol: 'postgres',
  peer: '127.0.0.1:50000',
  claimed_user: 'bench',
  acts: [{ action: 'connect', object: 'Target::"bench"' }],
  policies: ['pipelines may connect'],
  issuer: 'ci',
  issuer_url: 'https://ci.example',
  subject: 'repo:bank/orders:job',
  kind: 'agent',
  groups: ['deployers'],
  groups_known: true,
  claims: { repository: 'bank/orders' },
  display: 'repo:bank/orders:job',
  token_id: 'token',
  token_expires: '2026-01-01T00:00:00.000Z',
};
const command = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
