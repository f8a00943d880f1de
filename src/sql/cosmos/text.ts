import { tokensOf } from './tokens.ts';

/** A query with `?` in place of every string and number, for the record. Throws what `tokensOf` throws. */
export function withoutConstants(query: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const { kind, start, end } of tokensOf(query)) {
    if (kind !== 'string' && kind !== 'number') continue;
    parts.push(query.slice(from, start), '?');
    from = end;
  }
  return parts.join('') + query.slice(from);
}
