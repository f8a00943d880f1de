import { badRequest, notFound, ServiceError, type Answer, type Asked } from './answer.ts';
import { Container, described, ridOf, type Account, type Database, type Resource } from './store.ts';

/** Databases, containers, scripts, users, permissions, offers: whatever is no item. */
export class Metadata {
  readonly #account: Account;
  constructor(account: Account) {
    this.#account = account;
  }

  database(name: string): Database {
    const database = this.#account.databases.get(name);
    if (database === undefined) throw notFound();
    return database;
  }

  container(database: string, name: string): Container {
    const container = this.database(database).containers.get(name);
    if (container === undefined) throw notFound();
    return container;
  }

  answer(asked: Asked): Answer {
    const [first, database, second, container, third, script] = asked.segments;
    if (first === 'offers') return this.#offers(asked, database);
    if (first !== 'dbs') throw badRequest('The path is not known.');
    if (second === undefined) return this.#databases(asked, database);
    if (second === 'users') return this.#users(asked, database!, container, third, script);
    if (second !== 'colls') throw badRequest('The path is not known.');
    if (third === undefined) return this.#containers(asked, this.database(database!), container);
    return this.#scripts(asked, this.container(database!, container!), third, script);
  }

  #databases(asked: Asked, name: string | undefined): Answer {
    const { databases } = this.#account;
    const resources = new Map([...databases].map(([id, { resource }]) => [id, resource]));
    return this.#crud(asked, name, resources, 'Databases', (id, body) => {
      if (body === undefined) databases.delete(id);
      else databases.set(id, { resource: described(body, ridOf(id, 4)), containers: new Map(), users: new Map() });
      return databases.get(id)?.resource;
    });
  }

  #containers(asked: Asked, database: Database, name: string | undefined): Answer {
    const { containers } = database;
    const resources = new Map([...containers].map(([id, { definition }]) => [id, definition as Resource]));
    return this.#crud(asked, name, resources, 'DocumentCollections', (id, body) => {
      const rid = ridOf(`${database.resource['_rid'] as string}${id}`, 8);
      if (body === undefined) {
        containers.delete(id);
        return undefined;
      }
      const known = containers.get(id);
      const made = new Container(
        described({ partitionKey: { paths: ['/_partitionKey'], kind: 'Hash' }, indexingPolicy: {}, ...(body as object) }, rid),
        rid,
      );
      for (const [place, item] of known?.items ?? []) made.items.set(place, item);
      containers.set(id, made);
      const throughput = Number(asked.headers['x-ms-offer-throughput'] ?? 400);
      const offer = ridOf(`offer ${rid}`, 3).replaceAll(/[+=-]/g, 'x').toLowerCase();
      if (known === undefined)
        this.#account.offers.set(offer, {
          id: offer,
          _rid: offer,
          _self: `offers/${offer}/`,
          offerResourceId: rid,
          resource: `dbs/x/colls/${rid}/`,
          offerVersion: 'V2',
          content: { offerThroughput: throughput },
        });
      return made.definition as Resource;
    });
  }

  #scripts(asked: Asked, container: Container, kind: string, name: string | undefined): Answer {
    if (kind === 'pkranges') {
      const ranges = [
        { id: '0', minInclusive: '', maxExclusive: '1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF' },
        { id: '1', minInclusive: '1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF', maxExclusive: 'FF' },
      ];
      return { status: 200, body: { _rid: container.rid, PartitionKeyRanges: ranges, _count: 2 } };
    }
    if (kind === 'conflicts') return { status: 200, body: { _rid: container.rid, Conflicts: [], _count: 0 } };
    if (kind !== 'sprocs' && kind !== 'triggers' && kind !== 'udfs') throw badRequest('The path is not known.');
    const feed = { sprocs: 'StoredProcedures', triggers: 'Triggers', udfs: 'UserDefinedFunctions' }[kind];
    return this.#crud(asked, name, container.scripts[kind], feed, keep(container.scripts[kind], `${container.rid}${kind}`));
  }

  #users(asked: Asked, database: string, user: string | undefined, kind: string | undefined, permission: string | undefined): Answer {
    const { users } = this.database(database);
    if (kind === 'permissions') {
      const found = users.get(user!);
      if (found === undefined) throw notFound();
      return this.#crud(asked, permission, found.permissions, 'Permissions', (id, body) => {
        if (body === undefined) found.permissions.delete(id);
        else found.permissions.set(id, { ...described(body, ridOf(id, 16)), _token: 'type=resource&ver=1&sig=resource-token-canary;' });
        return found.permissions.get(id);
      });
    }
    const resources = new Map([...users].map(([id, { resource }]) => [id, resource]));
    return this.#crud(asked, user, resources, 'Users', (id, body) => {
      if (body === undefined) users.delete(id);
      else users.set(id, { resource: described(body, ridOf(id, 8)), permissions: new Map() });
      return users.get(id)?.resource;
    });
  }

  #offers(asked: Asked, id: string | undefined): Answer {
    const { offers } = this.#account;
    return this.#crud(asked, id, offers, 'Offers', (name, body) => {
      if (body !== undefined) offers.set(name, { ...(offers.get(name) as Resource), ...(body as Resource) });
      return offers.get(name);
    });
  }

  /** `write` makes, replaces or (without a body) removes. */
  #crud(
    asked: Asked,
    name: string | undefined,
    known: ReadonlyMap<string, Resource>,
    feed: string,
    write: (id: string, body: unknown) => Resource | undefined,
  ): Answer {
    const { method, headers } = asked;
    const isQuery = headers['x-ms-documentdb-isquery']?.toLowerCase() === 'true';
    if (name === undefined && (method === 'GET' || isQuery))
      return { status: 200, body: { _rid: '', [feed]: [...known.values()], _count: known.size } };
    if (name === undefined && method === 'POST') {
      const id = (asked.body as { id?: string }).id ?? '';
      const isUpsert = headers['x-ms-documentdb-is-upsert']?.toLowerCase() === 'true';
      if (known.has(id) && !isUpsert) throw new ServiceError(409, 'Conflict', 'Entity with the specified id already exists in the system.');
      return { status: 201, body: write(id, asked.body) };
    }
    const found = known.get(name ?? '');
    if (found === undefined || name === undefined) throw notFound();
    if (method === 'GET') return { status: 200, body: found, headers: { etag: String(found['_etag']) } };
    if (method === 'PUT') return { status: 200, body: write(name, asked.body) };
    if (method !== 'DELETE') throw new ServiceError(405, 'MethodNotAllowed', 'The requested verb is not supported.');
    write(name, undefined);
    return { status: 204 };
  }
}

function keep(resources: Map<string, Resource>, rid: string): (id: string, body: unknown) => Resource | undefined {
  return (id, body) => {
    if (body === undefined) resources.delete(id);
    else resources.set(id, described(body, ridOf(`${rid}${id}`, 16)));
    return resources.get(id);
  };
}
