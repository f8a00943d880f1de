import type { DatabaseSync } from 'node:sqlite';
import type { Principal } from '../../core/principal.ts';
import type { IssuedCredential, IssuedStore } from '../issued.ts';

/** A table of issued credentials of one kind; `found` is the column by which they are looked up. Both names are ours. */
export interface IssuedTable<Stored extends IssuedCredential> extends IssuedStore<Stored> {
  findBy(value: string): Promise<Stored | undefined>;
}

/** The table must be there: see the migrations of those who use this. */
export function issuedTable<Found extends string>(
  database: DatabaseSync,
  table: string,
  found: Found,
): IssuedTable<IssuedCredential & Readonly<Record<Found, string>>> {
  type Stored = IssuedCredential & Readonly<Record<Found, string>>;
  const insert = database.prepare(
    `INSERT INTO ${table} (id, ${found}, target, principal, issuer_fingerprint, issued_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const selectByFound = database.prepare(`SELECT * FROM ${table} WHERE ${found} = ?`);
  const selectById = database.prepare(`SELECT * FROM ${table} WHERE id = ?`);
  const selectNewest = database.prepare(`SELECT * FROM ${table} ORDER BY issued_at_ms DESC, id LIMIT ?`);
  const markRevoked = database.prepare(
    `UPDATE ${table} SET revoked_at_ms = ?, revoked_by = ?, revoked_reason = ? WHERE id = ? AND revoked_at_ms IS NULL`,
  );
  const removeExpired = database.prepare(`DELETE FROM ${table} WHERE expires_at_ms <= ?`);
  const read = (row: Record<string, unknown> | undefined): Stored | undefined =>
    row === undefined ? undefined : ({ ...readCommon(row), [found]: row[found] as string } as Stored);

  // `async` turns what the driver throws into the rejection that the contract names.
  return {
    async put(credential) {
      const { id, target, principal, issuerFingerprint, issuedAtMs, expiresAtMs } = credential;
      insert.run(id, credential[found], target, JSON.stringify(principal), issuerFingerprint, issuedAtMs, expiresAtMs);
    },
    async findBy(value) {
      return read(selectByFound.get(value));
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

function readCommon(row: Record<string, unknown>): IssuedCredential {
  return {
    id: row.id as string,
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
