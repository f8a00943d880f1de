import type { DatabaseSync } from 'node:sqlite';
import { migrate } from '../../store/index.ts';
import type { GatewayTokenStore } from '../gateway-token.ts';
import { issuedTable } from './issued-table.ts';

/** Gateway tokens in a table of their own. The caller opens, configures and closes the database. */
export function createSqliteGatewayTokenStore(database: DatabaseSync): GatewayTokenStore {
  migrate(database, 'gateway-tokens', migrations);
  const table = issuedTable(database, 'gateway_token', 'hash');
  return { ...table, findByHash: (hash) => table.findBy(hash) };
}

const migrations = [
  `
CREATE TABLE gateway_token (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  target TEXT NOT NULL,
  principal TEXT NOT NULL,
  issuer_fingerprint TEXT NOT NULL,
  issued_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER,
  revoked_by TEXT,
  revoked_reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX gateway_token_expiry ON gateway_token (expires_at_ms);
`,
];
