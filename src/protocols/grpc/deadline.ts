/**
 * `grpc-timeout` (gRPC over HTTP/2): at most eight digits and a unit. In milliseconds, which may be a fraction; undefined for anything else. A timer of the
 * platform holds no more than `maxTimeoutMs`, which is longer than any session.
 */
export function parseTimeout(value: string): number | undefined {
  const [, digits = '', unit = ''] = /^([0-9]{1,8})([HMSmun])$/.exec(value) ?? [];
  const ms = MS_OF[unit];
  return ms === undefined ? undefined : Math.min(Number(digits) * ms, maxTimeoutMs);
}

/** What is left of it, for the target. Never more than it is: rounded down, at least one nanosecond. */
export function formatTimeout(ms: number): string {
  if (ms >= 1 && ms < 100_000_000) return `${Math.floor(ms)}m`;
  if (ms >= 1) return `${Math.floor(ms / 1000)}S`;
  return `${Math.max(1, Math.floor(ms * 1_000_000))}n`;
}

const MS_OF: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };
const maxTimeoutMs = 0x7fffffff;
