import { isUtf8 } from 'node:buffer';

/**
 * The value of a text that is canonical JSON (RFC 8785): it is parsed, encoded again here, and must come out byte for byte the same.
 * Throws an `Error` that says what is not.
 */
export function parseCanonical(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new Error('not UTF-8');
  const text = bytes.toString('utf8');
  const value: unknown = JSON.parse(text);
  // ECMAScript's own encoder is the one RFC 8785 defines, but for the order of members and lone surrogates; it is twice as fast.
  if (JSON.stringify(value) === text && isOrdered(value) && !text.includes('\\ud')) return value;
  if (encodeCanonical(value) !== text) throw new Error('not canonical JSON');
  return value;
}

/** RFC 8785. Throws an `Error` where a string is not Unicode. */
export function encodeCanonical(value: unknown): string {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new Error('a string holds half of a surrogate pair');
    return JSON.stringify(value);
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(encodeCanonical).join(',')}]`;
  const members = value as Record<string, unknown>;
  // Without a comparison function `sort` goes by UTF-16 code units, which is RFC 8785's order.
  const encoded = Object.keys(members)
    .sort()
    .map((name) => `${encodeCanonical(name)}:${encodeCanonical(members[name])}`);
  return `{${encoded.join(',')}}`;
}

function isOrdered(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (Array.isArray(value)) return value.every(isOrdered);
  const members = value as Record<string, unknown>;
  let before: string | undefined;
  for (const name of Object.keys(members)) {
    if (before !== undefined && before >= name) return false;
    before = name;
    const member = members[name];
    if (typeof member === 'object' && !isOrdered(member)) return false;
  }
  return true;
}
