import { lookup as dnsLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { classifyAddress } from './address.ts';

/** Which networks a document may come from. */
export interface NetworkRules {
  readonly privateNetwork: boolean;
  /** Plain http, from loopback addresses only. */
  readonly unsafeHttp: boolean;
}

export interface FetchedDocument {
  readonly body: Uint8Array;
  /** `max-age` of Cache-Control, seconds; 0 where it forbids storing; undefined where it says nothing. */
  readonly maxAgeSeconds: number | undefined;
}

/** Fetches one document of an issuer, or throws `DocumentFault`. */
export type FetchDocument = (url: URL, rules: NetworkRules) => Promise<FetchedDocument>;

export type DocumentFaultReason =
  | 'url-refused'
  | 'address-refused'
  | 'redirect'
  | 'status'
  | 'too-large'
  | 'encoded'
  | 'time-limit'
  | 'network'
  | 'malformed'
  | 'issuer-mismatch'
  | 'no-usable-keys';

export class DocumentFault extends Error {
  override readonly name = 'DocumentFault';
  readonly reason: DocumentFaultReason;

  constructor(reason: DocumentFaultReason, what: string, cause?: unknown) {
    super(`${reason}: ${what}`, { cause });
    this.reason = reason;
  }
}

/**
 * GET without redirects, cookies, proxies, content encodings or kept connections; at most 256 KiB within `timeLimitMs` from the first
 * look-up to the last byte. The address is judged as it is connected to, so a name cannot lead elsewhere after it was checked.
 */
export function createFetchDocument(timeLimitMs = 5_000): FetchDocument {
  return async (url, rules) => {
    checkUrl(url, rules);
    const signal = AbortSignal.timeout(timeLimitMs);
    try {
      const response = await send(url, rules, signal);
      try {
        return { body: await readBody(response, url), maxAgeSeconds: maxAge(response.headers['cache-control']) };
      } finally {
        response.destroy();
      }
    } catch (error) {
      if (error instanceof DocumentFault) throw error;
      throw new DocumentFault(signal.aborted ? 'time-limit' : 'network', url.href, error);
    }
  };
}

function checkUrl(url: URL, rules: NetworkRules): void {
  const schemeAllowed = url.protocol === 'https:' || (url.protocol === 'http:' && rules.unsafeHttp);
  if (!schemeAllowed || url.username !== '' || url.password !== '') throw new DocumentFault('url-refused', url.origin);
  // A literal address never reaches `lookup`.
  const literal = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  if (isIP(literal) !== 0 && !addressAllowed(literal, url, rules)) throw new DocumentFault('address-refused', url.origin);
}

function addressAllowed(address: string, url: URL, rules: NetworkRules): boolean {
  const kind = classifyAddress(address);
  if (url.protocol === 'http:') return kind === 'loopback' && rules.unsafeHttp;
  return kind === 'public' || (kind !== 'forbidden' && rules.privateNetwork);
}

function send(url: URL, rules: NetworkRules, signal: AbortSignal): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    request(url, {
      agent: false,
      signal,
      lookup: guardedLookup(url, rules),
      headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'sallyport' },
    })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
}

/** Every address of the name must be allowed: a name that also leads inside is not asked at its outside address either. */
function guardedLookup(url: URL, rules: NetworkRules): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      const first = addresses?.[0];
      if (error !== null) callback(error, '');
      else if (first === undefined || !addresses.every(({ address }) => addressAllowed(address, url, rules))) {
        callback(new DocumentFault('address-refused', url.origin), '');
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

async function readBody(response: IncomingMessage, url: URL): Promise<Uint8Array> {
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) throw new DocumentFault('redirect', url.href);
  if (status !== 200) throw new DocumentFault('status', `${status} from ${url.href}`);
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') throw new DocumentFault('encoded', url.href);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > documentLimitBytes) throw new DocumentFault('too-large', url.href);
    chunks.push(chunk);
  }
  if (!response.complete) throw new DocumentFault('network', `answer of ${url.href} was cut`);
  return Buffer.concat(chunks);
}

function maxAge(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const directives = header.split(',').map((directive) => directive.trim().toLowerCase());
  if (directives.includes('no-store') || directives.includes('no-cache')) return 0;
  const value = directives.find((directive) => directive.startsWith('max-age='))?.slice('max-age='.length);
  return value !== undefined && /^"?\d{1,10}"?$/.test(value) ? Number(value.replaceAll('"', '')) : undefined;
}

const documentLimitBytes = 262_144;
