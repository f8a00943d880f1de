import { GatewayFault, toFault } from '../../core/fault.ts';
import { listOf, readFields, violation, type HeaderField } from './head-fields.ts';
import type { UpgradeName } from '../tunnel.ts';
import { fieldName, isSingleton, isToken, spelledOut } from './head-names.ts';

/** The head of a request as the transport got it: nothing joined, left out or reordered. */
export interface RawHead {
  /** As the message says it: `1.0`, `1.1`, `2.0` (`httpVersion` of Node). */
  readonly version: string;
  readonly method: string;
  /** As sent. Read by `canonicalTarget`. */
  readonly target: string;
  /** Names and values in turn, a character for each octet (`rawHeaders` of Node). Of HTTP/2 with the pseudo-header fields. */
  readonly rawHeaders: readonly string[];
}

/** A head that has one meaning. */
export interface CheckedHead {
  /** Never CONNECT or TRACE. */
  readonly method: string;
  /** Host, and port where there is one, as the client named them, in lower case. */
  readonly host: string;
  /** Every field in order, for the gateway's own use. Without Authorization and Proxy-Authorization, so that no credential gets into a record. */
  readonly fields: readonly HeaderField[];
  /** Authorization as it was sent, for whoever reads the credential in it; never logged. */
  readonly authorization: string | undefined;
  readonly body: BodyFraming;
  /** The client waits for 100 (Continue) before it sends the body. */
  readonly expectsContinue: boolean;
  /** The client asks to go on in this protocol after 101 (Switching Protocols). */
  readonly upgrade: UpgradeName | undefined;
  /** The client takes trailers, as gRPC needs it. */
  readonly takesTrailers: boolean;
  /** What may go upstream, in order: `staysHere` says what is missing. Host, framing and credential are the transport's to add, last. */
  readonly upstream: readonly HeaderField[];
}

export type BodyFraming =
  /** HTTP/1 without length and coding: there is no body. */
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly octets: number }
  /** Chunked, or an HTTP/2 stream without a length. */
  | { readonly kind: 'until-end' };

/**
 * Checks a head, so that where the message ends, whom it is for and what it says are the same for every server that it could go to. What could be read in two
 * ways is refused, never repaired. Never throws.
 *
 * Faults: `protocol-violation` (nothing behind this head can be trusted to be a request: answer 400 and close the connection), `unsupported` for what the gateway
 * does not speak, `limit-exceeded` for `headBounds`.
 *
 * Trailers are not seen from here: `checkedTrailers` reads them when the body is over.
 */
export function checkedHead(head: RawHead): CheckedHead | GatewayFault {
  try {
    return head.version === '2.0' ? readStream(head) : readMessage(head);
  } catch (error) {
    return toFault(error);
  }
}

/** RFC 9112: one Host, also in HTTP/1.0, which did not ask for it. */
function readMessage(head: RawHead): CheckedHead {
  if (head.version !== '1.1' && head.version !== '1.0') throw violation('its version is neither HTTP/1.1 nor HTTP/1.0');
  const fields = readFields(head.rawHeaders);
  const host = valueOf(fields, 'host');
  if (host === undefined) throw violation('it has no Host');
  return understand(head, fields, hostOf(host), messageBody(head.version, fields));
}

/** RFC 9113 sections 8.2.2 and 8.3.1: four pseudo-header fields, once each and first; nothing that is about a connection. */
function readStream(head: RawHead): CheckedHead {
  const pseudo = new Map<string, string>();
  let at = 0;
  for (; head.rawHeaders[at]?.startsWith(':') === true; at += 2) {
    const name = head.rawHeaders[at]!;
    if (!pseudoHeaders.has(name)) throw violation('it has a pseudo-header field that is not spoken here');
    if (pseudo.has(name)) throw violation(`${name} is given twice`);
    pseudo.set(name, head.rawHeaders[at + 1] ?? '');
  }
  const regular = head.rawHeaders.slice(at);
  if (regular.some((name, index) => index % 2 === 0 && /[A-Z]/.test(name))) throw violation('a field name has capital letters');
  const fields = readFields(joinCookies(regular));
  if (fields.some(({ name }) => connectionSpecific.has(name))) throw violation('it has a field that HTTP/2 does not know');
  if (pseudo.get(':scheme') !== 'https') throw violation(':scheme is not https');
  if (pseudo.get(':method') !== head.method || pseudo.get(':path') !== head.target)
    throw violation('method or target is given in two ways');
  const host = hostOf(pseudo.get(':authority') ?? '');
  const named = valueOf(fields, 'host');
  if (named !== undefined && hostOf(named) !== host) throw violation('Host and :authority differ');
  return understand(head, fields, host, declaredLength(fields) ?? { kind: 'until-end' });
}

function understand(head: RawHead, fields: readonly HeaderField[], host: string, body: BodyFraming): CheckedHead {
  checkMethod(head.method);
  const connection = connectionOptions(fields);
  const te = valueOf(fields, 'te');
  if (te !== undefined && te.toLowerCase() !== 'trailers') throw violation('TE is not "trailers"');
  return {
    method: head.method,
    host,
    fields: fields.filter(({ name }) => name !== 'authorization' && name !== 'proxy-authorization'),
    authorization: valueOf(fields, 'authorization'),
    body,
    expectsContinue: expectsContinue(head.version, fields),
    upgrade: upgradeOf(head, fields, connection, body),
    takesTrailers: te !== undefined,
    upstream: fields.filter(({ name }) => mayGoOn(name, connection)),
  };
}

