/** A text made plain for the recognisers, and the way back from it. */
export interface FoldedText {
  readonly text: string;
  /** Where, in the original's UTF-16 units, the character at `index` of `text` began. */
  startOf(index: number): number;
  /** Where the character at `index` of `text` ended. */
  endOf(index: number): number;
}

/**
 * Writes every decimal digit of Unicode as ASCII, full-width forms as their ASCII, every space as a space, every dash as a hyphen and the
 * like of a dot as a dot, and drops what cannot be seen (format characters, variation selectors, combining marks), so that a number
 * is found however it is typed. Letters of other scripts stay. Linear.
 */
export function fold(text: string): FoldedText {
  if (!isFolded(text)) return asItIs(text);
  const starts: number[] = [];
  const ends: number[] = [];
  const out: string[] = [];
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at)!;
    const width = code > 0xffff ? 2 : 1;
    const folded = code < 0x80 ? text[at]! : foldCharacter(code);
    for (let unit = 0; unit < folded.length; unit++) {
      out.push(folded[unit]!);
      starts.push(at);
      ends.push(at + width);
    }
    at += width;
  }
  return { text: out.join(''), startOf: (index) => starts[index]!, endOf: (index) => ends[index]! };
}

/** A text that is plain already. */
export function asItIs(text: string): FoldedText {
  return { text, startOf: (index) => index, endOf: (index) => index + 1 };
}

/** Whether anything in it stands for something else; what takes two UTF-16 units counts as that. */
function isFolded(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isFoldedUnit(text.charCodeAt(at))) return true;
  return false;
}

/** The same of one UTF-16 unit. */
export function isFoldedUnit(code: number): boolean {
  return code > 0x7f && ((code >= 0xd800 && code <= 0xdfff) || foldedCode(code) !== code);
}

/** The code of the character that stands for one beyond ASCII; undefined for one that cannot be seen. */
export function foldedCode(code: number): number | undefined {
  if (code > 0xffff) return foldCharacter(code).codePointAt(0);
  const known = FOLDED[code]!;
  if (known !== 0) return known === NOTHING ? undefined : known;
  const folded = foldCharacter(code).codePointAt(0);
  FOLDED[code] = folded ?? NOTHING;
  return folded;
}

/** What stands for one character beyond ASCII; the empty text for one that cannot be seen. */
function foldCharacter(code: number): string {
  const digit = DIGITS.get(code);
  if (digit !== undefined) return digit;
  if (code >= 0xff01 && code <= 0xff5e) return String.fromCharCode(code - 0xfee0);
  const character = String.fromCodePoint(code);
  if (INVISIBLE.test(character)) return '';
  if (SPACE.test(character)) return ' ';
  if (DASH.test(character)) return '-';
  if (DOTS.has(code)) return '.';
  if (code === 0xfe6b) return '@';
  return character;
}

/** Unicode promises that decimal digits stand in runs of ten, zero first (chapter 4, "Numeric Value"); runs may touch one another. */
function decimalDigits(): ReadonlyMap<number, string> {
  const digits = new Map<number, string>();
  let value = 0;
  for (let code = 0x80; code <= 0x1fbff; code++) {
    if (DECIMAL.test(String.fromCodePoint(code))) digits.set(code, String(value++ % 10));
    else value = 0;
  }
  return digits;
}

const DECIMAL = /^\p{Nd}$/u;
const INVISIBLE = /^[\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}]$/u;
const SPACE = /^[\p{Zs}\u0085\u2028\u2029]$/u;
const DASH = /^[\p{Pd}\u2212\u02d7\u2043]$/u;
/** Middle dot, one-dot leader, ideographic full stops, dot operator, bullet. */
const DOTS: ReadonlySet<number> = new Set([0xb7, 0x2024, 0x3002, 0xff61, 0x22c5, 0x2022]);
const DIGITS = decimalDigits();
/** Looked up once each: 0 not yet, `NOTHING` invisible. */
const FOLDED = new Uint32Array(0x10000);
const NOTHING = 0xffff_ffff;
