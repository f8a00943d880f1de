import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Failure, messageOf, usage } from './failure.ts';
import { audiencesOf, unverifiedClaims } from './jwt.ts';

/**
 * The token that a CI job or workload already has, or can ask for. Sources in the order in which they are tried; each is recognised
 * by what its platform sets and by nothing else. Sources and formats: see `docs/reference/cli.md`.
 */
export interface AmbientToken {
  readonly token: string;
  /** For people: where it came from. */
  readonly source: string;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly tokenFile: string | undefined;
  /** The audience to ask an issuer for; called only where a source can choose. `issuer`: whose token it will be, where that is known. */
  readonly audience: (issuer: string | undefined) => Promise<string>;
}

/** Undefined where nothing of the kind is here. Throws a `Failure` where a source is here and does not work. */
export async function ambientToken(here: Surroundings): Promise<AmbientToken | undefined> {
  for (const [source, find] of sources) {
    const token = (await find(here))?.trim();
    if (token !== undefined && token !== '') return { token, source };
  }
  return undefined;
}

/** Azure's metadata service, which only a try can find: asked last, and given up on after a second. */
export async function managedIdentityToken(here: Surroundings): Promise<AmbientToken | undefined> {
  const { env } = here;
  const authority = env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] ?? 'http://169.254.169.254';
  const url = new URL('/metadata/identity/oauth2/token', authority);
  url.search = new URLSearchParams({ 'api-version': '2018-02-01', resource: await here.audience(undefined), ...clientId(env) }).toString();
  try {
    const response = await fetch(url, { headers: { Metadata: 'true' }, redirect: 'error', signal: AbortSignal.timeout(1_000) });
    if (!response.ok) return undefined;
    const { access_token: token } = (await response.json()) as { access_token?: string };
    return token === undefined ? undefined : { token, source: 'Azure managed identity' };
  } catch {
    return undefined;
  }
}

/** A token for someone else must not be shown to this gateway: whoever it is for would believe its bearer. */
export function checkAudience({ token, source }: AmbientToken, acceptable: readonly string[]): void {
  const claims = unverifiedClaims(token);
  if (claims === undefined) throw new Failure(`what ${source} gave is not a JWT`);
  const audiences = audiencesOf(claims);
  if (acceptable.length === 0 || audiences.some((audience) => acceptable.includes(audience))) return;
  throw new Failure(`the token from ${source} is for ${audiences.join(', ') || 'nobody'}, not for this gateway: it was not sent`, {
    hint: `ask for a token with the audience ${acceptable.join(' or ')}`,
  });
}

const sources: readonly (readonly [name: string, find: (here: Surroundings) => Promise<string | undefined>])[] = [
  ['--token-file', async ({ tokenFile }) => (tokenFile === undefined ? undefined : await readTokenFile(tokenFile))],
  ['SALLYPORT_ID_TOKEN', async ({ env }) => env['SALLYPORT_ID_TOKEN']],
  ['SALLYPORT_TOKEN_FILE', async ({ env }) => (env['SALLYPORT_TOKEN_FILE'] ? await readTokenFile(env['SALLYPORT_TOKEN_FILE']) : undefined)],
  ['GitHub Actions', fromGitHub],
  ['GitLab', fromGitLab],
  ['Azure DevOps', fromAzureDevOps],
  ['CircleCI', fromCircleCi],
  ['Buildkite', fromBuildkite],
  ['Azure App Service', fromAppService],
  ['Kubernetes', fromKubernetes],
];

async function fromGitHub({ env, audience }: Surroundings): Promise<string | undefined> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (!address || !bearer) {
    if (env['GITHUB_ACTIONS'] !== 'true') return undefined;
    throw new Failure('this GitHub Actions job may not ask for an ID token', { hint: 'give the job: permissions: { id-token: write }' });
  }
  const url = new URL(address);
  url.searchParams.set('audience', await audience('https://token.actions.githubusercontent.com'));
  const { value } = await askJson<{ value?: string }>('GitHub Actions', url, { headers: { authorization: `Bearer ${bearer}` } });
  return value;
}

