/** A whole number and a unit: `30s`, `15m`, `8h`, `90d`, `4w`, `7y`. */
export const durationPattern = /^[1-9][0-9]{0,5}[smhdwy]$/;

/** Milliseconds of a duration that matches `durationPattern`. A year counts 366 days, so that what is kept for years is never kept too short. */
export function durationMs(duration: string): number {
  const unit = unitMs.get(duration.at(-1) ?? '');
  if (unit === undefined || !durationPattern.test(duration)) throw new RangeError('not a duration');
  return Number(duration.slice(0, -1)) * unit;
}

const secondMs = 1000;
const dayMs = 86_400 * secondMs;
const unitMs: ReadonlyMap<string, number> = new Map([
  ['s', secondMs],
  ['m', 60 * secondMs],
  ['h', 3600 * secondMs],
  ['d', dayMs],
  ['w', 7 * dayMs],
  ['y', 366 * dayMs],
]);
