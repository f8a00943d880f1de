import type { Lookout } from './lookahead.ts';
import type { Pattern } from './pattern.ts';

/** For a pattern of a user, by what stands in every match of it. Where nothing does, everything might be one. */
export class PatternLookout implements Lookout {
  readonly #rows: Pattern['rows'];
  readonly #crossesLines: boolean;

  constructor({ rows, crossesLines }: Pattern) {
    this.#rows = rows;
    this.#crossesLines = crossesLines;
  }

  first(bytes: Uint8Array, from: number, to: number, plainFrom: number): number {
    if (this.#rows === undefined) return from;
    // Of a match that began in a line before this one, the row may stand there.
    const start = this.#crossesLines ? from - linesBefore : from;
    if (start < plainFrom && this.#crossesLines) return from;
    let first = to;
    for (const row of this.#rows) first = Math.min(first, row.first(bytes, Math.max(0, start), to));
    return Math.max(first, from);
  }
}

/** As many bytes as a stream remembers of what it has let go. */
const linesBefore = 96;
