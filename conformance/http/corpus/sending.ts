/**
 * What a client may send on one connection, octet by octet, by families of mutation. Each sending is one mutated message and then a good one, `last`, that asks for
 * the connection to be closed. `case-0000` stands where each sending gets its number; strings have a character for each octet.
 */
export interface FramingFamily {
  readonly name: string;
  /** What whoever sends these hopes for. */
  readonly intent: string;
  /** Of the mutated message. `either`: some of each, and what is accepted must be understood in the same way by everyone. */
  readonly expected: 'refused' | 'accepted' | 'either';
  readonly sendings: readonly string[];
}

export function get(...fields: readonly string[]): string {
  return message('GET /case-0000/one HTTP/1.1', [usual, ...fields]);
}

export function post(body: string, ...fields: readonly string[]): string {
  return message('POST /case-0000/one HTTP/1.1', [usual, ...fields], body);
}

export function message(line: string, fields: readonly string[], body = ''): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n${body}${last}`;
}

export function chunked(...chunks: readonly string[]): string {
  return `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`;
}

/** Every row that has one item of each list. */
export function product(...lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return lists.reduce<readonly (readonly string[])[]>((rows, list) => rows.flatMap((row) => list.map((item) => [...row, item])), [[]]);
}

/** As long as a gateway token, so that lengths in the sendings hold when one takes its place. */
export const credential = '0'.repeat(47);
/** The site that all requests are for. */
export const site = 'site.gateway';
/** What every good head begins with. */
export const usual = `Host: ${site}\r\nAuthorization: Bearer ${credential}`;
export const last = `GET /case-0000/last HTTP/1.1\r\n${usual}\r\nConnection: close\r\n\r\n`;
/** A request where a body should be: who ends the body early reads it as one. */
export const smuggled = `GET /case-0000/smuggled HTTP/1.1\r\n${usual}\r\n\r\n`;
export const octets: readonly string[] = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet));
/** Fields between two ends of one connection, and those by which a proxy says who a client is and what it asks for. */
export const hopAndIdentityFields: readonly string[] = [
  'X-Auth-User',
  'X-Auth-Request-Email',
  'X-Authenticated-User',
  'X-Remote-User',
  'X-Remote-Group',
  'Remote-User',
  'Impersonate-User',
  'Impersonate-Group',
  'X-WebAuth-User',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Forwarded-Uri',
  'X-Forwarded-User',
  'X-Forwarded-Prefix',
  'Forwarded',
  'X-Real-IP',
  'True-Client-IP',
  'X-Client-IP',
  'CF-Connecting-IP',
  'X-Original-URL',
  'X-Original-Host',
  'X-Original-Method',
  'X-Rewrite-URL',
  'X-Envoy-Original-Path',
  'X-Host',
  'X-HTTP-Host-Override',
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'X-MS-Client-Principal',
  'X-Goog-Authenticated-User-Email',
  'X-Amzn-Oidc-Identity',
  'X-Client-Cert',
  'SSL-Client-Verify',
  'Proxy-Authorization',
  'Proxy-Connection',
  'Sallyport-Principal',
  'X-Sallyport-Target',
  'Keep-Alive',
  'Trailer',
  'HTTP2-Settings',
  'Client-Cert',
  'X-Api-Key',
];
