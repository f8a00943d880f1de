import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../../config/index.ts';
import type { OperatorLog } from '../log.ts';
import { openOwnRecord, type OwnRecord } from '../own-log.ts';
import { workerLog } from './messages.ts';

export interface RetiredRecord extends OwnRecord {
  readonly worker: number;
  readonly name: string;
}

/**
 * The logs of workers that there were once and are no more. The primary process opens them, so that what a crash left is recovered and they can
 * be read; nothing else is written to them. Throws `audit-unavailable` as for its own log.
 */
export async function openRetired(config: Config, policyVersion: () => string, log: OperatorLog): Promise<readonly RetiredRecord[]> {
  const { workers } = config.gateway;
  const retired = workersOnDisk(config).filter((worker) => workers === 1 || worker > workers);
  const opened: RetiredRecord[] = [];
  try {
    for (const worker of retired) {
      opened.push({ worker, name: workerLog(worker), ...(await openOwnRecord({ config, worker, policyVersion, log })) });
    }
  } catch (error) {
    for (const { audit } of opened) await audit.close().catch(() => {});
    throw error;
  }
  return opened;
}

/** Workers that have ever written a log here, ascending. */
export function workersOnDisk({ gateway }: Config): readonly number[] {
  try {
    const names = readdirSync(join(gateway.data, 'audit', 'workers'));
    return names
      .filter((name) => /^[1-9]\d?$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
