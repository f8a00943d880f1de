/** WITH: queries under a name, which may name themselves. */
import type { Tracing } from './lineage-expression.ts';
import { emptyFrom } from './lineage-from.ts';
import type { CteScope, QueryScope } from './lineage-scope.ts';
import { computed, nothing, renamed, union, unresolved, type Rows, type Value } from './lineage-values.ts';
import { inline, listOf, requiredText, strings, tagged, type Body } from './nodes.ts';

export function withClause(
  clause: unknown,
  outer: QueryScope,
  tracing: Tracing,
): { readonly scope: QueryScope; readonly predicates: Value } {
  const body = inline(clause);
  if (body === undefined) return { scope: outer, predicates: nothing };
  const queries = listOf(body['ctes']).map((node) => tagged(node)?.body ?? unresolved('a common table expression was expected'));
  const recursive = body['recursive'] === true;
  let scope = outer;
  const predicates: Value[] = [];
  for (const query of queries) {
    const before = scope;
    const cte = recursive ? recursiveCte(query, outer, () => scope.ctes, tracing) : plainCte(query, before, tracing);
    scope = { ...scope, ctes: cte };
  }
  for (let cte = scope.ctes; cte !== outer.ctes && cte !== undefined; cte = cte.outer) predicates.push(cte.rows().predicates);
  return { scope, predicates: union(predicates) };
}

function plainCte(query: Body, scope: QueryScope, tracing: Tracing): CteScope {
  let rows: Rows | undefined;
  return { name: requiredText(query['ctename'], 'CTE name'), outer: scope.ctes, rows: () => (rows ??= cteRows(query, scope, tracing)) };
}

/** It may name itself and, with RECURSIVE, every other query of the clause: what it gives grows until nothing is added. */
function recursiveCte(query: Body, outer: QueryScope, all: () => CteScope | undefined, tracing: Tracing): CteScope {
  let rows: Rows | undefined;
  let growing: Rows | undefined;
  const evaluate = (): Rows => {
    if (rows !== undefined) return rows;
    if (growing !== undefined) return growing;
    const scope = { ...outer, ctes: all() };
    growing = firstRows(query, scope, tracing);
    for (let round = 0; round < mostRounds; round += 1) {
      const next = cteRows(query, scope, tracing);
      const grown = grow(growing, next);
      if (grown === undefined) {
        rows = growing;
        return rows;
      }
      growing = grown;
    }
    return unresolved('a recursion that does not end');
  };
  return { name: requiredText(query['ctename'], 'CTE name'), outer: all(), rows: evaluate };
}

/** The part of a recursive query that does not name it; of any other, a query that must not name itself. */
function firstRows(query: Body, scope: QueryScope, tracing: Tracing): Rows {
  const body = tagged(query['ctequery'])?.body;
  if (body?.['op'] !== 'SETOP_UNION' || body['withClause'] !== undefined) return emptyFrom;
  const first = tracing.query({ SelectStmt: body['larg'] }, scope);
  return { ...first, columns: renamed(first.columns, strings(query['aliascolnames'])) };
}

function cteRows(query: Body, scope: QueryScope, tracing: Tracing): Rows {
  if (query['search_clause'] !== undefined || query['cycle_clause'] !== undefined) return unresolved('SEARCH or CYCLE');
  const rows = tracing.query(query['ctequery'], scope);
  return { ...rows, columns: renamed(rows.columns, strings(query['aliascolnames'])) };
}

/** Undefined where `next` adds nothing to what is known. */
function grow(known: Rows, next: Rows): Rows | undefined {
  if (known.columns.length !== 0 && known.columns.length !== next.columns.length) return unresolved('a recursion of unequal width');
  const columns = next.columns.map(({ name, value }, index) => {
    const before = known.columns[index];
    return { name: before?.name ?? name, value: before === undefined ? value : both(before.value, value) };
  });
  const predicates = both(known.predicates, next.predicates);
  const counted = both(known.counted, next.counted);
  const same =
    known.columns.length === columns.length &&
    columns.every(({ value }, index) => sameSources(value, known.columns[index]!.value)) &&
    predicates.sources.size === known.predicates.sources.size &&
    counted.sources.size === known.counted.sources.size;
  return same ? undefined : { columns, predicates, counted, links: next.links };
}

function both(one: Value, other: Value): Value {
  return sameSources(one, other) ? one : computed(union([one, other]));
}

function sameSources(one: Value, other: Value): boolean {
  if (one.document !== other.document || one.sources.size !== other.sources.size) return false;
  for (const key of other.sources.keys()) if (!one.sources.has(key)) return false;
  return true;
}

const mostRounds = 20;
