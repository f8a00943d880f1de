import { concatenated } from '../../core/bytes.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { AnswerHead, AnswerPlan, ContentCoding, HeaderField, MaskedAnswer } from '../request.ts';
import { shownFields, withNotice, withoutBodyFields } from './answer-head.ts';
import { codingOf } from './codings.ts';
import type { HttpEnvironment } from './environment.ts';
import { lineMasker } from './mask-lines.ts';
import { eventMasker } from './mask-pieces.ts';
import { maskedForm, maskedJson, maskedMarkup, maskedText, type MaskedCounts } from './mask-text.ts';
import type { HttpMasks } from './masks.ts';
import { isMarkup, mediaTypeOf, type MediaType } from './media.ts';
import { boundaryOf, partsOf } from './multipart.ts';

/**
 * What the client gets of an answer. Where nothing is hidden from its principal, the body passes as it comes. Where something is, the body is
 * decoded and masked, or not shown at all:
 *
 * | body | shown |
 * |---|---|
 * | JSON | masked by the places of this path and by the detectors, whole |
 * | lines of JSON, server-sent events | the same, piece by piece as they come |
 * | text, XML, CSV, a form | masked by the detectors; not at all where places of this path are hidden |
 * | pictures, sound, fonts | as they are; not at all where places of this target are hidden |
 * | multipart | each part by itself, if all can be |
 * | anything else, another charset than UTF-8, an unknown coding, a part of a body | not at all |
 */
export function answerPlan(head: AnswerHead, method: string, environment: HttpEnvironment, masks: HttpMasks): AnswerPlan {
  const { target } = environment;
  if (head.status < 200) return refusal('upstream-unavailable', 'the target switched protocols without being asked to');
  if (head.status === 401 && target.credentialNames.length > 0) {
    return refusal('upstream-refused', 'the target does not accept the gateway’s own credential');
  }
  const counts: MaskedCounts = new Map();
  const fields = shownFields(head, environment, masks, counts);
  const media = mediaTypeOf(head.fields);
  const hasBody = method !== 'HEAD' && head.status !== 204 && head.status !== 304 && !isEmpty(head);
  if (!masks.hides || (hasBody && target.unmaskedMediaTypes.includes(media.name)))
    return { kind: 'pass', fields: withNotice(fields, counts) };
  if (!hasBody) return { kind: 'pass', fields: withNotice(withoutBodyFields(fields), counts) };
  return bodyPlan(head, fields, media, masks, counts);
}

function bodyPlan(head: AnswerHead, fields: readonly HeaderField[], media: MediaType, masks: HttpMasks, counts: MaskedCounts): AnswerPlan {
  if (head.status === 206) return refusal('masking-refused', 'a part of a body cannot be masked');
  const coding = codingOf(head.fields);
  if (coding === 'unknown') return refusal('masking-refused', 'its content coding is not one that the gateway can decode');
  if (media.name.startsWith('multipart/')) {
    return {
      kind: 'whole',
      coding,
      maxBytes: maxMaskedBytes,
      tooLong: () => fault('masking-refused', tooLong),
      // Nothing hides in nothing.
      mask: (body) =>
        body.length === 0 ? { fields: withNotice(fields, counts), body, masked: counts } : maskMultipart(body, head, fields, masks, counts),
    };
  }
  const known = whyNot(media, masks);
  switch (media.kind) {
    case 'events':
    case 'json-lines':
      if (known !== undefined) return refusal('masking-refused', known);
      return {
        kind: 'pieces',
        fields: withNotice(withoutBodyFields(fields), counts),
        coding,
        masker: () => (media.kind === 'events' ? eventMasker(masks) : lineMasker(masks)),
      };
    case 'picture':
      return known === undefined ? { kind: 'pass', fields: withNotice(fields, counts) } : refusal('masking-refused', known);
    case 'json':
    case 'form':
    case 'text':
    case 'unknown':
      return {
        kind: 'whole',
        coding,
        maxBytes: known === undefined ? maxMaskedBytes : 0,
        tooLong: () => fault('masking-refused', known ?? tooLong),
        mask: (body) => {
          // Nothing hides in nothing, whatever it says that it is.
          if (body.length === 0) return { fields: withNotice(fields, counts), body, masked: counts };
          return known === undefined ? maskWhole(body, fields, media, masks, coding, counts) : fault('masking-refused', known);
        },
      };
    default:
      return media.kind satisfies never;
  }
}

/** Why such a body cannot be shown where something is hidden; undefined where it can be masked or needs none. */
function whyNot({ kind, name, isUtf8 }: MediaType, masks: HttpMasks): string | undefined {
  const what = name === '' ? 'its media type is missing or cannot be read' : `nobody can look for hidden values in ${name}`;
  if (kind === 'unknown') return what;
  if (kind === 'picture') return masks.holdsDocuments || masks.isStrict ? what : undefined;
  if (!isUtf8) return 'its charset is not UTF-8';
  if (kind === 'json' || kind === 'json-lines' || kind === 'events') return undefined;
  if (masks.isStrict) return `the target shows JSON only, and this is ${name}`;
  return masks.rules.length > 0 ? `values are hidden at places in the JSON of this path, and this is ${name}` : undefined;
}

