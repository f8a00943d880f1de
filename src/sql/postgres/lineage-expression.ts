/** Expressions: what their values are computed from. A node that is not here cannot be followed. */
import type { LineageCatalogue } from '../lineage.ts';
import { builtinOperators, builtinTypes, pureFunctions, volatileFunctions } from './builtins.ts';
import { fieldsOf } from './grammar.ts';
import { extractedPath, steppedInto, subscripts } from './lineage-document.ts';
import type { LookupFinder } from './lineage-lookup.ts';
import { columnsNamed, isRow, lookUp, lookUpIn, type QueryScope, type Touch } from './lineage-scope.ts';
import { computed, nothing, stepInto, union, unionOfColumns, unresolved, type Link, type Rows, type Value } from './lineage-values.ts';
import { bodyOf, inline, listOf, qualifiedName, stringNode, strings, tagged, text, type Body } from './nodes.ts';

/** Traces the queries inside an expression, and is told what is used otherwise than as an output by itself. */
export interface Tracing {
  readonly catalogue: LineageCatalogue;
  readonly lookups: LookupFinder;
  query(node: unknown, scope: QueryScope): Rows;
  use(value: Value): void;
  /** A column was looked at. */
  readonly touch: Touch;
  /** Something was compared that is no column in reach. */
  compare(value: Value): void;
  /** What is looked at while `make` runs, and by nothing around it. */
  collected<T>(make: () => T): { readonly made: T; readonly links: readonly Link[] };
  /** A comparison inside a query that is part of an expression. */
  pass(links: readonly Link[]): void;
  /** Counts one node; throws where a statement has too many. */
  step(): void;
}

/** What the expression is computed from; it counts as used. */
export function usedValue(node: unknown, scope: QueryScope, tracing: Tracing): Value {
  const value = valueOf(node, scope, tracing);
  if (!tracing.lookups.isLookup(node)) tracing.use(value);
  return value;
}

export function usedValues(nodes: unknown, scope: QueryScope, tracing: Tracing): Value {
  return union(listOf(nodes).map((node) => usedValue(node, scope, tracing)));
}

/**
 * A condition: what it depends on, and what its comparisons look at, each by itself. What stands under one OR is looked at together:
 * `(v = '000' and ssn like '000%') or (v = '001' and …)` compares `v` with `ssn`.
 */
export function condition(node: unknown, scope: QueryScope, tracing: Tracing): { readonly value: Value; readonly links: readonly Link[] } {
  const found = tagged(node);
  if (found === undefined) return { value: nothing, links: [] };
  if (found.tag === 'BoolExpr' && found.body['boolop'] === 'AND_EXPR') {
    const parts = listOf(found.body['args']).map((part) => condition(part, scope, tracing));
    return { value: union(parts.map((part) => part.value)), links: parts.flatMap((part) => part.links) };
  }
  const { made, links } = tracing.collected(() => usedValue(node, scope, tracing));
  const [own, ...passed] = links;
  const kind = isPlainEquality(found.tag, found.body) ? 'equals' : 'compares';
  return { value: made, links: own === undefined ? passed : [{ ...own, kind }, ...passed] };
}

function isPlainEquality(tag: string, body: Body): boolean {
  if (tag === 'SubLink')
    return body['subLinkType'] === 'ANY_SUBLINK' && body['operName'] === undefined && tagged(body['testexpr'])?.tag === 'ColumnRef';
  if (tag !== 'A_Expr' || body['kind'] !== 'AEXPR_OP' || strings(body['name']).at(-1) !== '=') return false;
  return [body['lexpr'], body['rexpr']].every((side) => tagged(side)?.tag === 'ColumnRef');
}

/** A column by its name alone, which is no use of it; undefined for any other expression. */
export function bareColumn(node: unknown, scope: QueryScope, tracing: Tracing): Value | undefined {
  const reference = tagged(node);
  if (reference?.tag !== 'ColumnRef') return undefined;
  tracing.step();
  const { value, bare } = reach(reference.body, scope, tracing);
  if (!bare) tracing.use(value);
  return value;
}

/** Throws `Unresolved`. */
export function valueOf(node: unknown, scope: QueryScope, tracing: Tracing): Value {
  const found = tagged(node);
  return found === undefined ? nothing : bodyValue(found.tag, found.body, scope, tracing);
}

