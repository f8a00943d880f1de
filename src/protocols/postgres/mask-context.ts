import type { MaskingMode } from '../../core/target.ts';
import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import { compileJsonPath, mayReach } from '../../masking/json-path.ts';
import type { Lineage, Source } from '../../sql/lineage.ts';
import type { Catalogue, CatalogueRelation } from './catalogue.ts';

/** What masks one session's results: made when the session opens and again with every change of catalogue, policy or classes. */
export interface MaskContext {
  readonly classes: DataClasses;
  readonly catalogue: Catalogue;
  readonly mode: MaskingMode;
  readonly revealed: ReadonlySet<string>;
  /** Of the classes that are not revealed. */
  readonly detectors: DetectorSet;
  /** Classes with columns in this database that are not revealed, strongest first: what an unknown value may belong to. */
  readonly hidden: readonly string[];
  /** The same with nothing revealed, for what goes on record; the context itself where nothing is. */
  readonly record: MaskContext;
}

/** What masking needs to know of the statement whose result, error or text it looks at (`sql/statement.ts`, names resolved). */
export interface MaskFacts {
  readonly mentions: readonly string[];
  readonly mentionsAll: boolean;
  /** Every relation that the statement names and the catalogue knows. */
  readonly relations: readonly CatalogueRelation[];
  /** Those of `relations` that it writes rows to. */
  readonly written: readonly CatalogueRelation[];
  /** Beside `relations`: what the views that it writes stand on. Errors repeat their rows. */
  readonly behind: readonly CatalogueRelation[];
  /** Expressions over relations that it does not name may run in it: nothing is known of its errors. */
  readonly beyond: boolean;
  /** Runs code that the analyser cannot see, or names a relation that the catalogue does not know. */
  readonly opaque: boolean;
  /** Where the values of its result come from, where that could be proven. It says less than `mentions`, never more. */
  readonly lineage?: Lineage | undefined;
}

export function maskContext(classes: DataClasses, catalogue: Catalogue, mode: MaskingMode, revealed: ReadonlySet<string>): MaskContext {
  const present = new Set(catalogue.columnClasses);
  const context = {
    classes,
    catalogue,
    mode,
    revealed,
    detectors: classes.detectors.without(revealed),
    hidden: classes.names.filter((name) => present.has(name) && !revealed.has(name)),
  };
  const record = revealed.size === 0 && mode === 'taint' ? undefined : maskContext(classes, catalogue, 'taint', new Set());
  return {
    ...context,
    get record() {
      return record ?? this;
    },
  };
}

/** Classes that one column of a relation may show, revealed ones left out. */
export function columnClasses(context: MaskContext, relation: CatalogueRelation, column: string): readonly string[] {
  if (isTelling(relation, column)) return context.hidden;
  const own = (relation.rules.get(column) ?? []).map((rule) => rule.class);
  return [...own, ...(relation.columnTaint.get(column) ?? relation.tainted)].filter((name) => !context.revealed.has(name));
}

/** Classes of values that can be in what is computed from `sources`, revealed ones left out. */
export function sourceClasses(context: MaskContext, sources: readonly Source[]): readonly string[] {
  return [...new Set(sources.flatMap((source) => classesOf(context, source)))];
}

function classesOf(context: MaskContext, { relation: oid, column, path }: Source): readonly string[] {
  const relation = context.catalogue.relationByOid(oid);
  if (relation === undefined) return context.hidden;
  const classes = columnClasses(context, relation, column);
  if (path.length === 0 || classes.length === 0) return classes;
  const passed = new Set<string>();
  const rules = relation.rules.get(column) ?? [];
  if (classes.length > rules.length) return classes;
  for (const rule of rules) if (rule.path === undefined || mayReach(compileJsonPath(rule.path), path)) passed.add(rule.class);
  return classes.filter((name) => passed.has(name));
}

/** Classes that any column of a relation may show, revealed ones left out. */
export function relationClasses(context: MaskContext, relation: CatalogueRelation): readonly string[] {
  if (TELLING.has(relation.name)) return context.hidden;
  const all = new Set(relation.tainted);
  for (const rules of relation.rules.values()) for (const rule of rules) all.add(rule.class);
  return [...all].filter((name) => !context.revealed.has(name));
}

/** Classes of any relation that the statement touches; every hidden class where that cannot be known. */
export function touchedClasses(context: MaskContext, facts: MaskFacts): readonly string[] {
  if (facts.opaque) return context.hidden;
  return [...new Set(facts.relations.flatMap((relation) => relationClasses(context, relation)))];
}

/**
 * Classes whose values the statement can compute with: what may stand in an output whose origin the server does not name, and what
 * the operation has to declare. Every hidden class where that cannot be known.
 */
export function reachedClasses(context: MaskContext, facts: Omit<MaskFacts, 'written'>): readonly string[] {
  if (facts.opaque) return context.hidden;
  if (facts.mentionsAll) return touchedClasses(context, { ...facts, written: [] });
  return [...new Set(reachedColumns(context, facts).flatMap((column) => column.classes))];
}

/** A column that the statement mentions and that may show a hidden class. */
export interface ReachedColumn {
  readonly relation: CatalogueRelation;
  readonly column: string;
  readonly classes: readonly string[];
}

export function reachedColumns(context: MaskContext, facts: Pick<MaskFacts, 'mentions' | 'relations'>): readonly ReachedColumn[] {
  const reached: ReachedColumn[] = [];
  for (const relation of facts.relations) {
    if (relationClasses(context, relation).length === 0) continue;
    for (const column of facts.mentions) {
      const classes = hasColumn(relation, column) ? columnClasses(context, relation, column) : [];
      if (classes.length > 0) reached.push({ relation, column, classes });
    }
  }
  return reached;
}

function hasColumn(relation: CatalogueRelation, name: string): boolean {
  if (relation.rules.has(name) || relation.columnTaint.has(name) || isTelling(relation, name)) return true;
  if (relation.tainted.length === 0) return false;
  for (const column of relation.columns.values()) if (column === name) return true;
  return false;
}

/** Without a column: whether any of its columns does. */
export function isTelling(relation: CatalogueRelation, column?: string): boolean {
  const columns = TELLING.get(relation.name);
  return columns !== undefined && (column === undefined || columns.has(column));
}

const VALUES = [
  'most_common_vals',
  'histogram_bounds',
  'most_common_elems',
  'range_length_histogram',
  'range_bounds_histogram',
  'most_common_val_nulls',
];

/**
 * System columns that repeat values of user tables or texts of statements (PostgreSQL documentation, "System Catalogs", "System Views",
 * pg_stat_statements). By name alone, in whatever schema: `pg_stat_statements` may be installed anywhere, and a user's own table of
 * such a name loses nothing that matters.
 */
const TELLING: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['pg_statistic', new Set(['stavalues1', 'stavalues2', 'stavalues3', 'stavalues4', 'stavalues5'])],
  ['pg_stats', new Set(VALUES)],
  ['pg_statistic_ext_data', new Set(['stxdmcv', 'stxdexpr'])],
  ['pg_stats_ext', new Set(VALUES)],
  ['pg_stats_ext_exprs', new Set(VALUES)],
  ['pg_stat_activity', new Set(['query'])],
  ['pg_prepared_statements', new Set(['statement'])],
  ['pg_cursors', new Set(['statement'])],
  ['pg_stat_statements', new Set(['query'])],
  ['pg_largeobject', new Set(['data'])],
  ['pg_backend_memory_contexts', new Set(['ident'])],
]);
