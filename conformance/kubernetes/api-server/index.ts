import type { IncomingMessage } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { AuditEntry } from './audit.ts';
import { runControllers } from './controllers.ts';
import { asNew, withDefaults } from './defaults.ts';
import { Exchange, type AnyRequest, type AnyResponse } from './exchange.ts';
import { copy, type Json, type KubeObject } from './json.ts';
import { negotiate } from './negotiate.ts';
import { Objects } from './objects.ts';
import { PodRequests, type UpgradeRequest } from './pod-requests.ts';
import { now, Pods } from './pods.ts';
import type { Dial } from './port-forward.ts';
import { killAllProcesses } from './process.ts';
import { readRequest, type RequestInfo } from './request-info.ts';
import { findResource } from './resources.ts';
import { TokenIssuer } from './reviews.ts';
import { Routes } from './routes.ts';
import { badRequest, internalError, StatusError } from './status.ts';
import { Store } from './store.ts';
import type { Generation } from './stream-protocols.ts';
import { refuseAccess, Users, type Account, type Caller, type Rule } from './users.ts';
import { Writes } from './writes.ts';

export type { AuditEntry, Account, Rule, Generation };

/**
 * An API server for tests, written from the documentation of the wire and from what real clients do with it, with nothing of the gateway in
 * it. Objects live in memory, containers are processes in folders, streams are the real ones. See the files beside for what each part does.
 */
export interface ApiServer {
  readonly port: number;
  /** Everything that was understood, in order. */
  readonly audit: AuditEntry[];
  /** From now on nobody signs on with client certificates of this name. */
  refuse(commonName: string): void;
  readonly store: Store;
  /** Makes an object as a controller would: no user, no policy. */
  create(object: KubeObject): KubeObject;
  get(group: string, resource: string, namespace: string, name: string): KubeObject | undefined;
  /** The files of a container. */
  folderOf(namespace: string, pod: string, container: string): string;
  close(): Promise<void>;
}

export interface ApiServerOptions {
  readonly folder: string;
  /** PEM. `clientAuthority`: of client certificates. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
  readonly accounts: readonly Account[];
  readonly rules?: readonly Rule[];
  readonly generation?: Generation;
  /** Where a pod's port really is. Default: the same port on loopback. */
  readonly dial?: Dial;
  readonly port?: number;
}

export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const store = new Store();
  const pods = new Pods(store, options.folder);
  runControllers(store, pods);
  const users = new Users(options.accounts, options.rules ?? []);
  const issuer = new TokenIssuer();
  const writes = new Writes(store, pods);
  const podRequests = new PodRequests(pods, options.generation ?? 'current', options.dial ?? ((port) => ({ host: '127.0.0.1', port })));
  const audit: AuditEntry[] = [];
  const { certificate, key, clientAuthority } = options.tls;
  const server = createSecureServer({
    cert: certificate,
    key,
    allowHTTP1: true,
    requestCert: true,
    rejectUnauthorized: false,
    ...(clientAuthority === undefined ? {} : { ca: clientAuthority }),
  });
  const routes = new Routes({ store, users, issuer, writes, podRequests, objects: new Objects(store, writes), address: () => addressOf() });
  const addressOf = (): string => `localhost:${(server.address() as AddressInfo).port}`;

  const begin = (request: AnyRequest): Begun => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const info = readRequest(request.method ?? 'GET', url);
    const entry = entryOf(request, url, info);
    audit.push(entry);
    return { url, info, entry };
  };
  const admit = (request: AnyRequest, { info, entry }: Begun): Caller => {
    const caller = users.identify(request.headers, certificateOf(request), (token) => issuer.userOf(token));
    Object.assign(entry, { user: caller.user.name, groups: caller.user.groups, impersonator: caller.impersonator?.name });
    const asked = info.resource;
    if (asked !== undefined && !reviewGroups.has(asked.group) && !users.may(caller.user, { verb: info.verb, ...asked }))
      refuseAccess(caller.user, info.verb, asked);
    return caller;
  };

  server.on('request', (request: AnyRequest, response: AnyResponse) => void serve(request, response));
  const serve = async (request: AnyRequest, response: AnyResponse): Promise<void> => {
    let exchange: Exchange | undefined;
    const begun = begin(request);
    try {
      exchange = new Exchange({ request, response, ...begun, caller: anonymous });
      exchange = new Exchange({ request, response, ...begun, caller: admit(request, begun) });
      await routes.serve(exchange);
    } catch (error) {
      const problem = statusOf(error);
      if (exchange === undefined || response.headersSent) response.destroy();
      else exchange.answer(problem.code, problem.status, plainWanted(request));
      if (request.readable) request.resume();
    }
  };

  const upgraded = new Set<Duplex>();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket)).on('error', () => {});
    const begun = begin(request);
    void (async () => {
      try {
        admit(request, begun);
        await routes.upgrade({ request, socket, head, ...begun } satisfies UpgradeRequest & Begun, begun.info);
      } catch (error) {
        const problem = statusOf(error);
        begun.entry.status = problem.code;
        const body = Buffer.from(`${JSON.stringify(problem.status)}\n`);
        socket.end(
          `HTTP/1.1 ${problem.code} ${problem.reason}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body.toString()}`,
        );
      }
    })();
  });
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  server.on('sessionError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });

  const create = (object: KubeObject): KubeObject => {
    const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
    const resource = routes.resourceOfKind(group!, version!, object.kind);
    const whole = copy(object as Json) as KubeObject;
    if (resource.isNamespaced) whole.metadata['namespace'] ??= 'default';
    asNew(resource, whole, now());
    withDefaults(resource, whole);
    return store.put(resource, whole);
  };
  create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } });
  create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  create(node());
  return {
    port: (server.address() as AddressInfo).port,
    audit,
    refuse: (commonName) => users.refuse(commonName),
    store,
    create,
    get: (group, resource, namespace, name) => store.get(findResource(group, 'v1', resource)!, namespace, name),
    folderOf(namespace, pod, container) {
      return pods.folderOf(store.get(findResource('', 'v1', 'pods')!, namespace, pod)!, container);
    },
    async close() {
      killAllProcesses();
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      for (const socket of [...upgraded, ...connections]) socket.destroy();
      await closed;
    },
  };
}

