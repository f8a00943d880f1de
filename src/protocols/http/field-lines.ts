import { fieldName } from './head-names.ts';

/**
 * The field lines of a head or of trailers (RFC 9112 section 5) without the line break behind the last one, as names and values in turn, a character for each
 * octet. Undefined for what is malformed. Stricter than the RFC lets a reader be: a line ends in CRLF and in nothing else, none is folded, no space stands in front of
 * a colon.
 */
export function readFieldLines(text: string, from = 0): string[] | undefined {
  const raw: string[] = [];
  for (let at = from; at < text.length;) {
    const found = text.indexOf('\r\n', at);
    const end = found < 0 ? text.length : found;
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon >= end) return undefined;
    const name = text.slice(at, colon);
    const value = trimmed(text, colon + 1, end);
    if (fieldName(name) === undefined || !isFieldContent(value)) return undefined;
    raw.push(name, value);
    // A line break at the very end would begin one more line.
    if (found >= 0 && found + 2 === text.length) return undefined;
    at = end + 2;
  }
  return raw;
}

/** Visible characters, spaces and tabs, and whatever is beyond ASCII (RFC 9110 section 5.5): no line break, no NUL. */
export function isFieldContent(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** Without the spaces and tabs around it. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
