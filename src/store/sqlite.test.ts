import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { migrate, openDatabase, transaction } from './sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'));
after(() => rmSync(folder, { recursive: true }));

it('a database is durable at every commit and for its owner only, its side files too', () => {
  const file = join(folder, 'new', 'state.db');
  const database = openDatabase(file);
  migrate(database, 'a', ['CREATE TABLE a (x INTEGER) STRICT']);

  assert.equal(database.prepare('PRAGMA journal_mode').get()?.journal_mode, 'wal');
  assert.equal(database.prepare('PRAGMA synchronous').get()?.synchronous, 2);
  assert.equal(database.prepare('PRAGMA foreign_keys').get()?.foreign_keys, 1);
  assert.equal(database.prepare('PRAGMA busy_timeout').get()?.timeout, 5000);
  for (const path of [file, `${file}-wal`, `${file}-shm`]) assert.equal(statSync(path).mode & 0o777, 0o600, path);
  database.close();
});

it('a database that others could read is closed to them', () => {
  const file = join(folder, 'open.db');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  openDatabase(file).close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

it('migrations run once each, in order, for each component by itself', () => {
  const file = join(folder, 'migrate.db');
  const first = openDatabase(file);
  migrate(first, 'a', ['CREATE TABLE a (x INTEGER) STRICT']);
  first.exec('INSERT INTO a VALUES (7)');
  first.close();

  const second = openDatabase(file);
  migrate(second, 'b', ['CREATE TABLE b (y TEXT) STRICT']);
  migrate(second, 'a', ['CREATE TABLE a (x INTEGER) STRICT', 'ALTER TABLE a ADD COLUMN z INTEGER NOT NULL DEFAULT 1']);
  assert.deepEqual({ ...second.prepare('SELECT * FROM a').get() }, { x: 7, z: 1 });
  second.close();
});

it('a migration that fails leaves nothing behind', () => {
  const database = openDatabase(join(folder, 'fails.db'));
  assert.throws(() => migrate(database, 'a', ['CREATE TABLE a (x INTEGER) STRICT', 'CREATE NONSENSE']), /syntax error/);
  assert.equal(database.prepare("SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('a', 'schema_versions')").get()?.n, 0);
  migrate(database, 'a', ['CREATE TABLE a (x INTEGER) STRICT']);
  database.close();
});

it('a database of a newer release is refused', () => {
  const database = openDatabase(join(folder, 'newer.db'));
  migrate(database, 'a', ['CREATE TABLE a (x INTEGER) STRICT', 'CREATE TABLE c (x INTEGER) STRICT']);
  assert.throws(() => migrate(database, 'a', ['CREATE TABLE a (x INTEGER) STRICT']), /newer than this release/);
  database.close();
});

it('a transaction is undone as a whole by an error', () => {
  const database = openDatabase(':memory:');
  migrate(database, 'a', ['CREATE TABLE a (x INTEGER PRIMARY KEY) STRICT']);
  assert.throws(
    () =>
      transaction(database, () => {
        database.exec('INSERT INTO a VALUES (1)');
        database.exec('INSERT INTO a VALUES (1)');
      }),
    /UNIQUE/,
  );
  assert.equal(database.prepare('SELECT count(*) AS n FROM a').get()?.n, 0);
  assert.equal(
    transaction(database, () => 'done'),
    'done',
  );
  database.close();
});

it('nothing is left in the working folder by a database in memory', () => {
  openDatabase(':memory:').close();
  assert.equal(existsSync(':memory:'), false);
});
