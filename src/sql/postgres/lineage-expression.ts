/** Expressions: what their values are computed from. A node that is not here cannot be followed. */
import type { LineageCatalogue } from '../lineage.ts';
import { builtinOperators, builtinTypes, pureFunctions, volatileFunctions } from './builtins.ts';
import { fieldsOf } from './grammar.ts';
import { extractedPath, steppedInto, subscripts } from './lineage-document.ts';
import { columnsNamed, isRow, lookUp, lookUpIn, type QueryScope } from './lineage-scope.ts';
import { computed, nothing, stepInto, union, unionOfColumns, unresolved, type Rows, type Value } from './lineage-values.ts';
import { bodyOf, inline, listOf, qualifiedName, stringNode, strings, tagged, text, type Body } from './nodes.ts';

/** Traces the queries inside an expression, and is told what is used otherwise than as an output by itself. */
export interface Tracing {
  readonly catalogue: LineageCatalogue;
  query(node: unknown, scope: QueryScope): Rows;
  use(value: Value): void;
  /** Counts one node; throws where a statement has too many. */
  step(): void;
}

/** What the expression is computed from; it counts as used. */
export function usedValue(node: unknown, scope: QueryScope, tracing: Tracing): Value {
  const value = valueOf(node, scope, tracing);
  tracing.use(value);
  return value;
}

export function usedValues(nodes: unknown, scope: QueryScope, tracing: Tracing): Value {
  return union(listOf(nodes).map((node) => usedValue(node, scope, tracing)));
}

/** A column by its name alone, which is no use of it; undefined for any other expression. */
export function bareColumn(node: unknown, scope: QueryScope, tracing: Tracing): Value | undefined {
  const reference = tagged(node);
  if (reference?.tag !== 'ColumnRef') return undefined;
  tracing.step();
  const { value, bare } = reach(reference.body, scope);
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
      return reach(body, scope).value;
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

function reach(body: Body, scope: QueryScope): { readonly value: Value; readonly bare: boolean } {
  const parts = strings(body['fields']);
  const name = parts.at(-1) ?? unresolved('a reference without a name');
  const qualifier = parts.at(-2);
  if (qualifier !== undefined) return lookUpIn(scope, qualifier, name);
  return lookUp(scope, name) ?? unresolved(`no ${name} in reach`);
}

/** What a query in an expression gives depends on its conditions as well: whether there is a row, how many, and which. */
function subLink(body: Body, scope: QueryScope, tracing: Tracing): Value {
  useOperator(listOf(body['operName']), tracing);
  const test = valueOf(body['testexpr'], scope, tracing);
  const rows = tracing.query(body['subselect'], scope);
  const { columns, predicates } = rows;
  if (body['subLinkType'] === 'EXPR_SUBLINK' && columns.length === 1 && predicates.sources.size === 0) return columns[0]!.value;
  return computed(union([test, unionOfColumns(columns), predicates]));
}

function wholeQuery(node: unknown, scope: QueryScope, tracing: Tracing): Value {
  const { columns, predicates } = tracing.query(node, scope);
  return computed(union([unionOfColumns(columns), predicates]));
}

function operator(body: Body, scope: QueryScope, tracing: Tracing): Value {
  if (!String(body['kind']).includes('BETWEEN')) useOperator(listOf(body['name']), tracing);
  else for (const name of ['>=', '<=']) if (tracing.catalogue.hasUserOperator(name)) return unresolved(`operator ${name}`);
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
  if (steps === undefined) return computed(fields('FuncCall', withoutName(body), scope, tracing));
  const [document, ...way] = listOf(body['args']);
  return union([stepInto(valueOf(document, scope, tracing), steps), ...way.map((node) => valueOf(node, scope, tracing))]);
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
  const of = fieldOf(body['arg'], stringNode(steps[0]), scope) ?? valueOf(body['arg'], scope, tracing);
  const inner = steps.map((step) => {
    const name = stringNode(step);
    if (name !== undefined && tracing.catalogue.hasUserFunction(name)) return unresolved(`function ${name}`);
    return name === undefined ? valueOf(step, scope, tracing) : nothing;
  });
  const path = subscripts(steps);
  return path === undefined ? computed(union([of, ...inner])) : union([stepInto(of, path), ...inner]);
}

/** `(c).name` where `c` is a row of FROM, and of a column `c` as well where there is one. */
function fieldOf(node: unknown, field: string | undefined, scope: QueryScope): Value | undefined {
  const reference = tagged(node);
  const parts = reference?.tag === 'ColumnRef' ? listOf(reference.body['fields']) : [];
  const name = parts.length === 1 ? stringNode(parts[0]) : undefined;
  if (name === undefined || field === undefined || !isRow(scope, name)) return undefined;
  return union([lookUpIn(scope, name, field).value, ...columnsNamed(scope, name)]);
}

/** OVER: its own clauses, and those of the WINDOW clause where it names one. */
function windowUse(body: Body, scope: QueryScope, tracing: Tracing): Value {
  const named = text(body['name']) ?? text(body['refname']);
  const own = fields('WindowDef', body, scope, tracing);
  return computed(named === undefined ? own : union([own, scope.implied]));
}

/** A ::json of what ->> gave leads on into the same document. */
const documentTypes: ReadonlySet<string> = new Set(['json', 'jsonb', 'text']);

/** Nodes whose value is made of everything below them. */
const followed: ReadonlySet<string> = new Set(
  `BoolExpr NullTest BooleanTest CaseExpr CaseWhen CoalesceExpr MinMaxExpr RowExpr A_ArrayExpr CollateClause NamedArgExpr GroupingFunc
   XmlExpr XmlSerialize List GroupingSet A_Indices ResTarget String Integer Float Boolean BitString SetToDefault CurrentOfExpr
   MultiAssignRef JsonFuncExpr JsonParseExpr JsonScalarExpr JsonSerializeExpr JsonObjectConstructor JsonArrayConstructor
   JsonObjectAgg JsonArrayAgg JsonValueExpr JsonKeyValue JsonArgument JsonAggConstructor JsonIsPredicate JsonBehavior JsonOutput
   JsonReturning JsonFormat JsonTablePathSpec`.split(/\s+/),
);
