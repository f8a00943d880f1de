import { parse } from 'yaml';
import { serverSideApply } from './apply.ts';
import { asNew, asUpdated, withDefaults } from './defaults.ts';
import { at, copy, ensure, isObject, isSame, numberAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import { noteUpdate, type Manager } from './managed-fields.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { now, type Pods } from './pods.ts';
import { apiVersion, resources, type Resource } from './resources.ts';
import { alreadyExists, badRequest, conflict, notFound, StatusError, unsupportedMediaType } from './status.ts';
import type { Store } from './store.ts';
import { unknownFields, validate } from './validate.ts';

/** How a write is meant, from its query (https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run and further). */
export interface WriteOptions {
  readonly isDryRun: boolean;
  readonly manager: Manager;
  readonly isForced: boolean;
  readonly fieldValidation: string;
}

export interface Written {
  readonly object: KubeObject;
  readonly isNew: boolean;
  readonly warnings: readonly string[];
}

export function writeOptions(query: URLSearchParams, userAgent: string, subresource: string, isApply: boolean): WriteOptions {
  const dryRun = query.get('dryRun') ?? '';
  if (dryRun !== '' && dryRun !== 'All') throw badRequest(`Invalid value: ["${dryRun}"]: dryRun must be "All" or not given`);
  const name = query.get('fieldManager') ?? '';
  if (isApply && name === '')
    throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
  return {
    isDryRun: dryRun === 'All',
    manager: {
      name: name === '' ? (userAgent.split('/')[0] ?? 'unknown') : name,
      operation: isApply ? 'Apply' : 'Update',
      subresource: subresource === 'ephemeralcontainers' ? '' : subresource,
    },
    isForced: query.get('force') === 'true',
    fieldValidation: query.get('fieldValidation') ?? 'Warn',
  };
}

export class Writes {
  readonly #store: Store;
  readonly #pods: Pods;

  constructor(store: Store, pods: Pods) {
    this.#store = store;
    this.#pods = pods;
  }

  create(resource: Resource, namespace: string, body: Json, options: WriteOptions): Written {
    const { object, warnings } = this.#decode(resource, namespace, body, options);
    const generated = textAt(object, 'metadata', 'generateName');
    if (textAt(object, 'metadata', 'name') === '' && generated !== '') object.metadata['name'] = generated + suffix();
    const name = textAt(object, 'metadata', 'name');
    if (this.#store.get(resource, namespace, name) !== undefined) throw alreadyExists(resource.name, resource.group, name);
    if (resource.isNamespaced) this.#inNamespace(namespace);
    return {
      object: this.#make(resource, object, options, (made) => noteUpdate(undefined, made, options.manager, resource.schema, now())),
      isNew: true,
      warnings,
    };
  }

  update(resource: Resource, namespace: string, name: string, subresource: string, body: Json, options: WriteOptions): Written {
    const { object, warnings } = this.#decode(resource, namespace, body, options);
    const before = this.get(resource, namespace, name);
    if (textAt(object, 'metadata', 'name') !== name) {
      throw badRequest(`the name of the object (${textAt(object, 'metadata', 'name')}) does not match the name on the URL (${name})`);
    }
    const version = textAt(object, 'metadata', 'resourceVersion');
    if (version !== '' && version !== before.metadata['resourceVersion']) throw stale(resource, name);
    return { object: this.#replace(resource, before, object, subresource, options), isNew: false, warnings };
  }

  patch(
    resource: Resource,
    namespace: string,
    name: string,
    subresource: string,
    type: string,
    text: string,
    options: WriteOptions,
  ): Written {
    if (type === 'application/apply-patch+yaml') return this.#apply(resource, namespace, name, subresource, parse(text) as Json, options);
    const before = this.get(resource, namespace, name);
    const patch = parsed(text);
    const target = copy(before as Json) as KubeObject;
    const patched = patchAs(type, resource, target, patch);
    if (!isObject(patched)) throw badRequest('the patch leaves no object');
    const version = at(patch, 'metadata', 'resourceVersion');
    if (typeof version === 'string' && version !== before.metadata['resourceVersion']) throw stale(resource, name);
    const warnings = checkFields(resource, patched, options, '');
    const object = patched as KubeObject;
    return { object: this.#replace(resource, before, object, subresource, options), isNew: false, warnings };
  }

  /** What a DELETE answers: the object as it goes where that takes time, a Status otherwise. */
  delete(resource: Resource, object: KubeObject, body: Json | undefined, query: URLSearchParams): JsonObject {
    const name = textAt(object, 'metadata', 'name');
    const wantedUid = textAt(body, 'preconditions', 'uid');
    if (wantedUid !== '' && wantedUid !== object.metadata['uid']) {
      throw conflict(
        resource.name,
        resource.group,
        name,
        `Precondition failed: UID in precondition: ${wantedUid}, UID in object meta: ${textAt(object, 'metadata', 'uid')}`,
      );
    }
    const isDryRun =
      query.getAll('dryRun').includes('All') || (Array.isArray(at(body, 'dryRun')) && (at(body, 'dryRun') as Json[]).includes('All'));
    if (resource.kind === 'Pod') {
      const asked = numberAt(body, 'gracePeriodSeconds') ?? Number(query.get('gracePeriodSeconds') ?? Number.NaN);
      const grace = Number.isNaN(asked) ? (numberAt(object, 'spec', 'terminationGracePeriodSeconds') ?? 30) : asked;
      if (isDryRun) return object;
      const doomed = copy(object as Json) as KubeObject;
      doomed.metadata['deletionTimestamp'] = now();
      doomed.metadata['deletionGracePeriodSeconds'] = grace;
      const kept = this.#store.put(resource, doomed);
      void this.#pods.terminate(kept, grace);
      return kept;
    }
    if (!isDryRun && resource.kind === 'Namespace') this.#empty(name);
    if (!isDryRun) {
      if ((textAt(body, 'propagationPolicy') || query.get('propagationPolicy')) === 'Orphan') this.#orphan(object);
      this.#store.remove(resource, object);
    }
    const details = {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.name,
      uid: object.metadata['uid'] as Json,
    };
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
  }

  get(resource: Resource, namespace: string, name: string): KubeObject {
    const found = this.#store.get(resource, namespace, name);
    if (found === undefined) throw notFound(resource.name, resource.group, name);
    return found;
  }

  #apply(resource: Resource, namespace: string, name: string, subresource: string, body: Json, options: WriteOptions): Written {
    const { object, warnings } = this.#decode(resource, namespace, body, options);
    if (object.metadata['managedFields'] !== undefined) throw badRequest('metadata.managedFields must be nil');
    object.metadata['name'] ??= name;
    const before = this.#store.get(resource, namespace, name);
    if (before === undefined && resource.isNamespaced) this.#inNamespace(namespace);
    const applied = serverSideApply(before, object, resource.schema, { manager: options.manager, isForced: options.isForced, now: now() });
    if (before === undefined)
      return { object: this.#make(resource, applied.object, options, (made) => applied.own(made)), isNew: true, warnings };
    return {
      object: this.#replace(resource, before, applied.object, subresource, options, (made) => applied.own(made)),
      isNew: false,
      warnings,
    };
  }

  #make(resource: Resource, object: KubeObject, options: WriteOptions, own: (object: KubeObject) => void): KubeObject {
    validate(resource, object, undefined);
    asNew(resource, object, now());
    withDefaults(resource, object);
    own(object);
    return options.isDryRun ? object : this.#store.put(resource, object);
  }

  #replace(
    resource: Resource,
    before: KubeObject,
    wanted: KubeObject,
    subresource: string,
    options: WriteOptions,
    own?: (object: KubeObject) => void,
  ): KubeObject {
    const object =
      subresource === 'status'
        ? {
            ...copy(before as JsonObject),
            status: wanted['status'] ?? {},
            apiVersion: before.apiVersion,
            kind: before.kind,
            metadata: copy(before.metadata),
          }
        : wanted;
    validate(resource, object, before);
    withDefaults(resource, object);
    asUpdated(resource, object, before, subresource !== 'status');
    if (own === undefined) noteUpdate(before, object, options.manager, resource.schema, now());
    else own(object);
    object.metadata['resourceVersion'] = before.metadata['resourceVersion'] as Json;
    if (options.isDryRun || isSame(before, object)) return object;
    return this.#store.put(resource, object);
  }

  #decode(
    resource: Resource,
    namespace: string,
    body: Json,
    options: WriteOptions,
  ): { readonly object: KubeObject; readonly warnings: readonly string[] } {
    if (!isObject(body))
      throw badRequest(
        'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
      );
    const [kind, version] = [textAt(body, 'kind'), textAt(body, 'apiVersion')];
    if ((kind !== '' && kind !== resource.kind) || (version !== '' && version !== apiVersion(resource))) {
      throw badRequest(
        `${kind} in version "${version}" cannot be handled as a ${resource.kind}: no kind "${kind}" is registered for version "${version}"`,
      );
    }
    const object = copy(body) as KubeObject;
    object.apiVersion = apiVersion(resource);
    object.kind = resource.kind;
    const warnings = checkFields(resource, object, options, object.apiVersion);
    const own = textAt(ensure(object, 'metadata'), 'namespace');
    if (resource.isNamespaced) {
      if (own !== '' && own !== namespace) {
        throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
      }
      object.metadata['namespace'] = namespace;
    } else delete object.metadata['namespace'];
    return { object, warnings };
  }

  #inNamespace(namespace: string): void {
    const resource = resources.find((one) => one.kind === 'Namespace')!;
    if (this.#store.get(resource, '', namespace) === undefined) throw notFound('namespaces', '', namespace);
  }

  #empty(namespace: string): void {
    for (const resource of resources.filter((one) => one.isNamespaced)) {
      for (const object of this.#store.list(resource, namespace)) {
        if (resource.kind === 'Pod') void this.#pods.terminate(object, 0);
        else this.#store.remove(resource, object);
      }
    }
  }

  #orphan(owner: KubeObject): void {
    for (const resource of resources) {
      for (const object of this.#store.list(resource, undefined)) {
        const references = at(object, 'metadata', 'ownerReferences');
        if (!Array.isArray(references) || !references.some((one) => at(one, 'uid') === owner.metadata['uid'])) continue;
        const freed = copy(object as Json) as KubeObject;
        freed.metadata['ownerReferences'] = references.filter((one) => at(one, 'uid') !== owner.metadata['uid']);
        this.#store.put(resource, freed);
      }
    }
  }
}

