import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createSecureServer as createSecureServer2,
  createServer as createServer2,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { DemoAuthority } from '../../src/cli/demo/certificates.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { run, type Ran } from '../harness.ts';
import { atNewSite, type Site } from '../parts/site.ts';
import { startTestGateway, trustedAuthority, type TestConfig, type TestGateway } from '../parts/test-gateway.ts';

/** A gateway in front of an HTTP API, for one test file. Everything is real; everything is stopped and removed by `close`. */
export interface House extends TestGateway {
  /** Of the target `crm` through the gateway, without a slash at the end. */
  readonly crm: string;
  readonly httpsPort: number;
  /** What the API was asked, in order. */
  readonly seen: Seen[];
  /** `curl` with the authority and this principal's token. */
  curl(as: string | undefined, ...parameters: readonly string[]): Promise<Ran>;
  /** Node's own client. */
  fetch(as: string, path: string, init?: RequestInit): Promise<Response>;
  /** A file of 20 MB. */
  largeFile(): string;
  close(): Promise<void>;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
}

export interface HouseOptions {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly policies?: string;
  /** That everybody here trusts. Absent: one of this house. */
  readonly authority?: DemoAuthority;
  readonly adjust?: (config: TestConfig) => void;
  /** Beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** The API does not encrypt. */
  readonly plainUpstream?: boolean;
  /** The API is spoken to in HTTP/2. Where it encrypts it takes HTTP/1.1, too. */
  readonly overHttp2?: boolean;
  /** Takes upgrades of HTTP/1.1. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex) => void;
}

export function startHouse(options: HouseOptions): Promise<House> {
  return atNewSite('http', (site) => start(site, options));
}

async function start(site: Site, options: HouseOptions): Promise<House> {
  const authority = await trustedAuthority(site, options.authority);
  const seen: Seen[] = [];
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', rawHeaders: request.rawHeaders });
    void options.handle(request, response);
  };
  const own = await authority.issue(['localhost']);
  const upstream = apiServer(options, { cert: own.certificate, key: own.key }, take);
  await new Promise<void>((resolve) => {
    upstream.listen(0, '127.0.0.1', resolve);
  });
  const upstreamPort = (upstream.address() as AddressInfo).port;

  if (options.upgrade !== undefined) upstream.on('upgrade', options.upgrade);
  const connections = new Set<Socket>();
  upstream.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  site.closers.push(async () => {
    for (const socket of connections) socket.destroy();
    await new Promise((resolve) => {
      upstream.close(resolve);
    });
  });

  const httpsPort = await freePort();
  const scheme = options.plainUpstream ? 'http' : 'https';
  const test = await startTestGateway(site, {
    name: 'gw-http',
    authority,
    otherHosts: ['crm.localhost'],
    files: { 'crm.token': upstreamToken, ...options.files },
    policies: options.policies ?? policies,
    config: {
      listeners: { https: `127.0.0.1:${httpsPort}` },
      targets: {
        crm: {
          protocol: 'http',
          upstream: {
            url: `${scheme}://localhost:${upstreamPort}/v2`,
            ...(options.plainUpstream ? { tls: 'unsafe_disable' } : { ca: 'file:ca.crt' }),
            ...(options.overHttp2 ? { http_version: 2 } : {}),
            credential: { bearer: 'file:crm.token' },
          },
          labels: { env: 'production' },
        },
      },
      data_classes: {
        ssn: { paths: ['crm/customers/*#$.ssn', 'crm/customers#$[*].ssn', 'crm/events/**#$.ssn'], detect: 'us-ssn', mask: 'partial-last4' },
        'card-number': { detect: 'card-number', mask: 'partial-last4' },
      },
    },
    adjust: options.adjust,
  });
  const { authorityFile, folder, token } = test;
  const crm = `https://localhost:${httpsPort}/http/crm`;
  return {
    ...test,
    crm,
    httpsPort,
    seen,
    async curl(as, ...parameters) {
      const authorization = as === undefined ? [] : ['-H', `Authorization: Bearer ${await token(as)}`];
      return run('curl', ['-sS', '--cacert', authorityFile, ...authorization, ...parameters], process.env);
    },
    async fetch(as, path, init = {}) {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${await token(as)}`);
      return fetch(`${crm}${path}`, { ...init, headers });
    },
    largeFile() {
      const path = join(folder, 'large');
      writeFileSync(path, Buffer.alloc(20 * 1024 * 1024, 0x61));
      return path;
    },
    close: () => site.close(),
  };
}

/** Requests of both versions look the same to a handler. */
function apiServer(
  { overHttp2, plainUpstream }: HouseOptions,
  tls: { readonly cert: string; readonly key: string },
  take: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  if (!overHttp2) return plainUpstream ? createServer(take) : createSecureServer(tls, take);
  const take2 = take as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  return plainUpstream ? createServer2(take2) : createSecureServer2({ ...tls, allowHTTP1: true }, take2);
}

/** Everything of a request's body. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

export const upstreamToken = 'upstream-bdfghjklmn';
const policies = `@id("pipelines work on the crm")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource in Target::"crm");
@id("fraud desk reads and sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"read", Action::"reveal"], resource);
@id("nobody administers")
forbid (principal, action, resource in Path::"crm/admin");
@id("deletes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("A DELETE needs a DBA.")
forbid (principal, action == Action::"http:delete", resource);
`;
