import type { ColumnRule, DataClasses } from '../../masking/classes.ts';
import type { Analysis, QualifiedName, Statement } from '../../sql/statement.ts';
import type { LineageCatalogue, Source } from '../../sql/lineage.ts';
import type { CatalogueRelation, RelationKind } from './catalogue.ts';
import { writesThrough, type Reaches } from './catalogue-reach.ts';
import { isTelling } from './mask-context.ts';
import type { Place } from './objects.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import { lineageCatalogue } from './understanding-lineage.ts';
import { ViewLineages } from './view-lineages.ts';

/** One database's catalogue as rows, read in one snapshot. Oids are numbers; `kind` is `pg_class.relkind`. */
export interface CatalogueRows {
  readonly relations: readonly RelationRow[];
  /** Relation → attribute number → name. */
  readonly columns: ReadonlyMap<number, ReadonlyMap<number, string>>;
  /** Relation → attribute number → oid of the type, of a domain that beneath it. Left out: not known. */
  readonly columnTypes?: ReadonlyMap<number, ReadonlyMap<number, number>>;
  readonly views: readonly ViewRow[];
  readonly inheritance: readonly { child: number; parent: number }[];
  /** Stored generated columns and the columns that they are computed from. */
  readonly generated: readonly { relation: number; number: number; from: number }[];
  readonly userFunctions: readonly string[];
  readonly userOperators: readonly string[];
  readonly textTypes: readonly number[];
}

export interface RelationRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `pg_class.relkind`. */
  readonly kind: string;
  /** Reading it runs code: row security, or a cast of the database's own from the type of a column. */
  readonly rowSecurity: boolean;
  /** Rules beyond what makes a view a view. */
  readonly hasRules?: boolean;
  /** A view with triggers: INSTEAD OF it, something else is written. */
  readonly hasTriggers?: boolean;
}

export interface ViewRow {
  readonly oid: number;
  /** `pg_get_viewdef` under an empty search path: every name qualified. */
  readonly definition: string;
  /** Where the server says that each output column comes from, in order; relation 0: computed. Undefined: could not be found out. */
  readonly origins: readonly { relation: number; column: number }[] | undefined;
}

export interface BuildOptions {
  readonly rows: CatalogueRows;
  readonly place: Place;
  readonly classes: DataClasses;
  readonly analyse: (sql: string) => Analysis;
  /** A column that ever had a class keeps it, whatever it is called now and whatever its table is a part of: neither renaming nor detaching unmasks. */
  readonly previous: SchemaCatalogue | undefined;
  /** Of the readings before; the same object each time. */
  readonly lineages?: ViewLineages;
}

interface ReadView {
  readonly view: ViewRow;
  /** Undefined where the definition could not be understood. */
  readonly statement: Statement | undefined;
}

interface MutableRelation extends CatalogueRelation {
  readonly rules: Map<string, readonly ColumnRule[]>;
  textColumns?: Map<string, 'text' | 'bpchar'>;
  readonly columnTaint: Map<string, readonly string[]>;
  tainted: readonly string[];
}

export function buildCatalogue(options: BuildOptions): SchemaCatalogue {
  return new Builder(options).build();
}

