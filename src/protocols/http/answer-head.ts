import type { AnswerHead, HeaderField } from '../request.ts';
import type { HttpEnvironment } from './environment.ts';
import { listOf } from './head-fields.ts';
import { maskedText, type MaskedCounts } from './mask-text.ts';
import type { HttpMasks } from './masks.ts';

/** The fields of an answer that are the client's business, with what the detectors find in them masked. */
export function shownFields(head: AnswerHead, { target }: HttpEnvironment, masks: HttpMasks, counts: MaskedCounts): readonly HeaderField[] {
  // A Connection-listed field belongs to the connection (RFC 9110 section 7.6.1).
  const listed = listOf(head.fields, 'connection');
  const shown: HeaderField[] = [];
  for (const field of head.fields) {
    const { name } = field;
    if (NOT_SHOWN.has(name) || listed.includes(name) || name.startsWith('sallyport-') || name.startsWith('proxy-')) continue;
    if (!target.cookies && (name === 'set-cookie' || name === 'set-cookie2')) continue;
    const value = masks.hides && !PLAIN.has(name) ? maskedText(masks, field.value, counts) : field.value;
    shown.push(value === field.value ? field : { name, value });
  }
  return shown;
}

/** Without what speaks of the bytes of the body as they came: its length, its coding, its digests, its parts. */
export function withoutBodyFields(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields.filter(({ name }) => !OF_THE_BODY.has(name) && !name.startsWith('x-amz-checksum-'));
}

/** The notice of what was masked, by class. */
export function withNotice(fields: readonly HeaderField[], masked: ReadonlyMap<string, number>): readonly HeaderField[] {
  if (masked.size === 0) return fields;
  return [...fields, { name: 'sallyport-masked', value: [...masked].map(([name, count]) => `${name}=${count}`).join(', ') }];
}

/** Of one connection or its framing; by which an answer would lead clients around the gateway or speak of the gateway's own credential. */
const NOT_SHOWN: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'alt-svc',
  'www-authenticate',
  'authentication-info',
]);
/** Nothing sensitive has this form, and a changed one would mislead. */
const PLAIN: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'date',
  'last-modified',
  'expires',
  'age',
]);
/** A digest of what is hidden would let values be guessed. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  'content-length',
  'content-encoding',
  'content-range',
  'accept-ranges',
  'etag',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'signature',
  'signature-input',
  'x-goog-hash',
]);
