/** All parts with their lengths in front, so that no two lists are the same bytes: what an approval binds. */
export function lengthPrefixed(parts: readonly (string | Uint8Array)[]): Uint8Array {
  // UTF-8 has at most three bytes for each UTF-16 unit.
  const all = new Uint8Array(parts.reduce((most, part) => most + 4 + part.length * (typeof part === 'string' ? 3 : 1), 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const part of parts) {
    const length = typeof part === 'string' ? encoder.encodeInto(part, all.subarray(at + 4)).written : part.length;
    if (typeof part !== 'string') all.set(part, at + 4);
    view.setUint32(at, length);
    at += 4 + length;
  }
  return all.slice(0, at);
}

const encoder = new TextEncoder();