interface Begun {
  readonly url: URL;
  readonly info: RequestInfo;
  readonly entry: AuditEntry;
}

function entryOf(request: AnyRequest, url: URL, info: RequestInfo): AuditEntry {
  const query = url.searchParams;
  const { group = '', resource = '', subresource = '', namespace = '', name = '' } = info.resource ?? {};
  const headers = Object.fromEntries(
    Object.entries(request.headers)
      .filter(([name]) => name !== 'authorization' && !name.startsWith(':'))
      .map(([name, value]) => [name, String(value)]),
  );
  const isTrue = (flag: string): boolean => ['true', '1'].includes(query.get(flag) ?? '');
  const isExec = subresource === 'exec';
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    http: request.httpVersion,
    verb: info.verb,
    group,
    resource,
    subresource,
    namespace,
    name,
    user: undefined,
    groups: [],
    impersonator: undefined,
    headers,
    argv: isExec ? query.getAll('command') : [],
    container: query.get('container') ?? '',
    stdin: isTrue('stdin'),
    tty: isTrue('tty'),
    upgrade: /^spdy/i.test(headers['upgrade'] ?? '') ? 'spdy' : (headers['upgrade'] ?? '').toLowerCase(),
    protocol: '',
    ports: [],
    status: 0,
  };
}

function certificateOf(request: AnyRequest): PeerCertificate | undefined {
  const socket = ('stream' in request ? request.stream.session?.socket : request.socket) as TLSSocket | undefined;
  if (socket?.authorized !== true) return undefined;
  const certificate = socket.getPeerCertificate();
  return certificate.subject === undefined ? undefined : certificate;
}

function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof URIError) return badRequest('malformed path');
  console.error(error);
  return internalError(error instanceof Error ? error.message : String(error));
}

/** In what an error is written: what the client takes, or JSON. */
function plainWanted(request: AnyRequest): ReturnType<typeof negotiate> {
  const json = { encoding: 'json', as: undefined, version: '' } as const;
  try {
    const wanted = negotiate(request.headers.accept, false);
    return wanted.encoding === 'yaml' ? { ...json, encoding: 'yaml' } : json;
  } catch {
    return json;
  }
}

function node(): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node-1', labels: { 'kubernetes.io/hostname': 'node-1', 'kubernetes.io/os': 'linux' } },
    spec: { podCIDR: '10.1.0.0/24' },
    status: {
      capacity: { cpu: '2', memory: '8Gi', pods: '110' },
      allocatable: { cpu: '2', memory: '8Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      nodeInfo: {
        kubeletVersion: 'v1.32.3',
        osImage: 'test',
        kernelVersion: '6.1',
        containerRuntimeVersion: 'containerd://1.7',
        architecture: 'amd64',
        operatingSystem: 'linux',
      },
    },
  };
}

/** Everybody may ask about themselves. */
const reviewGroups = new Set(['authentication.k8s.io', 'authorization.k8s.io']);
const anonymous: Caller = { user: { name: 'system:anonymous', groups: ['system:unauthenticated'] }, impersonator: undefined };
