/**
 * Values that nobody may see, and the search for them: any four characters of a text (five digits of a number, seven of a date), forwards or backwards, as
 * text, hexadecimal, base64 or UTF-16, whatever message they are in.
 */
export const canaries = {
  ssn: ['Xq7vJz-Kw9yQh', 'Zj5wVq-Qx4kYj', 'Wv8qZk-Yq3jXw'],
  tax: ['kVzQ6xwJ9qYv', 'jXqW5zkY7vQw', 'wYkJ8vqZ6xKq'],
  pin: ['826491735', '739185264', '647391825'],
  born: ['1873-04-19', '1879-08-27', '1867-11-23'],
  document: ['vJqX3wzK8yVk', 'qKwZ7jvX4yQj', 'yVxJ5kqW9zXv'],
} as const;

/** The first canary in these bytes, and what stands around it; undefined where there is none. */
export function findCanary(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1').replaceAll(sessionId, 'SESSION');
  for (const { what, form } of forms) {
    const at = text.indexOf(form);
    if (at >= 0) return `${what} ${JSON.stringify(form)} in ${JSON.stringify(text.slice(Math.max(0, at - 80), at + 40))}`;
  }
  return undefined;
}

function piecesOf(value: string): readonly string[] {
  // A date has its month in common with today's.
  const length = value.includes('-') && digits.test(value) ? 7 : digits.test(value) ? 5 : 4;
  const pieces = new Set<string>();
  for (const way of [value, Array.from(value).toReversed().join('')])
    for (let at = 0; at + length <= way.length; at += 1) pieces.add(way.slice(at, at + length));
  return [...pieces];
}

function spellings(piece: string): readonly string[] {
  const bytes = Buffer.from(piece);
  const hex = bytes.toString('hex');
  const found = [piece, hex, hex.toUpperCase(), Buffer.from(piece, 'utf16le').toString('latin1')];
  if (digits.test(piece)) return found;
  found.push(piece.toLowerCase(), piece.toUpperCase());
  return found;
}

/** Only characters that depend on the whole value alone, at each of the three ways it can lie in base64. */
function base64Of(value: string): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const all = Buffer.concat([Buffer.alloc(shift), Buffer.from(value), Buffer.alloc(2)]).toString('base64');
    return all.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + value.length) * 8) / 6)).slice(0, 8);
  });
}

/** Made of the time and of chance, which spell such short pieces now and then; no value is ever in it. */
const sessionId = /ses_[0-9a-z]{8}[0-9a-f]{20}/g;
const digits = /^[0-9-]+$/;
const forms = Object.entries(canaries).flatMap(([what, values]) =>
  values.flatMap((value) => [...piecesOf(value).flatMap(spellings), ...base64Of(value)].map((form) => ({ what, form }))),
);
