import type { DataClass } from './types.ts';

/** A stretch of text, in UTF-16 units, that looks like a value of the class. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly class: string;
}

/** Immutable; linear in the text. */
export interface DetectorSet {
  /** Nothing is looked for. */
  readonly isEmpty: boolean;
  /** False where no detector can match these UTF-8 bytes from `start` up to `end`; the check reads each byte once. */
  mayContain(bytes: Uint8Array, start: number, end: number): boolean;
  /**
   * What matches, in order, overlapping matches joined into one of the strongest class among them. `hint`: words about the value that
   * are not in it (its column's name), for the detectors that need context.
   */
  scan(text: string, hint?: string): readonly Span[];
  /** The same detectors save those of `classes`. */
  without(classes: ReadonlySet<string>): DetectorSet;
}

/** `classes`: strongest first. Throws `RangeError` for a bad pattern, with its place in the pattern. */
export function compileDetectors(classes: readonly Pick<DataClass, 'name' | 'detect'>[]): DetectorSet {
  const used = classes.filter((entry) => entry.detect.length > 0);
  return {
    isEmpty: used.length === 0,
    mayContain: () => used.length > 0,
    scan: () => [],
    without: (hidden) => compileDetectors(used.filter((entry) => !hidden.has(entry.name))),
  };
}
