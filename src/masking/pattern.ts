import { RE2JS } from 're2js';
import { rowsOf } from './pattern-row.ts';
import { RowSearch } from './row-search.ts';

/** A pattern that a user wrote, compiled for matching in linear time. */
export interface Pattern {
  /** No text with fewer decimal digits can match. */
  readonly leastDigits: number;
  /** One of these stands in every match; undefined where nobody can tell. */
  readonly rows: readonly RowSearch[] | undefined;
  /** A match may have the end of a line in it. */
  readonly crossesLines: boolean;
  find(text: string, report: (start: number, end: number) => void): void;
}

/** RE2 syntax (no back-references, no look-around). Throws `RangeError` with the place in the pattern. */
export function compilePattern(source: string): Pattern {
  const pattern = compile(source);
  if (pattern.matches('')) throw new RangeError(`pattern '${source}' matches the empty text, so it would match everywhere`);
  const known = rowsOf(source);
  const rows = known?.rows.map((row) => new RowSearch(row));
  return {
    leastDigits: leastDigits(source),
    rows,
    crossesLines: known?.crossesLines ?? true,
    find(text, report) {
      if (rows !== undefined && !mayStandIn(text, rows)) return;
      const matcher = pattern.matcher(text);
      while (matcher.find()) if (matcher.end() > matcher.start()) report(matcher.start(), matcher.end());
    },
  };
}

/** RE2 takes some hundred times as long for each character. */
function mayStandIn(text: string, rows: readonly RowSearch[]): boolean {
  return SURROGATE.test(text) || rows.some((row) => row.isIn(text));
}

function compile(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    const { error: what, input } = error as { error?: unknown; input?: unknown };
    const fragment = typeof input === 'string' ? input : '';
    const at = fragment === '' || fragment === source ? -1 : source.indexOf(fragment);
    const place = at < 0 ? '' : ` at character ${at + 1} ('${fragment}')`;
    throw new RangeError(`pattern '${source}' cannot be used: ${typeof what === 'string' ? what : String(error)}${place}`, {
      cause: error,
    });
  }
}

/**
 * How many decimal digits every match has at least, read off plain patterns such as `\d{3}-\d{2}-\d{4}`; 0 for anything that is not
 * a row of digits, literals, classes and counts.
 */
function leastDigits(source: string): number {
  let least = 0;
  let rest = source;
  while (rest !== '') {
    const atom = ATOM.exec(rest);
    if (atom === null) return 0;
    const [whole, digit, counted, optional] = atom;
    if (digit !== undefined) least += counted !== undefined ? Number(counted) : optional !== undefined ? 0 : 1;
    rest = rest.slice(whole.length);
  }
  return least;
}

/** One character of two units would take two places. */
const SURROGATE = /[\ud800-\udfff]/;
/** One atom with its count: a digit (first group), or an anchor, an escaped or plain literal, a class of other characters. */
const ATOM =
  /^(?:(\\d|\[0-9\]|[0-9])|\\[bBAz]|\\[^a-zA-Z0-9]|\[[A-Za-z_ .-]+\]|[^\\[\]{}()|*+?0-9])(?:\{(\d{1,4})(?:,\d{0,4})?\}|([*?])|\+)?\??/;
