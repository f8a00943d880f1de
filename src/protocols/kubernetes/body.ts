import { parseDocument } from 'yaml';
import { GatewayFault } from '../../core/fault.ts';
import { mediaTypeOf } from '../http/media.ts';
import type { HeaderField, RequestBody } from '../request.ts';
import { hasTwins, parseTree, type JsonNode } from './json-tree.ts';
import { readProtobuf } from './protobuf.ts';
import { groupResource, type ResourceRequest } from './request-info.ts';

/** What is sent with a request, as far as it can be understood. */
export type SentBody =
  | { readonly kind: 'none' }
  /** Nobody looks into it, and nothing has to be known of it. */
  | { readonly kind: 'unseen' }
  | SentObject;

export interface SentObject {
  /** `object`: whole, also of server-side apply. `merge`: a merge patch or a strategic one. `operations`: a JSON patch. */
  readonly kind: 'object' | 'merge' | 'operations';
  readonly isApply: boolean;
  /** JSON, as it is forwarded. */
  readonly text: string;
  readonly tree: JsonNode;
  readonly value: unknown;
  /** It came as YAML: the JSON that was judged is forwarded in its place, so that no other reading of the YAML counts. */
  readonly isRewritten: boolean;
  /** It came as protobuf, and not all of it was read. */
  readonly isPartial: boolean;
  /** It describes pods that were not found in it. */
  readonly hidesPods: boolean;
}

/**
 * Reads the body of a request about a resource. Faults: `unclassified` for what has two meanings or none (members given twice, malformed JSON), `unsupported`
 * for encodings in which it cannot be read here (CBOR; protobuf of APIs that are not Kubernetes' own), `limit-exceeded` for one that is too long to be gathered.
 */
export function sentBody(info: ResourceRequest, fields: readonly HeaderField[], body: RequestBody): SentBody | GatewayFault {
  if (body.kind === 'none' || (body.kind === 'whole' && body.bytes.length === 0)) return { kind: 'none' };
  const media = mediaTypeOf(fields);
  const isStated = fields.some(({ name }) => name === 'content-type');
  const form = info.verb === 'patch' ? PATCHES.get(media.name) : isStated ? OBJECTS.get(media.name) : OBJECTS.get('application/json');
  const needsNone = info.subresource === 'proxy' || UNSEEN.has(groupResource(info));
  if (fields.some(({ name }) => name === 'content-encoding')) return unsupported('a body with a content coding');
  if (form === undefined) return needsNone ? { kind: 'unseen' } : unsupported(media.name === '' ? 'this media type' : media.name);
  if (body.kind === 'streamed') {
    if (needsNone) return { kind: 'unseen' };
    return new GatewayFault('limit-exceeded', { publicMessage: 'the object is longer than what the gateway reads' });
  }
  if (needsNone && info.subresource === 'proxy') return { kind: 'unseen' };
  if (form.isProtobuf) return isOwn(info.group) ? fromProtobuf(body.bytes) : unsupported(media.name);
  let text: string;
  try {
    text = decoder.decode(body.bytes);
  } catch {
    return unclassified('it is not UTF-8');
  }
  const json = form.isYaml && parseTree(text) === undefined ? fromYaml(text) : text;
  if (json instanceof GatewayFault) return json;
  const tree = parseTree(json);
  if (tree === undefined) return unclassified('it is not JSON, or too deep');
  if (hasTwins(tree)) return unclassified('a member is given twice');
  return {
    kind: form.kind,
    isApply: form.isApply,
    text: json,
    tree,
    value: JSON.parse(json),
    isRewritten: json !== text,
    isPartial: false,
    hidesPods: false,
  };
}

/** The bytes are forwarded as they came. */
function fromProtobuf(bytes: Uint8Array): SentObject | GatewayFault {
  const read = readProtobuf(bytes);
  if (read === undefined) return unclassified('it is not the protobuf that it says it is, or gives a field twice');
  const { value, hidesPods } = read;
  const text = JSON.stringify(value);
  const isPartial = value['kind'] !== 'Secret' && value['kind'] !== 'ConfigMap';
  return { kind: 'object', isApply: false, text, tree: parseTree(text)!, value, isRewritten: false, isPartial, hidesPods };
}

/** Groups of Kubernetes itself (Kubernetes API conventions): messages of others can have any form. */
function isOwn(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}

/** As Kubernetes reads it (sigs.k8s.io/yaml: YAML 1.1 made JSON), in one reading. */
function fromYaml(text: string): string | GatewayFault {
  const document = parseDocument(text, { version: '1.1', merge: true, uniqueKeys: true, strict: true, stringKeys: true });
  if (document.errors.length > 0 || document.warnings.length > 0) return unclassified('it is not YAML of one document with one meaning');
  let json: string;
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (!isPlain(value)) return unclassified('a number or date in its YAML has more than one meaning');
    json = JSON.stringify(value);
  } catch {
    return unclassified('its YAML cannot be made JSON');
  }
  return json;
}

/** Nothing in it would be written otherwise by another reader: no dates, no binary, no numbers beyond what is exact. */
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    case 'object':
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isPlain);
      return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isPlain);
    default:
      return false;
  }
}

function unsupported(what: string): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: `the gateway cannot read ${what}, and has to know what is written`,
    detail: MEDIA,
    hint: 'Send JSON or YAML; client-go: ContentType "application/json".',
  });
}

function unclassified(why: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the body of the request is not accepted: ${why}` });
}

interface Form {
  readonly kind: SentObject['kind'];
  readonly isYaml: boolean;
  readonly isApply: boolean;
  readonly isProtobuf: boolean;
}

/** The `detail` by which `fault.ts` knows that 415 is meant. */
export const MEDIA = 'unsupported media type';
const decoder = new TextDecoder('utf-8', { fatal: true });
const OBJECTS: ReadonlyMap<string, Form> = new Map([
  ['application/json', { kind: 'object', isYaml: false, isApply: false, isProtobuf: false }],
  ['application/yaml', { kind: 'object', isYaml: true, isApply: false, isProtobuf: false }],
  ['application/vnd.kubernetes.protobuf', { kind: 'object', isYaml: false, isApply: false, isProtobuf: true }],
]);
const PATCHES: ReadonlyMap<string, Form> = new Map([
  ['application/json-patch+json', { kind: 'operations', isYaml: false, isApply: false, isProtobuf: false }],
  ['application/merge-patch+json', { kind: 'merge', isYaml: false, isApply: false, isProtobuf: false }],
  ['application/strategic-merge-patch+json', { kind: 'merge', isYaml: false, isApply: false, isProtobuf: false }],
  ['application/apply-patch+yaml', { kind: 'object', isYaml: true, isApply: true, isProtobuf: false }],
]);
/** What controllers write all the time, in protobuf, and what runs nothing. */
const UNSEEN: ReadonlySet<string> = new Set([
  'events',
  'events.events.k8s.io',
  'leases.coordination.k8s.io',
  'endpoints',
  'endpointslices.discovery.k8s.io',
]);
