import { HASH_BYTES } from './tree.ts';
import type { ProblemKind } from './report.ts';

/** Leaf hashes of consecutive records, one behind the other. */
export interface Hashes {
  readonly bytes: Buffer;
  readonly count: number;
}

export interface Difference {
  readonly kind: Extract<ProblemKind, 'altered' | 'removed' | 'inserted' | 'reordered'>;
  /** Place of the first difference. */
  readonly place: number;
  readonly detail: string;
}

export function sameHashes(a: Hashes, b: Hashes): boolean {
  return a.count === b.count && a.bytes.compare(b.bytes, 0, b.count * HASH_BYTES, 0, a.count * HASH_BYTES) === 0;
}

/** What was done to get from `right` to `found`; undefined where they are the same. `first` is the sequence of place 0. */
export function describeDifference(right: Hashes, found: Hashes, first: number): Difference | undefined {
  if (sameHashes(right, found)) return undefined;
  const expected = listOf(right);
  const actual = listOf(found);
  const place = expected.findIndex((hash, index) => hash !== actual[index]);
  if (place < 0) {
    const extra = actual.slice(expected.length);
    return { kind: 'inserted', place: expected.length, detail: inserted(extra, expected, first + expected.length) };
  }
  if (place >= actual.length) {
    return { kind: 'removed', place, detail: `records ${first + place} to ${first + expected.length - 1} are gone` };
  }
  if (expected.length === actual.length && expected.toSorted().every((hash, index) => hash === actual.toSorted()[index])) {
    const moved = expected.filter((hash, index) => hash !== actual[index]).length;
    return { kind: 'reordered', place, detail: `${moved} records, the first of them ${first + place}, stand in another order` };
  }
  const goesOnAt = expected.indexOf(actual[place]!, place + 1);
  if (goesOnAt > 0 && shifted(expected, goesOnAt, actual, place)) {
    const last = first + goesOnAt - 1;
    const gone = last === first + place ? `record ${last} is gone` : `records ${first + place} to ${last} are gone`;
    return { kind: 'removed', place, detail: gone };
  }
  const returnsAt = actual.indexOf(expected[place]!, place + 1);
  if (returnsAt > 0 && shifted(actual, returnsAt, expected, place)) {
    return { kind: 'inserted', place, detail: inserted(actual.slice(place, returnsAt), expected, first + place) };
  }
  const different = expected.filter((hash, index) => hash !== actual[index]).length;
  const more = different === 1 ? '' : `, and ${different - 1} more of the ${expected.length} here`;
  return { kind: 'altered', place, detail: `record ${first + place} is not the one that was signed${more}` };
}

/** Whether `longer` from `from` on runs beside `shorter` from `at` on, as far as both go, but for a few records changed besides. */
function shifted(longer: readonly string[], from: number, shorter: readonly string[], at: number): boolean {
  const length = Math.min(longer.length - from, shorter.length - at);
  let same = 0;
  for (let offset = 0; offset < length; offset += 1) if (longer[from + offset] === shorter[at + offset]) same += 1;
  return same * 4 >= length * 3;
}

function inserted(extra: readonly string[], known: readonly string[], at: number): string {
  const copies = extra.filter((hash) => known.includes(hash)).length;
  const what = extra.length === 1 ? 'a record was' : `${extra.length} records were`;
  return `${what} put in at ${at}${copies === 0 ? '' : copies === extra.length ? ', copied from nearby' : ', some copied from nearby'}`;
}

function listOf({ bytes, count }: Hashes): string[] {
  return Array.from({ length: count }, (_, index) => bytes.toString('latin1', index * HASH_BYTES, (index + 1) * HASH_BYTES));
}
