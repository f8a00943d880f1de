/**
 * What a SQL text means, in terms that every SQL protocol shares. Made by a dialect's analyser (`sql/postgres/`), read by
 * `protocols/<name>/operation.ts`, which resolves names against the target's catalogue and makes acts of them.
 */

/** A name as written, folded and cut as the server does it (ASCII lower case unless quoted, 63 bytes). */
export interface QualifiedName {
  /** Undefined where the statement leaves it to the search path. */
  readonly schema: string | undefined;
  readonly name: string;
}

export type SqlObjectName =
  | { readonly type: 'Relation'; readonly name: QualifiedName }
  | { readonly type: 'Function'; readonly name: QualifiedName }
  | { readonly type: 'Schema'; readonly schema: string }
  /** Undefined: the connected database. */
  | { readonly type: 'Database'; readonly database: string | undefined }
  | { readonly type: 'Setting'; readonly setting: string }
  | { readonly type: 'Role'; readonly role: string };

/** `action` is an action name of the policy schema, for example `sql:delete`. */
export interface SqlAct {
  readonly action: `sql:${string}`;
  readonly object: SqlObjectName;
}

/** Effects on the session's own name space and transaction, so that the session can follow. Truth comes from the server's answers. */
export type SessionEffect =
  | { readonly kind: 'begin' }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'savepoint' }
  | { readonly kind: 'prepare'; readonly name: string; readonly statement: Statement }
  | { readonly kind: 'execute'; readonly name: string }
  | { readonly kind: 'deallocate'; readonly name: string | undefined }
  | { readonly kind: 'declare-cursor'; readonly name: string; readonly statement: Statement }
  | { readonly kind: 'fetch'; readonly name: string }
  | { readonly kind: 'close-cursor'; readonly name: string | undefined }
  | { readonly kind: 'discard'; readonly what: 'all' | 'plans' | 'sequences' | 'temp' }
  /** `values` undefined: not known from the text. `local`: for the transaction only. */
  | { readonly kind: 'set'; readonly setting: string; readonly values: readonly string[] | undefined; readonly local: boolean };

export interface Statement {
  /** The kind for policy facts: `select`, `insert`, `create-table`, `explain-analyze` … */
  readonly kind: string;
  readonly acts: readonly SqlAct[];
  /** Every relation that the statement names, CTE names resolved away, each once. */
  readonly relations: readonly QualifiedName[];
  /** Relations of `relations` that it writes rows to (INSERT, UPDATE, DELETE, MERGE, COPY FROM, TRUNCATE, SELECT INTO, CREATE TABLE AS). */
  readonly written: readonly QualifiedName[];
  readonly functions: readonly QualifiedName[];
  /**
   * Every way in which a column's value could be reached: the last part of every column reference (`ssn` of `c.ssn`), every name that
   * could be a whole-row reference or attribute notation, JOIN USING names, INSERT/UPDATE target columns excluded.
   */
  readonly mentions: readonly string[];
  /** A `*` in a target list or RETURNING (`count(*)` is none), TABLE t, a whole row, NATURAL JOIN, a column alias list on a relation: any column may be meant. */
  readonly mentionsAll: boolean;
  /** Same, for what is stored by a write (SET expressions, INSERT … SELECT, CREATE TABLE AS): can data be copied out of its column? */
  readonly copies: { readonly mentions: readonly string[]; readonly mentionsAll: boolean } | undefined;
  /** UPDATE or DELETE (at any depth) with no WHERE, or with a WHERE that names no column; TRUNCATE. */
  readonly unbounded: boolean;
  /** Nothing can change: plain reads with safe, non-volatile built-in functions only. */
  readonly pureRead: boolean;
  /** A column of a result can be shown: SELECT, RETURNING, EXECUTE, FETCH, SHOW, EXPLAIN … */
  readonly returnsRows: boolean;
  /** Runs code or text that the analyser cannot see (a user function, query_to_xml, DO, CALL …): any relation may be touched. */
  readonly opaque: boolean;
  /** COPY, where it is one. */
  readonly copy:
    | { readonly direction: 'to-client' | 'from-client'; readonly relation: QualifiedName | undefined; readonly columns: readonly string[] }
    | undefined;
  readonly sessionEffects: readonly SessionEffect[];
}

export interface Analysis {
  readonly statements: readonly Statement[];
  /** True where another literal in the same place could change the meaning (set_config's first argument, a SET value …): cached by exact text only. */
  readonly literalSensitive: boolean;
}
