/** The maximal runs of ASCII digits in a text: `[start, end, start, end …]`, in order. */
export type DigitRuns = readonly number[];

export function digitRuns(text: string): DigitRuns {
  const runs: number[] = [];
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    if (isDigit(text.charCodeAt(at))) {
      if (start < 0) start = at;
    } else if (start >= 0) {
      runs.push(start, at);
      start = -1;
    }
  }
  if (start >= 0) runs.push(start, text.length);
  return runs;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

export function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

/** True where the text from `from` to `to` is 1 to `most` characters, all of them in `allowed`. */
export function isGap(text: string, from: number, to: number, most: number, allowed: string): boolean {
  if (to - from < 1 || to - from > most) return false;
  for (let at = from; at < to; at++) if (!allowed.includes(text[at]!)) return false;
  return true;
}
