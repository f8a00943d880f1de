import { z } from 'zod';
import { choice, list, secret, strict, text } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import type { AddProblem, ReadSecret } from './target-kind.ts';
import { checkPrivateKey } from './upstream-key.ts';

/** The gateway's own credential at a target of a request protocol, as the file says it: one of these. */
export const upstreamCredential = z
  .union(
    [
      strict({ bearer: secret.describe('Sent as Authorization: Bearer.') }),
      strict({
        basic: strict({ user: text, password: secret }).describe('Sent as Authorization: Basic.'),
      }),
      strict({
        header: strict({
          name: z.string({ error: headerExpected() }).regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, { error: headerExpected() }),
          value: secret,
        }).describe('Sent as a header of this name, such as X-API-Key.'),
      }),
      strict({
        oauth: strict({
          token_url: text.describe('Token endpoint of the authorization server: https://login.bank.example/token.'),
          client_id: text,
          client_secret: secret.optional().describe('Sent as client_authentication says. This or private_key.'),
          client_authentication: choice(['basic', 'post'])
            .optional()
            .describe('How client_secret is sent: basic, in the Authorization header (the default), or post, in the body.'),
          private_key: secret
            .optional()
            .describe('PEM; signs an assertion instead of a secret (private_key_jwt): RS256, ES256, ES384, ES512 or EdDSA.'),
          key_id: text.optional().describe('Header kid of the assertion.'),
          assertion_audience: text.optional().describe('Audience of the assertion. Absent: token_url.'),
          scope: text.optional().describe('Scopes, separated by spaces.'),
          audience: text.optional().describe('Parameter audience, which some servers ask for.'),
          resource: text.optional().describe('Resource indicator (RFC 8707).'),
        }).describe(
          'OAuth 2.0 client credentials: a token is fetched, kept until shortly before its end, and sent as Authorization: Bearer.',
        ),
      }),
      strict({
        azure: strict({
          resource: text.describe('Whose token: an application ID URI such as https://management.azure.com, or a client id.'),
          identity: choice(['managed', 'workload', 'client-secret'])
            .default('managed')
            .describe(
              'managed: of this machine or app service. workload: of this pod’s service account (AZURE_FEDERATED_TOKEN_FILE). client-secret: of an application.',
            ),
          client_id: text.optional().describe('Which identity. Absent: the machine’s own, or AZURE_CLIENT_ID.'),
          tenant: text.optional().describe('Absent: AZURE_TENANT_ID.'),
          client_secret: secret.optional(),
        }).describe('A token of Microsoft Entra ID, sent as Authorization: Bearer.'),
      }),
      strict({
        aws: strict({
          region: awsName('region, such as us-east-1'),
          service: awsName('service, such as s3, execute-api or es'),
          access_key_id: secret,
          secret_access_key: secret,
          session_token: secret.optional(),
        }).describe('Requests are signed with AWS Signature Version 4.'),
      }),
      strict({
        exec: strict({
          command: text.describe('Absolute path of the program. It is run without a shell, in the gateway’s own environment.'),
          args: list(z.string({ error: 'expected text' }), 'arguments').default([]),
          env: z.record(text, z.string({ error: 'expected text' }), { error: 'expected variables and their values' }).default({}),
          provide_cluster_info: z
            .boolean({ error: 'expected true or false' })
            .default(false)
            .describe('The plugin is told of the cluster, in KUBERNETES_EXEC_INFO: its server, authorities and cluster_config.'),
          cluster_config: z
            .record(text, z.unknown(), { error: 'expected an object' })
            .optional()
            .describe('What a kubeconfig has in the extension client.authentication.k8s.io/exec of a cluster.'),
        }).describe(
          'A credential plugin of Kubernetes (client.authentication.k8s.io/v1), such as kubelogin. It gives a token, a client certificate, or both.',
        ),
      }),
    ],
    { error: 'expected one of bearer, basic, header, oauth, azure, aws, exec, such as { bearer: env:CRM_TOKEN }' },
  )
  .optional()
  .describe('The gateway’s own credential at the target. Absent: none is sent.');

type RawUpstreamCredential = NonNullable<z.output<typeof upstreamCredential>>;

