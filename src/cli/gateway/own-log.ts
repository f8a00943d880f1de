import { join } from 'node:path';
import { openAuditLog, type AuditLog, type LogHealth } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import type { ClockPort } from '../../core/ports.ts';
import { createRecordings, type Recordings } from '../../recordings/index.ts';
import type { OperatorLog } from './log.ts';

export interface OwnLogOptions {
  readonly config: Config;
  /** Undefined: the gateway's own. */
  readonly worker: number | undefined;
  readonly policyVersion: () => string;
  readonly log: OperatorLog;
}

/** What one process of a gateway writes: a log with a key of its own, and recordings. */
export interface OwnRecord {
  readonly audit: AuditLog;
  readonly recordings: Recordings;
}

/** Opens them, after a crash as well: recordings that were left open are sealed, and that they were is on record. */
export async function openOwnRecord({ config, worker, policyVersion, log }: OwnLogOptions): Promise<OwnRecord> {
  const { gateway, audit: auditConfig } = config;
  const origin = `${gateway.host}/sallyport/${gateway.name}`;
  const keys = join(gateway.data, 'keys');
  const audit = await openAuditLog({
    folder: worker === undefined ? join(gateway.data, 'audit') : join(gateway.data, 'audit', 'workers', String(worker)),
    origin: worker === undefined ? origin : `${origin}/workers/${worker}`,
    gateway: gateway.name,
    policyVersion,
    privateKeyFile: join(keys, worker === undefined ? 'audit.key' : `audit-worker-${worker}.key`),
    digestKeyFile: join(keys, 'digest.key'),
    durability: auditConfig.durability,
    clock,
    onHealth: (health: LogHealth) => log.warn('audit log health', { ...health }),
  });
  try {
    const recordings = recordingsOf(config, worker);
    const { recovered, failed } = await recordings.recover();
    for (const { session, recording, droppedBytes } of recovered) {
      audit.append({ type: 'recording.recovered', session, dropped_bytes: droppedBytes, recording });
    }
    for (const { file, reason } of failed) log.warn('recording not sealed', { file, reason });
    return { audit, recordings };
  } catch (error) {
    await audit.close().catch(() => {});
    throw error;
  }
}

export function recordingsOf({ gateway }: Config, worker: number | undefined): Recordings {
  const owner = worker === undefined ? {} : { owner: join('workers', String(worker)) };
  return createRecordings({ folder: join(gateway.data, 'recordings'), clock, ...owner });
}

export const clock: ClockPort = { now: () => Date.now(), monotonic: () => performance.now() };
