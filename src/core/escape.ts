/**
 * Text for a person who decides on it: whatever is invisible, changes the direction of writing, moves a terminal's cursor or looks like an
 * ordinary space is shown as `\u{…}`, so that what is read is what runs. Line feeds and tabs stay. A `\u{` that was in the text already
 * is shown as `\u{5c}u{`: nothing can pass for an escape of ours.
 */
export function escapeInvisible(text: string): string {
  return text.replaceAll(hidden, escapeCharacter);
}

/** The same on one line: for names, reasons and messages. */
export function escapeLine(text: string): string {
  return escapeInvisible(text).replaceAll(/[\n\t]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/**
 * Controls, formats, surrogates, private and unassigned characters (C), separators other than the space (Z), and what Unicode says to
 * draw as nothing (UAX 44, Default_Ignorable_Code_Point) or draws as nothing though it does not say so (the braille blank). One character each: linear.
 */
const hidden = /\\(?=u\{)|(?![ \n\t])[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;
