/** Expressions: which columns, functions, operators and types they reach. */
import {
  builtinOperators,
  builtinSampleMethods,
  builtinTypes,
  effectFunctions,
  informationSchemaFunctions,
  pureFunctions,
  reachingFunctions,
  readingFunctions,
  rowFunctions,
  textRunningFunctions,
  volatileFunctions,
} from './builtins.ts';
import type { QualifiedName } from '../statement.ts';
import { extractedPath, namesPlace, steppedInto } from './lineage-document.ts';
import { setByFunction } from './settings.ts';
import type { Findings } from './findings.ts';
import { items, listOf, qualifiedName, refuse, requiredText, stringNode, strings, tagged, text, type Body } from './nodes.ts';
import type { Rule, Scope, Walk } from './walk.ts';

export const expressionRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['ColumnRef', columnReference],
  ['A_Indirection', indirection],
  ['FuncCall', functionCall],
  ['A_Expr', operatorExpression],
  ['SubLink', withOperator('SubLink', 'operName')],
  ['SortBy', withOperator('SortBy', 'useOp')],
  ['CaseExpr', caseExpression],
  ['TypeName', typeName],
  ['RangeTableSample', tableSample],
  ['IndexElem', indexElement],
  // Syntax of later versions that earlier servers read as a call of a function of that name.
  ['JsonFuncExpr', (body, scope, walk) => spelledLikeFunction('JsonFuncExpr', jsonFunction(body), body, scope, walk)],
  ['JsonParseExpr', spelled('JsonParseExpr', 'json')],
  ['JsonScalarExpr', spelled('JsonScalarExpr', 'json_scalar')],
  ['JsonSerializeExpr', spelled('JsonSerializeExpr', 'json_serialize')],
  ['JsonObjectConstructor', spelled('JsonObjectConstructor', 'json_object')],
  ['JsonArrayConstructor', spelled('JsonArrayConstructor', 'json_array')],
  ['JsonArrayQueryConstructor', spelled('JsonArrayQueryConstructor', 'json_array')],
  ['JsonObjectAgg', spelled('JsonObjectAgg', 'json_objectagg')],
  ['JsonArrayAgg', spelled('JsonArrayAgg', 'json_arrayagg')],
  ['MergeSupportFunc', spelled('MergeSupportFunc', 'merge_action')],
]);

/** An operator as a list of String nodes. */
function useOperator(name: unknown, found: Findings): void {
  const operator = qualifiedName(strings(name));
  found.operator(operator);
  if (!isBuiltin(operator) || !builtinOperators.has(operator.name)) found.runsUnseen();
}

/** Records a call and what it may do. */
function callFunction(name: QualifiedName, argumentCount: number, found: Findings): void {
  found.function(name);
  if (name.schema === 'information_schema' && informationSchemaFunctions.has(name.name)) return;
  if (isBuiltin(name)) {
    if (pureFunctions.has(name.name)) return;
    if (volatileFunctions.has(name.name)) {
      found.differs = true;
      return;
    }
    if (name.name === 'pg_advisory_unlock_all') {
      // What a connection is reset with before its next use.
      found.act('sql:lock', { type: 'Function', name });
      found.changesSession = true;
      found.keepsArguments();
      return;
    }
  }
  const object = { type: 'Function', name } as const;
  const effect = isBuiltin(name) ? effectFunctions.get(name.name) : undefined;
  if (effect !== undefined) {
    found.act(effect, object);
    found.changes = true;
    if (name.name !== 'nextval') found.keepsArguments();
    return;
  }
  if (readingFunctions.has(name.name) || reachingFunctions.has(name.name)) found.readsAny = true;
  if (textRunningFunctions.has(name.name) && !isRewriteOfQueries(name, argumentCount)) {
    found.readsAny = true;
    found.keepsArguments();
  }
  found.act(reachingFunctions.get(name.name) ?? 'sql:call-function', object);
  found.runsUnseen();
}

