import { join } from 'node:path';
import { openAuditLog, type AuditLog } from '../../src/audit/index.ts';
import type { AuditPort, ClockPort, RecordingPort } from '../../src/core/ports.ts';
import type { Principal } from '../../src/core/principal.ts';

/** What a benchmark of the gateway in this very process needs around it. */

export const clock: ClockPort = { now: () => Date.now(), monotonic: () => performance.now() };

export const principal: Principal = {
  issuer: 'ci',
  issuerUrl: 'https://ci.example',
  subject: 'repo:bank/orders:job',
  kind: 'agent',
  groups: ['deployers'],
  groupsKnown: true,
  claims: { repository: 'bank/orders', ref: 'refs/heads/main' },
  display: 'repo:bank/orders:job',
  tokenId: 'token',
  authenticatedBy: 'oidc-token',
  expiresAtMs: Date.now() + 3_600_000,
};

/** Microseconds: CPU of the process, of its main thread, and the clock on the wall. */
export interface Taken {
  readonly cpu: number;
  readonly main: number;
  readonly wall: number;
}

export function now(): Taken {
  const cpu = process.cpuUsage();
  const main = process.threadCpuUsage();
  return { cpu: cpu.user + cpu.system, main: main.user + main.system, wall: performance.now() * 1_000 };
}

export function since(begin: Taken): Taken {
  const end = now();
  return { cpu: end.cpu - begin.cpu, main: end.main - begin.main, wall: end.wall - begin.wall };
}

/** The least of several runs, for each of so many. */
export function best(runs: readonly Taken[], times: number): Readonly<Record<keyof Taken, string>> {
  const least = (of: keyof Taken): string => (Math.min(...runs.map((run) => run[of])) / times).toFixed(1);
  return { cpu: least('cpu'), main: least('main'), wall: least('wall') };
}

export function openLog(folder: string): Promise<AuditLog> {
  return openAuditLog({
    folder: join(folder, 'audit'),
    origin: 'bench.example/log',
    gateway: 'gw-bench',
    policyVersion: () => 'b'.repeat(64),
    privateKeyFile: join(folder, 'log.key'),
    digestKeyFile: join(folder, 'digest.key'),
    durability: 'process',
    clock,
  });
}

/** As much as a session needs of a log that keeps nothing. */
export function nothingLogged(log: AuditLog): AuditPort {
  let appended = 0;
  return {
    append: () => appended++,
    durable: () => Promise.resolve(),
    digest: (bytes) => log.digest(bytes),
    get durableCount() {
      return appended;
    },
  };
}

export const nothingRecorded: RecordingPort = {
  open: () => ({
    decided: nothing,
    completed: nothing,
    sample: nothing,
    note: nothing,
    transcript: () => undefined,
    seal: () => Promise.reject(new Error('nothing was recorded')),
  }),
};

function nothing(): void {}