class Builder {
  readonly #options: BuildOptions;
  readonly #byOid = new Map<number, MutableRelation>();
  readonly #byName = new Map<string, MutableRelation[]>();
  readonly #runsCode = new Set<number>();
  readonly #userFunctions: ReadonlySet<string>;

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#userFunctions = new Set(options.rows.userFunctions);
  }

  build(): SchemaCatalogue {
    this.#relations();
    this.#columnRules();
    this.#shareRules();
    this.#generatedColumns();
    this.#textColumns();
    const views = this.#options.rows.views.map((view) => ({ view, statement: this.#viewStatement(view) }));
    this.#views(views);
    const { classes, place, rows } = this.#options;
    const catalogue = snapshot({
      columnClasses: classes.columnClasses(place.target),
      textTypes: new Set(rows.textTypes),
      byOid: this.#byOid,
      byName: this.#byName,
      runsCode: this.#runsCode,
      userFunctions: this.#userFunctions,
      userOperators: new Set(rows.userOperators),
      reaches: this.#writesThrough(views),
    });
    this.#computedColumns(views, lineageCatalogue(catalogue, new Set()));
    return catalogue;
  }

  #writesThrough(views: readonly ReadView[]): Reaches {
    const { inheritance, relations } = this.#options.rows;
    const overridden = new Set(relations.filter((row) => row.hasRules === true || row.hasTriggers === true).map(({ oid }) => oid));
    return writesThrough({
      definitions: views.map(({ view: { oid, origins }, statement }) => ({
        oid,
        relations: statement?.relations,
        origins,
        isOverridden: overridden.has(oid),
      })),
      inheritance,
      byOid: (oid) => this.#byOid.get(oid),
      named: (name) => this.#named(name),
    });
  }

  #relations(): void {
    const { rows } = this.#options;
    for (const { oid, schema, name, kind, rowSecurity, hasRules } of rows.relations) {
      const relation: MutableRelation = {
        oid,
        schema,
        name,
        kind: relationKinds.get(kind) ?? 'other',
        columns: rows.columns.get(oid) ?? NO_COLUMNS,
        rules: new Map(),
        columnTaint: new Map(),
        tainted: [],
        ...(hasRules === true ? { hasRules } : {}),
      };
      this.#byOid.set(oid, relation);
      const same = this.#byName.get(name);
      if (same === undefined) this.#byName.set(name, [relation]);
      else same.push(relation);
      if (rowSecurity || kind === 'f') this.#runsCode.add(oid);
    }
  }

  #columnRules(): void {
    const { classes, place, previous } = this.#options;
    for (const relation of this.#byOid.values()) {
      const before = previous?.relationByOid(relation.oid);
      for (const [number, column] of relation.columns) {
        const { target, database } = place;
        const rules = [...classes.rulesOf({ target, database, schema: relation.schema, relation: relation.name, column })];
        const oldName = before?.columns.get(number);
        if (oldName !== undefined) rules.push(...(before?.rules.get(oldName) ?? []));
        if (rules.length > 0) relation.rules.set(column, distinct(rules));
      }
    }
  }

  /** A partition or child shows its parent's rows and the other way round: column names are the same on both. */
  #shareRules(): void {
    const families = this.#options.rows.inheritance;
    for (let changed = true; changed;) {
      changed = false;
      for (const { child, parent } of families) {
        const a = this.#byOid.get(child);
        const b = this.#byOid.get(parent);
        if (a === undefined || b === undefined) continue;
        changed = addRules(a, b.rules) || changed;
        changed = addRules(b, a.rules) || changed;
      }
    }
  }

  #generatedColumns(): void {
    for (const { relation: oid, number, from } of this.#options.rows.generated) {
      const relation = this.#byOid.get(oid);
      const column = relation?.columns.get(number);
      const source = relation?.rules.get(relation.columns.get(from) ?? '');
      if (relation === undefined || column === undefined || source === undefined) continue;
      relation.rules.set(column, distinct([...(relation.rules.get(column) ?? []), ...source]));
    }
  }

  #textColumns(): void {
    const { columnTypes } = this.#options.rows;
    for (const relation of this.#byOid.values()) {
      if (relation.rules.size === 0) continue;
      const types = columnTypes?.get(relation.oid);
      for (const [number, name] of relation.columns) {
        const form = textForms.get(types?.get(number) ?? 0);
        if (form === undefined || !relation.rules.has(name)) continue;
        relation.textColumns ??= new Map();
        relation.textColumns.set(name, form);
      }
    }
  }

  /** Views on views: repeated until nothing changes; taints only grow. */
  #views(views: readonly ReadView[]): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const { view, statement } of views) changed = this.#taint(view, statement) || changed;
    }
    for (const { view } of views) this.#columnTaints(view);
  }

  #viewStatement(view: ViewRow): Statement | undefined {
    try {
      return this.#options.analyse(view.definition).statements[0];
    } catch {
      return undefined;
    }
  }

  #taint(view: ViewRow, statement: Statement | undefined): boolean {
    const relation = this.#byOid.get(view.oid);
    if (relation === undefined) return false;
    const classes = this.#reached(relation, statement);
    if (classes.size === relation.tainted.length) return false;
    relation.tainted = [...classes];
    return true;
  }

  #reached(view: MutableRelation, statement: Statement | undefined): ReadonlySet<string> {
    const { classes, place } = this.#options;
    const callsUser = statement?.functions.some((name) => name.schema !== 'pg_catalog' && this.#userFunctions.has(name.name));
    if (statement === undefined || statement.opaque || callsUser === true) {
      this.#runsCode.add(view.oid);
      return view.schema === 'pg_catalog' || view.schema === 'information_schema'
        ? new Set()
        : new Set(classes.columnClasses(place.target));
    }
    const reached = new Set<string>();
    for (const relation of statement.relations.flatMap((name) => this.#named(name))) {
      if (this.#runsCode.has(relation.oid)) this.#runsCode.add(view.oid);
      for (const [column, rules] of relation.rules) {
        if (statement.mentionsAll || statement.mentions.includes(column)) for (const rule of rules) reached.add(rule.class);
      }
      if (statement.mentionsAll ? isTelling(relation) : statement.mentions.some((column) => isTelling(relation, column)))
        for (const name of classes.columnClasses(place.target)) reached.add(name);
      for (const name of relation.tainted) reached.add(name);
    }
    return reached;
  }

  #columnTaints(view: ViewRow): void {
    const relation = this.#byOid.get(view.oid);
    if (relation === undefined || relation.tainted.length === 0 || view.origins === undefined) return;
    const columns = [...relation.columns].sort(([a], [b]) => a - b).map(([, name]) => name);
    for (const [index, origin] of view.origins.entries()) {
      const name = columns[index];
      const source = this.#byOid.get(origin.relation);
      const column = source?.columns.get(origin.column);
      if (name === undefined || source === undefined || column === undefined || isDerived(source)) continue;
      relation.columnTaint.set(
        name,
        (source.rules.get(column) ?? []).map((rule) => rule.class),
      );
    }
  }

  /** Columns that are computed or come from another view, by what their expressions are made of. A view before those that stand on it. */
  #computedColumns(views: readonly ReadView[], catalogue: LineageCatalogue): void {
    const { lineages = new ViewLineages() } = this.#options;
    const waiting = new Map(views.map((one) => [one.view.oid, one]));
    const trace = (oid: number): void => {
      const { statement, view: row } = waiting.get(oid) ?? {};
      const view = this.#byOid.get(oid);
      waiting.delete(oid);
      if (statement === undefined || row === undefined || view === undefined || view.tainted.length === 0 || this.#runsCode.has(oid))
        return;
      const lineage = lineages.of(row.definition, statement, catalogue);
      const columns = [...view.columns].sort(([a], [b]) => a - b).map(([, name]) => name);
      if (lineage?.columns.length !== columns.length) return;
      for (const [index, sources] of lineage.columns.entries()) {
        for (const source of sources) trace(source.relation);
        if (!view.columnTaint.has(columns[index]!)) view.columnTaint.set(columns[index]!, this.#classesOf(sources));
      }
    };
    for (const { view } of views) trace(view.oid);
    lineages.settle();
  }

  #classesOf(sources: readonly Source[]): readonly string[] {
    const { classes, place } = this.#options;
    const found = new Set<string>();
    for (const { relation: oid, column } of sources) {
      const relation = this.#byOid.get(oid);
      const isKnown = relation !== undefined && !isTelling(relation, column);
      const own = isKnown ? (relation.rules.get(column) ?? []).map((rule) => rule.class) : classes.columnClasses(place.target);
      for (const name of [...own, ...(relation?.columnTaint.get(column) ?? relation?.tainted ?? [])]) found.add(name);
    }
    return [...found];
  }

  #named(name: QualifiedName): readonly MutableRelation[] {
    return named(this.#byName, name);
  }
}

