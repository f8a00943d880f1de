import { spawn } from 'node:child_process';
import { GatewayFault } from '../../core/fault.ts';
import type { ExecCredentialConfig } from '../../config/upstream-credential.ts';
import type { AccessToken } from './token-cache.ts';

/**
 * Asks a credential plugin of Kubernetes (`client.authentication.k8s.io/v1`; kubelogin, aws, gke-gcloud-auth-plugin) for a token. It is run without a shell and
 * without input, and prints an ExecCredential. What it says on standard error goes to the operators' log, never to clients.
 *
 * Throws `upstream-unavailable` where it fails, says nothing in time or prints something else; a client certificate is not taken.
 */
export async function fetchPluginToken(config: ExecCredentialConfig, { env, now }: PluginParts): Promise<AccessToken> {
  const printed = await run(config, env);
  const { status, kind } = parsed(printed);
  if (kind !== 'ExecCredential') throw failed('it printed no ExecCredential');
  if (typeof status?.token !== 'string' || !/^[\x21-\x7e]+$/.test(status.token)) throw failed('its ExecCredential has no token');
  if (status.expirationTimestamp === undefined) return { text: status.token, lifetimeMs: withoutEndMs };
  const endsAtMs = typeof status.expirationTimestamp === 'string' ? Date.parse(status.expirationTimestamp) : Number.NaN;
  if (Number.isNaN(endsAtMs)) throw failed('its expirationTimestamp is no time');
  const lifetimeMs = endsAtMs - now();
  if (lifetimeMs <= 0) throw failed('its token has expired already');
  return { text: status.token, lifetimeMs };
}

interface PluginParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

function run({ command, args, env: own }: ExecCredentialConfig, env: PluginParts['env']): Promise<string> {
  const info = JSON.stringify({ apiVersion: version, kind: 'ExecCredential', spec: { interactive: false } });
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

function parsed(text: string): {
  readonly kind?: unknown;
  readonly status?: { readonly token?: unknown; readonly expirationTimestamp?: unknown };
} {
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
