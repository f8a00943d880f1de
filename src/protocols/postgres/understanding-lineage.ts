import type { Lineage, LineageCatalogue, LookupColumn, Lookups } from '../../sql/lineage.ts';
import type { Statement } from '../../sql/statement.ts';
import type { CatalogueRelation, RelationKind } from './catalogue.ts';
import { columnClasses } from './mask-context.ts';
import { reachedClasses, sourceClasses, type MaskContext, type MaskFacts } from './mask.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Sight } from './understanding.ts';

/**
 * Lineage of a text's statements, as far as it is certain and as anything depends on it. Nothing is certain while the catalogue has not
 * seen all that was defined, or where a statement runs code.
 */
export class Tracer {
  readonly #sight: Sight;
  readonly #facts: MaskFacts;
  readonly #catalogue: LineageCatalogue | undefined;
  readonly #traced = new Map<Statement, Lineage | undefined>();

  constructor(sight: Sight, facts: MaskFacts, defines: boolean) {
    this.#sight = sight;
    this.#facts = facts;
    const matters = reachedClasses(sight.masks.record, facts).length > 0;
    const certain = matters && !facts.opaque && !defines && sight.catalogue.isUnsettled !== true;
    this.#catalogue = certain ? lineageCatalogue(sight.catalogue, sight.made, sight.masks) : undefined;
  }

  /** Of the rows that a text of one statement shows: where it runs another by its name, that one's. */
  result(statements: readonly Statement[]): Lineage | undefined {
    const [statement, named] = statements;
    if (statement === undefined) return undefined;
    if (statement.kind !== 'execute' && statement.kind !== 'fetch') return this.#trace(statement);
    return named === undefined ? undefined : this.#trace(named);
  }

  /** Hidden classes in any column that the statement shows; undefined where that is not certain. */
  columnClasses(statement: Statement): readonly string[] | undefined {
    const lineage = this.#trace(statement);
    return lineage === undefined ? undefined : sourceClasses(this.#sight.masks, lineage.columns.flat());
  }

  /** Classes of columns that decide which rows there are, whoever may see them; all that are mentioned where it is not certain. */
  predicates(statements: readonly Statement[]): readonly string[] {
    const { record } = this.#sight.masks;
    const reached = reachedClasses(record, this.#facts);
    if (reached.length === 0) return reached;
    const found = new Set<string>();
    for (const statement of statements) {
      const lineage = this.#trace(shownBy(statement));
      if (lineage !== undefined) for (const name of sourceClasses(record, lineage.predicates)) found.add(name);
      else if (statement.relations.length > 0) for (const name of reached) found.add(name);
    }
    return [...found].sort();
  }

  /** What the statement compares with columns that can be looked up. What PREPARE names counts where it runs. */
  lookups(statement: Statement): Lookups | undefined {
    return this.#trace(shownBy(statement))?.lookups;
  }

  /** The same of another text in the statement's place. */
  lookupsOf(statement: Statement, sql: string): Lookups | undefined {
    return this.#catalogue === undefined ? undefined : statement.lineage(this.#catalogue, sql)?.lookups;
  }

  #trace(statement: Statement): Lineage | undefined {
    if (this.#catalogue === undefined) return undefined;
    if (!this.#traced.has(statement)) this.#traced.set(statement, statement.lineage(this.#catalogue));
    return this.#traced.get(statement);
  }
}

/** A cursor's query stands in DECLARE. */
function shownBy(statement: Statement): Statement {
  const [effect] = statement.sessionEffects;
  return effect?.kind === 'declare-cursor' ? effect.statement : statement;
}

/** Only a name that one relation of the whole database has is certain: the search path is the server's to know. */
export function lineageCatalogue(catalogue: SchemaCatalogue, made: ReadonlySet<string>, masks?: MaskContext): LineageCatalogue {
  return {
    ...(masks === undefined || !masks.hidden.some((name) => masks.classes.isLookup(name))
      ? {}
      : { lookup: (relation, column) => lookupColumn(masks, catalogue.relationByOid(relation), column) }),
    relation(name) {
      const [relation, ...others] = catalogue.relationsNamed(name);
      if (relation === undefined || others.length > 0 || made.has(name.name) || relation.columns.size === 0) return undefined;
      return { id: relation.oid, columns: columnsInOrder(relation.columns) };
    },
    hasUserFunction: (name) => catalogue.hasUserFunction(name),
    hasUserOperator: (name) => catalogue.hasUserOperator(name),
  };
}

/** A table's column of a text type that is masked whole by one class, which may be looked up and is hidden from this session. */
function lookupColumn(masks: MaskContext, relation: CatalogueRelation | undefined, column: string): LookupColumn | undefined {
  if (relation === undefined || relation.presumed === true || !lookupKinds.has(relation.kind)) return undefined;
  const form = relation.textColumns?.get(column);
  const [rule, ...others] = relation.rules.get(column) ?? [];
  if (form === undefined || rule === undefined || others.length > 0 || rule.path !== undefined) return undefined;
  if (!masks.classes.isLookup(rule.class) || columnClasses(masks, relation, column).join() !== rule.class) return undefined;
  return { class: rule.class, padded: form === 'bpchar' };
}

/** By attribute number. The same array for the same columns, which readings of the catalogue share as long as they do not change. */
function columnsInOrder(columns: CatalogueRelation['columns']): readonly string[] {
  const known = inOrder.get(columns);
  if (known !== undefined) return known;
  const names = [...columns].sort(([a], [b]) => a - b).map(([, name]) => name);
  inOrder.set(columns, names);
  return names;
}

const lookupKinds: ReadonlySet<RelationKind> = new Set<RelationKind>(['table', 'partitioned-table']);
const inOrder = new WeakMap<CatalogueRelation['columns'], readonly string[]>();