function bodyValue(tag: string, body: Body, scope: QueryScope, tracing: Tracing): Value {
  tracing.step();
  switch (tag) {
    case 'ColumnRef':
      return reach(body, scope, tracing).value;
    case 'A_Const':
    case 'ParamRef':
    case 'SQLValueFunction':
    case 'A_Star':
      return nothing;
    case 'SubLink':
      return subLink(body, scope, tracing);
    case 'JsonArrayQueryConstructor':
      return wholeQuery(body['query'], scope, tracing);
    case 'A_Expr':
      return operator(body, scope, tracing);
    case 'FuncCall':
      return functionCall(body, scope, tracing);
    case 'TypeCast':
      return cast(body, scope, tracing);
    case 'A_Indirection':
      return indirection(body, scope, tracing);
    case 'JsonObjectAgg':
    case 'JsonArrayAgg':
      tracing.compare(scope.counted);
      return computed(union([fields(tag, body, scope, tracing), scope.counted]));
    case 'MergeSupportFunc':
      return computed(scope.implied);
    case 'WindowDef':
      return windowUse(body, scope, tracing);
    case 'TypeName':
      checkType(body);
      return nothing;
    case 'SortBy':
      return useOperator(listOf(body['useOp']), tracing) ?? fields(tag, body, scope, tracing);
    default:
      return followed.has(tag) ? computed(fields(tag, body, scope, tracing)) : unresolved(`no rule for ${tag}`);
  }
}

/** Everything below a node. */
function fields(tag: string, body: Body, scope: QueryScope, tracing: Tracing): Value {
  const kinds = fieldsOf(tag);
  const found: Value[] = [];
  for (const field of Object.keys(body)) {
    const kind = kinds.get(field) ?? unresolved(`unknown field ${tag}.${field}`);
    const value = body[field];
    if (kind === 'node') found.push(valueOf(value, scope, tracing));
    else if (kind === 'nodes') for (const node of listOf(value)) found.push(valueOf(node, scope, tracing));
    else if (kind !== 'value' && value !== undefined && value !== null) found.push(bodyValue(kind.inline, bodyOf(value), scope, tracing));
  }
  return union(found);
}

function reach(body: Body, scope: QueryScope, { touch }: Tracing): { readonly value: Value; readonly bare: boolean } {
  const parts = strings(body['fields']);
  const name = parts.at(-1) ?? unresolved('a reference without a name');
  const qualifier = parts.at(-2);
  if (qualifier !== undefined) return lookUpIn(scope, qualifier, name, touch);
  return lookUp(scope, name, touch) ?? unresolved(`no ${name} in reach`);
}

/** What a query in an expression gives depends on its conditions as well: whether there is a row, how many, and which. */
function subLink(body: Body, scope: QueryScope, tracing: Tracing): Value {
  useOperator(listOf(body['operName']), tracing);
  const test = valueOf(body['testexpr'], scope, tracing);
  const { columns, predicates, counted, links } = tracing.query(body['subselect'], scope);
  tracing.pass(links);
  if (body['subLinkType'] !== 'EXISTS_SUBLINK') tracing.compare(union([unionOfColumns(columns), counted]));
  if (body['subLinkType'] === 'EXPR_SUBLINK' && columns.length === 1 && union([predicates, counted]).sources.size === 0)
    return columns[0]!.value;
  return computed(union([test, unionOfColumns(columns), predicates, counted]));
}

function wholeQuery(node: unknown, scope: QueryScope, tracing: Tracing): Value {
  const { columns, predicates, counted, links } = tracing.query(node, scope);
  tracing.pass(links);
  tracing.compare(union([unionOfColumns(columns), counted]));
  return computed(union([unionOfColumns(columns), predicates, counted]));
}

function operator(body: Body, scope: QueryScope, tracing: Tracing): Value {
  if (!String(body['kind']).includes('BETWEEN')) useOperator(listOf(body['name']), tracing);
  else for (const name of ['>=', '<=']) if (tracing.catalogue.hasUserOperator(name)) return unresolved(`operator ${name}`);
  tracing.lookups.compared(body, scope);
  const left = valueOf(body['lexpr'], scope, tracing);
  const right = valueOf(body['rexpr'], scope, tracing);
  const name = body['kind'] === 'AEXPR_OP' ? strings(body['name']).at(-1) : undefined;
  const steps = name === undefined ? undefined : steppedInto(name, body['rexpr']);
  if (steps !== undefined) return union([stepInto(left, steps), right]);
  return computed(union([left, right]));
}

function useOperator(name: readonly unknown[], { catalogue }: Tracing): undefined {
  if (name.length === 0) return undefined;
  const { schema, name: symbol } = qualifiedName(strings(name));
  const ours = (schema === undefined && !catalogue.hasUserOperator(symbol)) || schema === 'pg_catalog';
  return ours && builtinOperators.has(symbol) ? undefined : unresolved(`operator ${symbol}`);
}

