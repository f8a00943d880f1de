/** 1 for those characters that may stand at one place: ASCII by code, and at `beyondAscii` whatever else. */
export type CharacterSet = Uint8Array;
export const beyondAscii = 128;

/** What every match of a pattern has in it. */
export interface PatternRows {
  /** One of these stands in every match: so many characters side by side, each one of its set. */
  readonly rows: readonly (readonly CharacterSet[])[];
  /** A match may have the end of a line in it. */
  readonly crossesLines: boolean;
}

/**
 * Reads off a pattern (RE2 syntax) what is cheap to look for: of each of its alternatives the row of characters that is seldom met by chance. Of the syntax it knows what patterns for values are made of; undefined
 * for anything else, and where nothing of a match is certain. Says more than a match can be where it is not sure, never less.
 */
export function rowsOf(pattern: string): PatternRows | undefined {
  try {
    const reader = new Reader(pattern);
    const rows = reader.alternatives().map(rarest);
    return reader.isAtEnd && rows.every((row) => row.length > 0) ? { rows, crossesLines: reader.crossesLines } : undefined;
  } catch (error) {
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

/** Side by side; undefined for anything, also nothing, in between. */
type Sequence = (CharacterSet | undefined)[];

class NotUnderstood extends Error {}

class Reader {
  crossesLines = false;
  readonly #pattern: string;
  readonly #ignoresCase: boolean;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
    // Wherever it holds: to take it as holding everywhere says more, not less.
    this.#ignoresCase = /\(\?[a-zA-Z]*i/.test(pattern);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#pattern.length;
  }

  alternatives(): Sequence[] {
    const all = [this.#sequence()];
    while (this.#takes('|')) all.push(this.#sequence());
    return all;
  }

  #sequence(): Sequence {
    const sequence: Sequence = [];
    while (!this.isAtEnd && this.#next !== '|' && this.#next !== ')') sequence.push(...this.#counted(this.#atom()));
    return sequence;
  }

  #atom(): Sequence {
    const character = this.#take();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return [this.#class()];
      case '.':
        return [this.#any()];
      case '^':
      case '$':
        return [];
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new NotUnderstood();
      default:
        return [this.#literal(character)];
    }
  }

  #group(): Sequence {
    if (this.#takes('?')) {
      const opening = /^(?:P?<[A-Za-z0-9_]+>|[imsU]*(?:-[imsU]+)?:|[imsU]+\))/.exec(this.#pattern.slice(this.#at))?.[0];
      if (opening === undefined) throw new NotUnderstood();
      this.#at += opening.length;
      if (opening.endsWith(')')) return [];
    }
    const alternatives = this.alternatives();
    if (!this.#takes(')')) throw new NotUnderstood();
    return alternatives.length === 1 ? alternatives[0]! : either(alternatives);
  }

  /** As often as the quantifier behind it says at least. */
  #counted(atom: Sequence): Sequence {
    const quantifier = /^(?:[*+?]|\{(\d{1,4})(?:(,)(\d{0,4}))?\})\??/.exec(this.#pattern.slice(this.#at));
    if (quantifier === null) return atom;
    const [whole, counted, comma, most] = quantifier;
    this.#at += whole.length;
    if (/^[*+?{]/.test(this.#next)) throw new NotUnderstood();
    const least = counted !== undefined ? Number(counted) : whole.startsWith('+') ? 1 : 0;
    const isExact = counted !== undefined && (comma === undefined || (most !== '' && Number(most) === least));
    const repeated: Sequence = [];
    for (let index = 0; index < least && repeated.length < longestRow; index += 1) repeated.push(...atom);
    return isExact && repeated.length < longestRow ? repeated : [...repeated, undefined];
  }

  #escape(): Sequence {
    const character = this.#take();
    if ('bBAz'.includes(character)) return [];
    return [this.#escaped(character)];
  }

  #escaped(character: string): CharacterSet {
    const named = NAMED.get(character);
    if (named !== undefined) return this.#noted(named);
    const control = CONTROLS.get(character);
    if (control !== undefined) return this.#noted(setOf((code) => code === control));
    if (character === 'x') {
      const hexadecimal = /^(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.#pattern.slice(this.#at));
      if (hexadecimal === null) throw new NotUnderstood();
      this.#at += hexadecimal[0].length;
      return this.#literal(String.fromCodePoint(Number.parseInt(hexadecimal[1] ?? hexadecimal[2]!, 16)));
    }
    if (/[A-Za-z0-9]/.test(character)) throw new NotUnderstood();
    return this.#literal(character);
  }

  #class(): CharacterSet {
    const isNegated = this.#takes('^');
    const set = setOf(() => false);
    for (let isFirst = true; isFirst || this.#next !== ']'; isFirst = false) {
      const [low, members] = this.#member();
      if (members !== undefined) merge(set, members);
      else if (this.#next === '-' && this.#pattern[this.#at + 1] !== ']') {
        this.#at += 1;
        const [high, unexpected] = this.#member();
        if (unexpected !== undefined) throw new NotUnderstood();
        merge(set, this.#cased(setOf((code) => code >= low && code <= high)));
        this.#addBeyond(set, high);
      } else merge(set, this.#cased(setOf((code) => code === low)));
      this.#addBeyond(set, low);
    }
    this.#at += 1;
    // Negated, more than is in it must not be left out.
    if (isNegated && this.#ignoresCase) return this.#noted(setOf(() => true));
    return this.#noted(isNegated ? setOf((code) => set[code] === 0 || code === beyondAscii) : set);
  }

  /** Some characters beyond ASCII have letters of ASCII as their other case. */
  #addBeyond(set: CharacterSet, code: number): void {
    if (code > 0x7f) set.fill(1, this.#ignoresCase ? 0 : beyondAscii);
  }

  /** One character, or a named class. */
  #member(): readonly [code: number, members: CharacterSet | undefined] {
    const character = this.#take();
    if (character === '[' && this.#next === ':') throw new NotUnderstood();
    if (character !== '\\') return [character.codePointAt(0)!, undefined];
    const escaped = this.#take();
    if ('dDwWsS'.includes(escaped)) return [0, NAMED.get(escaped)];
    const set = this.#escaped(escaped);
    const code = set.indexOf(1);
    if (this.#ignoresCase || code < 0 || code === beyondAscii || set.indexOf(1, code + 1) >= 0) throw new NotUnderstood();
    return [code, undefined];
  }

  #any(): CharacterSet {
    return this.#noted(setOf((code) => code !== LINE_FEED || /\(\?[a-zA-Z]*s/.test(this.#pattern)));
  }

  #literal(character: string): CharacterSet {
    const literal = character.codePointAt(0)!;
    if (literal > 0x7f) return this.#noted(setOf((code) => this.#ignoresCase || code === beyondAscii));
    return this.#noted(this.#cased(setOf((code) => code === literal)));
  }

  #cased(set: CharacterSet): CharacterSet {
    if (!this.#ignoresCase) return set;
    return setOf((code) => set[code] === 1 || code === beyondAscii || (isLetter(code) && set[code ^ CASE] === 1));
  }

  #noted(set: CharacterSet): CharacterSet {
    this.crossesLines ||= set[LINE_FEED] === 1;
    return set;
  }

  get #next(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #takes(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }

  /** One character; two UTF-16 units where it has two. */
  #take(): string {
    const code = this.#pattern.codePointAt(this.#at);
    if (code === undefined) throw new NotUnderstood();
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }
}

/** What all have in common: place by place as far as the shortest is certain. */
function either(alternatives: readonly Sequence[]): Sequence {
  const common: Sequence = [];
  for (let index = 0; ; index += 1) {
    const sets = alternatives.map((sequence) => sequence[index]);
    if (sets.every((set) => set !== undefined)) {
      const set = setOf(() => false);
      for (const one of sets) merge(set, one);
      common.push(set);
    } else return alternatives.every((sequence) => sequence.length === index) ? common : [...common, undefined];
  }
}

/** Of all that stands side by side in it, what is met least by chance; empty where nothing is. */
function rarest(sequence: Sequence): readonly CharacterSet[] {
  let best: readonly CharacterSet[] = [];
  for (let from = 0; from < sequence.length;) {
    let to = from;
    while (to < sequence.length && sequence[to] !== undefined) to += 1;
    for (let start = from; start === from || start + longestRow <= to; start += 1) {
      const row = trimmed(sequence.slice(start, Math.min(to, start + longestRow)) as CharacterSet[]);
      if (rarity(row) > rarity(best)) best = row;
    }
    from = to + 1;
  }
  return best;
}

/** Without what says nothing, at either end. */
function trimmed(row: readonly CharacterSet[]): readonly CharacterSet[] {
  let [from, to] = [0, row.length];
  while (from < to && bits(row[from]!) < leastBits) from += 1;
  while (to > from && bits(row[to - 1]!) < leastBits) to -= 1;
  return row.slice(from, to);
}

function rarity(row: readonly CharacterSet[]): number {
  return row.reduce((sum, set) => sum + bits(set), 0);
}

function bits(set: CharacterSet): number {
  return Math.log2(
    129 /
      Math.max(
        0.5,
        set.reduce((count, member) => count + member, 0),
      ),
  );
}

function setOf(includes: (code: number) => boolean): CharacterSet {
  return Uint8Array.from({ length: beyondAscii + 1 }, (_, code) => (includes(code) ? 1 : 0));
}

function merge(into: CharacterSet, from: CharacterSet): void {
  for (const [code, member] of from.entries()) if (member === 1) into[code] = 1;
}

function isLetter(code: number): boolean {
  return /[A-Za-z]/.test(String.fromCharCode(code));
}

/** As many as the bits of a number that is quick to work with. */
const longestRow = 31;
/** A set of half of all characters or more says nothing. */
const leastBits = 1;
const LINE_FEED = 0x0a;
/** Between the two cases of a letter. */
const CASE = 0x20;
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['a', 0x07],
  ['t', 0x09],
  ['n', 0x0a],
  ['v', 0x0b],
  ['f', 0x0c],
  ['r', 0x0d],
]);
/** In ASCII, as RE2 has them: `\s` without the vertical tab. */
const NAMED: ReadonlyMap<string, CharacterSet> = new Map(
  (
    [
      ['d', /[0-9]/],
      ['w', /[0-9A-Za-z_]/],
      ['s', /[\t\n\f\r ]/],
    ] as const
  ).flatMap(([name, members]) => {
    const set = setOf((code) => code < beyondAscii && members.test(String.fromCharCode(code)));
    return [
      [name, set],
      [name.toUpperCase(), setOf((code) => set[code] === 0)],
    ];
  }),
);
