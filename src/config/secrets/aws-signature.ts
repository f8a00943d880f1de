import { createHash, createHmac } from 'node:crypto';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface AwsScope {
  readonly region: string;
  readonly service: string;
  readonly timeMs: number;
}

export interface RequestToSign {
  readonly method: string;
  /** As it stands in the Host field. */
  readonly host: string;
  /** In origin form, exactly as it goes out. */
  readonly target: string;
  /** Names in lower case, without Host. All are signed, but for those that others change on the way. */
  readonly fields: readonly SignedField[];
  /** Undefined: the signature leaves the body out (`UNSIGNED-PAYLOAD`, which only Amazon S3 permits). */
  readonly body: Uint8Array | undefined;
}

export interface SignedField {
  readonly name: string;
  readonly value: string;
}

/**
 * AWS Signature Version 4 (AWS Identity and Access Management User Guide, "Create a signed AWS API request"). Returns the fields to add: `x-amz-date`,
 * `x-amz-security-token` where there is one, `x-amz-content-sha256` for the services that ask for it, and `authorization`.
 */
export function signAwsRequest(request: RequestToSign, credentials: AwsCredentials, scope: AwsScope): readonly SignedField[] {
  const { region, service } = scope;
  const time = new Date(scope.timeMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const payload = request.body === undefined ? 'UNSIGNED-PAYLOAD' : sha256Hex(request.body);
  const added: SignedField[] = [
    { name: 'x-amz-date', value: time },
    ...(credentials.sessionToken === undefined ? [] : [{ name: 'x-amz-security-token', value: credentials.sessionToken }]),
    ...(NAMES_ITS_PAYLOAD.has(service) ? [{ name: 'x-amz-content-sha256', value: payload }] : []),
  ];

  const signed = canonicalFields([{ name: 'host', value: request.host }, ...request.fields, ...added]);
  const signedNames = signed.map(([name]) => name).join(';');
  const mark = request.target.indexOf('?');
  const path = mark < 0 ? request.target : request.target.slice(0, mark);
  const canonicalRequest = [
    request.method,
    canonicalPath(path, service),
    mark < 0 ? '' : canonicalQuery(request.target.slice(mark + 1)),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    signedNames,
    payload,
  ].join('\n');

  const credentialScope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, credentialScope, sha256Hex(canonicalRequest)].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<Uint8Array>(hmac, Buffer.from(`AWS4${credentials.secretAccessKey}`));
  const signature = Buffer.from(hmac(key, toSign)).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${signedNames}, Signature=${signature}`;
  return [...added, { name: 'authorization', value: authorization }];
}

/** Sorted by name; several of one name are one, joined by commas in their order; runs of spaces are one. */
function canonicalFields(fields: readonly SignedField[]): readonly (readonly [name: string, value: string])[] {
  const byName = new Map<string, string>();
  for (const { name, value } of fields) {
    if (NOT_SIGNED.has(name)) continue;
    const earlier = byName.get(name);
    const one = value.trim().replaceAll(/ +/g, ' ');
    byName.set(name, earlier === undefined ? one : `${earlier},${one}`);
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Every service but Amazon S3 escapes the path once more than it came. */
function canonicalPath(path: string, service: string): string {
  const isS3 = service === 's3';
  return path
    .split('/')
    .map((segment) => escaped(isS3 ? unescaped(segment) : segment))
    .join('/');
}

/** Names and values as they are meant, escaped, in order of bytes. A plus is a plus: whoever means a space has to write `%20`. */
function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const at = pair.indexOf('=');
      const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
      return [escaped(unescaped(name)), escaped(unescaped(value))] as const;
    })
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function order(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** All but the unreserved characters of RFC 3986 section 2.3. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function unescaped(text: string): string {
  return decodeURIComponent(text);
}

function sha256Hex(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}

/** Of one connection, or changed by whatever stands in between. */
const NOT_SIGNED: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'transfer-encoding',
  'user-agent',
  'x-amzn-trace-id',
]);
/** Amazon S3, its object lambdas, and OpenSearch Serverless refuse a request without `x-amz-content-sha256`. */
const NAMES_ITS_PAYLOAD: ReadonlySet<string> = new Set(['s3', 's3-object-lambda', 'aoss']);
