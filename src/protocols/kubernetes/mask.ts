import { GatewayFault } from '../../core/fault.ts';
import { shownFields, withNotice, withoutBodyFields } from '../http/answer-head.ts';
import { codingOf } from '../http/codings.ts';
import { answerPlan as answerOfHttp } from '../http/mask.ts';
import { lineMasker } from '../http/mask-lines.ts';
import { maskedText, type MaskedCounts } from '../http/mask-text.ts';
import { mediaTypeOf, type MediaType } from '../http/media.ts';
import type { AnswerHead, AnswerPlan, ContentCoding, HeaderField } from '../request.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { maskedObject } from './mask-object.ts';
import { listMasker, watchMasker } from './mask-pieces.ts';
import type { KubernetesMasks, ObjectPlace } from './masks.ts';

/** How an answer is to be read. */
export type AnswerForm =
  /** The same for everybody: discovery, OpenAPI. Or a credential that was asked for. */
  | { readonly kind: 'open' }
  /** An object, a list (`elements`) or a watch (`events`) of this place. */
  | { readonly kind: 'objects'; readonly shape: 'one' | 'elements' | 'events'; readonly place: ObjectPlace; readonly asYaml: boolean }
  /** Lines of text as they come: logs, metrics. */
  | { readonly kind: 'lines' }
  /** Whatever another server behind the API server says. */
  | { readonly kind: 'proxied' };

/**
 * What the client gets of an answer. Where nothing is hidden from its principal, the body passes as it comes. Where something is: objects in JSON are masked
 * by places and detectors, lists and watches element by element as they come; logs line by line; what a proxy answers with as any HTTP answer; anything
 * else is not shown, above all protobuf and CBOR, which were not asked for.
 */
export function answerPlan(
  head: AnswerHead,
  method: string,
  form: AnswerForm,
  environment: KubernetesEnvironment,
  masks: KubernetesMasks,
): AnswerPlan {
  const http = {
    target: { ...environment.target, cookies: false, unmaskedMediaTypes: [] },
    classes: environment.classes,
    revealed: environment.revealed,
  };
  if (head.status < 200) return refusal('upstream-unavailable', 'the target switched protocols without being asked to');
  if (head.status === 401 && form.kind !== 'proxied') {
    return refusal('upstream-refused', 'the API server does not accept the gateway’s own credential');
  }
  if (form.kind === 'proxied') return answerOfHttp(head, method, http, masks.text);
  const counts: MaskedCounts = new Map();
  const fields = shownFields(head, http, form.kind === 'open' ? { ...masks.text, hides: false } : masks.text, counts);
  const hasBody = method !== 'HEAD' && head.status !== 204 && head.status !== 304;
  if (form.kind === 'open' || !masks.hides) return { kind: 'pass', fields: withNotice(fields, counts) };
  if (!hasBody) return { kind: 'pass', fields: withNotice(withoutBodyFields(fields), counts) };
  const coding = codingOf(head.fields);
  if (coding === 'unknown') return refusal('masking-refused', 'its content coding is not one that the gateway can decode');
  const media = mediaTypeOf(head.fields);
  if (media.kind === 'json' && media.isUtf8) return objectPlan(head, form, masks, withNotice(withoutBodyFields(fields), counts), coding);
  return textPlan(head, media, form, masks, withNotice(withoutBodyFields(fields), counts), coding);
}

function objectPlan(
  { status }: AnswerHead,
  form: AnswerForm,
  masks: KubernetesMasks,
  plain: readonly HeaderField[],
  coding: ContentCoding | undefined,
): AnswerPlan {
  const { place, shape, asYaml } = form.kind === 'objects' ? form : { place: nowhere, shape: 'one' as const, asYaml: false };
  const fields = asYaml ? inYaml(plain) : plain;
  if (status === 200 && shape === 'events') return { kind: 'pieces', fields, coding, masker: () => watchMasker(masks, place) };
  if (status === 200 && shape === 'elements') return { kind: 'pieces', fields, coding, masker: () => listMasker(masks, place) };
  return {
    kind: 'whole',
    coding,
    maxBytes: mostBytes,
    tooLong: () => fault('masking-refused', `it is longer than ${mostBytes} bytes, which is more than can be masked as a whole`),
    mask(body) {
      const masked: MaskedCounts = new Map();
      const text = textOf(body);
      const shown = text === undefined || text === '' ? text : maskedObject(masks, place, text, masked);
      if (shown === undefined) return fault('masking-refused', 'it is not the JSON that it says it is, or too deep');
      return { fields: withNotice(fields, masked), body: shown === text ? body : encoder.encode(shown), masked };
    },
  };
}

/** Of text an object cannot be told from what is said about it: only where nothing stands at places, or what is said is an error. */
function textPlan(
  { status }: AnswerHead,
  media: MediaType,
  form: AnswerForm,
  masks: KubernetesMasks,
  fields: readonly HeaderField[],
  coding: ContentCoding | undefined,
): AnswerPlan {
  const isError = status >= 400;
  if ((media.kind !== 'text' && media.name !== '') || (!media.isUtf8 && media.name !== '')) {
    return refusal('masking-refused', `nobody can look for hidden values in ${media.name}`);
  }
  if (masks.isStrict && !isError)
    return refusal('masking-refused', `the target shows JSON only, and this is ${media.name || 'of no stated type'}`);
  if (form.kind === 'lines' && !isError) return { kind: 'pieces', fields, coding, masker: () => lineMasker(masks.text) };
  if (form.kind === 'objects' && !isError)
    return refusal('masking-refused', `JSON was asked for, and this is ${media.name || 'of no stated type'}`);
  return {
    kind: 'whole',
    coding,
    maxBytes: mostTextBytes,
    tooLong: () => fault('masking-refused', `it is longer than ${mostTextBytes} bytes`),
    mask(body) {
      const masked: MaskedCounts = new Map();
      const text = textOf(body);
      if (text === undefined) return fault('masking-refused', 'it is not the UTF-8 text that it says it is');
      const shown = maskedText(masks.text, text, masked);
      return { fields: withNotice(fields, masked), body: shown === text ? body : encoder.encode(shown), masked };
    },
  };
}

/** JSON is YAML. */
function inYaml(fields: readonly HeaderField[]): readonly HeaderField[] {
  return fields.map((field) => (field.name === 'content-type' ? { name: field.name, value: 'application/yaml' } : field));
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function refusal(code: GatewayFault['code'], why: string): AnswerPlan {
  return { kind: 'refuse', fault: fault(code, why) };
}

function fault(code: GatewayFault['code'], why: string): GatewayFault {
  return new GatewayFault(code, {
    publicMessage: code === 'masking-refused' ? `the target has answered, but its answer cannot be shown: ${why}` : why,
    ...(code === 'masking-refused' ? { hint: 'If the request was to change something, it has done so.' } : {}),
  });
}

const nowhere: ObjectPlace = { group: undefined, resource: '', namespace: undefined, name: undefined };
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
/** Above what etcd holds in one object (1.5 MiB), as JSON. */
const mostBytes = 4 * 1024 * 1024;
const mostTextBytes = 1024 * 1024;