/** The gateway's own credential at a target of a request protocol. */
export type UpstreamCredentialConfig =
  | { readonly kind: 'bearer'; readonly token: Secret }
  | { readonly kind: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly kind: 'header'; readonly name: string; readonly value: Secret }
  | ({ readonly kind: 'oauth' } & OAuthCredentialConfig)
  | ({ readonly kind: 'azure' } & AzureCredentialConfig)
  | ({ readonly kind: 'aws' } & AwsCredentialConfig)
  | ({ readonly kind: 'exec' } & ExecCredentialConfig);

/** OAuth 2.0 client credentials (RFC 6749 section 4.4). */
export interface OAuthCredentialConfig {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly authentication:
    | { readonly kind: 'secret'; readonly secret: Secret; readonly method: 'basic' | 'post' }
    /** RFC 7523: a PEM private key; `audience`: of the assertion. */
    | { readonly kind: 'private-key'; readonly key: Secret; readonly keyId: string | undefined; readonly audience: string };
  readonly scope: string | undefined;
  /** Parameter that some servers ask for. */
  readonly audience: string | undefined;
  /** RFC 8707. */
  readonly resource: string | undefined;
}

/** A token of Microsoft Entra ID for one resource: an application ID URI, or the client id of the resource's application. */
export interface AzureCredentialConfig {
  readonly resource: string;
  readonly identity:
    /** Of the machine or app service; `clientId` picks one of several. */
    | { readonly kind: 'managed'; readonly clientId: string | undefined }
    /** Of a Kubernetes service account. What is undefined comes from the environment. */
    | { readonly kind: 'workload'; readonly tenant: string | undefined; readonly clientId: string | undefined }
    | { readonly kind: 'secret'; readonly tenant: string; readonly clientId: string; readonly secret: Secret };
}

/** AWS Signature Version 4. */
export interface AwsCredentialConfig {
  readonly region: string;
  readonly service: string;
  readonly accessKeyId: Secret;
  readonly secretAccessKey: Secret;
  readonly sessionToken: Secret | undefined;
}

/** A program that prints an ExecCredential. */
export interface ExecCredentialConfig {
  readonly command: string;
  readonly args: readonly string[];
  /** Besides the gateway's own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: it is told nothing of the target. */
  readonly cluster: { readonly config: Readonly<Record<string, unknown>> | undefined } | undefined;
}

/** Paths are those below the target. */
export function checkUpstreamCredential(raw: RawUpstreamCredential, add: AddProblem): void {
  if ('header' in raw && headersOfTheGateway.has(raw.header.name.toLowerCase())) {
    add([...at, 'header', 'name'], 'expected a header that carries a credential: this one is the gateway’s own business');
  }
  if ('oauth' in raw) checkOAuth(raw.oauth, add);
  if ('azure' in raw) checkAzure(raw.azure, add);
  // What a relative path means would depend on where the gateway was started.
  if ('exec' in raw && !raw.exec.command.startsWith('/')) add([...at, 'exec', 'command'], 'expected an absolute path');
  if ('exec' in raw && raw.exec.cluster_config !== undefined && !raw.exec.provide_cluster_info)
    add([...at, 'exec', 'cluster_config'], 'expected provide_cluster_info: true, without which it is told to nobody');
}

/** The fields in which it is sent. */
export function credentialFieldNames(raw: RawUpstreamCredential | undefined): readonly string[] {
  if (raw === undefined) return [];
  return 'header' in raw ? [raw.header.name] : 'aws' in raw ? awsFieldNames : ['authorization'];
}

type Raw<Kind extends string> = Extract<RawUpstreamCredential, Record<Kind, unknown>>[Kind &
  keyof Extract<RawUpstreamCredential, Record<Kind, unknown>>];

function checkOAuth(raw: Raw<'oauth'>, add: AddProblem): void {
  const here = [...at, 'oauth'];
  const url = URL.parse(raw.token_url);
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.hash !== '') {
    add([...here, 'token_url'], 'expected an https:// URL without fragment or password');
  }
  if ((raw.client_secret === undefined) === (raw.private_key === undefined))
    add(here, 'expected client_secret or private_key, and not both');
  if (raw.client_secret === undefined && raw.client_authentication !== undefined) {
    add([...here, 'client_authentication'], 'expected client_secret, which it is about');
  }
  for (const key of ['key_id', 'assertion_audience'] as const) {
    if (raw.private_key === undefined && raw[key] !== undefined) add([...here, key], 'expected private_key, which it is about');
  }
}