function maskWhole(
  body: Uint8Array,
  fields: readonly HeaderField[],
  media: MediaType,
  masks: HttpMasks,
  coding: ContentCoding | undefined,
  ofTheHead: MaskedCounts,
): MaskedAnswer | GatewayFault {
  const counts: MaskedCounts = new Map(ofTheHead);
  const text = textOf(body);
  if (text === undefined) return fault('masking-refused', 'it is not the UTF-8 text that it says it is');
  const shown = maskedBody(masks, media, text, counts);
  if (shown === undefined) return fault('masking-refused', 'it is no JSON, or too deep, and values are hidden at places in it');
  if (shown === text)
    return { fields: withNotice(coding === undefined ? fields : withoutBodyFields(fields), counts), body, masked: counts };
  return { fields: withNotice(withoutBodyFields(fields), counts), body: encoder.encode(shown), masked: counts };
}

/** `multipart`: each part by what it is itself, everything else byte for byte. */
function maskMultipart(
  body: Uint8Array,
  head: AnswerHead,
  fields: readonly HeaderField[],
  masks: HttpMasks,
  ofTheHead: MaskedCounts,
): MaskedAnswer | GatewayFault {
  const counts: MaskedCounts = new Map(ofTheHead);
  const boundary = boundaryOf(head.fields);
  const parts = boundary === undefined ? undefined : partsOf(body, boundary);
  if (parts === undefined) return fault('masking-refused', 'its parts cannot be told with certainty');
  const shown: Uint8Array[] = [];
  let from = 0;
  for (const part of parts) {
    const media = mediaTypeOf(part.fields.length === 0 ? plainText : part.fields);
    const isCoded = part.fields.some(({ name }) => name === 'content-encoding' || name === 'content-transfer-encoding');
    const known = isCoded ? 'it has a coding of its own' : whyNot(media, masks);
    if (known !== undefined) return fault('masking-refused', `of one of its parts, ${known}`);
    if (part.fields.some(({ value }) => maskedText(masks, value, counts) !== value))
      return fault('masking-refused', 'the head of one of its parts holds a hidden value');
    const text = textOf(body.subarray(part.start, part.end));
    const masked = media.kind === 'picture' ? undefined : text === undefined ? null : maskedBody(masks, media, text, counts);
    if (masked === null || (masked === undefined && media.kind !== 'picture'))
      return fault('masking-refused', 'one of its parts is not what it says it is');
    shown.push(body.subarray(from, part.start), masked === undefined ? body.subarray(part.start, part.end) : encoder.encode(masked));
    from = part.end;
  }
  shown.push(body.subarray(from));
  return { fields: withNotice(withoutBodyFields(fields), counts), body: concatenated(shown), masked: counts };
}

/** A text of this kind with everything hidden masked; undefined where nothing of it may be shown. */
export function maskedBody(
  masks: HttpMasks,
  { kind, name = '' }: Pick<MediaType, 'kind'> & Partial<Pick<MediaType, 'name'>>,
  text: string,
  counts: MaskedCounts,
): string | undefined {
  if (kind === 'text' && isMarkup(name)) return maskedMarkup(masks, text, counts);
  if (kind === 'form') return maskedForm(masks, text, counts);
  return kind === 'json' ? maskedJson(masks, text, counts) : maskedText(masks, text, counts);
}

/** Undefined for what is no UTF-8, or holds NUL, as UTF-16 does whose letters are ASCII's. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

function isEmpty({ fields }: AnswerHead): boolean {
  return fields.some(({ name, value }) => name === 'content-length' && value === '0');
}

function refusal(code: GatewayFault['code'], why: string): AnswerPlan {
  return { kind: 'refuse', fault: fault(code, why) };
}

function fault(code: GatewayFault['code'], why: string): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: code === 'masking-refused' ? `the target has answered, but its answer cannot be shown: ${why}` : why,
    ...(code === 'masking-refused'
      ? { hint: 'If the request was to change something, it has done so. Ask for JSON, or for less, or ask the platform team.' }
      : {}),
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
/** Masking one is work that everyone waits for: a sixth of a second at most. */
export const maxMaskedBytes = 2 * 1024 * 1024;
const tooLong = `it is longer than ${maxMaskedBytes} bytes, which is more than can be masked as a whole`;
/** RFC 2046 section 5.1: what a part without any field is. */
const plainText: readonly HeaderField[] = [{ name: 'content-type', value: 'text/plain' }];
