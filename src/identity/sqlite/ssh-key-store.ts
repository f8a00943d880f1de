import type { DatabaseSync } from 'node:sqlite';
import { migrate } from '../../store/index.ts';
import type { SshKeyStore } from '../ssh-key.ts';
import { issuedTable } from './issued-table.ts';

/** Keys for SSH in a table of their own. The caller opens, configures and closes the database. */
export function createSqliteSshKeyStore(database: DatabaseSync): SshKeyStore {
  migrate(database, 'ssh-keys', migrations);
  const table = issuedTable(database, 'ssh_key', 'fingerprint');
  return { ...table, findByFingerprint: (fingerprint) => table.findBy(fingerprint) };
}

const migrations = [
  `
CREATE TABLE ssh_key (
  id TEXT PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,
  target TEXT NOT NULL,
  principal TEXT NOT NULL,
  issuer_fingerprint TEXT NOT NULL,
  issued_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER,
  revoked_by TEXT,
  revoked_reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ssh_key_expiry ON ssh_key (expires_at_ms);
`,
];