/** `column`, `relation.column`, `schema.relation.column`, each also with `*` (PostgreSQL manual, 4.2.1 and 8.16.5). */
function columnReference(body: Body, scope: Scope, walk: Walk): void {
  const fields = listOf(body['fields']);
  const star = tagged(fields.at(-1))?.tag === 'A_Star';
  const parts = strings(star ? fields.slice(0, -1) : fields);
  const last = parts.at(-1);
  if (star) {
    if (last !== undefined) walk.found.rowReference(last, true, scope.storing);
    else if (scope.starCoversRelation) walk.found.mentionAll(scope.storing);
    return;
  }
  if (last === undefined) return refuse('a column reference without a name');
  const qualifier = parts.at(-2);
  if (qualifier === undefined) {
    walk.found.mention(last, scope.storing);
    walk.found.rowReference(last, false, scope.storing);
    return;
  }
  walk.found.attribute(last, scope.storing);
  if (rowFunctions.has(last)) walk.found.rowReference(qualifier, true, scope.storing);
}

/** `(expression).field[1].*`. The expression's own mentions cover the `*`; a field may be a function of the row. */
function indirection(body: Body, scope: Scope, walk: Walk): void {
  const steps = listOf(body['indirection']);
  if (steps.some((step) => namesPlace(tagged(step)?.body['uidx']))) walk.found.readsPlace = true;
  const [field] = steps.map(stringNode);
  const of = soleName(body['arg']);
  if (of === undefined || field === undefined) walk.node(body['arg'], scope);
  else {
    // `(c).name` is `c.name` where `c` is a row; else a field of the column `c`.
    walk.found.mention(of, scope.storing);
    if (rowFunctions.has(field)) walk.found.rowReference(of, true, scope.storing);
  }
  for (const step of steps) {
    const name = stringNode(step);
    if (name !== undefined) walk.found.attribute(name, scope.storing);
    else walk.node(step, scope);
  }
}

/** The name that a column reference without a qualifier consists of. */
function soleName(node: unknown): string | undefined {
  const reference = tagged(node);
  if (reference?.tag !== 'ColumnRef') return undefined;
  const fields = listOf(reference.body['fields']);
  return fields.length === 1 ? stringNode(fields[0]) : undefined;
}

function functionCall(body: Body, scope: Scope, walk: Walk): void {
  const name = qualifiedName(strings(body['funcname']));
  walk.fields('FuncCall', body, scope, ['funcname']);
  if (isBuiltin(name) && name.name === 'set_config') {
    walk.found.function(name);
    setByFunction(body['args'], scope.settingRow, walk.found);
    return;
  }
  const arguments_ = listOf(body['args']).length;
  if (extractedPath(name.name, body) !== undefined) walk.found.readsPlace = true;
  // `ssn(c)` is the column `ssn` of the row `c` where there is no such function.
  if (arguments_ === 1 && !isKnown(name)) walk.found.mention(name.name, scope.storing);
  // A keyword since version 16; before, the name of a column like any other.
  if (arguments_ === 0 && name.name === 'system_user') walk.found.mention(name.name, scope.storing);
  callFunction(name, arguments_, walk.found);
}

function operatorExpression(body: Body, scope: Scope, walk: Walk): void {
  const kind = requiredText(body['kind'], 'A_Expr.kind');
  if (!expressionKinds.has(kind)) return refuse(`unknown expression kind ${kind}`);
  if (kind.includes('BETWEEN')) for (const name of ['>=', '<=']) walk.found.operator({ schema: undefined, name });
  else useOperator(body['name'], walk.found);
  if (leadsIn(body)) walk.found.readsPlace = true;
  walk.fields('A_Expr', body, scope, ['name']);
}

/** An operator that leads to a place in a document. */
function leadsIn(body: Body): boolean {
  const name = strings(body['name']).at(-1);
  return name !== undefined && steppedInto(name, body['rexpr']) !== undefined && namesPlace(body['rexpr']);
}

function caseExpression(body: Body, scope: Scope, walk: Walk): void {
  if (tagged(body['arg']) !== undefined) walk.found.operator({ schema: undefined, name: '=' });
  walk.fields('CaseExpr', body, scope);
}

function withOperator(tag: string, field: string): Rule {
  return (body, scope, walk) => {
    if (listOf(body[field]).length > 0) useOperator(body[field], walk.found);
    walk.fields(tag, body, scope, [field]);
  };
}

