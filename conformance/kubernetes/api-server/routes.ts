import { aggregatedDiscovery, groupList, groupOf, legacyVersions, resourceList } from './discovery.ts';
import type { Exchange } from './exchange.ts';
import { copy, isObject, numberAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import { negotiate, type Wanted } from './negotiate.ts';
import { Objects, scaleOf } from './objects.ts';
import { openApi2, openApi2Protobuf, openApi3, openApi3Index } from './openapi.ts';
import { jsonPatch, mergePatch } from './patch.ts';
import type { PodRequests, UpgradeRequest } from './pod-requests.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';
import { findResource, resources, reviews, type Resource } from './resources.ts';
import { review, type TokenIssuer } from './reviews.ts';
import { badRequest, methodNotAllowed, noSuchPath } from './status.ts';
import type { Store } from './store.ts';
import type { Users } from './users.ts';
import { writeOptions, type Writes } from './writes.ts';

interface Parts {
  readonly store: Store;
  readonly users: Users;
  readonly issuer: TokenIssuer;
  readonly writes: Writes;
  readonly objects: Objects;
  readonly podRequests: PodRequests;
  readonly address: () => string;
}

/** Which part of the server answers what. */
export class Routes {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async serve(exchange: Exchange): Promise<void> {
    const asked = exchange.info.resource;
    if (asked === undefined) return this.#plain(exchange);
    const answered = reviews.find((one) => one.group === asked.group && one.name === asked.resource);
    if (answered !== undefined) {
      if (exchange.info.verb !== 'create') throw methodNotAllowed();
      const body = await exchange.body();
      if (!isObject(body)) throw badRequest('the body of the request is empty');
      return exchange.answer(
        201,
        review(answered.kind, body, exchange.caller, this.#parts.users),
        negotiate(exchange.request.headers.accept, false),
      );
    }
    const resource = findResource(asked.group, asked.version, asked.resource);
    if (resource === undefined) throw noSuchPath();
    if (asked.subresource === '' || asked.subresource === 'status' || asked.subresource === 'ephemeralcontainers') {
      return this.#parts.objects.serve(exchange, resource, asked);
    }
    return this.#subresource(exchange, resource, asked);
  }

  /** Throws a Status where the request is not to be upgraded. */
  async upgrade(request: UpgradeRequest, info: RequestInfo): Promise<void> {
    const asked = info.resource;
    if (asked === undefined || asked.resource !== 'pods' || !['exec', 'attach', 'portforward'].includes(asked.subresource))
      throw noSuchPath();
    if (info.verb !== 'get' && info.verb !== 'create') throw methodNotAllowed();
    const { writes, podRequests } = this.#parts;
    const pod = writes.get(findResource('', 'v1', 'pods')!, asked.namespace, asked.name);
    return podRequests.upgrade(request, pod, asked.subresource);
  }

  resourceOfKind(group: string, version: string, kind: string): Resource {
    const found = resources.find((one) => one.group === group && one.version === version && one.kind === kind);
    if (found === undefined) throw new Error(`there is no ${kind} in ${group}/${version}`);
    return found;
  }

  async #subresource(exchange: Exchange, resource: Resource, asked: ResourceRequest): Promise<void> {
    const { writes, podRequests, issuer } = this.#parts;
    const part = resource.subresources.find(({ name }) => name === asked.subresource);
    if (part === undefined) throw noSuchPath();
    const { verb } = exchange.info;
    const wanted = negotiate(exchange.request.headers.accept?.includes('text/plain') ? undefined : exchange.request.headers.accept, false);
    if (asked.subresource === 'proxy') {
      const [name = '', port = '80'] = asked.name.split(':').filter((word) => word !== 'http');
      writes.get(resource, asked.namespace, name);
      return podRequests.proxy(exchange, Number(port), asked.rest);
    }
    const object = writes.get(resource, asked.namespace, asked.name);
    switch (asked.subresource) {
      case 'log':
        if (verb !== 'get') throw methodNotAllowed();
        return podRequests.log(exchange, object);
      case 'scale':
        return this.#scale(exchange, resource, object, wanted);
      case 'token': {
        const body = await exchange.body();
        return exchange.answer(201, issuer.issue(object, isObject(body) ? body : {}), wanted);
      }
      case 'eviction':
        writes.delete(resource, object, undefined, new URLSearchParams());
        return exchange.answer(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, wanted);
      default:
        throw badRequest('Upgrade request required');
    }
  }

  async #scale(exchange: Exchange, resource: Resource, object: KubeObject, wanted: Wanted): Promise<void> {
    const { verb, resource: asked } = exchange.info;
    if (verb === 'get') return exchange.answer(200, scaleOf(object), wanted);
    const options = writeOptions(exchange.url.searchParams, exchange.userAgent, 'scale', false);
    let scaled: Json;
    if (verb === 'update') scaled = (await exchange.body()) ?? {};
    else if (verb === 'patch') {
      const patch = JSON.parse(await exchange.text()) as Json;
      scaled =
        exchange.contentType === 'application/json-patch+json' ? jsonPatch(scaleOf(object), patch) : mergePatch(scaleOf(object), patch);
    } else throw methodNotAllowed();
    const next = copy(object as JsonObject);
    next['spec'] = { ...(object['spec'] as JsonObject), replicas: numberAt(scaled, 'spec', 'replicas') ?? 0 };
    const version = textAt(scaled, 'metadata', 'resourceVersion');
    (next['metadata'] as JsonObject)['resourceVersion'] = version === '' ? (object.metadata['resourceVersion'] as Json) : version;
    const { object: done } = this.#parts.writes.update(resource, asked!.namespace, asked!.name, '', next, options);
    return exchange.answer(200, scaleOf(done), wanted);
  }

  #plain(exchange: Exchange): void {
    const { path } = exchange.info;
    const accept = exchange.request.headers.accept;
    if (exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD') throw methodNotAllowed();
    if (['/healthz', '/livez', '/readyz'].includes(path)) {
      exchange.head(200, 'text/plain; charset=utf-8');
      exchange.response.end('ok');
      return;
    }
    if (path === '/openapi/v2' && accept?.includes('proto-openapi.spec.v2')) {
      const bytes = openApi2Protobuf();
      exchange.head(200, 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf', [], bytes.length);
      exchange.response.end(bytes);
      return;
    }
    const wanted = negotiate(accept?.startsWith('application/com.github.proto-openapi') ? undefined : accept, false);
    const found = this.#document(path, wanted);
    if (found === undefined) throw noSuchPath();
    exchange.answer(200, found, wanted);
  }

  #document(path: string, wanted: Wanted): JsonObject | undefined {
    const isAggregated = wanted.as === 'APIGroupDiscoveryList';
    const [, first, group = '', version, more] = path.split('/');
    if (path === '/version' || path === '/version/') return version132;
    if (path === '/api' || path === '/api/')
      return isAggregated ? aggregatedDiscovery('/api', wanted.version) : legacyVersions(this.#parts.address());
    if (path === '/apis' || path === '/apis/') return isAggregated ? aggregatedDiscovery('/apis', wanted.version) : groupList();
    if (path === '/api/v1') return resourceList('');
    if (first === 'apis' && version === undefined) return groupOf(group);
    if (first === 'apis' && version === 'v1' && more === undefined) return resourceList(group);
    if (path === '/openapi/v2') return openApi2();
    if (path === '/openapi/v3') return openApi3Index();
    if (path === '/openapi/v3/api/v1') return openApi3('');
    const named = /^\/openapi\/v3\/apis\/([^/]+)\/v1$/.exec(path)?.[1];
    return named === undefined ? undefined : openApi3(named);
  }
}

const version132: JsonObject = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.3',
  gitCommit: '32cc146f75aad04beaaa245a7157eb35063a9f99',
  gitTreeState: 'clean',
  buildDate: '2025-03-11T19:52:21Z',
  goVersion: 'go1.23.6',
  compiler: 'gc',
  platform: 'linux/amd64',
};
