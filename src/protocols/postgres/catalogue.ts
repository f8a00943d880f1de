/**
 * What masking and operations need to know of one database's catalogue. The session reads it from the server (as the gateway itself,
 * before the client's first statement and again when something of it changed); here it is only looked at.
 */
export interface Catalogue {
  relationByOid(oid: number): CatalogueRelation | undefined;
  /** Classes that any column of this database has or whose column could not be found: what an unknown value may belong to. */
  readonly columnClasses: readonly string[];
  /** Oids of types made in this database whose values are any text (`citext`; `typcategory = 'S'` and `typtype = 'b'`). */
  readonly textTypes: ReadonlySet<number>;
}

export type RelationKind = 'table' | 'partitioned-table' | 'view' | 'materialized-view' | 'foreign-table' | 'composite-type' | 'other';

export interface CatalogueRelation {
  readonly oid: number;
  /** Not in the catalogue: taken for one that the session made. */
  readonly presumed?: true;
  /** It has rules: what is written to it may run other statements, whose rows come back as if they were its own. */
  readonly hasRules?: boolean;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** Attribute number → name, of columns that are not dropped; system columns (below 0) left out. */
  readonly columns: ReadonlyMap<number, string>;
  /**
   * Column name → the rules that reach it: its own, and for a partition or an inheritance child those of its parents' column of that
   * name (and the other way round: a parent shows its children's rows).
   */
  readonly rules: ReadonlyMap<string, readonly { readonly class: string; readonly path: string | undefined }[]>;
  /**
   * Those of `rules` whose type holds any text as it is: `text`, `varchar`, or `bpchar`, which pads it. Of a domain, the type beneath. Left
   * out: not known.
   */
  readonly textColumns?: ReadonlyMap<string, 'text' | 'bpchar'>;
  /** A view's output columns for which it is known which classes reach them; only those of `tainted` count for a column that is here. */
  readonly columnTaint: ReadonlyMap<string, readonly string[]>;
  /** A view or materialized view: every class that its definition, at any depth, can reach. Empty for other relations. */
  readonly tainted: readonly string[];
}
