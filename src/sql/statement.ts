/**
 * What a SQL text means, in terms that every SQL protocol shares. Made by a dialect's analyser (`sql/postgres/`), read by
 * `protocols/<name>/operation.ts`, which resolves names against the target's catalogue and makes acts of them.
 */

import type { Lineage, LineageCatalogue } from './lineage.ts';

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
  /**
   * `setting` in lower case; `all` for RESET ALL; the modes of BEGIN and SET TRANSACTION as `transaction_read_only` and so on, those of SET
   * SESSION CHARACTERISTICS with `default_` in front. `values` undefined: back to the default, or not known from the text. `local`: for
   * the transaction only.
   */
  | { readonly kind: 'set'; readonly setting: string; readonly values: readonly string[] | undefined; readonly local: boolean };

export interface Statement {
  /** The kind for policy facts: `select`, `insert`, `create-table`, `explain-analyze` … */
  readonly kind: string;
  readonly acts: readonly SqlAct[];
  /** Every relation that the statement names, CTE names resolved away, each once. */
  readonly relations: readonly QualifiedName[];
  /** Relations of `relations` that it writes rows to (INSERT, UPDATE, DELETE, MERGE, COPY FROM, TRUNCATE, SELECT INTO, CREATE TABLE AS). */
  readonly written: readonly QualifiedName[];
  /**
   * Every function called, as written. Without a schema, a user's function of the same name may be meant (an exact match of argument
   * types wins over search order): who has the catalogue checks.
   */
  readonly functions: readonly QualifiedName[];
  /** Every operator used, for the same check; those that the server does not bring along make the statement `opaque`. */
  readonly operators: readonly QualifiedName[];
  /** Types named that are not the server's own: casting to one may run its input function or a domain's CHECK. */
  readonly types: readonly QualifiedName[];
  /**
   * Every way in which a column's value could be reached: the last part of every column reference (`ssn` of `c.ssn`), attribute
   * notation (`(c).ssn`, `ssn(c)`), JOIN USING and ON CONFLICT names, columns that DDL reads or renames. INSERT/UPDATE target columns
   * excluded. Derived columns are here under their new name as well as their origin under its own.
   */
  readonly mentions: readonly string[];
  /**
   * Any column of any relation may be meant: a `*` that covers a relation (`count(*)` is none, nor a `*` over sub-selects only, whose
   * own lists are in `mentions`), TABLE t, a whole row (`c`, `c.to_json`), NATURAL JOIN, a column alias list on a relation, a rename of
   * what holds columns.
   */
  readonly mentionsAll: boolean;
  /**
   * Names in attribute position (`c.x`, `(c).x`), a subset of `mentions`. Where no such column exists, the server calls the function
   * `x` with the row: who has the catalogue treats one that names a user's function as a call of it on the whole row.
   */
  readonly attributes: readonly string[];
  /**
   * Same, for what is stored by a write (SET expressions, INSERT … SELECT, CREATE TABLE AS, a view, an argument of a function that is not
   * known to be harmless): can data be copied out of its column? Undefined: nothing is stored.
   */
  readonly copies: { readonly mentions: readonly string[]; readonly mentionsAll: boolean } | undefined;
  /** What is stored may come from any relation: by a function that runs a query given as text, or in an expression that runs later. */
  readonly copiesAny: boolean;
  /** Expressions over relations that it does not name run in it: an error of theirs can repeat any relation's values. */
  readonly evaluatesUnnamed: boolean;
  /**
   * UPDATE or DELETE (at any depth) with no WHERE, or with a WHERE that holds for every row whatever its literals are: no column named,
   * a column compared with itself, an OR with such a branch. TRUNCATE. False under EXPLAIN without ANALYZE.
   */
  readonly unbounded: boolean;
  /** … CASCADE, of DROP, ALTER, TRUNCATE, REVOKE or CREATE EXTENSION: reaches objects that the statement does not name. */
  readonly cascade: boolean;
  /** Nothing can change: plain reads with safe, non-volatile built-in functions only. EXECUTE and FETCH: false; the named statement's own counts. */
  readonly pureRead: boolean;
  /**
   * It may pass where nothing may be written: as `pureRead`, but the session itself may change (settings, names, LISTEN, the end of a
   * transaction), answers may differ from call to call, and types made in the database may be named. What PREPARE names counts by itself.
   */
  readonly reads: boolean;
  /** A column of a result can be shown: SELECT, RETURNING, EXECUTE, FETCH, SHOW, EXPLAIN … */
  readonly returnsRows: boolean;
  /** Runs code or text that the analyser cannot see (a user function, query_to_xml, DO, CALL …): any relation may be touched. */
  readonly opaque: boolean;
  /** COPY, where it is one. */
  readonly copy:
    | {
        readonly direction: 'to-client' | 'from-client';
        readonly relation: QualifiedName | undefined;
        readonly columns: readonly string[];
        readonly format: 'text' | 'csv' | 'binary';
        /** The ENCODING option; undefined: the session's client_encoding. */
        readonly encoding: string | undefined;
      }
    | undefined;
  readonly sessionEffects: readonly SessionEffect[];
  /**
   * Where the values of its result come from, names meaning what `catalogue` says. Undefined where that cannot be proven. `sql`: another
   * text of one statement to be traced in its place, such as one of the same shape.
   */
  lineage(catalogue: LineageCatalogue, sql?: string): Lineage | undefined;
}

export interface Analysis {
  readonly statements: readonly Statement[];
  /** True where another literal in the same place could change the meaning (set_config's first argument, a SET value …): cached by exact text only. */
  readonly literalSensitive: boolean;
}