function mayGoOn(name: string, connection: ReadonlySet<string>): boolean {
  const known = fieldName(name);
  return known !== undefined && !known.staysHere && !connection.has(known.spelled);
}

function checkMethod(method: string): void {
  if (!/^[A-Z][A-Z-]{0,31}$/.test(method)) throw violation('its method is not a word in capital letters');
  if (method === 'CONNECT') throw unsupported('CONNECT', 'the gateway is no forward proxy');
  // RFC 9110 section 9.3.8: the answer repeats the request, and so the credential that the gateway puts in.
  if (method === 'TRACE' || method === 'TRACK') throw unsupported(method, "its answer would show the target's credential");
}

/** One spelling of an authority (RFC 3986 section 3.2) without user information. */
function hostOf(authority: string): string {
  const host = authority.toLowerCase();
  if (!/^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$/.test(host))
    throw violation('its Host is not a host and a port');
  return host;
}

/** RFC 9112 section 6: chunked or a length, never both, and no coding in HTTP/1.0. */
function messageBody(version: string, fields: readonly HeaderField[]): BodyFraming {
  const length = declaredLength(fields);
  const coding = valueOf(fields, 'transfer-encoding');
  if (coding === undefined) return length ?? { kind: 'none' };
  if (length !== undefined) throw violation('it has both Content-Length and Transfer-Encoding');
  if (coding !== 'chunked') throw violation('its Transfer-Encoding is not "chunked"');
  if (version !== '1.1') throw violation('it has Transfer-Encoding, which HTTP/1.0 does not know');
  return { kind: 'until-end' };
}

/** Decimal digits in their one spelling, small enough for a number to hold exactly. */
function declaredLength(fields: readonly HeaderField[]): BodyFraming | undefined {
  const length = valueOf(fields, 'content-length');
  if (length === undefined) return undefined;
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(length)) throw violation('its Content-Length is not a plain number');
  return { kind: 'length', octets: Number(length) };
}

function expectsContinue(version: string, fields: readonly HeaderField[]): boolean {
  const expect = valueOf(fields, 'expect');
  if (expect === undefined) return false;
  if (version === '1.0' || expect.toLowerCase() !== '100-continue') throw violation('its Expect is not "100-continue"');
  return true;
}

/**
 * The names in Connection (RFC 9110 section 7.6.1), spelled out: their fields end here. What every server has to see, and what the gateway goes by, cannot be
 * named there: a proxy that obeyed would let the client take it out of the request.
 */
function connectionOptions(fields: readonly HeaderField[]): ReadonlySet<string> {
  const listed = listOf(fields, 'connection');
  if (listed.length === 0) return noOptions;
  const options = new Set<string>();
  for (const option of listed) {
    const spelled = spelledOut(option);
    if (!isToken(option)) throw violation('a member of Connection is not a token');
    if (isSingleton(spelled) && !mayBeListed.has(option)) throw violation('Connection names a field that is not about the connection');
    options.add(spelled);
  }
  return options;
}

/** RFC 9110 section 7.8, RFC 6455 section 4.1; SPDY/3.1 as Kubernetes' clients ask for it, by GET and POST. */
function upgradeOf(
  { version, method }: RawHead,
  fields: readonly HeaderField[],
  connection: ReadonlySet<string>,
  body: BodyFraming,
): UpgradeName | undefined {
  const upgrade = valueOf(fields, 'upgrade');
  if ((upgrade !== undefined) !== connection.has('upgrade')) throw violation('Upgrade and Connection do not agree');
  if (upgrade === undefined) return undefined;
  const name = upgrade.toLowerCase();
  if (name !== 'websocket' && name !== 'spdy/3.1') throw unsupported('this Upgrade', 'only "websocket" and "SPDY/3.1" are known');
  const spdy = name === 'spdy/3.1';
  const isEmpty = body.kind === 'none' || (spdy && body.kind === 'length' && body.octets === 0);
  if (version !== '1.1' || !isEmpty || !(method === 'GET' || (spdy && method === 'POST')))
    throw violation('Upgrade is for a GET of HTTP/1.1 without a body');
  if (!spdy && !(keyForm.test(valueOf(fields, 'sec-websocket-key') ?? '') && valueOf(fields, 'sec-websocket-version') === '13'))
    throw violation('it has no Sec-WebSocket-Key of 16 octets, or a Sec-WebSocket-Version that is not 13');
  return name;
}

/** RFC 9113 section 8.2.3: HTTP/2 may cut Cookie into several fields, which are one in HTTP/1. */
function joinCookies(rawHeaders: readonly string[]): readonly string[] {
  const joined: string[] = [];
  let cookieAt = -1;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const value = rawHeaders[at + 1] ?? '';
    if (rawHeaders[at] === 'cookie' && cookieAt >= 0) {
      joined[cookieAt] += `; ${value}`;
    } else {
      joined.push(rawHeaders[at]!, value);
      if (rawHeaders[at] === 'cookie') cookieAt = joined.length - 1;
    }
  }
  return joined;
}

function valueOf(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}

function unsupported(what: string, why: string): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: `${what} is not spoken here: ${why}` });
}

const noOptions: ReadonlySet<string> = new Set();
/** 16 octets in base64 (RFC 6455 section 4.1). */
const keyForm = /^[A-Za-z0-9+/]{22}==$/;
const pseudoHeaders: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path']);
const connectionSpecific: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
/** Options of a connection that are names of fields as well. */
const mayBeListed: ReadonlySet<string> = new Set(['te', 'upgrade', 'proxy-connection']);
