import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayFault } from '../../core/fault.ts';
import type { FileSystem } from './file-system.ts';
import { readIfPresent } from './file-system.ts';

/**
 * One writer a log. The lock file names its holder: host, process id and, where the system tells it, the boot and the time at which that process
 * started, so that a process id that was given away again (always 1 in a container) is not taken for the holder.
 *
 * It cannot see a process on another machine that shares the folder: a lock left by another host is refused until a person removes it.
 */
export class WriterLock {
  readonly #disk: FileSystem;
  readonly #path: string;
  readonly #content: Buffer;

  private constructor(disk: FileSystem, path: string, content: Buffer) {
    this.#disk = disk;
    this.#path = path;
    this.#content = content;
  }

  /** Throws `audit-unavailable` while another writer holds it. */
  static async take(disk: FileSystem, path: string): Promise<WriterLock> {
    const holder: Holder = { host: hostname(), pid: process.pid, started: processStart(process.pid), token: randomUUID() };
    const content = Buffer.from(`${JSON.stringify(holder)}\n`);
    for (let attempt = 1; ; attempt++) {
      try {
        await disk.createExclusive(path, content);
        tokens.add(holder.token);
        return new WriterLock(disk, path, content);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const living = await removeStale(disk, path, holder.token);
      if (living === undefined) continue;
      // A process that was just killed takes a moment to die: its last write may still be on the way, and so it counts as alive.
      if (living.pid === process.pid || living.host !== holder.host || attempt >= MAX_ATTEMPTS) {
        throw held(`process ${living.pid} on ${living.host} holds it`);
      }
      await delay(ATTEMPT_MS);
    }
  }

  /** False once someone else has taken or removed the lock file: this writer must stop. */
  async isHeld(): Promise<boolean> {
    const present = await readIfPresent(this.#disk, this.#path);
    return present?.equals(this.#content) === true;
  }

  async release(): Promise<void> {
    tokens.delete(parseHolder(this.#content)!.token);
    if (await this.isHeld()) await this.#disk.remove(this.#path);
  }
}

interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly started: string;
  readonly token: string;
}

/**
 * Removes a lock whose holder is gone; gives the holder that is not. The lock is renamed first, to a name of our own, and looked at again there: of two processes that found the same
 * stale lock, one gets it and the other finds either nothing or the first one's new lock, which it puts back.
 */
async function removeStale(disk: FileSystem, path: string, token: string): Promise<Holder | undefined> {
  const found = await readIfPresent(disk, path);
  if (found === undefined) return undefined;
  const holder = parseHolder(found);
  if (holder !== undefined && isAlive(holder)) return holder;
  const aside = `${path}.${token}.tmp`;
  await disk.rename(path, aside);
  const taken = await readIfPresent(disk, aside);
  if (taken?.equals(found) !== true) {
    await disk.rename(aside, path);
    throw held('another process took it just now');
  }
  await disk.remove(aside);
  return undefined;
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return tokens.has(holder.token);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holder.started === processStart(holder.pid);
}

/**
 * Boot and start time of a process, from Linux's `/proc`; empty elsewhere, which makes the process id alone decide, and for a process that is dead and was
 * not collected by its parent yet, all threads of it.
 */
function processStart(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): the second field, in parentheses, may hold spaces; behind it stand the state (3), the number of threads (20) and the start time (22).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isDead = fields[0] === 'Z' && Number(fields[17]) <= 1;
    return isDead ? '' : `${boot}/${fields[19]}`;
  } catch {
    return '';
  }
}

/** Undefined for what a crash left half written: whoever wrote it does not hold it yet. */
function parseHolder(content: Buffer): Holder | undefined {
  try {
    const holder = JSON.parse(content.toString()) as Holder;
    return typeof holder.pid === 'number' && typeof holder.token === 'string' ? holder : undefined;
  } catch {
    return undefined;
  }
}

function held(detail: string): GatewayFault {
  return new GatewayFault('audit-unavailable', {
    publicMessage: 'the audit log is in use',
    detail: `the audit log has another writer: ${detail}`,
    hint: 'Stop the other gateway, or remove the file "lock" in the audit folder if its holder is certainly gone.',
  });
}

const MAX_ATTEMPTS = 20;
const ATTEMPT_MS = 100;
/** Locks of this process. */
const tokens = new Set<string>();
