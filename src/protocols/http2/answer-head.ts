import type { HeaderField } from '../http/head-fields.ts';
import type { DecodedField } from './hpack-decoder.ts';

/** The head of an answer. */
export interface Http2AnswerHead {
  readonly status: number;
  readonly fields: readonly HeaderField[];
  /** As it was announced; undefined where it was not. */
  readonly contentLength: number | undefined;
}

/** RFC 9113 sections 8.2 and 8.3.2. Undefined for what is malformed: also 101, which HTTP/2 has not (section 8.6). */
export function readAnswerHead(decoded: readonly DecodedField[]): Http2AnswerHead | undefined {
  const [first] = decoded;
  if (first?.kind !== 'status' || first.field.value === '101') return undefined;
  const fields: HeaderField[] = [];
  let contentLength: number | undefined;
  for (let at = 1; at < decoded.length; at += 1) {
    const { kind, field } = decoded[at]!;
    if (kind === 'malformed' || kind === 'status') return undefined;
    if (kind === 'content-length') {
      if (contentLength !== undefined) return undefined;
      contentLength = Number(field.value);
    }
    fields.push(field);
  }
  return { status: Number(first.field.value), fields, contentLength };
}

/** What stands behind the body (section 8.1). Undefined for what is malformed: no pseudo-header field may be there. */
export function readTrailers(decoded: readonly DecodedField[]): readonly HeaderField[] | undefined {
  for (const { kind } of decoded) if (kind === 'malformed' || kind === 'status') return undefined;
  return decoded.map(({ field }) => field);
}