function checkAzure(raw: Raw<'azure'>, add: AddProblem): void {
  const here = [...at, 'azure'];
  const needed = { managed: [], workload: [], 'client-secret': ['tenant', 'client_id', 'client_secret'] } as const;
  const unused = { managed: ['tenant', 'client_secret'], workload: ['client_secret'], 'client-secret': [] } as const;
  for (const key of needed[raw.identity]) if (raw[key] === undefined) add(here, `required with identity: ${raw.identity}: ${key}`);
  for (const key of unused[raw.identity]) {
    if (raw[key] !== undefined) add([...here, key], `expected no ${key}: identity: ${raw.identity} does not use it`);
  }
}

export async function readUpstreamCredential(
  raw: RawUpstreamCredential | undefined,
  read: ReadSecret,
): Promise<UpstreamCredentialConfig | undefined> {
  if (raw === undefined) return undefined;
  if ('bearer' in raw) return { kind: 'bearer', token: await read([...at, 'bearer'], raw.bearer) };
  if ('basic' in raw) {
    return { kind: 'basic', user: raw.basic.user, password: await read([...at, 'basic', 'password'], raw.basic.password) };
  }
  if ('header' in raw) return { kind: 'header', name: raw.header.name, value: await read([...at, 'header', 'value'], raw.header.value) };
  if ('oauth' in raw) return readOAuth(raw.oauth, read);
  if ('azure' in raw) return readAzure(raw.azure, read);
  if ('exec' in raw) {
    const { command, args, env, provide_cluster_info: isTold, cluster_config: config } = raw.exec;
    return { kind: 'exec', command, args, env, cluster: isTold ? { config } : undefined };
  }
  return readAws(raw.aws, read);
}

async function readOAuth(raw: Raw<'oauth'>, read: ReadSecret): Promise<UpstreamCredentialConfig> {
  const here = [...at, 'oauth'];
  const { token_url: tokenUrl, client_id: clientId, scope, audience, resource, client_authentication: method = 'basic' } = raw;
  const common = { kind: 'oauth', tokenUrl, clientId, scope, audience, resource } as const;
  if (raw.client_secret !== undefined) {
    const secret = await read([...here, 'client_secret'], raw.client_secret);
    return { ...common, authentication: { kind: 'secret', secret, method } };
  }
  const key = await read([...here, 'private_key'], raw.private_key!);
  checkPrivateKey(key, [...here, 'private_key'], read.add);
  return { ...common, authentication: { kind: 'private-key', key, keyId: raw.key_id, audience: raw.assertion_audience ?? tokenUrl } };
}

async function readAzure(raw: Raw<'azure'>, read: ReadSecret): Promise<UpstreamCredentialConfig> {
  const { resource, identity, client_id: clientId, tenant } = raw;
  switch (identity) {
    case 'managed':
      return { kind: 'azure', resource, identity: { kind: 'managed', clientId } };
    case 'workload':
      return { kind: 'azure', resource, identity: { kind: 'workload', tenant, clientId } };
    case 'client-secret': {
      const secret = await read([...at, 'azure', 'client_secret'], raw.client_secret!);
      return { kind: 'azure', resource, identity: { kind: 'secret', tenant: tenant!, clientId: clientId!, secret } };
    }
    default:
      return identity satisfies never;
  }
}

async function readAws(raw: Raw<'aws'>, read: ReadSecret): Promise<UpstreamCredentialConfig> {
  const here = [...at, 'aws'];
  const [accessKeyId, secretAccessKey, sessionToken] = await Promise.all([
    read([...here, 'access_key_id'], raw.access_key_id),
    read([...here, 'secret_access_key'], raw.secret_access_key),
    read([...here, 'session_token'], raw.session_token),
  ]);
  return { kind: 'aws', region: raw.region, service: raw.service, accessKeyId, secretAccessKey, sessionToken };
}

function headerExpected(): string {
  return 'expected a header name of letters, digits and "-"';
}

function awsName(what: string) {
  const error = `expected a ${what}`;
  return z.string({ error }).regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error });
}

const at = ['upstream', 'credential'];
/** Headers that no configured credential may take the place of. */
/** Those of a signature of AWS, and of one that a client might have made itself. */
export const awsFieldNames: readonly string[] = [
  'authorization',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
  'x-amz-decoded-content-length',
  'x-amz-trailer',
];
const headersOfTheGateway: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'trailer',
  'te',
  'upgrade',
  'expect',
  'keep-alive',
  'content-type',
  'content-encoding',
]);
