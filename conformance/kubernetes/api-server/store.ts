import { EventEmitter } from 'node:events';
import { copy, textAt, type KubeObject } from './json.ts';
import { apiVersion, type Resource } from './resources.ts';
import { gone } from './status.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
  readonly version: number;
  readonly object: KubeObject;
  /** As it was, for watches whose selector it left. */
  readonly before: KubeObject | undefined;
}

/** What etcd is to the real server: objects by resource, namespace and name, one counter of versions, and what has changed lately. */
export class Store {
  readonly #objects = new Map<string, KubeObject>();
  readonly #changes: Change[] = [];
  readonly #emitter = new EventEmitter<{ change: [Change] }>().setMaxListeners(0);
  #version = 100;

  get version(): number {
    return this.#version;
  }

  get(resource: Resource, namespace: string, name: string): KubeObject | undefined {
    return this.#objects.get(keyOf(resource, namespace, name));
  }

  /** In the order of namespace and name, as etcd lists keys. `namespace` undefined: all of them. */
  list(resource: Resource, namespace: string | undefined): KubeObject[] {
    const prefix = keyOf(resource, namespace ?? '', '').slice(0, namespace === undefined ? -2 : -1);
    return [...this.#objects.entries()]
      .filter(([key]) => key.startsWith(`${prefix}/`))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, object]) => object);
  }

  /** Keeps the object as it is given, under the next version. */
  put(resource: Resource, object: KubeObject): KubeObject {
    const key = keyOf(resource, textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name'));
    const before = this.#objects.get(key);
    this.#version += 1;
    const kept = copy(object);
    kept.apiVersion = apiVersion(resource);
    kept.kind = resource.kind;
    kept.metadata['resourceVersion'] = String(this.#version);
    this.#objects.set(key, kept);
    this.#changed({ type: before === undefined ? 'ADDED' : 'MODIFIED', resource, version: this.#version, object: kept, before });
    return kept;
  }

  remove(resource: Resource, object: KubeObject): KubeObject {
    const key = keyOf(resource, textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name'));
    if (!this.#objects.delete(key)) return object;
    this.#version += 1;
    const last = copy(object);
    last.metadata['resourceVersion'] = String(this.#version);
    this.#changed({ type: 'DELETED', resource, version: this.#version, object: last, before: object });
    return last;
  }

  /** Everything of this resource after this version, then what comes. Throws a Status 410 where that is no longer known. */
  watch(resource: Resource, after: number, listener: (change: Change) => void): () => void {
    const first = this.#changes[0];
    if (first !== undefined && this.#changes.length === keptChanges && after < first.version - 1) {
      throw gone(`too old resource version: ${after} (${first.version})`);
    }
    for (const change of this.#changes) if (change.resource === resource && change.version > after) listener(change);
    return this.follow((change) => {
      if (change.resource === resource) listener(change);
    });
  }

  follow(listener: (change: Change) => void): () => void {
    this.#emitter.on('change', listener);
    return () => this.#emitter.off('change', listener);
  }

  #changed(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length > keptChanges) this.#changes.shift();
    this.#emitter.emit('change', change);
  }
}

function keyOf(resource: Resource, namespace: string, name: string): string {
  return `${resource.group}/${resource.name}/${resource.isNamespaced ? namespace : ''}/${name}`;
}

const keptChanges = 5_000;
