import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { badRequest, ServiceError, type Answer, type Asked } from './answer.ts';
import { authorize, type Credentials } from './authorization.ts';
import { changesAnswer, feedAnswer, queryAnswer } from './feeds.ts';
import { batchAnswer, itemAnswer, keyOf } from './items.ts';
import { Metadata } from './metadata.ts';
import { executed } from './scripts.ts';
import { Account } from './store.ts';

/**
 * An emulator of the documented wire of Azure Cosmos DB for NoSQL in gateway mode, stricter than `@vercel/cosmosdb-server`: signatures are checked, there are two
 * partitions, queries that one of them cannot answer alone are refused with their plan, batches are atomic, tokens hold what rows are sorted by. It shares no code
 * with the gateway.
 */
export interface Emulator {
  readonly url: string;
  readonly key: string;
  /** Requests, in order, as they came. */
  readonly seen: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

export async function startEmulator(
  options: { readonly tokens?: readonly string[]; readonly tls?: { readonly cert: string; readonly key: string } } = {},
): Promise<Emulator> {
  const credentials: Credentials = { key: Buffer.from(`emulator ${randomUUID()}`).toString('base64'), tokens: new Set(options.tokens) };
  const account = new Account();
  const metadata = new Metadata(account);
  const seen: Emulator['seen'] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    void answer(request, credentials, metadata, url).then((one) => send(response, request, one));
  };
  const server = options.tls === undefined ? createServer(handle) : createSecureServer(options.tls, handle);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = `${options.tls === undefined ? 'http' : 'https'}://localhost:${(server.address() as AddressInfo).port}`;
  return {
    url,
    key: credentials.key,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function answer(request: IncomingMessage, credentials: Credentials, metadata: Metadata, url: string): Promise<Answer> {
  try {
    const segments = (request.url ?? '')
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
    authorize(request, segments, credentials);
    if (request.headers['x-ms-version'] === undefined) throw badRequest('The required header x-ms-version is missing.');
    let text = '';
    for await (const part of request) text += String(part);
    const headers = request.headers as Asked['headers'];
    const asked: Asked = { method: request.method ?? '', segments, headers, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    return segments.length === 0 ? { status: 200, body: accountDocument(url) } : route(asked, metadata);
  } catch (error) {
    if (error instanceof ServiceError) {
      const { status, code, message, more, substatus } = error;
      return {
        status,
        body: { code, message: `${message}\r\nActivityId: ${randomUUID()}`, ...more },
        ...(substatus === 0 ? {} : { headers: { 'x-ms-substatus': String(substatus) } }),
      };
    }
    return { status: 500, body: { code: 'InternalServerError', message: String((error as Error).stack) } };
  }
}

function route(asked: Asked, metadata: Metadata): Answer {
  const { segments, headers, method } = asked;
  const [, database, , name, kind, id] = segments;
  if (kind === 'docs' || (kind === 'sprocs' && method === 'POST' && id !== undefined) || kind === 'operations') {
    const container = metadata.container(database!, name!);
    const tell = (one: Answer): Answer => ({
      ...one,
      headers: {
        'x-ms-session-token': `0:-1#${container.lsn}`,
        'x-ms-alt-content-path': `dbs/${database}/colls/${name}`,
        'x-ms-content-path': container.rid,
        ...one.headers,
      },
    });
    if (kind === 'operations') {
      const key = JSON.stringify(keyOf(headers));
      for (const item of container.items.values())
        if (JSON.stringify(container.keyOf(item) ?? {}) === key) container.remove(container.keyOf(item) ?? {}, item.id);
      return tell({ status: 200, body: {} });
    }
    if (kind === 'sprocs') return tell(executed(container, id!, asked.body));
    if (is(headers['x-ms-cosmos-is-batch-request'])) return tell(batchAnswer(container, asked));
    if (is(headers['x-ms-documentdb-isquery']) || is(headers['x-ms-cosmos-is-query-plan-request'])) {
      if (headers['content-type'] !== 'application/query+json') throw badRequest('A query is application/query+json.');
      return tell(queryAnswer(container, asked));
    }
    if (method === 'GET' && id === undefined)
      return tell(headers['a-im'] === undefined ? feedAnswer(container, asked) : changesAnswer(container, asked));
    return tell(itemAnswer(container, asked, id));
  }
  return metadata.answer(asked);
}

function is(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

/** Whoever asks for it gets binary JSON, which nothing but an SDK of the vendor can read. */
function send(response: ServerResponse, request: IncomingMessage, { status, body, headers = {} }: Answer): void {
  const isBinary = String(request.headers['x-ms-cosmos-supported-serialization-formats'] ?? '').includes('CosmosBinary');
  const json = body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-ms-request-charge': '1',
    'x-ms-activity-id': randomUUID(),
    'x-ms-gatewayversion': 'version=2.14.0',
    'x-ms-internal-secret': 'not documented',
    ...headers,
  });
  response.end(isBinary && json !== '' ? Buffer.concat([Buffer.from([0x80]), Buffer.from(json, 'utf16le')]) : json);
}

function accountDocument(url: string): unknown {
  const locations = ['East US', 'West US'].map((name) => ({ name, databaseAccountEndpoint: `${url}/` }));
  return {
    _self: '',
    id: 'emulator',
    _rid: 'emulator.documents.azure.com',
    media: '//media/',
    addresses: '//addresses/',
    _dbs: '//dbs/',
    writableLocations: locations.slice(0, 1),
    readableLocations: locations,
    thinClientReadableLocations: locations,
    enableMultipleWriteLocations: false,
    userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 3, maxReplicasetSize: 4 },
    userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
    systemReplicationPolicy: { minReplicaSetSize: 3, maxReplicasetSize: 4 },
    readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    queryEngineConfiguration: '{"maxSqlQueryInputLength":262144}',
  };
}
