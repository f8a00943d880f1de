import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { buildCatalogue, type CatalogueRows } from './catalogue-build.ts';
import { analyse } from './fixture.test.ts';
import { maskContext } from './mask.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { numbered } from './testing/bank.ts';
import { understand, type NamedStatements, type Understanding } from './understanding.ts';

/** A bank with everything in it that can make a name mean something else: two schemas, views, partitions, generated columns, user code. */

export const place = { target: 'bank', database: undefined, databaseName: 'bank' };
const own = { target: 'bank', database: undefined, schema: 'public' };
export const classes = compileDataClasses(
  [
    { name: 'ssn', columns: [{ ...own, relation: 'people', column: 'ssn' }], paths: [], detect: [], mask: 'redact' },
    { name: 'pan', columns: [{ ...own, relation: 'events', column: 'pan' }], paths: [], detect: [], mask: 'redact' },
  ],
  nodeCrypto,
  new Uint8Array(32).fill(3),
);

export const rows: CatalogueRows = {
  relations: [
    table(1, 'people'),
    { ...table(2, 'people'), schema: 'archive' },
    table(3, 'orders'),
    { ...table(4, 'events'), kind: 'p' },
    table(5, 'events_2026'),
    { ...table(6, 'people_view'), kind: 'v' },
    { ...table(7, 'view_of_view'), kind: 'v' },
    { ...table(8, 'clean_view'), kind: 'v' },
    { ...table(9, 'coded_view'), kind: 'v' },
    { ...table(10, 'secured'), rowSecurity: true },
    { ...table(11, 'far'), kind: 'f' },
  ],
  columns: new Map([
    [20_001, numbered(['id', 'name', 'ssn', 'ssn_last', 'ssn_length'])],
    [20_002, numbered(['id', 'ssn'])],
    [20_003, numbered(['id', 'amount', 'note'])],
    [20_004, numbered(['id', 'pan'])],
    [20_005, numbered(['id', 'pan'])],
    [20_006, numbered(['id', 'label'])],
    [20_007, numbered(['what'])],
    [20_008, numbered(['id'])],
    [20_009, numbered(['x'])],
    [20_010, numbered(['id'])],
    [20_011, numbered(['id'])],
  ]),
  views: [
    { oid: 20_007, definition: 'select v.label as what from public.people_view v', origins: [{ relation: 20_006, column: 2 }] },
    {
      oid: 20_006,
      definition: 'select p.id, p.ssn as label from public.people p',
      origins: [
        { relation: 20_001, column: 1 },
        { relation: 20_001, column: 3 },
      ],
    },
    { oid: 20_008, definition: 'select p.id from public.people p', origins: [{ relation: 20_001, column: 1 }] },
    { oid: 20_009, definition: 'select public.secrets() as x', origins: undefined },
  ],
  inheritance: [{ child: 20_005, parent: 20_004 }],
  generated: [
    { relation: 20_001, number: 4, from: 3 },
    { relation: 20_001, number: 5, from: 3 },
  ],
  userFunctions: ['secrets', 'lower', 'whole'],
  userOperators: ['===', '||'],
  textTypes: [],
};

export const bank = build(rows);

export function build(some: CatalogueRows, previous?: SchemaCatalogue): SchemaCatalogue {
  return buildCatalogue({ rows: some, place, classes, analyse, previous });
}

export function meaning(
  sql: string,
  options: { readonly catalogue?: SchemaCatalogue; readonly named?: NamedStatements; readonly revealed?: string[] } = {},
): Understanding {
  const catalogue = options.catalogue ?? bank;
  const masks = maskContext(classes, catalogue, 'taint', new Set(options.revealed));
  return understand(analyse(sql), { place, catalogue, masks, made: new Set() }, options.named ?? nothing);
}

export const nothing: NamedStatements = { statement: () => undefined, cursor: () => undefined };

export function acts(sql: string): string[] {
  return meaning(sql)
    .acts.map(({ action, object }) => `${action} ${object.id}`)
    .sort();
}

function table(oid: number, name: string) {
  return { oid: oid + 20_000, schema: 'public', name, kind: 'r', rowSecurity: false };
}
