/** Statements that write, as far as they return rows. */
import { condition, usedValue, usedValues, type Tracing } from './lineage-expression.ts';
import { emptyFrom, fromItem, fromList, targetItem, type FromItem } from './lineage-from.ts';
import { bind, boundColumns, boundItems, outward } from './lineage-links.ts';
import { withItems, type QueryScope } from './lineage-scope.ts';
import { nothing, union, unionOfColumns, unresolved, type Item, type Link, type Listed, type Rows, type Value } from './lineage-values.ts';
import { withClause } from './lineage-with.ts';
import { bodyOf, inline, listOf, requiredText, tagged, text, type Body } from './nodes.ts';

interface WriteTracing extends Tracing {
  /** The outputs of a list that stands in `scope`; `from` for its `*`. */
  outputs(list: unknown, scope: QueryScope, from: Pick<FromItem, 'columns' | 'open'>): Listed;
}

export function insert(body: Body, outer: QueryScope, tracing: WriteTracing): Rows {
  const { scope, predicates } = withClause(body['withClause'], outer, tracing);
  const given = tagged(body['selectStmt']) === undefined ? emptyFrom : tracing.query(body['selectStmt'], scope);
  const target = targetItem(bodyOf(body['relation']), tracing);
  const conflict = inline(body['onConflictClause']);
  // What was to be inserted is the statement's own.
  const excluded = { ...target, alias: 'excluded', columns: target.columns.map(({ name, value }) => ({ name, value })) };
  const inConflict = withItems(scope, [target, excluded]);
  const changed = conflict === undefined ? nothing : usedValues(conflict['targetList'], inConflict, tracing);
  const chosen = conflict === undefined ? nothing : usedValue(conflict['whereClause'], inConflict, tracing);
  const met = conflict === undefined ? nothing : conflictKeys(conflict, withItems(scope, [target]), tracing);
  const stored = union([unionOfColumns(given.columns), changed]);
  const from = { ...emptyFrom, predicates: given.predicates, counted: given.counted, links: given.links };
  return returning(body, tracing, scope, target, stored, from, [predicates, chosen, met], []);
}

/** ON CONFLICT (…): whether a row of such a key is there decides what happens. */
function conflictKeys(conflict: Body, scope: QueryScope, tracing: Tracing): Value {
  const infer = inline(conflict['infer']);
  if (infer === undefined) return nothing;
  if (infer['conname'] !== undefined) return unresolved('a constraint by its name');
  const keys = listOf(infer['indexElems']).map((node) => {
    const element = tagged(node)?.body ?? unresolved('a key was expected');
    const name = text(element['name']);
    return usedValue(name === undefined ? element['expr'] : { ColumnRef: { fields: [{ String: { sval: name } }] } }, scope, tracing);
  });
  return union([...keys, usedValue(infer['whereClause'], scope, tracing)]);
}

export function update(body: Body, outer: QueryScope, tracing: WriteTracing): Rows {
  const { scope, predicates } = withClause(body['withClause'], outer, tracing);
  const target = targetItem(bodyOf(body['relation']), tracing);
  const from = fromList(body['fromClause'], withItems(scope, [target]), tracing);
  const inner = withItems(scope, [target, ...from.items]);
  const stored = usedValues(body['targetList'], inner, tracing);
  const where = condition(body['whereClause'], inner, tracing);
  return returning(body, tracing, scope, target, stored, from, [predicates, where.value], where.links);
}

export function delete_(body: Body, outer: QueryScope, tracing: WriteTracing): Rows {
  const { scope, predicates } = withClause(body['withClause'], outer, tracing);
  const target = targetItem(bodyOf(body['relation']), tracing);
  const from = fromList(body['usingClause'], withItems(scope, [target]), tracing);
  const where = condition(body['whereClause'], withItems(scope, [target, ...from.items]), tracing);
  return returning(body, tracing, scope, target, nothing, from, [predicates, where.value], where.links);
}

export function merge(body: Body, outer: QueryScope, tracing: WriteTracing): Rows {
  const { scope, predicates } = withClause(body['withClause'], outer, tracing);
  const target = targetItem(bodyOf(body['relation']), tracing);
  const source = fromItem(body['sourceRelation'], scope, tracing);
  const inner = withItems(scope, [target, ...source.items]);
  const stored: Value[] = [];
  const on = condition(body['joinCondition'], inner, tracing);
  const conditions = [predicates, on.value];
  const links = [...on.links];
  for (const node of listOf(body['mergeWhenClauses'])) {
    const clause = tagged(node)?.body ?? unresolved('a WHEN clause was expected');
    const when = condition(clause['condition'], inner, tracing);
    conditions.push(when.value);
    links.push(...when.links);
    stored.push(usedValues(clause['targetList'], inner, tracing), usedValues(clause['values'], inner, tracing));
  }
  // Which of both comes first in a * is not relied upon.
  return returning(body, tracing, scope, target, union([...stored, ...conditions]), { ...source, open: true }, conditions, links);
}

/** RETURNING shows the target's columns, which may hold what was just stored, its old and new rows, and what stands beside it. */
function returning(
  body: Body,
  tracing: WriteTracing,
  scope: QueryScope,
  target: Item,
  stored: Value,
  beside: FromItem,
  conditions: readonly Value[],
  compared: readonly Link[],
): Rows {
  const predicates = union([...conditions, beside.predicates]);
  const links = [...beside.links, ...compared];
  const items = [target, ...beside.items];
  const clause = inline(body['returningClause']);
  const bound = bind(links, () => tracing.step());
  const counted = union([beside.counted, bound.counted]);
  const passed = outward(links, items, bound);
  if (clause === undefined) return { columns: [], predicates, counted, links: passed };
  const columns = boundColumns(target.columns, [target], bound).map(({ name, value }) => ({ name, value: union([value, stored]) }));
  const after = { ...target, columns };
  const aliases = listOf(clause['options']).map((node) => requiredText(tagged(node)?.body['value'], 'RETURNING alias'));
  const rows = [target.alias, 'old', 'new', ...aliases].map((alias) => ({ ...after, alias }));
  const named = beside.items.some((item) => item.alias === 'old' || item.alias === 'new' || item.alias === target.alias);
  if (named) return unresolved('a name that RETURNING may mean otherwise');
  const from = { columns: [...columns, ...boundColumns(beside.columns, beside.items, bound)], open: beside.open };
  const inner: QueryScope = { ...withItems(scope, [...rows, ...boundItems(beside.items, bound)]), implied: predicates, counted };
  const listed = tracing.outputs(clause['exprs'], inner, from);
  return { columns: listed.columns, predicates, counted, links: passed };
}
