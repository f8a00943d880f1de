import { createHash, createHmac } from 'node:crypto';
import { requestJson, textAt } from './http.ts';
import { readEnvironment, SecretProblem, type SecretSources } from './sources.ts';
import type { SecretReference } from './reference.ts';

/**
 * A secret of AWS Secrets Manager (action GetSecretValue), signed with the credentials of the environment: AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION. AWS_ENDPOINT_URL_SECRETS_MANAGER names another endpoint.
 */
export async function readAwsSecret(reference: SecretReference & { kind: 'aws-secretsmanager' }, sources: SecretSources): Promise<string> {
  const region = sources.env.AWS_REGION ?? readEnvironment('AWS_DEFAULT_REGION', sources);
  const credentials: AwsCredentials = {
    accessKeyId: readEnvironment('AWS_ACCESS_KEY_ID', sources),
    secretAccessKey: readEnvironment('AWS_SECRET_ACCESS_KEY', sources),
    sessionToken: sources.env.AWS_SESSION_TOKEN,
  };
  const endpoint = sources.env.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? `https://secretsmanager.${region}.amazonaws.com`;
  const problem = (message: string) => new SecretProblem(`aws-secretsmanager:${reference.id}: ${message}`);
  const request: SignedRequest = {
    method: 'POST',
    url: new URL('/', endpoint),
    headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': 'secretsmanager.GetSecretValue' },
    body: JSON.stringify({ SecretId: reference.id }),
  };
  const headers = signRequest(request, credentials, { region, service: 'secretsmanager', timeMs: sources.now() });
  const answer = await requestJson(
    { service: 'AWS Secrets Manager', url: request.url.href, method: 'POST', headers, body: request.body },
    sources,
    problem,
  );
  const value = textAt(answer, 'SecretString') ?? decodeBinary(textAt(answer, 'SecretBinary'));
  if (value === undefined) throw problem('AWS Secrets Manager answered without a value');
  return reference.field === undefined ? value : fieldOf(value, reference.field, problem);
}

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface SignedRequest {
  readonly method: 'GET' | 'POST';
  /** Without a query: the one request made here has none. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request"). Returns the request's headers with
 * `X-Amz-Date`, `X-Amz-Security-Token` where there is one, and `Authorization`.
 */
export function signRequest(
  request: SignedRequest,
  credentials: AwsCredentials,
  scope: { readonly region: string; readonly service: string; readonly timeMs: number },
): Record<string, string> {
  const time = new Date(scope.timeMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const date = time.slice(0, 8);
  const headers: Record<string, string> = { ...request.headers, 'X-Amz-Date': time };
  if (credentials.sessionToken !== undefined) headers['X-Amz-Security-Token'] = credentials.sessionToken;

  const canonical = [...Object.entries(headers), ['Host', request.url.host] as const]
    .map(([name, value]) => [name.toLowerCase(), value.trim()] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const signedHeaders = canonical.map(([name]) => name).join(';');
  const canonicalRequest = [
    request.method,
    request.url.pathname,
    '',
    ...canonical.map(([name, value]) => `${name}:${value}`),
    '',
    signedHeaders,
    sha256Hex(request.body),
  ].join('\n');

  const credentialScope = `${date}/${scope.region}/${scope.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', time, credentialScope, sha256Hex(canonicalRequest)].join('\n');
  const key = [date, scope.region, scope.service, 'aws4_request'].reduce<Uint8Array>(
    (previous, part) => hmac(previous, part),
    new TextEncoder().encode(`AWS4${credentials.secretAccessKey}`),
  );
  const signature = Buffer.from(hmac(key, toSign)).toString('hex');
  headers.Authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${credentialScope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  return headers;
}

function fieldOf(value: string, field: string, problem: (message: string) => SecretProblem): string {
  let found: string | undefined;
  try {
    found = textAt(JSON.parse(value), field);
  } catch {
    throw problem('expected the secret to be JSON, because a field of it is asked for');
  }
  if (found === undefined) throw problem(`expected a text field ${field} in the secret`);
  return found;
}

function decodeBinary(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}
