import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { GatewayFault } from '../../core/fault.ts';
import type { ExecCredentialConfig } from '../../config/upstream-credential.ts';
import type { ClientIdentity } from './credential.ts';
import type { AccessToken } from './token-cache.ts';

/** One of both, or both. */
export interface PluginCredential {
  readonly token: string | undefined;
  readonly identity: ClientIdentity | undefined;
}

/** The target, as a plugin may have to know it. */
export interface PluginUpstream {
  readonly server: string;
  /** PEM. */
  readonly ca: string | undefined;
  readonly verifies: boolean;
  /** It is reached over TLS, and has no client certificate of its own. */
  readonly takesCertificate: boolean;
}

/**
 * Asks a credential plugin of Kubernetes (`client.authentication.k8s.io/v1`; kubelogin, aws, gke-gcloud-auth-plugin) for a token, a client certificate, or both, by client-go's
 * rules (`plugin/pkg/client/auth/exec`). It is run without a shell and without input, and prints an ExecCredential. What it says on standard error goes to the operators' log, never
 * to clients.
 *
 * Throws `upstream-unavailable` where it fails, says nothing in time, or prints something else or what cannot be used: a certificate without its key, with another's, or one that has ended.
 */
export async function fetchPluginCredential(config: ExecCredentialConfig, parts: PluginParts): Promise<AccessToken<PluginCredential>> {
  const printed = await run(config, parts);
  const { status, kind } = parsed(printed);
  if (kind !== 'ExecCredential') throw failed('it printed no ExecCredential');
  const token = given(status?.token);
  if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))) throw failed('its token is none');
  const certified = certificateOf(given(status?.clientCertificateData), given(status?.clientKeyData), parts.upstream);
  if (token === undefined && certified === undefined) throw failed('its ExecCredential has no token and no client certificate');
  const now = parts.now();
  const ends = [
    ...(certified === undefined ? [] : [endOf(certified.validTo, now, 'client certificate')]),
    ...(status?.expirationTimestamp === undefined ? [] : [endOf(status.expirationTimestamp, now, 'credential')]),
  ];
  return { value: { token, identity: certified?.identity }, lifetimeMs: ends.length === 0 ? withoutEndMs : Math.min(...ends) - now };
}

function certificateOf(
  certificate: unknown,
  key: unknown,
  { takesCertificate }: PluginUpstream,
): { readonly identity: ClientIdentity; readonly validTo: string } | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (typeof certificate !== 'string' || typeof key !== 'string') throw failed('it gave only one of client certificate and key');
  if (!takesCertificate)
    throw failed('it gave a client certificate, but this target has its own (upstream.certificate), or is reached without TLS');
  try {
    // As they will be used: the chain is read, and the key has to be the leaf's.
    createSecureContext({ cert: certificate, key });
    return { identity: { certificate, key }, validTo: new X509Certificate(certificate).validTo };
  } catch (error) {
    throw failed('its client certificate and key cannot be used together', error);
  }
}

/** What is empty is not there. */
function given(text: unknown): unknown {
  return text === '' ? undefined : text;
}

/** Throws where that is over. */
function endOf(time: unknown, now: number, what: string): number {
  const endsAtMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(endsAtMs)) throw failed(`the end of its ${what} is no time`);
  if (endsAtMs <= now) throw failed(`its ${what} has expired already`);
  return endsAtMs;
}

interface PluginParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly upstream: PluginUpstream;
}

function run({ command, args, env: own, cluster }: ExecCredentialConfig, { env, upstream }: PluginParts): Promise<string> {
  const spec = { interactive: false, cluster: cluster === undefined ? undefined : clusterInfo(upstream, cluster.config) };
  const info = JSON.stringify({ apiVersion: version, kind: 'ExecCredential', spec });
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      env: { ...env, ...own, KUBERNETES_EXEC_INFO: info },
      shell: false,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), longestMs);
    const printed: Buffer[] = [];
    let length = 0;
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > mostBytes) child.kill('SIGKILL');
      else printed.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (said.length < mostSaidCharacters) said += chunk.toString('utf8').slice(0, mostSaidCharacters - said.length);
    });
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(failed(`it could not be run: ${error.message}`, error));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0 && length <= mostBytes) resolve(Buffer.concat(printed).toString('utf8'));
      else if (length > mostBytes) reject(failed(`it printed more than ${mostBytes} bytes`));
      else reject(failed(`it ended with ${code === null ? `signal ${signal}` : `status ${code}`}: ${said.trim()}`));
    });
  });
}

/** What `provideClusterInfo` of a kubeconfig tells a plugin; the name to verify is always the server's own. */
function clusterInfo({ server, ca, verifies }: PluginUpstream, config: unknown): unknown {
  return {
    server,
    'insecure-skip-tls-verify': verifies ? undefined : true,
    'certificate-authority-data': ca === undefined ? undefined : Buffer.from(ca).toString('base64'),
    config,
  };
}

type Status = Readonly<Partial<Record<'token' | 'expirationTimestamp' | 'clientCertificateData' | 'clientKeyData', unknown>>>;

function parsed(text: string): { readonly kind?: unknown; readonly status?: Status } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    throw failed('it printed no JSON');
  }
}

function failed(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the gateway has no credential for the target now',
    detail: `the credential plugin: ${detail}`,
    cause,
  });
}

const version = 'client.authentication.k8s.io/v1';
const longestMs = 30_000;
const mostBytes = 256 * 1024;
const mostSaidCharacters = 512;
/** client-go keeps a token without an end until the API server refuses it. */
const withoutEndMs = 60 * 60_000;
