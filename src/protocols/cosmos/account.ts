import { isObject, type Json } from './json-body.ts';

/**
 * The account document with the gateway as its only endpoint: SDKs go where it says, region by region, and would go around the gateway. `base`: where
 * the client reaches the account, without a slash at the end. What it says beyond what SDKs need is left out.
 */
export function rewrittenAccount(account: Json, base: string): Json {
  if (!isObject(account)) return {};
  const kept = Object.fromEntries(Object.entries(account).filter(([key]) => KEPT.has(key)));
  return {
    ...kept,
    writableLocations: locations(account['writableLocations'], base),
    readableLocations: locations(account['readableLocations'], base),
    enableMultipleWriteLocations: false,
  };
}

/** One: the account behind decides where it reads. */
function locations(list: Json | undefined, base: string): readonly Json[] {
  const [first] = Array.isArray(list) ? (list as readonly Json[]) : [];
  const name = isObject(first) && typeof first['name'] === 'string' ? first['name'] : 'gateway';
  return [{ name, databaseAccountEndpoint: `${base}/` }];
}

const KEPT: ReadonlySet<string> = new Set([
  '_self',
  '_dbs',
  'id',
  'media',
  'continuousBackupEnabled',
  'queryEngineConfiguration',
  'readPolicy',
  'systemReplicationPolicy',
  'userConsistencyPolicy',
  'userReplicationPolicy',
]);
