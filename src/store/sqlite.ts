import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Opens the gateway's embedded database, creating it and its folder where needed: readable by its owner only, write-ahead log, and
 * every commit on disk before it returns (`synchronous = FULL`). Throws where it cannot be opened.
 *
 * @param file absolute path, or `:memory:`.
 */
export function openDatabase(file: string): DatabaseSync {
  if (file !== memory) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // Created by us and not by SQLite, so that it is never readable for others; its -wal and -shm files take over its mode.
    closeSync(openSync(file, 'a', ownerOnly));
    chmodSync(file, ownerOnly);
  }
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: busyTimeoutMs });
  database.enableDefensive(true);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
  return database;
}

/**
 * Brings one component's tables up to date. `migrations[n]` leads from version n to n + 1; what was published is never edited. All
 * missing ones are applied in one transaction, or none. Throws where the database was written by a newer release.
 */
export function migrate(database: DatabaseSync, component: string, migrations: readonly string[]): void {
  transaction(database, () => {
    database.exec('CREATE TABLE IF NOT EXISTS schema_versions (component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT');
    const row = database.prepare('SELECT version FROM schema_versions WHERE component = ?').get(component);
    const version = Number(row?.version ?? 0);
    if (version > migrations.length) {
      throw new Error(`the database holds version ${version} of ${component}, newer than this release's ${migrations.length}`);
    }
    for (const migration of migrations.slice(version)) database.exec(migration);
    database
      .prepare('INSERT INTO schema_versions VALUES (?, ?) ON CONFLICT (component) DO UPDATE SET version = excluded.version')
      .run(component, migrations.length);
  });
}

/** Runs `work` in one transaction: all of it is on disk when this returns, or none of it and the error is thrown on. Not nestable. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // A failed COMMIT (a full disk) may have rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

const memory = ':memory:';
const ownerOnly = 0o600;
const busyTimeoutMs = 5000;
