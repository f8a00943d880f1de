import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { IssuedToken } from '../api/schema.ts';
import { Failure, messageOf } from './failure.ts';
import { keepFresh } from './keep-fresh.ts';

export interface Cluster {
  /** The target. */
  readonly name: string;
  /** Where clients take the gateway for the API server. */
  readonly server: string;
  /** PEM of the authority that signed the gateway's certificate; undefined: one that the client knows. */
  readonly authority: string | undefined;
}

/** How clients find a credential (client-go `tools/clientcmd/api/v1/types.go`, `AuthInfo`). */
export type ClusterUser =
  | { readonly tokenFile: string }
  /** A program that prints an ExecCredential, asked anew whenever the last one has expired. */
  | { readonly command: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> };

/** A kubeconfig of one cluster and one user, in YAML. */
export function kubeconfig({ name, server, authority }: Cluster, user: ClusterUser): string {
  const credential =
    'tokenFile' in user
      ? { tokenFile: user.tokenFile }
      : {
          exec: {
            apiVersion: 'client.authentication.k8s.io/v1',
            command: user.command,
            args: user.args,
            env: Object.entries(user.env).map(([variable, value]) => ({ name: variable, value })),
            interactiveMode: 'Never',
            provideClusterInfo: false,
          },
        };
  const data = authority === undefined ? {} : { 'certificate-authority-data': Buffer.from(authority).toString('base64') };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, ...data } }],
    users: [{ name, user: credential }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}

/** What `client.authentication.k8s.io` has a plugin print, in the version that the client asks for (KUBERNETES_EXEC_INFO). */
export function execCredential(issued: IssuedToken, nowMs: number): Readonly<Record<string, unknown>> {
  return {
    apiVersion: askedVersion(process.env['KUBERNETES_EXEC_INFO']),
    kind: 'ExecCredential',
    status: { token: issued.access_token, expirationTimestamp: new Date(nowMs + issued.expires_in * 1_000).toISOString() },
  };
}

/** A kubeconfig in a folder of its own, which nobody else may read, for as long as a client runs. */
export class TemporaryKubeconfig {
  readonly path: string;
  readonly #folder: string;
  readonly #tokenFile: string;
  #stop = (): void => {};

  constructor(cluster: Cluster, issued: IssuedToken) {
    this.#folder = mkdtempSync(join(tmpdir(), 'sallyport-kube-'));
    this.path = join(this.#folder, 'config');
    this.#tokenFile = join(this.#folder, 'token');
    this.#write(issued);
    writeFileSync(this.path, kubeconfig(cluster, { tokenFile: this.#tokenFile }), { mode: 0o600 });
  }

  /** Clients read the file anew every minute. */
  keepFresh(issued: IssuedToken, renew: () => Promise<IssuedToken>, report: (line: string) => void): void {
    const replace = async (): Promise<IssuedToken> => {
      const next = await renew();
      this.#write(next);
      return next;
    };
    this.#stop = keepFresh(issued, replace, report);
  }

  remove(): void {
    this.#stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** At once, so that no client reads half of it. */
  #write({ access_token: token }: IssuedToken): void {
    writeFileSync(`${this.#tokenFile}.new`, token, { mode: 0o600 });
    renameSync(`${this.#tokenFile}.new`, this.#tokenFile);
  }
}

/** Throws a `Failure` where the file cannot be read. */
export function readAuthority(file: string | undefined): string | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Failure(`cannot read ${file}: ${messageOf(cause)}`, {
      hint: 'give --ca with the PEM file of the gateway’s authority',
      cause,
    });
  }
}

function askedVersion(info: string | undefined): string {
  try {
    const { apiVersion } = JSON.parse(info ?? '{}') as { apiVersion?: unknown };
    return apiVersion === 'client.authentication.k8s.io/v1beta1' ? apiVersion : latest;
  } catch {
    return latest;
  }
}

const latest = 'client.authentication.k8s.io/v1';