function patchAs(type: string, resource: Resource, target: KubeObject, patch: Json): Json {
  switch (type) {
    case 'application/json-patch+json':
      return jsonPatch(target, patch);
    case 'application/merge-patch+json':
      return mergePatch(target, patch);
    case 'application/strategic-merge-patch+json':
      if (!resource.isCustom) return strategicMergePatch(target, patch, resource.schema);
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${customPatches.join(', ')}`,
      );
    default:
      throw unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${allPatches.join(', ')}`,
      );
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw badRequest(`error decoding patch: ${(error as Error).message}`);
  }
}

/** Unknown fields are an error, warnings or nothing, as the client asked. */
function checkFields(resource: Resource, object: JsonObject, options: WriteOptions, version: string): readonly string[] {
  if (options.fieldValidation === 'Ignore') return [];
  const unknown = unknownFields(object, resource.schema);
  if (unknown.length > 0 && options.fieldValidation === 'Strict') {
    const what = version === '' ? '' : `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: `;
    throw badRequest(`${what}strict decoding error: ${unknown.join(', ')}`);
  }
  return unknown;
}

function stale(resource: Resource, name: string): StatusError {
  return conflict(
    resource.name,
    resource.group,
    name,
    'the object has been modified; please apply your changes to the latest version and try again',
  );
}

function suffix(): string {
  return Math.random().toString(36).slice(2, 7).padEnd(5, 'x');
}

const customPatches = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];
const allPatches = [...customPatches.slice(0, 2), 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'];
