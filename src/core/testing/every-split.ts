/**
 * Runs `check` on `bytes` cut into chunks in every way that matters: whole, byte by byte, at each one position and, for up to 160 bytes,
 * at each two positions. Some chunks are empty. Each chunk lies at an odd offset of a larger buffer of its own, which is overwritten
 * when the next one is asked for: so code that forgets `byteOffset`, or keeps a view for too long, is found out. A failure names the cuts.
 */
export function everySplit(bytes: Uint8Array, check: (chunks: Iterable<Uint8Array>) => void): void {
  attempt(bytes, [], check);
  attempt(
    bytes,
    Array.from({ length: Math.max(0, bytes.length - 1) }, (_, index) => index + 1),
    check,
  );
  for (let cut = 0; cut <= bytes.length; cut += 1) attempt(bytes, [cut], check);
  if (bytes.length > PAIRS_UP_TO_BYTES) return;
  for (let first = 0; first <= bytes.length; first += 1) {
    for (let second = first; second <= bytes.length; second += 1) attempt(bytes, [first, second], check);
  }
}

function attempt(bytes: Uint8Array, cuts: readonly number[], check: (chunks: Iterable<Uint8Array>) => void): void {
  try {
    check(chunksOf(bytes, cuts));
  } catch (error) {
    const where = cuts.length > 2 ? 'at every byte' : `at [${cuts.join(', ')}]`;
    throw new Error(`cut ${where} of ${bytes.length} bytes: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): Generator<Uint8Array> {
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const chunk = new Uint8Array(to - from + 2 * MARGIN_BYTES).subarray(MARGIN_BYTES, MARGIN_BYTES + to - from);
    chunk.set(bytes.subarray(from, to));
    yield chunk;
    chunk.fill(0xa5);
    from = to;
  }
}

const PAIRS_UP_TO_BYTES = 160;
const MARGIN_BYTES = 3;
