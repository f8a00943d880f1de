import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { buildCatalogue, type CatalogueRows } from './catalogue-build.ts';
import { analyse } from './fixture.test.ts';
import { maskContext } from './mask.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
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
  columns: [
    ...columns(1, ['id', 'name', 'ssn', 'ssn_last', 'ssn_length']),
    ...columns(2, ['id', 'ssn']),
    ...columns(3, ['id', 'amount', 'note']),
    ...columns(4, ['id', 'pan']),
    ...columns(5, ['id', 'pan']),
    ...columns(6, ['id', 'label']),
    ...columns(7, ['what']),
    ...columns(8, ['id']),
    ...columns(9, ['x']),
    ...columns(10, ['id']),
    ...columns(11, ['id']),
  ],
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

function columns(relation: number, names: readonly string[]) {
  return names.map((name, index) => ({ relation: relation + 20_000, number: index + 1, name }));
}
