import { contains, LEFT_TO_RIGHT, PROHIBITED, RIGHT_TO_LEFT } from './saslprep-tables.ts';

/**
 * A password as PostgreSQL's SCRAM uses it: after SASLprep (RFC 4013), or as it is where SASLprep does not allow it. ASCII is always as
 * it is. Like the server (`common/saslprep.c`) this checks for prohibited characters and for directions before normalizing, where
 * the RFC would check after it: with another order the two sides would disagree on such a password.
 */
export function preparedPassword(password: string): Uint8Array {
  return new TextEncoder().encode(saslPrep(password) ?? password);
}

/** `undefined` where the result would be empty or is not allowed. */
function saslPrep(text: string): string | undefined {
  if (isAscii(text)) return text;
  const mapped = text.replace(OTHER_SPACES, ' ').replace(MAPPED_TO_NOTHING, '');
  const codePoints = Array.from(mapped, (character) => character.codePointAt(0)!);
  if (codePoints.length === 0) return undefined;
  if (codePoints.some((codePoint) => contains(PROHIBITED, codePoint))) return undefined;
  return directionsAgree(codePoints) ? mapped.normalize('NFKC') : undefined;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** RFC 3454 section 6: with any right-to-left character, the first and last are such, and none is left-to-right. */
function directionsAgree(codePoints: readonly number[]): boolean {
  if (!codePoints.some((codePoint) => contains(RIGHT_TO_LEFT, codePoint))) return true;
  const outermost = [codePoints[0]!, codePoints[codePoints.length - 1]!];
  return (
    outermost.every((codePoint) => contains(RIGHT_TO_LEFT, codePoint)) &&
    !codePoints.some((codePoint) => contains(LEFT_TO_RIGHT, codePoint))
  );
}

/** RFC 3454 table C.1.2, and B.1. U+200B stands in both; the server takes it for a space, and so do we. */
const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
const MAPPED_TO_NOTHING = /\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g;
