import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { eventually } from '../../harness.ts';
import { writeKubeconfig } from '../kubeconfig.ts';
import { clusterToken, type ServerCertificate } from '../world.ts';
import { startDaemon } from './daemon.ts';
import type { RealPrograms } from './programs.ts';

/** etcd, kube-apiserver and kube-controller-manager on loopback. */
export interface RealCluster {
  readonly port: number;
  /** What the API server has understood of each request, in the order in which it was answered. */
  readonly audit: () => readonly AuditEvent[];
  /** A request of the cluster's own administrator. Rejects for anything but 2xx. */
  readonly call: (method: string, path: string, body?: unknown) => Promise<unknown>;
  /** Of the administrator. */
  readonly kubeconfig: string;
  /** The certificate with which the API server signs on at kubelets, which is its own authority. */
  readonly kubeletClient: string;
  /** With what the cluster's controllers put into it. */
  readonly makeNamespace: (name: string) => Promise<void>;
}

/** Of the API server's audit log (audit.k8s.io/v1 `Event`). */
export interface AuditEvent {
  readonly auditID: string;
  readonly verb: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string; readonly groups: readonly string[] };
  readonly impersonatedUser?: { readonly username: string; readonly groups: readonly string[] };
  readonly requestURI: string;
  /** Of requests about resources. */
  readonly objectRef?: {
    readonly resource: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
  };
}

export interface ClusterPlace {
  readonly folder: string;
  readonly closers: (() => Promise<void>)[];
}

/** Everything it starts ends with `closers`. */
export async function startRealCluster(
  programs: RealPrograms,
  { folder, closers }: ClusterPlace,
  tls: ServerCertificate,
): Promise<RealCluster> {
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const run = (name: string, program: string, flags: Readonly<Record<string, string>>): (() => void) => {
    const parameters = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const daemon = startDaemon(join(folder, `${name}.log`), program, parameters);
    closers.push(() => daemon.stop());
    return () => daemon.check();
  };
  const [etcdPort, peerPort, port, controllersPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  run('etcd', programs.etcd, {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': etcd,
    'advertise-client-urls': etcd,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
  });

  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signingKey = put('service-accounts.key', keys.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string);
  const authority = put('ca.crt', tls.authority);
  const kubeletClient = clientCertificate(folder);
  const administrator = randomBytes(16).toString('hex');
  const accounts = [
    [clusterToken, 'gateway', 'system:masters'],
    [administrator, 'administrator', 'system:masters'],
  ];
  const auditLog = join(folder, 'audit.log');
  const checkServer = run('kube-apiserver', programs.apiServer, {
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'tls-cert-file': put('server.crt', tls.certificate),
    'tls-private-key-file': put('server.key', tls.key),
    'cert-dir': join(folder, 'certificates'),
    'etcd-servers': etcd,
    'token-auth-file': put('tokens.csv', accounts.map(([token, name, group]) => `${token},${name},${name},"${group}"\n`).join('')),
    'authorization-mode': 'Node,RBAC',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': signingKey,
    'service-account-signing-key-file': signingKey,
    'service-cluster-ip-range': '10.96.0.0/16',
    'allow-privileged': 'true',
    'kubelet-certificate-authority': authority,
    'kubelet-client-certificate': kubeletClient.certificate,
    'kubelet-client-key': kubeletClient.key,
    'kubelet-preferred-address-types': 'Hostname',
    'audit-policy-file': put('audit.yaml', auditPolicy),
    'audit-log-path': auditLog,
    'audit-log-mode': 'blocking',
  });
  const call = caller(port, tls.authority, administrator);
  await eventually(
    'the API server',
    async () => {
      checkServer();
      return call('GET', '/readyz').then(
        () => true,
        () => undefined,
      );
    },
    startMs,
  );

  const kubeconfig = join(folder, 'administrator.kubeconfig');
  writeKubeconfig(kubeconfig, { server: `https://localhost:${port}`, authorityFile: authority, token: administrator });
  run('kube-controller-manager', programs.controllerManager, {
    kubeconfig,
    'bind-address': '127.0.0.1',
    'secure-port': String(controllersPort),
    port: '0',
    'cert-dir': join(folder, 'certificates'),
    'leader-elect': 'false',
    'root-ca-file': authority,
    'service-account-private-key-file': signingKey,
  });
  await eventually(
    'the controllers',
    () => call('GET', '/api/v1/namespaces/default/serviceaccounts/default').catch(() => undefined),
    startMs,
  );
  return {
    port,
    kubeconfig,
    kubeletClient: kubeletClient.certificate,
    call,
    audit: () => auditEvents(auditLog),
    async makeNamespace(name) {
      await call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      await eventually(`what controllers put into ${name}`, async () => {
        const account = (await call('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`).catch(() => ({}))) as {
          secrets?: unknown[];
        };
        if (account.secrets === undefined) return undefined;
        return call('GET', `/api/v1/namespaces/${name}/configmaps/kube-root-ca.crt`).catch(() => undefined);
      });
    },
  };
}

function clientCertificate(folder: string): { readonly certificate: string; readonly key: string } {
  const [certificate, key] = [join(folder, 'kubelet-client.crt'), join(folder, 'kubelet-client.key')];
  const form = [
    'req',
    '-x509',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-days',
    '7',
    '-subj',
    '/CN=kube-apiserver',
  ];
  const parameters = [...form, '-addext', 'extendedKeyUsage=clientAuth', '-keyout', key, '-out', certificate];
  const { status, stderr } = spawnSync('openssl', parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl failed: ${stderr}`);
  return { certificate, key };
}

function caller(port: number, authority: string, token: string): RealCluster['call'] {
  const agent = new Agent({ ca: authority });
  return (method, path, body) =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const asked = request({ host: 'localhost', port, agent, method, path, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('error', reject);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          if (status < 200 || status > 299) reject(new Error(`${method} ${path}: ${status} ${text}`));
          else resolve(response.headers['content-type']?.startsWith('application/json') === true ? JSON.parse(text) : text);
        });
      });
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
}

function auditEvents(file: string): readonly AuditEvent[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as AuditEvent);
}

/** Each request once, when its answer begins or, where it has none to wait for, ends. */
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{ level: Metadata }]
`;
const startMs = 120_000;