interface Built {
  readonly columnClasses: readonly string[];
  readonly textTypes: ReadonlySet<number>;
  readonly byOid: ReadonlyMap<number, MutableRelation>;
  readonly byName: ReadonlyMap<string, readonly MutableRelation[]>;
  readonly runsCode: ReadonlySet<number>;
  readonly userFunctions: ReadonlySet<string>;
  readonly userOperators: ReadonlySet<string>;
  readonly reaches: Reaches;
}

/** Not a method: a closure over the builder would keep its rows, and the snapshot before with all of those before that. */
function snapshot({ columnClasses, textTypes, byOid, byName, runsCode, userFunctions, userOperators, reaches }: Built): SchemaCatalogue {
  return {
    columnClasses,
    textTypes,
    relationByOid: (oid) => byOid.get(oid),
    relationsNamed: (name) => named(byName, name),
    hasUserFunction: (name) => userFunctions.has(name),
    hasUserOperator: (name) => userOperators.has(name),
    runsCode: (relation) => runsCode.has(relation.oid),
    writesThrough: ({ oid, kind, schema }) => {
      if (reaches.has(oid)) return reaches.get(oid);
      return kind === 'view' && !systemSchemas.has(schema) ? undefined : [];
    },
  };
}

function named(byName: ReadonlyMap<string, readonly MutableRelation[]>, name: QualifiedName): readonly MutableRelation[] {
  const same = byName.get(name.name) ?? [];
  return name.schema === undefined ? same : same.filter((relation) => relation.schema === name.schema);
}

/** What its columns show is in `tainted`, not in `rules`. */
function isDerived({ kind }: CatalogueRelation): boolean {
  return kind === 'view' || kind === 'materialized-view';
}

function addRules(to: MutableRelation, rules: ReadonlyMap<string, readonly ColumnRule[]>): boolean {
  let changed = false;
  for (const [column, added] of rules) {
    const before = to.rules.get(column) ?? [];
    const after = distinct([...before, ...added]);
    if (after.length === before.length) continue;
    to.rules.set(column, after);
    changed = true;
  }
  return changed;
}

function distinct(rules: readonly ColumnRule[]): readonly ColumnRule[] {
  return [...new Map(rules.map((rule) => [`${rule.class} ${rule.path ?? ''}`, rule])).values()];
}

const NO_COLUMNS: ReadonlyMap<number, string> = new Map();
const systemSchemas: ReadonlySet<string> = new Set(['pg_catalog', 'information_schema']);
/** `text`, `varchar`, `bpchar` by their oids in pg_type.dat. */
const textForms: ReadonlyMap<number, 'text' | 'bpchar'> = new Map([
  [25, 'text'],
  [1043, 'text'],
  [1042, 'bpchar'],
]);
const relationKinds = new Map<string, RelationKind>([
  ['r', 'table'],
  ['p', 'partitioned-table'],
  ['v', 'view'],
  ['m', 'materialized-view'],
  ['f', 'foreign-table'],
  ['c', 'composite-type'],
]);
