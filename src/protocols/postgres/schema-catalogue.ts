import type { QualifiedName } from '../../sql/statement.ts';
import type { Catalogue, CatalogueRelation } from './catalogue.ts';

/** A catalogue in which names can be looked up as well. One immutable snapshot; a newer one is another object. */
export interface SchemaCatalogue extends Catalogue {
  /**
   * Every relation that the name may mean. Without a schema: all of that name in any schema, because which one the search path picks
   * (a temporary table in front of it included) is the server's to know.
   */
  relationsNamed(name: QualifiedName): readonly CatalogueRelation[];
  /** True where a function of this name was made in this database: the server may prefer it to a built-in one of the same name. */
  hasUserFunction(name: string): boolean;
  /** The same for operators. */
  hasUserOperator(name: string): boolean;
  /** True where reading the relation runs code: a view over user functions, row security, a foreign table. */
  runsCode(relation: CatalogueRelation): boolean;
  /** The same without regard to what was defined since, which makes `runsCode` true of everything. Left out: there is no difference. */
  runsCodeAsRead?(relation: CatalogueRelation): boolean;
  /**
   * Other relations whose rows a write to this one changes: what a view stands on, at any depth; the parents of a partition or an
   * inheritance child. Undefined where that cannot be known.
   */
  writesThrough(relation: CatalogueRelation): readonly CatalogueRelation[] | undefined;
  /** Something was defined that it has not seen: what a name means cannot be proven by it. */
  readonly isUnsettled?: true;
}
