import type { Crypto } from '../../../core/crypto.ts';
import type { MaskingMode } from '../../../core/target.ts';
import { compileDataClasses, type ColumnRule } from '../../../masking/classes.ts';
import type { DataClass, Detector } from '../../../masking/types.ts';
import type { Catalogue, CatalogueRelation } from '../catalogue.ts';
import { maskContext, type MaskContext, type MaskFacts } from '../mask-context.ts';
import type { ResultField } from '../mask-plan.ts';

/** A small bank for masking tests: one table with every kind of rule, one without any, a view over the first, and what the server tells of both. */

export const customers = relation(20_001, 'public', 'customers', ['id', 'name', 'ssn', 'profile', 'account', 'secret', 'digest', 'note'], {
  ssn: [{ class: 'ssn', path: undefined }],
  profile: [{ class: 'ssn', path: '$.ssn' }],
  account: [{ class: 'account', path: undefined }],
  secret: [{ class: 'secret', path: undefined }],
  digest: [{ class: 'digest', path: undefined }],
  note: [{ class: 'note', path: undefined }],
});
export const orders = relation(20_002, 'public', 'orders', ['id', 'name', 'amount']);
export const view: CatalogueRelation = {
  ...relation(20_003, 'public', 'customer_view', ['id', 'label']),
  kind: 'view',
  columnTaint: new Map([['id', []]]),
  tainted: ['ssn'],
};
export const statistics: CatalogueRelation = {
  ...relation(12_001, 'pg_catalog', 'pg_stats', ['tablename', 'most_common_vals']),
  kind: 'view',
};
export const activity: CatalogueRelation = { ...relation(12_002, 'pg_catalog', 'pg_stat_activity', ['pid', 'query']), kind: 'view' };

/** Oid of a type like citext, made in this database. */
export const citext = 20_100;

export function testContext(
  crypto: Crypto,
  options: { mode?: MaskingMode; revealed?: readonly string[]; detect?: boolean; columns?: boolean } = {},
): MaskContext {
  const detectors = options.detect === false ? undefined : found;
  const classes = compileDataClasses(
    [
      dataClass('ssn', 'partial-last4', detectors?.ssn),
      dataClass('card', 'redact', detectors?.card),
      dataClass('account', 'pseudonym'),
      dataClass('secret', 'null'),
      dataClass('digest', 'hash'),
      dataClass('note', 'redact'),
    ],
    crypto,
    new Uint8Array(32).fill(3),
  );
  const catalogue: Catalogue = {
    relationByOid: (oid) => [customers, orders, view, statistics, activity].find((each) => each.oid === oid),
    columnClasses: options.columns === false ? [] : ['ssn', 'account', 'secret', 'digest', 'note'],
    textTypes: new Set([citext]),
  };
  return maskContext(classes, catalogue, options.mode ?? 'taint', new Set(options.revealed));
}

export function factsOf(facts: Partial<MaskFacts>): MaskFacts {
  return { mentions: [], mentionsAll: false, relations: [], written: [], behind: [], beyond: false, opaque: false, ...facts };
}

/** A field with the origin given, of type text in text format unless said otherwise. */
export function fieldOf(tableOid: number, columnAttribute: number, more: Partial<ResultField> = {}): ResultField {
  return { name: 'column', tableOid, columnAttribute, typeOid: 25, typeModifier: -1, format: 0, ...more };
}

function relation(
  oid: number,
  schema: string,
  name: string,
  columns: readonly string[],
  rules: Record<string, readonly ColumnRule[]> = {},
): CatalogueRelation {
  return {
    oid,
    schema,
    name,
    kind: 'table',
    columns: new Map(columns.map((column, index) => [index + 1, column])),
    rules: new Map(Object.entries(rules)),
    columnTaint: new Map(),
    tainted: [],
  };
}

function dataClass(name: string, mask: DataClass['mask'], detect: readonly Detector[] = []): DataClass {
  return { name, mask, columns: [], paths: [], detect };
}

const found: Readonly<Record<'ssn' | 'card', readonly Detector[]>> = {
  ssn: [{ kind: 'recogniser', name: 'us-ssn' }],
  card: [{ kind: 'recogniser', name: 'card-number' }],
};
