/** Where random choices come from: a whole number from 0 to `most`. */
export type Choose = (most: number) => number;

export function oneOf<T>(choose: Choose, from: readonly T[]): T {
  return from[choose(from.length - 1)]!;
}

/** True once in `times`. */
export function once(choose: Choose, times: number): boolean {
  return choose(times - 1) === 0;
}

export function shuffled<T>(choose: Choose, from: readonly T[]): T[] {
  const left = [...from];
  const result: T[] = [];
  while (left.length > 0) result.push(...left.splice(choose(left.length - 1), 1));
  return result;
}

/** The same choices for the same seed (mulberry32). */
export function chooser(seed: number): Choose {
  let state = seed >>> 0;
  return (most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (most + 1));
  };
}
