import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { effectFunctions, pureFunctions, reachingFunctions, volatileFunctions } from './builtins.ts';

/** Of each server version: how volatile the functions of each listed name are (`i`, `s`, `v`, several where they differ), and all volatile names. */
const servers = JSON.parse(readFileSync(new URL('testing/pg-proc.json', import.meta.url), 'utf8')) as Record<
  string,
  { readonly volatility: Readonly<Record<string, string>>; readonly volatile: readonly string[] }
>;

describe('functions that may be called without asking', () => {
  test('are known from two server versions', () => assert.deepEqual(Object.keys(servers), ['15', '18']));

  for (const [version, { volatility, volatile }] of Object.entries(servers)) {
    test(`are not volatile in version ${version}`, () => {
      assert.deepEqual(
        [...pureFunctions].filter((name) => volatility[name]?.includes('v') === true || volatile.includes(name)),
        [],
      );
    });
  }

  test('exist in at least one version', () => {
    const missing = [...pureFunctions, ...volatileFunctions].filter((name) =>
      Object.values(servers).every(({ volatility }) => volatility[name] === undefined),
    );
    assert.deepEqual(missing, []);
  });

  test('are in one list only', () => {
    const lists = [pureFunctions, volatileFunctions, new Set(effectFunctions.keys()), new Set(reachingFunctions.keys())];
    for (const name of lists.flatMap((list) => [...list])) assert.equal(lists.filter((list) => list.has(name)).length, 1, name);
  });

  test('leave out what runs SQL, opens files, sends, waits or sets', () => {
    const dangerous = [
      /_to_xml/,
      /^(ts_stat|ts_rewrite|set_config|setseed|nextval|setval|pg_sleep.*|pg_notify|current_logfile)$/,
      /^(lo_|loread|lowrite|dblink|pg_read_|pg_ls_|pg_stat_file|pg_stat_reset|pg_logical_|pg_replication_|pg_create_|pg_drop_|pg_copy_)/,
      /advisory|terminate|cancel|promote|switch_wal|reload|rotate|import|export|binary_upgrade|_validator$/,
    ];
    const found = [...pureFunctions, ...volatileFunctions].filter((name) => dangerous.some((pattern) => pattern.test(name)));
    assert.deepEqual(found, []);
  });
});
