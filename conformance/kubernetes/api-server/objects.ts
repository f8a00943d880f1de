import type { Exchange } from './exchange.ts';
import { at, copy, isObject, numberAt, textAt, plain, type Json, type JsonObject, type KubeObject } from './json.ts';
import { negotiate, type Wanted } from './negotiate.ts';
import { encodable } from './protobuf-types.ts';
import type { ResourceRequest } from './request-info.ts';
import { apiVersion, type Resource } from './resources.ts';
import { selector } from './selectors.ts';
import { badRequest, gone, methodNotAllowed, StatusError } from './status.ts';
import type { Change, Store } from './store.ts';
import { partial, tableOf } from './tables.ts';
import { writeOptions, type Writes, type Written } from './writes.ts';

/** Requests for objects and collections of them. */
export class Objects {
  readonly #store: Store;
  readonly #writes: Writes;

  constructor(store: Store, writes: Writes) {
    this.#store = store;
    this.#writes = writes;
  }

  async serve(exchange: Exchange, resource: Resource, asked: ResourceRequest): Promise<void> {
    const { verb } = exchange.info;
    const query = exchange.url.searchParams;
    const wanted = negotiate(exchange.request.headers.accept, encodable.has(resource.kind));
    const namespace = resource.isNamespaced ? asked.namespace : '';
    const scope = resource.isNamespaced && namespace !== '' ? namespace : undefined;
    switch (verb) {
      case 'list':
        return this.#list(exchange, resource, scope, wanted);
      case 'watch':
        return this.#watch(exchange, resource, scope, asked.name, wanted);
      case 'get':
        return exchange.answer(200, shaped(resource, this.#writes.get(resource, namespace, asked.name), wanted, query), wanted);
      case 'create': {
        if (asked.name !== '' || (resource.isNamespaced && namespace === '')) throw methodNotAllowed();
        const options = writeOptions(query, exchange.userAgent, '', false);
        return written(exchange, resource, this.#writes.create(resource, namespace, await bodyOf(exchange), options), wanted);
      }
      case 'update': {
        const options = writeOptions(query, exchange.userAgent, asked.subresource, false);
        const body = await bodyOf(exchange);
        return written(exchange, resource, this.#writes.update(resource, namespace, asked.name, asked.subresource, body, options), wanted);
      }
      case 'patch': {
        const type = exchange.contentType;
        const options = writeOptions(query, exchange.userAgent, asked.subresource, type === 'application/apply-patch+yaml');
        const text = await exchange.text();
        return written(
          exchange,
          resource,
          this.#writes.patch(resource, namespace, asked.name, asked.subresource, type, text, options),
          wanted,
        );
      }
      case 'delete':
        return this.#delete(exchange, resource, namespace, asked.name, wanted);
      case 'deletecollection':
        return this.#deleteCollection(exchange, resource, scope, wanted);
      default:
        throw methodNotAllowed();
    }
  }

  #list(exchange: Exchange, resource: Resource, namespace: string | undefined, wanted: Wanted): void {
    const query = exchange.url.searchParams;
    const isSelected = selector(query.get('labelSelector'), query.get('fieldSelector'));
    const all = this.#store.list(resource, namespace).filter(isSelected);
    const limit = Number(query.get('limit') ?? 0);
    const start = readContinue(query.get('continue') ?? '');
    const from = start === '' ? 0 : all.findIndex((object) => keyOf(object) >= start);
    const rest = from < 0 ? [] : all.slice(from);
    const page = limit > 0 ? rest.slice(0, limit) : rest;
    const next = rest[page.length];
    const metadata: JsonObject = {
      resourceVersion: String(this.#store.version),
      ...(next === undefined ? {} : { continue: writeContinue(keyOf(next)) }),
      ...(next === undefined ? {} : { remainingItemCount: rest.length - page.length }),
    };
    exchange.answer(200, listOf(resource, page, metadata, wanted, query), wanted);
  }

  async #watch(exchange: Exchange, resource: Resource, namespace: string | undefined, name: string, wanted: Wanted): Promise<void> {
    const query = exchange.url.searchParams;
    const isSelected = selector(query.get('labelSelector'), query.get('fieldSelector'));
    const isHere = (object: KubeObject): boolean =>
      (namespace === undefined || textAt(object, 'metadata', 'namespace') === namespace) &&
      (name === '' || textAt(object, 'metadata', 'name') === name) &&
      isSelected(object);
    const version = query.get('resourceVersion') ?? '';
    const hasInitial = query.get('sendInitialEvents') === 'true';
    const hasBookmarks = query.get('allowWatchBookmarks') === 'true';
    const hasState = hasInitial || version === '' || version === '0';
    if (!hasState && !/^\d+$/.test(version)) throw badRequest(`invalid resource version "${version}": strconv.ParseUint: invalid syntax`);
    exchange.head(200, 'application/json');
    let isFirst = true;
    let queue = Promise.resolve();
    const send = (type: string, object: KubeObject | JsonObject): void => {
      const told = type === 'BOOKMARK' || type === 'ERROR' ? object : shaped(resource, object as KubeObject, wanted, query);
      if (!isFirst && isObject(told) && told['kind'] === 'Table') told['columnDefinitions'] = null;
      if (type !== 'BOOKMARK') isFirst = false;
      queue = queue.then(() => exchange.write(`${JSON.stringify({ type, object: told })}\n`));
    };
    const bookmark = (annotations: JsonObject): JsonObject => ({
      kind: resource.kind,
      apiVersion: apiVersion(resource),
      metadata: { resourceVersion: String(this.#store.version), creationTimestamp: null, ...annotations },
    });
    const told = ({ type, object, before }: Change): void => {
      const [was, is] = [before !== undefined && isHere(before), isHere(object)];
      if (type === 'DELETED') {
        if (was) send('DELETED', object);
      } else if (is) send(was ? type : 'ADDED', object);
      else if (was) send('DELETED', object);
    };
    let stop: () => void;
    try {
      if (hasState) for (const object of this.#store.list(resource, namespace).filter(isHere)) send('ADDED', object);
      if (hasInitial && hasBookmarks) send('BOOKMARK', bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } }));
      stop = this.#store.watch(resource, hasState ? this.#store.version : Number(version), told);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      send('ERROR', error.status);
      await queue;
      exchange.response.end();
      return;
    }
    // An HTTP/1.1 client learns of the answer's head at once.
    if ('flushHeaders' in exchange.response) exchange.response.flushHeaders();
    const bookmarks = hasBookmarks ? setInterval(() => send('BOOKMARK', bookmark({})), bookmarkIntervalMs) : undefined;
    const seconds = Number(query.get('timeoutSeconds') ?? 0);
    await new Promise<void>((resolve) => {
      const limit = seconds > 0 ? setTimeout(resolve, seconds * 1_000) : undefined;
      exchange.response.on('close', () => {
        clearTimeout(limit);
        resolve();
      });
    });
    clearInterval(bookmarks);
    stop();
    await queue;
    exchange.response.end();
  }

  async #delete(exchange: Exchange, resource: Resource, namespace: string, name: string, wanted: Wanted): Promise<void> {
    const body = await exchange.body();
    const object = this.#writes.get(resource, namespace, name);
    const answer = this.#writes.delete(resource, object, body, exchange.url.searchParams);
    exchange.answer(
      200,
      answer['kind'] === 'Status' ? answer : shaped(resource, answer as KubeObject, wanted, exchange.url.searchParams),
      wanted,
    );
  }

  async #deleteCollection(exchange: Exchange, resource: Resource, namespace: string | undefined, wanted: Wanted): Promise<void> {
    const body = await exchange.body();
    const query = exchange.url.searchParams;
    const objects = this.#store.list(resource, namespace).filter(selector(query.get('labelSelector'), query.get('fieldSelector')));
    for (const object of objects) this.#writes.delete(resource, object, body, query);
    exchange.answer(200, listOf(resource, objects, { resourceVersion: String(this.#store.version) }, wanted, query), wanted);
  }
}

/** The Scale of a Deployment or ReplicaSet (autoscaling/v1). */
export function scaleOf(object: KubeObject): KubeObject {
  const labels = at(object, 'spec', 'selector', 'matchLabels');
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name: name!, namespace: namespace!, uid: uid!, resourceVersion: resourceVersion!, creationTimestamp: creationTimestamp! },
    spec: { replicas: numberAt(object, 'spec', 'replicas') ?? 0 },
    status: {
      replicas: numberAt(object, 'status', 'replicas') ?? 0,
      selector: isObject(labels)
        ? Object.entries(labels)
            .map(([label, value]) => `${label}=${plain(value)}`)
            .join(',')
        : '',
    },
  };
}

function written(exchange: Exchange, resource: Resource, { object, isNew, warnings }: Written, wanted: Wanted): void {
  exchange.answer(isNew ? 201 : 200, shaped(resource, object, wanted, exchange.url.searchParams), wanted, warnings);
}

async function bodyOf(exchange: Exchange): Promise<Json> {
  const body = await exchange.body();
  if (body === undefined) throw badRequest('the body of the request is empty');
  return body;
}

function shaped(resource: Resource, object: KubeObject, wanted: Wanted, query: URLSearchParams): JsonObject {
  switch (wanted.as) {
    case 'Table': {
      const version = textAt(object, 'metadata', 'resourceVersion');
      return tableOf(resource, [object], { resourceVersion: version }, query.get('includeObject') ?? 'Metadata', wanted.version);
    }
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList':
      return partial(object, wanted.version);
    default:
      return copy(object as JsonObject);
  }
}

function listOf(
  resource: Resource,
  objects: readonly KubeObject[],
  metadata: JsonObject,
  wanted: Wanted,
  query: URLSearchParams,
): JsonObject {
  switch (wanted.as) {
    case 'Table':
      return tableOf(resource, objects, metadata, query.get('includeObject') ?? 'Metadata', wanted.version);
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList': {
      const items = objects.map((object) => partial(object, wanted.version));
      return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${wanted.version}`, metadata, items };
    }
    default:
      return { kind: `${resource.kind}List`, apiVersion: apiVersion(resource), metadata, items: [...objects] };
  }
}

function keyOf(object: KubeObject): string {
  return `${textAt(object, 'metadata', 'namespace')}/${textAt(object, 'metadata', 'name')}`;
}

function writeContinue(start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', start })).toString('base64url');
}

function readContinue(token: string): string {
  if (token === '') return '';
  try {
    return textAt(JSON.parse(Buffer.from(token, 'base64url').toString()) as Json, 'start');
  } catch {
    throw gone('The provided continue parameter is not valid');
  }
}

const bookmarkIntervalMs = 2_000;
