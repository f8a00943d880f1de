import { createHash, randomUUID } from 'node:crypto';
import { badRequest, notFound, ServiceError } from './answer.ts';

export type Item = Readonly<Record<string, unknown>> & { readonly id: string };

export interface Change {
  readonly lsn: number;
  readonly item: Item;
  readonly previous: Item | undefined;
  readonly deleted: boolean;
}

/** A container with its items, in two partitions. */
export class Container {
  readonly definition: Readonly<Record<string, unknown>>;
  readonly rid: string;
  readonly items = new Map<string, Item>();
  readonly changes: Change[] = [];
  readonly scripts = { sprocs: new Map<string, Resource>(), triggers: new Map<string, Resource>(), udfs: new Map<string, Resource>() };
  readonly keyPath: readonly string[];
  readonly uniqueKeys: readonly (readonly string[])[];
  lsn = 0;

  constructor(definition: Readonly<Record<string, unknown>>, rid: string) {
    this.definition = definition;
    this.rid = rid;
    const { paths } = definition['partitionKey'] as { paths: readonly string[] };
    this.keyPath = paths[0]!.slice(1).split('/');
    const policy = definition['uniqueKeyPolicy'] as { uniqueKeys?: readonly { paths: readonly string[] }[] } | undefined;
    this.uniqueKeys = (policy?.uniqueKeys ?? []).map((one) => one.paths);
  }

  keyOf(item: unknown): unknown {
    return this.keyPath.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], item);
  }

  partitionOf(item: Item): '0' | '1' {
    return createHash('sha256')
      .update(JSON.stringify(this.keyOf(item) ?? {}))
      .digest()[0]! %
      2 ===
      0
      ? '0'
      : '1';
  }

  get(key: unknown, id: string): Item {
    const item = this.items.get(placeOf(key, id));
    if (item === undefined) throw notFound();
    return item;
  }

  /** `key`: what the request names; it has to be the item's own. */
  put(
    key: unknown,
    body: unknown,
    mode: 'create' | 'upsert' | 'replace',
    id?: string,
    ifMatch?: string,
  ): { readonly item: Item; readonly isNew: boolean } {
    if (typeof body !== 'object' || body === null || typeof (body as Item).id !== 'string' || (body as Item).id === '')
      throw badRequest('The input content is invalid because the required properties - id; - are missing.');
    const item = body as Item;
    if (id !== undefined && item.id !== id) throw badRequest('The id of an item cannot be changed.');
    if (JSON.stringify(this.keyOf(item) ?? {}) !== JSON.stringify(key)) {
      throw new ServiceError(
        400,
        'BadRequest',
        'PartitionKey extracted from document doesn’t match the one specified in the header.',
        {},
        1001,
      );
    }
    const place = placeOf(key, item.id);
    const known = this.items.get(place);
    if (mode === 'create' && known !== undefined)
      throw new ServiceError(409, 'Conflict', 'Entity with the specified id already exists in the system.');
    if (mode === 'replace' && known === undefined) throw notFound();
    if (ifMatch !== undefined && known !== undefined && known['_etag'] !== ifMatch) throw preconditionFailed();
    this.#checkUnique(item, place);
    return { item: this.#write(place, item, known), isNew: known === undefined };
  }

  remove(key: unknown, id: string, ifMatch?: string): void {
    const item = this.get(key, id);
    if (ifMatch !== undefined && item['_etag'] !== ifMatch) throw preconditionFailed();
    this.items.delete(placeOf(key, id));
    this.lsn += 1;
    this.changes.push({ lsn: this.lsn, item, previous: item, deleted: true });
  }

  /** All or nothing. */
  snapshot(): () => void {
    const [items, changes, lsn] = [new Map(this.items), this.changes.length, this.lsn];
    return () => {
      this.items.clear();
      for (const [place, item] of items) this.items.set(place, item);
      this.changes.length = changes;
      this.lsn = lsn;
    };
  }

  #write(place: string, item: Item, known: Item | undefined): Item {
    this.lsn += 1;
    const written: Item = {
      ...item,
      _rid: known?.['_rid'] ?? ridOf(`${this.rid}${place}`, 16),
      _self: `dbs/x/colls/${this.rid}/docs/${ridOf(place, 16)}/`,
      _etag: `"${randomUUID()}"`,
      _attachments: 'attachments/',
      _ts: Math.floor(Date.now() / 1000),
    };
    this.items.set(place, written);
    this.changes.push({ lsn: this.lsn, item: written, previous: known, deleted: false });
    return written;
  }

  #checkUnique(item: Item, place: string): void {
    for (const paths of this.uniqueKeys) {
      const values = (one: Item): string =>
        JSON.stringify(
          paths.map(
            (path) =>
              path
                .slice(1)
                .split('/')
                .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], one) ?? null,
          ),
        );
      const key = JSON.stringify(this.keyOf(item) ?? {});
      for (const [other, one] of this.items) {
        if (other !== place && JSON.stringify(this.keyOf(one) ?? {}) === key && values(one) === values(item))
          throw new ServiceError(409, 'Conflict', 'Unique index constraint violation.');
      }
    }
  }
}

export type Resource = Readonly<Record<string, unknown>> & { readonly id: string };

export interface Database {
  readonly resource: Resource;
  readonly containers: Map<string, Container>;
  readonly users: Map<string, { readonly resource: Resource; readonly permissions: Map<string, Resource> }>;
}

export class Account {
  readonly databases = new Map<string, Database>();
  readonly offers = new Map<string, Resource>();
}

export function ridOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest().subarray(0, length).toString('base64').replaceAll('/', '-');
}

export function described(body: unknown, rid: string): Resource {
  if (typeof body !== 'object' || body === null || typeof (body as Resource).id !== 'string')
    throw badRequest('The required property id is missing.');
  return { ...(body as Resource), _rid: rid, _self: `${rid}/`, _etag: `"${randomUUID()}"`, _ts: Math.floor(Date.now() / 1000) };
}

export function preconditionFailed(): ServiceError {
  return new ServiceError(412, 'PreconditionFailed', 'Operation cannot be performed because one of the specified precondition is not met.');
}

function placeOf(key: unknown, id: string): string {
  return JSON.stringify([key, id]);
}