async function fromGitLab({ env }: Surroundings): Promise<string | undefined> {
  if (env['GITLAB_CI'] !== 'true') return undefined;
  throw new Failure('this GitLab job has no ID token for the gateway', {
    hint: 'give the job: id_tokens: { SALLYPORT_ID_TOKEN: { aud: <the gateway’s audience> } }',
  });
}

async function fromAzureDevOps({ env }: Surroundings): Promise<string | undefined> {
  const { SYSTEM_OIDCREQUESTURI: address, SYSTEM_ACCESSTOKEN: bearer } = env;
  if (!address) return undefined;
  const connection = env['SALLYPORT_SERVICE_CONNECTION_ID'] ?? env['AZURESUBSCRIPTION_SERVICE_CONNECTION_ID'];
  if (!bearer || !connection) {
    throw new Failure('this Azure DevOps job lacks SYSTEM_ACCESSTOKEN or a service connection', {
      hint: 'map env: { SYSTEM_ACCESSTOKEN: $(System.AccessToken) } and set SALLYPORT_SERVICE_CONNECTION_ID',
    });
  }
  const url = new URL(address);
  url.searchParams.set('api-version', '7.1');
  url.searchParams.set('serviceConnectionId', connection);
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
  return (await askJson<{ oidcToken?: string }>('Azure DevOps', url, { method: 'POST', headers })).oidcToken;
}

/** The job's own token is for the organization; where the gateway wants another audience, CircleCI's program makes one. */
async function fromCircleCi({ env, audience }: Surroundings): Promise<string | undefined> {
  const token = env['CIRCLE_OIDC_TOKEN_V2'];
  if (!token) return undefined;
  const wanted = await audience(String(unverifiedClaims(token)?.['iss']));
  if (audiencesOf(unverifiedClaims(token) ?? {}).includes(wanted)) return token;
  return await run('circleci', ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: wanted })]);
}

async function fromBuildkite({ env, audience }: Surroundings): Promise<string | undefined> {
  if (env['BUILDKITE'] !== 'true') return undefined;
  return await run('buildkite-agent', ['oidc', 'request-token', '--audience', await audience('https://agent.buildkite.com')]);
}

async function fromAppService({ env, audience }: Surroundings): Promise<string | undefined> {
  const { IDENTITY_ENDPOINT: address, IDENTITY_HEADER: secret } = env;
  if (!address || !secret) return undefined;
  const url = new URL(address);
  url.searchParams.set('api-version', '2019-08-01');
  url.searchParams.set('resource', await audience(undefined));
  for (const [name, value] of Object.entries(clientId(env))) url.searchParams.set(name, value);
  const answer = await askJson<{ access_token?: string }>('Azure App Service', url, { headers: { 'X-IDENTITY-HEADER': secret } });
  return answer.access_token;
}

/** A projected service account token with the gateway's audience. Never the default one, which opens the cluster's own API. */
async function fromKubernetes({ env }: Surroundings): Promise<string | undefined> {
  if (!env['KUBERNETES_SERVICE_HOST']) return undefined;
  try {
    return await readFile(projectedTokenFile, 'utf8');
  } catch {
    return undefined;
  }
}

function clientId(env: Surroundings['env']): Record<string, string> {
  const id = env['AZURE_CLIENT_ID'];
  return id === undefined || id === '' ? {} : { client_id: id };
}

async function readTokenFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw usage(`cannot read the token file ${file}: ${messageOf(cause)}`);
  }
}

async function askJson<T>(source: string, url: URL, init: RequestInit): Promise<T> {
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return (await response.json()) as T;
  } catch (cause) {
    throw new Failure(`${source} gave no token: ${messageOf(cause)}`, { cause });
  }
}

async function run(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, [...args], { timeout: 20_000 })).stdout;
  } catch (cause) {
    throw new Failure(`${program} gave no token: ${messageOf(cause)}`, { cause });
  }
}

const projectedTokenFile = '/var/run/secrets/sallyport/token';
