import { GatewayFault } from '../../core/fault.ts';
import { boundFields } from '../http/record-text.ts';
import type { HeaderField, ReceivedRequest } from '../request.ts';
import { parseTimeout } from './deadline.ts';
import type { MessageCoding } from './environment.ts';

/** How the messages of a call are carried. */
export type Carriage = 'grpc' | 'web' | 'web-text';

/** What the head of a call says, besides its method. */
export interface CallHead {
  readonly carriage: Carriage;
  /** Behind `+` in the content type: `proto`; empty where nothing is there. */
  readonly subtype: string;
  /** Undefined: no deadline. */
  readonly timeoutMs: number | undefined;
  /** Of messages with the compressed flag. Undefined: identity. */
  readonly coding: MessageCoding | undefined;
  /** What the application sent beside its messages, and what goes upstream of it. */
  readonly metadata: readonly HeaderField[];
  /** What an approval binds of that. */
  readonly bound: readonly HeaderField[];
  /** What the target gets: everything but the metadata is made anew. Without the deadline. */
  readonly upstream: readonly HeaderField[];
}

/** `callHead`; a head that comes again on its connection is read once, but for its deadline. */
export function headOf(
  { method, fields, forwardable, isRepeated }: ReceivedRequest,
  credentialNames: readonly string[],
): CallHead | GatewayFault {
  const known = isRepeated === true ? read.get(forwardable) : undefined;
  if (known?.credentialNames === credentialNames) {
    const timeoutMs = timeoutOf(fields);
    return timeoutMs instanceof GatewayFault ? timeoutMs : { ...known.head, timeoutMs };
  }
  const head = callHead(method, fields, forwardable, credentialNames);
  if (isRepeated === true && !(head instanceof GatewayFault)) read.set(forwardable, { credentialNames, head });
  return head;
}

/** Codings that the gateway knows, as it says it in `grpc-accept-encoding`. */
export const knownCodings = 'identity,deflate,gzip';

/**
 * Reads the head of a call (gRPC over HTTP/2, "Requests"; gRPC-Web). `forwardable`: without what does not go upstream for any protocol. Faults:
 * `unsupported` for a content type, a coding or a method of HTTP that are none of gRPC's; `protocol-violation` for a deadline that is none.
 */
export function callHead(
  method: string,
  fields: readonly HeaderField[],
  forwardable: readonly HeaderField[],
  credentialNames: readonly string[],
): CallHead | GatewayFault {
  const { carriage, subtype } = carriageOf(valueOf(fields, 'content-type')) ?? {};
  if (carriage === undefined || subtype === undefined) return unsupported('the content type is not application/grpc, -web or -web-text');
  if (!SUBTYPES.has(subtype)) return unsupported(`messages in ${subtype} are not spoken here`);
  if (method !== 'POST') return unsupported('a call is a POST');
  if (carriage === 'grpc' && valueOf(fields, 'te') !== 'trailers') {
    return new GatewayFault('protocol-violation', { publicMessage: 'the head of the call has no "te: trailers"' });
  }
  const coding = valueOf(fields, 'grpc-encoding') ?? 'identity';
  if (coding !== 'identity' && !isCoding(coding))
    return unsupported(`the message encoding ${coding.slice(0, 32)} is not one of ${knownCodings}`);
  const timeoutMs = timeoutOf(fields);
  if (timeoutMs instanceof GatewayFault) return timeoutMs;
  const accepts = (valueOf(fields, 'grpc-accept-encoding') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter(isCoding);
  const metadata = forwardable.filter(({ name }) => isMetadata(name) && !credentialNames.includes(name));
  return {
    carriage,
    subtype,
    timeoutMs,
    coding: isCoding(coding) ? coding : undefined,
    metadata,
    bound: boundFields(metadata).filter(({ name }) => !name.startsWith('grpc-')),
    upstream: [
      { name: 'te', value: 'trailers' },
      { name: 'content-type', value: contentTypeOf('grpc', subtype) },
      ...(coding === 'identity' ? [] : [{ name: 'grpc-encoding', value: coding }]),
      { name: 'grpc-accept-encoding', value: ['identity', ...accepts].join(',') },
      ...metadata,
    ],
  };
}

/** Undefined: no deadline. */
function timeoutOf(fields: readonly HeaderField[]): number | undefined | GatewayFault {
  const timeout = valueOf(fields, 'grpc-timeout');
  if (timeout === undefined) return undefined;
  return parseTimeout(timeout) ?? new GatewayFault('protocol-violation', { publicMessage: 'grpc-timeout is not a number and a unit' });
}

/** A call of gRPC by its content type, whatever else is wrong with it. */
export function carriageOf(contentType: string | undefined): { readonly carriage: Carriage; readonly subtype: string } | undefined {
  // What nearly every client says.
  if (contentType === 'application/grpc') return plainGrpc;
  const match = /^application\/grpc(-web-text|-web)?(?:\+([a-z0-9.-]{1,32}))?\s*(?:;.*)?$/i.exec(contentType ?? '');
  if (match === null) return undefined;
  const subtype = (match[2] ?? '').toLowerCase();
  switch (match[1]?.toLowerCase()) {
    case '-web':
      return { carriage: 'web', subtype };
    case '-web-text':
      return { carriage: 'web-text', subtype };
    default:
      return { carriage: 'grpc', subtype };
  }
}

export function contentTypeOf(carriage: Carriage, subtype: string): string {
  const form = { grpc: 'application/grpc', web: 'application/grpc-web', 'web-text': 'application/grpc-web-text' }[carriage];
  return subtype === '' ? form : `${form}+${subtype}`;
}

export function isCoding(name: string): name is MessageCoding {
  return name === 'gzip' || name === 'deflate';
}

export function valueOf(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}

/** Custom metadata, and of what gRPC reserves only what belongs to the call's tracing and its tries. */
function isMetadata(name: string): boolean {
  if (name.startsWith('grpc-')) return PASSED.has(name);
  return !OF_THE_REQUEST.has(name) && !name.startsWith('x-grpc-web');
}

function unsupported(publicMessage: string): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage });
}

interface KnownCallHead {
  readonly credentialNames: readonly string[];
  readonly head: CallHead;
}

const read = new WeakMap<readonly HeaderField[], KnownCallHead>();
const plainGrpc = { carriage: 'grpc', subtype: '' } as const;
/** Messages are protobuf; what else they could be nobody could look into. */
const SUBTYPES: ReadonlySet<string> = new Set(['', 'proto']);
const PASSED: ReadonlySet<string> = new Set(['grpc-previous-rpc-attempts', 'grpc-trace-bin', 'grpc-tags-bin']);
/** Made anew for the target, or nothing to it. */
const OF_THE_REQUEST: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'accept',
  'accept-encoding',
  'accept-language',
  'range',
]);