function functionCall(body: Body, scope: QueryScope, tracing: Tracing): Value {
  const name = builtinFunction(listOf(body['funcname']), tracing.catalogue);
  const steps = extractedPath(name, body);
  if (steps === undefined) {
    const all = computed(fields('FuncCall', withoutName(body), scope, tracing));
    if (!overRows(name, body)) return all;
    tracing.compare(scope.counted);
    return computed(union([all, scope.counted]));
  }
  const [document, ...way] = listOf(body['args']);
  return union([stepInto(valueOf(document, scope, tracing), steps), ...way.map((node) => valueOf(node, scope, tracing))]);
}

/** It works on many rows, so that their number is in what it gives. */
function overRows(name: string, body: Body): boolean {
  return body['over'] !== undefined || body['agg_star'] === true || body['agg_within_group'] === true || aggregates.has(name);
}

/** The name of a function of the server's own whose value is made of its arguments alone. */
export function builtinFunction(parts: readonly unknown[], catalogue: LineageCatalogue): string {
  const { schema, name } = qualifiedName(strings(parts));
  const ours = schema === 'pg_catalog' || (schema === undefined && !catalogue.hasUserFunction(name));
  return ours && (pureFunctions.has(name) || volatileFunctions.has(name) || name === 'nextval') ? name : unresolved(`function ${name}`);
}

function withoutName(body: Body): Body {
  const { funcname: _, ...rest } = body;
  return rest;
}

function cast(body: Body, scope: QueryScope, tracing: Tracing): Value {
  const type = checkType(inline(body['typeName']) ?? unresolved('a cast without a type'));
  const value = valueOf(body['arg'], scope, tracing);
  return documentTypes.has(type) ? value : computed(value);
}

/** The name of a type of the server's own, whose input and casts are its own as well. */
export function checkType(body: Body): string {
  const { schema, name } = qualifiedName(strings(body['names']));
  const element = name.startsWith('_') ? name.slice(1) : name;
  if (body['pct_type'] === true || (schema !== undefined && schema !== 'pg_catalog')) return unresolved(`type ${name}`);
  if (!builtinTypes.has(name) && !builtinTypes.has(element)) return unresolved(`type ${name}`);
  return listOf(body['arrayBounds']).length > 0 ? `_${name}` : name;
}

function indirection(body: Body, scope: QueryScope, tracing: Tracing): Value {
  const steps = listOf(body['indirection']);
  const of = fieldOf(body['arg'], stringNode(steps[0]), scope, tracing) ?? valueOf(body['arg'], scope, tracing);
  const inner = steps.map((step) => {
    const name = stringNode(step);
    if (name !== undefined && tracing.catalogue.hasUserFunction(name)) return unresolved(`function ${name}`);
    return name === undefined ? valueOf(step, scope, tracing) : nothing;
  });
  const path = subscripts(steps);
  return path === undefined ? computed(union([of, ...inner])) : union([stepInto(of, path), ...inner]);
}

/** `(c).name` where `c` is a row of FROM, and of a column `c` as well where there is one. */
function fieldOf(node: unknown, field: string | undefined, scope: QueryScope, { touch }: Tracing): Value | undefined {
  const reference = tagged(node);
  const parts = reference?.tag === 'ColumnRef' ? listOf(reference.body['fields']) : [];
  const name = parts.length === 1 ? stringNode(parts[0]) : undefined;
  if (name === undefined || field === undefined || !isRow(scope, name)) return undefined;
  return union([lookUpIn(scope, name, field, touch).value, ...columnsNamed(scope, name, touch)]);
}

/** OVER: its own clauses, and those of the WINDOW clause where it names one. */
function windowUse(body: Body, scope: QueryScope, tracing: Tracing): Value {
  const named = text(body['name']) ?? text(body['refname']);
  const own = fields('WindowDef', body, scope, tracing);
  return computed(named === undefined ? own : union([own, scope.implied]));
}

/** `prokind = 'a'` of the server's own functions. */
const aggregates: ReadonlySet<string> = new Set(
  `any_value array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank every json_agg
   json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict jsonb_agg jsonb_agg_strict
   jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict max min mode percent_rank
   percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
   regr_sxx regr_sxy regr_syy stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg`.split(/\s+/),
);

/** A ::json of what ->> gave leads on into the same document. */
const documentTypes: ReadonlySet<string> = new Set(['json', 'jsonb', 'text']);

/** Nodes whose value is made of everything below them. */
const followed: ReadonlySet<string> = new Set(
  `BoolExpr NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr MinMaxExpr RowExpr A_ArrayExpr CollateClause NamedArgExpr GroupingFunc
   XmlExpr XmlSerialize List GroupingSet A_Indices ResTarget String Integer Float Boolean BitString SetToDefault CurrentOfExpr
   MultiAssignRef JsonFuncExpr JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor
   JsonValueExpr JsonKeyValue JsonArgument JsonAggConstructor JsonIsPredicate JsonBehavior JsonOutput
   JsonReturning JsonFormat JsonTablePathSpec`.split(/\s+/),
);