/** A type by name. Its modifiers (`numeric(10, 2)`, `geometry(Point, 4326)`) are constants and words, never columns. */
function typeName(body: Body, scope: Scope, walk: Walk): void {
  for (const modifier of listOf(body['typmods'])) {
    const tag = tagged(modifier)?.tag;
    if (tag !== 'A_Const' && tag !== 'ColumnRef') refuse('a type modifier that is neither a constant nor a word');
  }
  const parts = strings(body['names']);
  if (body['pct_type'] === true) walk.found.type(qualifiedName(parts.slice(0, -1)));
  else useType(qualifiedName(parts), walk.found);
  walk.fields('TypeName', body, scope, ['names', 'typmods']);
}

function useType(name: QualifiedName, found: Findings): void {
  const element = name.name.startsWith('_') ? name.name.slice(1) : name.name;
  if (!isBuiltin(name) || !(builtinTypes.has(name.name) || builtinTypes.has(element))) found.type(name);
}

/** The sampling method is a function that the server calls for every page. */
function tableSample(body: Body, scope: Scope, walk: Walk): void {
  const method = qualifiedName(strings(body['method']));
  if (isBuiltin(method) && builtinSampleMethods.has(method.name)) walk.found.function(method);
  else callFunction(method, 1, walk.found);
  // Which rows are sampled differs from call to call.
  walk.found.differs = true;
  walk.fields('RangeTableSample', body, scope, ['method']);
}

/** An index column or a conflict target: existing values show in what happens. Operator classes run their own functions. */
function indexElement(body: Body, scope: Scope, walk: Walk): void {
  const column = text(body['name']);
  if (column !== undefined) walk.found.mention(column, scope.storing);
  walk.fields('IndexElem', body, scope);
}

function jsonFunction(body: Body): string {
  const name = jsonFunctions.get(requiredText(body['op'], 'JsonFuncExpr.op'));
  return name ?? refuse('unknown JSON function');
}

function spelled(tag: string, name: string): Rule {
  return (body, scope, walk) => spelledLikeFunction(tag, name, body, scope, walk);
}

function spelledLikeFunction(tag: string, name: string, body: Body, scope: Scope, walk: Walk): void {
  walk.found.function({ schema: undefined, name });
  walk.fields(tag, body, scope);
}

/** `ts_rewrite(query, target, substitute)` reads nothing; with two arguments the second is SQL. */
function isRewriteOfQueries({ name }: QualifiedName, argumentCount: number): boolean {
  return name === 'ts_rewrite' && argumentCount === 3;
}

function isKnown(name: QualifiedName): boolean {
  const known = [pureFunctions, volatileFunctions, effectFunctions, reachingFunctions].some((names) => names.has(name.name));
  return isBuiltin(name) ? known : name.schema === 'information_schema';
}

function isBuiltin(name: QualifiedName): boolean {
  return name.schema === undefined || name.schema === 'pg_catalog';
}

/** Operators of EXCLUDE constraints: each item is a list of an element and an operator. */
export function exclusionOperators(list: unknown, scope: Scope, walk: Walk): void {
  for (const exclusion of listOf(list)) {
    const [element, operator] = items(exclusion);
    walk.node(element, scope);
    useOperator(items(operator), walk.found);
  }
}

const jsonFunctions: ReadonlyMap<string, string> = new Map([
  ['JSON_EXISTS_OP', 'json_exists'],
  ['JSON_QUERY_OP', 'json_query'],
  ['JSON_VALUE_OP', 'json_value'],
]);

const expressionKinds: ReadonlySet<string> = new Set([
  'AEXPR_OP',
  'AEXPR_OP_ANY',
  'AEXPR_OP_ALL',
  'AEXPR_DISTINCT',
  'AEXPR_NOT_DISTINCT',
  'AEXPR_NULLIF',
  'AEXPR_IN',
  'AEXPR_LIKE',
  'AEXPR_ILIKE',
  'AEXPR_SIMILAR',
  'AEXPR_BETWEEN',
  'AEXPR_NOT_BETWEEN',
  'AEXPR_BETWEEN_SYM',
  'AEXPR_NOT_BETWEEN_SYM',
]);
