import type { Crypto } from '../../../core/crypto.ts';
import { compileDataClasses, type DataClasses } from '../../../masking/classes.ts';
import type { Analysis } from '../../../sql/statement.ts';
import { buildCatalogue, type CatalogueRows } from '../catalogue-build.ts';
import type { FieldDescription } from '../messages.ts';
import type { SchemaCatalogue } from '../schema-catalogue.ts';
import type { FakeResult } from './fake-server.ts';

/** A small bank: what its catalogue says and what its statements answer. `customers.ssn` is sensitive. */

export function bankClasses(crypto: Crypto): DataClasses {
  const column = { target: 'orders', database: undefined, schema: 'public', relation: 'customers', column: 'ssn' };
  return compileDataClasses(
    [{ name: 'ssn', mask: 'partial-last4', columns: [column], paths: [], detect: [] }],
    crypto,
    new Uint8Array(32).fill(7),
  );
}

/** A database with nothing in it. */
export const noRows: CatalogueRows = {
  relations: [],
  columns: new Map(),
  views: [],
  inheritance: [],
  generated: [],
  userFunctions: [],
  userOperators: [],
  textTypes: [],
};

export const bankRows: CatalogueRows = {
  ...noRows,
  relations: [
    { oid: 20_001, schema: 'public', name: 'customers', kind: 'r', rowSecurity: false },
    { oid: 20_002, schema: 'public', name: 'orders', kind: 'r', rowSecurity: false },
  ],
  columns: new Map([
    [20_001, numbered(['id', 'name', 'ssn'])],
    [20_002, numbered(['id', 'amount'])],
  ]),
};

/** A relation's columns as the catalogue has them. */
export function numbered(names: readonly string[]): ReadonlyMap<number, string> {
  return new Map(names.map((name, index) => [index + 1, name]));
}

export function bankCatalogue(crypto: Crypto, analyse: (sql: string) => Analysis, rows: CatalogueRows = bankRows): SchemaCatalogue {
  const place = { target: 'orders', database: undefined, databaseName: 'orders' };
  return buildCatalogue({ rows, place, classes: bankClasses(crypto), analyse, previous: undefined });
}

export const canary = '078-05-1120';
export const backwards = '0211-50-870';

export function bankResult(text: string): FakeResult {
  return results.get(text) ?? { tag: 'OK' };
}

function text(name: string, tableOid = 0, column = 0): FieldDescription {
  return { name, tableOid, column, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 };
}

const results = new Map<string, FakeResult>([
  ['select 1', { fields: [text('?column?')], rows: [['1']], tag: 'SELECT 1' }],
  ['select id from orders', { fields: [text('id', 20_002, 1)], rows: [['1'], ['2'], ['3']], tag: 'SELECT 3' }],
  ['select ssn from customers', { fields: [text('ssn', 20_001, 3)], rows: [[canary], [null]], tag: 'SELECT 2' }],
  ['select reverse(ssn) from customers', { fields: [text('reverse')], rows: [[backwards]], tag: 'SELECT 1' }],
  ['select id from customers where ssn is null', { fields: [text('id', 20_001, 1)], rows: [['2']], tag: 'SELECT 1' }],
  ['select ssn::int from customers', { fields: [text('ssn')], tag: '', error: '22P02' }],
  ['select amount from orders where id = $1', { fields: [text('amount', 20_002, 2)], rows: [['10']], tag: 'SELECT 1' }],
  ['insert into orders values (1, 2)', { tag: 'INSERT 0 1' }],
  ['delete from orders', { tag: 'DELETE 3' }],
  ['update orders set amount = 0 where id = 1', { tag: '', error: '40001' }],
  ['copy orders from stdin', { tag: 'COPY', copy: 'in' }],
  [
    'copy orders to stdout',
    {
      tag: 'COPY 2',
      copy: 'out',
      rows: [
        ['1', '10'],
        ['2', '20'],
      ],
    },
  ],
  ['begin', { tag: 'BEGIN' }],
  ['commit', { tag: 'COMMIT' }],
  ['rollback', { tag: 'ROLLBACK' }],
]);
