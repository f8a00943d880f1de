import type { DatabaseSync } from 'node:sqlite';
import type { Principal } from '../../core/principal.ts';
import { migrate } from '../../store/index.ts';
import type { GatewayTokenStore, StoredGatewayToken } from '../gateway-token.ts';

/** Gateway tokens in a table of their own. The caller opens, configures and closes the database. */
export function createSqliteGatewayTokenStore(database: DatabaseSync): GatewayTokenStore {
  migrate(database, 'gateway-tokens', migrations);
  const insert = database.prepare(
    `INSERT INTO gateway_token (id, hash, target, principal, issuer_fingerprint, issued_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const selectByHash = database.prepare('SELECT * FROM gateway_token WHERE hash = ?');
  const selectById = database.prepare('SELECT * FROM gateway_token WHERE id = ?');
  const selectNewest = database.prepare('SELECT * FROM gateway_token ORDER BY issued_at_ms DESC, id LIMIT ?');
  const markRevoked = database.prepare(
    'UPDATE gateway_token SET revoked_at_ms = ?, revoked_by = ?, revoked_reason = ? WHERE id = ? AND revoked_at_ms IS NULL',
  );
  const removeExpired = database.prepare('DELETE FROM gateway_token WHERE expires_at_ms <= ?');

  // `async` turns what the driver throws into the rejection that the contract names.
  return {
    async put({ id, hash, target, principal, issuerFingerprint, issuedAtMs, expiresAtMs }) {
      insert.run(id, hash, target, JSON.stringify(principal), issuerFingerprint, issuedAtMs, expiresAtMs);
    },
    async findByHash(hash) {
      return read(selectByHash.get(hash));
    },
    async findById(id) {
      return read(selectById.get(id));
    },
    async revoke(id, { atMs, by, reason }) {
      return markRevoked.run(atMs, by, reason, id).changes === 1;
    },
    async list(limit) {
      return selectNewest.all(limit).flatMap((row) => read(row) ?? []);
    },
    async deleteExpired(nowMs) {
      return Number(removeExpired.run(nowMs).changes);
    },
  };
}

function read(row: Record<string, unknown> | undefined): StoredGatewayToken | undefined {
  if (row === undefined) return undefined;
  return {
    id: row.id as string,
    hash: row.hash as string,
    target: row.target as string,
    principal: readPrincipal(row.principal as string),
    issuerFingerprint: row.issuer_fingerprint as string,
    issuedAtMs: row.issued_at_ms as number,
    expiresAtMs: row.expires_at_ms as number,
    revocation:
      row.revoked_at_ms === null
        ? undefined
        : { atMs: row.revoked_at_ms as number, by: row.revoked_by as string, reason: row.revoked_reason as string },
  };
}

/** JSON has no `undefined`: a principal without a token id comes back without the member. */
function readPrincipal(json: string): Principal {
  return { tokenId: undefined, ...(JSON.parse(json) as Omit<Principal, 'tokenId'>) };
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
