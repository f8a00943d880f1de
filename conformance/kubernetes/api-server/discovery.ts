import { createHash } from 'node:crypto';
import type { JsonObject } from './json.ts';
import { apiVersion, everyVerb, groups, resources, reviews, type Resource, type Subresource } from './resources.ts';

/** `/api` and `/apis` as aggregated discovery answers them (KEP-3352), for `Accept: …;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`. */
export function aggregatedDiscovery(prefix: '/api' | '/apis', version: string): JsonObject {
  const names = prefix === '/api' ? [''] : groups;
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: names.map((group) => ({
      metadata: { ...(group === '' ? {} : { name: group }), creationTimestamp: null },
      versions: [{ version: 'v1', resources: aggregatedResources(group), freshness: 'Current' }],
    })),
  };
}

/** `/api` as clients before 1.26 read it. */
export function legacyVersions(address: string): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] };
}

export function groupList(): JsonObject {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupEntry) };
}

export function groupOf(group: string): JsonObject | undefined {
  return groups.includes(group) ? { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) } : undefined;
}

function groupEntry(group: string): JsonObject {
  const version = { groupVersion: `${group}/v1`, version: 'v1' };
  return { name: group, versions: [version], preferredVersion: version };
}

/** `/api/v1` and `/apis/<group>/v1`. */
export function resourceList(group: string): JsonObject | undefined {
  if (group !== '' && !groups.includes(group)) return undefined;
  const listed: JsonObject[] = [];
  for (const one of resources.filter((resource) => resource.group === group)) {
    listed.push({
      name: one.name,
      singularName: one.singular,
      namespaced: one.isNamespaced,
      kind: one.kind,
      verbs: [...everyVerb],
      ...(one.shortNames.length > 0 ? { shortNames: [...one.shortNames] } : {}),
      ...(one.categories.length > 0 ? { categories: [...one.categories] } : {}),
      storageVersionHash: createHash('sha256').update(`${group}/${one.kind}`).digest('base64').slice(0, 12),
    });
    for (const part of one.subresources) listed.push(subresourceEntry(one, part));
  }
  for (const one of reviews.filter((review) => review.group === group)) {
    listed.push({ name: one.name, singularName: one.kind.toLowerCase(), namespaced: one.isNamespaced, kind: one.kind, verbs: ['create'] });
  }
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersion({ group, version: 'v1' }), resources: listed };
}

function subresourceEntry(one: Resource, part: Subresource): JsonObject {
  return {
    name: `${one.name}/${part.name}`,
    singularName: '',
    namespaced: one.isNamespaced,
    ...(part.group === one.group ? {} : { group: part.group, version: part.version }),
    kind: part.kind,
    verbs: [...part.verbs],
  };
}

function aggregatedResources(group: string): JsonObject[] {
  const kept = resources
    .filter((one) => one.group === group)
    .map((one): JsonObject => ({
      resource: one.name,
      responseKind: { group: one.group, version: one.version, kind: one.kind },
      scope: one.isNamespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.singular,
      verbs: [...everyVerb],
      ...(one.shortNames.length > 0 ? { shortNames: [...one.shortNames] } : {}),
      ...(one.categories.length > 0 ? { categories: [...one.categories] } : {}),
      ...(one.subresources.length > 0
        ? {
            subresources: one.subresources.map((part) => ({
              subresource: part.name,
              responseKind: { group: part.group, version: part.version, kind: part.kind },
              verbs: [...part.verbs],
            })),
          }
        : {}),
    }));
  const answered = reviews
    .filter((one) => one.group === group)
    .map((one): JsonObject => ({
      resource: one.name,
      responseKind: { group, version: 'v1', kind: one.kind },
      scope: one.isNamespaced ? 'Namespaced' : 'Cluster',
      singularResource: one.kind.toLowerCase(),
      verbs: ['create'],
    }));
  return [...kept, ...answered];
}
