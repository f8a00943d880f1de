import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ServiceError } from './answer.ts';

export interface Credentials {
  /** Base64, as the account gives it out. */
  readonly key: string;
  /** Tokens of Entra ID that the account accepts. */
  readonly tokens: ReadonlySet<string>;
}

/**
 * Checks the authorization header as the service's documentation describes it ("Access control on Azure Cosmos DB resources"): the signature of the account key over
 * verb, kind of resource, link and date, or a token. A date that is more than 15 minutes off is refused.
 */
export function authorize(request: IncomingMessage, segments: readonly string[], { key, tokens }: Credentials): void {
  const sent = decodeURIComponent(request.headers.authorization ?? '');
  const [, type, signature = ''] = /^type=(\w+)&ver=1\.0&sig=(.+)$/.exec(sent) ?? [];
  if (type === 'aad') {
    if (tokens.has(signature)) return;
    throw unauthorized('The token is not accepted.');
  }
  if (type !== 'master') throw unauthorized('Required Header authorization is missing. Ensure a valid Authorization token is passed.');
  const date = String(request.headers['x-ms-date'] ?? request.headers.date ?? '');
  if (Number.isNaN(Date.parse(date)) || Math.abs(Date.now() - Date.parse(date)) > 15 * 60_000) {
    throw new ServiceError(403, 'Forbidden', 'The authorization token is not valid at the current time.');
  }
  const { kind, link } = signedResource(segments);
  const text = `${(request.method ?? '').toLowerCase()}\n${kind}\n${link}\n${date.toLowerCase()}\n\n`;
  const expected = createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest();
  const given = Buffer.from(signature, 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw unauthorized(`The input authorization token can't serve the request. Server used the following payload to sign: '${text}'`);
  }
}

/** Kinds stand at even places; an odd number of names is a feed, whose link is its parent's. */
function signedResource(segments: readonly string[]): { readonly kind: string; readonly link: string } {
  if (segments.length === 0) return { kind: '', link: '' };
  // As the SDK for JavaScript signs it; no document says.
  if (segments.includes('operations')) return { kind: 'colls', link: segments.slice(0, 4).join('/') };
  const isFeed = segments.length % 2 === 1;
  const kind = (isFeed ? segments.at(-1) : segments.at(-2)) ?? '';
  if (kind === 'offers') return { kind, link: isFeed ? '' : segments.at(-1)!.toLowerCase() };
  return { kind, link: (isFeed ? segments.slice(0, -1) : segments).join('/') };
}

function unauthorized(message: string): ServiceError {
  return new ServiceError(401, 'Unauthorized', message);
}
