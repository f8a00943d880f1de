import { GatewayFault } from '../../core/fault.ts';
import type { Act, ActionName, Facts, ObjectRef } from '../../core/operation.ts';
import type { Resource, ResourceType } from './resource.ts';
import type { Understood } from './understand.ts';

/** What policy is asked about a request. */
export interface Question {
  readonly acts: readonly Act[];
  readonly facts: Facts;
}

/** Texts of a request that can hold something sensitive, as they are or as the record may show them. */
export interface ShownParts {
  readonly path: string;
  readonly partitionKey: string | undefined;
  readonly reason: string | undefined;
}

/** `asked`: data classes of places that the request asks something of. */
export function questionOf(understood: Understood, target: string, asked: readonly string[], shown: ShownParts): Question {
  const { kind, headers, method, body } = understood;
  const functions = body.kind === 'query' ? [...body.lineage.functions, ...body.lineage.userDefined.map((name) => `udf.${name}`)] : [];
  const isFeed = kind === 'query' || kind === 'read-feed' || kind === 'change-feed';
  return {
    acts: actsOf(understood, target),
    facts: {
      method,
      path: shown.path,
      ...(shown.partitionKey === undefined ? {} : { partition_key: shown.partitionKey }),
      ...(isFeed ? { cross_partition: headers.partitionKey === undefined } : {}),
      ...(functions.length === 0 ? {} : { functions }),
      ...(runsCode(understood) ? { opaque: true } : {}),
      ...(kind === 'delete-partition' ? { unbounded: true } : {}),
      ...(asked.length === 0 ? {} : { sensitive_predicates: asked }),
      ...(shown.reason === undefined ? {} : { reason: shown.reason }),
    },
  };
}

/** Nothing can change. */
export function isPureRead({ kind }: Understood): boolean {
  return (
    kind === 'read-metadata' ||
    kind === 'read' ||
    kind === 'read-feed' ||
    kind === 'change-feed' ||
    kind === 'query' ||
    kind === 'query-plan'
  );
}

/** Stored procedures, triggers, user-defined functions: nobody sees what they do. */
export function runsCode({ kind, headers, body }: Understood): boolean {
  return kind === 'execute' || headers.triggers.length > 0 || (body.kind === 'query' && body.lineage.userDefined.length > 0);
}

function actsOf(understood: Understood, target: string): readonly Act[] {
  const { resource, kind, headers, body } = understood;
  const code = (names: readonly string[]): readonly Act[] =>
    names.map((name) => ({ action: 'cosmos:execute-procedure', object: functionObject(target, resource, name) }));
  const acts = mainActs(understood, target);
  const throughput: readonly Act[] =
    headers.setsThroughput && resource.type !== 'offers' ? [{ action: 'cosmos:create-offer', object: acts[0]!.object }] : [];
  return [
    ...acts,
    ...throughput,
    ...code(headers.triggers),
    ...code(body.kind === 'query' && kind === 'query' ? body.lineage.userDefined : []),
  ];
}

function mainActs(understood: Understood, target: string): readonly Act[] {
  const { resource, kind, body } = understood;
  const act = (action: ActionName): Act => ({ action, object: objectOf(target, resource, nameOf(understood)) });
  switch (kind) {
    case 'read-metadata':
      return [act('cosmos:read-metadata')];
    case 'query-plan':
      // It reads no item: of the account it learns how a query would run.
      return [act('cosmos:read-metadata')];
    case 'read':
    case 'read-feed':
    case 'change-feed':
    case 'query':
    case 'patch':
    case 'delete-partition':
      return [act(`cosmos:${kind}`)];
    case 'execute':
      return [act('cosmos:execute-procedure')];
    case 'batch': {
      const kinds = body.kind === 'batch' ? body.operations.map(({ operation }) => operation.kind) : [];
      return [act('cosmos:batch'), ...[...new Set(kinds)].map((one) => act(`cosmos:${one}`))];
    }
    case 'create':
    case 'upsert':
    case 'replace':
    case 'delete': {
      const defined = DEFINED.get(resource.type);
      if (defined === undefined) return [act(`cosmos:${kind}`)];
      if (kind === 'upsert') return [act(`cosmos:create-${defined}`), act(`cosmos:alter-${defined}`)];
      return [act(`cosmos:${VERBS[kind]}-${defined}`)];
    }
    default:
      return kind satisfies never;
  }
}

/** The name of what a request is about: of what it makes, as the body says. */
function nameOf({ resource, kind, body }: Understood): string | undefined {
  if (body.kind !== 'definition' || (kind !== 'create' && kind !== 'upsert')) return resource.id;
  const id = body.definition['id'];
  if (typeof id !== 'string' || id === '' || /[/\\?#]/.test(id)) {
    throw new GatewayFault('unclassified', { publicMessage: 'what the request makes has no id, or one that Cosmos DB does not take' });
  }
  return id;
}

function objectOf(target: string, resource: Resource, name: string | undefined): ObjectRef {
  const { type, database, container, user } = resource;
  switch (type) {
    case '':
      return { type: 'Target', id: target };
    case 'offers':
      return name === undefined ? { type: 'Target', id: target } : { type: 'Resource', id: `${target}/offers/${name}` };
    case 'dbs':
      return name === undefined ? { type: 'Target', id: target } : databaseObject(target, name);
    case 'colls':
      return name === undefined ? databaseObject(target, database!) : containerObject(target, database!, name);
    case 'users':
      return name === undefined ? databaseObject(target, database!) : roleObject(target, database!, name);
    case 'permissions':
      return roleObject(target, database!, name === undefined ? user! : `${user}/${name}`);
    case 'clientencryptionkeys':
      return databaseObject(target, database!);
    case 'sprocs':
    case 'triggers':
    case 'udfs':
      return name === undefined ? containerObject(target, database!, container!) : functionObject(target, resource, name);
    case 'docs':
    case 'conflicts':
    case 'pkranges':
    case 'partitionkey':
      return containerObject(target, database!, container!);
    default:
      return type satisfies never;
  }
}

function databaseObject(target: string, database: string): ObjectRef {
  return { type: 'Database', id: `${target}/${database}` };
}

function containerObject(target: string, database: string, container: string): ObjectRef {
  return { type: 'Relation', id: `${target}/${database}/${container}`, parents: [databaseObject(target, database)] };
}

function functionObject(target: string, { database, container }: Resource, name: string): ObjectRef {
  return { type: 'Function', id: `${target}/${database}/${container}/${name}`, parents: [databaseObject(target, database!)] };
}

function roleObject(target: string, database: string, name: string): ObjectRef {
  return { type: 'Role', id: `${target}/${database}/${name}`, parents: [databaseObject(target, database)] };
}

const VERBS = { create: 'create', replace: 'alter', delete: 'drop' } as const;
const DEFINED: ReadonlyMap<ResourceType, string> = new Map([
  ['dbs', 'database'],
  ['colls', 'container'],
  ['sprocs', 'procedure'],
  ['triggers', 'trigger'],
  ['udfs', 'function'],
  ['users', 'user'],
  ['permissions', 'permission'],
  ['offers', 'offer'],
]);
