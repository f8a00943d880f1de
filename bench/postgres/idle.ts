import { setTimeout as delay } from 'node:timers/promises';
import { heading, number, progress, progressDone, table } from '../parts/report.ts';
import { rawClient, type RawClient } from './client.ts';
import type { Path, World } from './world.ts';

export interface IdleFigures {
  readonly sessions: number;
  readonly kilobytesPerSession: number;
  readonly signInsPerSecond: number;
}

/**
 * Growth of the gateway's resident memory with so many sessions that have each run one statement and wait. Their target is a pgbouncer
 * with transaction pooling, so that the database needs no process for each.
 */
export async function benchIdle(world: World, sessions: number): Promise<IdleFigures> {
  const path = await world.idlePath();
  const { program } = path;
  const clients: RawClient[] = [];
  const open = async (count: number): Promise<void> => {
    for (const until = clients.length + count; clients.length < until;) {
      progress(`idle sessions: ${clients.length}`);
      const more = Math.min(atOnce, until - clients.length);
      clients.push(...(await Promise.all(Array.from({ length: more }, () => signedIn(path)))));
    }
  };
  try {
    // What the first ones leave behind once (compiled code, the thread that writes the log's files) is no part of what a session costs.
    await open(Math.ceil(sessions / 10));
    for (let done = 0; done < warmUpStatements; done += 1) await clients[done % clients.length]!.run('select 1');
    await delay(settleMs);
    const before = program.residentBytes();
    const begin = performance.now();
    await open(sessions);
    const seconds = (performance.now() - begin) / 1_000;
    await delay(settleMs);
    const kilobytesPerSession = (program.residentBytes() - before) / 1_024 / sessions;
    for (const client of clients.slice(0, 20)) await client.run('select 2');
    return { sessions, kilobytesPerSession, signInsPerSecond: sessions / seconds };
  } finally {
    for (const client of clients) client.close();
    await program.stop();
    progressDone();
  }
}

export function printIdle(figures: IdleFigures): void {
  heading('Idle sessions');
  const { sessions, kilobytesPerSession, signInsPerSecond } = figures;
  table(['held', 'KB a session', 'sign-ins a second'], [[number(sessions), number(kilobytesPerSession, 1), number(signInsPerSecond)]]);
}

async function signedIn(path: Path): Promise<RawClient> {
  const client = await rawClient(path);
  await client.run('select 1');
  return client;
}

const atOnce = 20;
const warmUpStatements = 5_000;
const settleMs = 3_000;
