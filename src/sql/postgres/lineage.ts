import type { Lineage, LineageCatalogue, Source } from '../lineage.ts';
import { QueryTracer } from './lineage-query.ts';
import { emptyScope } from './lineage-scope.ts';
import type { Value } from './lineage-values.ts';
import { tagged, type Tagged } from './nodes.ts';
import { parseStatements } from './parser.ts';

/** Which statement is traced. Its text is parsed again when it is: trees are too big to keep. */
export interface TracedText {
  readonly sql: string;
  /** The place of the statement in the text. */
  readonly index: number;
  /** The statement that PREPARE or DECLARE names, not the naming itself. */
  readonly inner: boolean;
}

/**
 * Where the result's values come from. Undefined wherever that cannot be proven: a name that may mean several things or none, a node
 * without a rule, code, types and operators that are not the server's own. Never throws.
 */
export function traceLineage({ sql, index, inner }: TracedText, catalogue: LineageCatalogue): Lineage | undefined {
  if (sql.length > mostCharacters) return undefined;
  try {
    const statement = tagged(parseStatements(sql)[index]?.['stmt']);
    const query = statement === undefined ? undefined : queryOf(statement, inner);
    if (query === undefined) return undefined;
    const tracer = new QueryTracer(catalogue);
    const { columns, predicates } = tracer.query(query, emptyScope, true);
    return {
      columns: columns.map(({ value }) => sourcesOf(value)),
      predicates: sourcesOf(predicates),
      used: sourcesOf(tracer.used()),
      lookups: tracer.lookups.found(query),
    };
  } catch {
    // `Unresolved`, a stack that is too deep, a tree of an unknown form: not proven is not proven.
    return undefined;
  }
}

/** The query whose rows the statement shows. */
function queryOf({ tag, body }: Tagged, inner: boolean): unknown {
  if (inner) {
    if (tag === 'PrepareStmt') return body['query'];
    return tag === 'DeclareCursorStmt' && !isHeld(body['options']) ? body['query'] : undefined;
  }
  if (tag === 'CopyStmt') return body['query'];
  return rowStatements.has(tag) ? { [tag]: body } : undefined;
}

/** WITH HOLD: the cursor outlives its transaction, and with it what names meant when it was declared. */
function isHeld(options: unknown): boolean {
  return typeof options !== 'number' || (options & cursorHold) !== 0;
}

function sourcesOf(value: Value): readonly Source[] {
  return [...value.sources.values()];
}

const rowStatements: ReadonlySet<string> = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt']);
/** A longer text is not parsed a second time; it takes too long. */
const mostCharacters = 64 * 1024;
/** CURSOR_OPT_HOLD of the server's parsenodes.h. */
const cursorHold = 0x20;
