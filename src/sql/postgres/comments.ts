/**
 * The text with each comment replaced by as many spaces as it has characters, so that every other character stays where it is; undefined where there is none, or
 * the tokens cannot be read. `tokens` is the answer of libpg_query's scanner, which is the server's own: JSON with offsets in bytes.
 *
 * A comment is white space to the server (manual, 4.1.5). All of it becomes spaces, line breaks inside it too: with one, the constants in
 * `'a' /* … *\/ 'b'` would be read as one constant that goes on, which to the server is an error.
 */
export function withoutComments(sql: string, tokens: string): string | undefined {
  const comments = commentsIn(tokens);
  if (comments === undefined || comments.length === 0) return undefined;
  const bytes = new TextEncoder().encode(sql);
  let blanked = '';
  let copied = 0;
  for (const { start, end } of comments) {
    if (start < copied || end > bytes.length) return undefined;
    blanked += decoder.decode(bytes.subarray(copied, start)) + decoder.decode(bytes.subarray(start, end)).replace(/./gsu, ' ');
    copied = end;
  }
  return blanked + decoder.decode(bytes.subarray(copied));
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function commentsIn(tokens: string): readonly Span[] | undefined {
  let read: unknown;
  try {
    read = JSON.parse(tokens);
  } catch {
    return undefined;
  }
  const list = (read as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(list)) return undefined;
  const found: Span[] = [];
  for (const token of list as readonly Record<string, unknown>[]) {
    if (token['tokenName'] !== 'C_COMMENT' && token['tokenName'] !== 'SQL_COMMENT') continue;
    const { start, end } = token;
    if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) return undefined;
    found.push({ start: start as number, end: end as number });
  }
  return found;
}

/** Offsets that do not fall between characters are an error, not a replacement character. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
