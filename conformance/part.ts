/** One part of `npm run conformance`: the same things done directly and through the gateway. */
export interface Part {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Only where it is asked for by name. */
  readonly isOptional?: true;
  run(options: PartOptions): Promise<PartReport>;
}

export interface PartOptions {
  /** Only these tests of the part; empty: all. */
  readonly only: readonly string[];
  /** Outputs and differences are to stay here, a folder per part. */
  readonly keep: string | undefined;
  /** What a part started, for when it is interrupted. The part calls it itself when it ends. */
  readonly onInterrupt: (close: () => Promise<void>) => void;
}

export interface PartReport {
  /** One line for each thing that was compared, in the order in which it ran. */
  readonly rows: readonly PartRow[];
  /** What else there is to say, a line each. */
  readonly notes: readonly string[];
}

export interface PartRow {
  readonly name: string;
  /** Without the gateway: `ok`, or in a few words what is not. */
  readonly control: string;
  readonly verdict: Verdict;
  /** Why an exception is one, or what is different. */
  readonly reason?: string | undefined;
}

/**
 * `same`: as without the gateway. `exception`: another result, and the table of exceptions says why it has to be. `differs`: another
 * result that nothing explains. `no exception`: the table of exceptions names it, but it is the same by now.
 */
export type Verdict = 'same' | 'exception' | 'differs' | 'no exception';

/** True where nothing is left unexplained. */
export function isGreen({ rows }: PartReport): boolean {
  return rows.every(({ verdict }) => verdict === 'same' || verdict === 'exception');
}
