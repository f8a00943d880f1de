/** What a run of a fuzzer found, and how much it looked at. */
export interface Finding {
  /** What is wrong, in one line: findings with the same one are reported once, with a count. */
  readonly what: string;
  /** As small as it got: what to run, line by line. */
  readonly minimal: readonly string[];
  readonly detail: string;
  readonly caseIndex: number;
}

export interface RunOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Only this case. */
  readonly only: number | undefined;
  readonly progress: (line: string) => void;
  /** Told which case comes next. */
  readonly next?: (caseIndex: number) => void;
}

export interface RunResult {
  readonly cases: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

export class Findings {
  readonly #byWhat = new Map<string, { finding: Finding; count: number }>();

  /** False where this is known already. */
  isNew(what: string): boolean {
    const known = this.#byWhat.get(what);
    if (known === undefined) return true;
    known.count += 1;
    return false;
  }

  add(finding: Finding): void {
    this.#byWhat.set(finding.what, { finding, count: 1 });
  }

  all(): readonly Finding[] {
    return [...this.#byWhat.values()].map(({ finding, count }) => ({
      ...finding,
      detail: `${finding.detail}${count > 1 ? ` (seen ${count} times)` : ''}`,
    }));
  }
}

/** Runs cases until time is up. `one` gets the case's index. */
export async function runCases(options: RunOptions, one: (index: number) => Promise<void>): Promise<number> {
  if (options.only !== undefined) {
    options.next?.(options.only);
    await one(options.only);
    return 1;
  }
  const end = performance.now() + options.seconds * 1000;
  let told = performance.now();
  let index = 0;
  for (; performance.now() < end; index++) {
    options.next?.(index);
    await one(index);
    if (performance.now() - told < 30_000) continue;
    told = performance.now();
    options.progress(`${index + 1} cases`);
  }
  return index;
}

/**
 * Makes a list smaller while `fails` holds for what is left: halves, quarters … single items (delta debugging). At most `tries` tries.
 */
export async function minimised<T>(
  items: readonly T[],
  fails: (fewer: readonly T[]) => Promise<boolean>,
  tries: number,
): Promise<readonly T[]> {
  let kept = items;
  let left = tries;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && left > 0;) {
    let shrank = false;
    for (let start = 0; start < kept.length && left > 0;) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)];
      left--;
      if (fewer.length < kept.length && fewer.length > 0 && (await fails(fewer))) {
        kept = fewer;
        shrank = true;
      } else start += size;
    }
    if (!shrank || size > kept.length) {
      if (size === 1) break;
      size = Math.ceil(Math.min(size, kept.length) / 2);
    }
  }
  return kept;
}
