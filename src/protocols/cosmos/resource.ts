import { GatewayFault } from '../../core/fault.ts';

/** The kinds of resource that a path can name, as the signature names them (Microsoft Learn, "Access control on Azure Cosmos DB resources"). */
export type ResourceType =
  | ''
  | 'dbs'
  | 'colls'
  | 'docs'
  | 'sprocs'
  | 'triggers'
  | 'udfs'
  | 'conflicts'
  | 'pkranges'
  | 'users'
  | 'permissions'
  | 'clientencryptionkeys'
  | 'offers'
  | 'partitionkey';

/** A resource, or a feed of them, by names. */
export interface Resource {
  readonly type: ResourceType;
  readonly database: string | undefined;
  readonly container: string | undefined;
  /** The user of permissions. */
  readonly user: string | undefined;
  /** Its own name; undefined: the feed of all of this type below its parent. */
  readonly id: string | undefined;
  /** What a signature is over: the path of the resource, or of the feed's parent, names as they are, no slash at either end. */
  readonly link: string;
}

/**
 * What a path names. `segments`: decoded, none for the account. Faults: `unsupported` for what the gateway does not serve, `unclassified` for paths by resource id
 * (`_rid`), of which it cannot be told which container they mean.
 */
export function resourceOf(segments: readonly string[]): Resource {
  const found = new Map<string, string | undefined>();
  for (let at = 0; at < segments.length; at += 2) found.set(segments[at]!, segments[at + 1]);
  const types = [...found.keys()];
  const known = KNOWN.get(types.join('/'));
  if (known === undefined || types.length !== Math.ceil(segments.length / 2)) throw notServed();
  if (segments.includes('')) throw notServed();
  const id = found.get(types.at(-1) ?? '');
  if (known === 'partitionkey' && id !== 'partitionkeydelete') throw notServed();
  refuseResourceIds(found);
  return {
    type: known,
    database: found.get('dbs'),
    container: found.get('colls'),
    user: found.get('users'),
    id: known === 'partitionkey' ? undefined : id,
    link: linkOf(known, segments, id),
  };
}

function linkOf(type: ResourceType, segments: readonly string[], id: string | undefined): string {
  // Offers are named by their resource id, in lower case.
  if (type === 'offers') return id?.toLowerCase() ?? '';
  if (type === 'partitionkey') return segments.slice(0, -2).join('/');
  return (id === undefined ? segments.slice(0, -1) : segments).join('/');
}

/** A resource id is base64 of 4 bytes (database) or 8 (container). The account takes a path by ids for one by names. */
function refuseResourceIds(found: ReadonlyMap<string, string | undefined>): void {
  const database = found.get('dbs');
  const container = found.get('colls');
  if (!/^[A-Za-z0-9+\-_]{6}==$/.test(database ?? '') && !/^[A-Za-z0-9+\-_]{11}=$/.test(container ?? '')) return;
  throw new GatewayFault('unclassified', {
    publicMessage: 'the path names a database or container by its resource id (_rid)',
    hint: 'Name it by its id: which data is sensitive is known by name.',
  });
}

function notServed(): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: 'the path names no resource of Azure Cosmos DB for NoSQL that the gateway serves',
  });
}

const KNOWN: ReadonlyMap<string, ResourceType> = new Map([
  ['', ''],
  ['dbs', 'dbs'],
  ['dbs/colls', 'colls'],
  ['dbs/colls/docs', 'docs'],
  ['dbs/colls/sprocs', 'sprocs'],
  ['dbs/colls/triggers', 'triggers'],
  ['dbs/colls/udfs', 'udfs'],
  ['dbs/colls/conflicts', 'conflicts'],
  ['dbs/colls/pkranges', 'pkranges'],
  ['dbs/colls/operations', 'partitionkey'],
  ['dbs/users', 'users'],
  ['dbs/users/permissions', 'permissions'],
  ['dbs/clientencryptionkeys', 'clientencryptionkeys'],
  ['offers', 'offers'],
]);
