/** At most so many characters (UTF-16 units) of a text, and `…` where some are missing. */
export function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}

/** Texts that have so many characters together. Where that is too few, the last one kept ends in `…`. */
export function cutAll(texts: readonly string[], maxLength: number): readonly string[] {
  const kept: string[] = [];
  let left = maxLength;
  for (const text of texts) {
    if (left <= 0) {
      kept.push('…');
      break;
    }
    kept.push(cut(text, left));
    left -= text.length + 1;
  }
  return kept;
}
