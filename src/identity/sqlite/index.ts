import type { DatabaseSync } from 'node:sqlite';
import type { IdentityOptions } from '../identity.ts';
import { createSqliteGatewayTokenStore } from './gateway-token-store.ts';
import { createSqliteSshKeyStore } from './ssh-key-store.ts';

/** Everything that `identity/` keeps. The caller opens, configures and closes the database. */
export function createSqliteCredentialStores(database: DatabaseSync): Pick<IdentityOptions, 'tokenStore' | 'sshKeyStore'> {
  return { tokenStore: createSqliteGatewayTokenStore(database), sshKeyStore: createSqliteSshKeyStore(database) };
}
