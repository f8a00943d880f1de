import { stringify } from 'yaml';
import type { Json, JsonObject } from './json.ts';
import { encodeObject } from './protobuf.ts';
import { notAcceptable } from './status.ts';

/** What a client would rather have, of what there is (https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources). */
export interface Wanted {
  readonly encoding: 'json' | 'yaml' | 'protobuf';
  /** Another shape than the object's own. */
  readonly as: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList' | undefined;
  /** Of that shape. */
  readonly version: string;
}

/** `canProtobuf`: this kind can be had so. Throws a Status 406. */
export function negotiate(accept: string | undefined, canProtobuf: boolean): Wanted {
  const plain: Wanted = { encoding: 'json', as: undefined, version: '' };
  if (accept === undefined || accept.trim() === '') return plain;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const of = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]));
    const encoding = encodings.get(type);
    if (encoding === undefined || (encoding === 'protobuf' && !canProtobuf)) continue;
    const as = of.get('as');
    if (as === undefined) return { ...plain, encoding };
    if (!isShape(as) || !['v1', 'v1beta1', 'v2', 'v2beta1'].includes(of.get('v') ?? '')) continue;
    return { encoding, as, version: of.get('v') ?? '' };
  }
  throw notAcceptable(['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']);
}

export function encode(body: Json, wanted: Wanted): { readonly type: string; readonly bytes: Buffer } {
  switch (wanted.encoding) {
    case 'json': {
      const group = wanted.as === 'APIGroupDiscoveryList' ? `;g=apidiscovery.k8s.io;v=${wanted.version};as=APIGroupDiscoveryList` : '';
      return { type: `application/json${group}`, bytes: Buffer.from(`${JSON.stringify(body)}\n`) };
    }
    case 'yaml':
      return { type: 'application/yaml', bytes: Buffer.from(stringify(body)) };
    case 'protobuf':
      return { type: 'application/vnd.kubernetes.protobuf', bytes: encodeObject(body as JsonObject) };
  }
}

function isShape(as: string): as is Exclude<Wanted['as'], undefined> {
  return ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'APIGroupDiscoveryList'].includes(as);
}

const encodings = new Map<string, Wanted['encoding']>([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
  ['*/*', 'json'],
  ['application/*', 'json'],
]);
