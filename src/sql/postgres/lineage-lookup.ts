/** Comparisons for equality of stored columns with what the client wrote: `ssn = $1`, `ssn in ('…', $2)`, `ssn = any ($3)`. */
import type { LineageCatalogue, LookupColumn, LookupParameter, Lookups } from '../lineage.ts';
import type { QueryScope } from './lineage-scope.ts';
import { allStored, type Column, type StoredColumn } from './lineage-values.ts';
import { constantText, inline, listOf, stringNode, strings, tagged, type Body } from './nodes.ts';

/** One comparison: what the column is compared with, as far as that is a parameter or a text constant. */
interface Comparison extends LookupColumn {
  readonly parameters: readonly { readonly body: Body; readonly form: 'one' | 'array' }[];
  readonly constants: readonly { readonly offset: number; readonly value: string }[];
  /** Nothing else stands on the other side. */
  readonly isComplete: boolean;
}

/**
 * Collects the comparisons of one statement on the way of its tracer. A node may be traced more than once, under scopes of more or less
 * knowledge: it counts where each of them agrees.
 */
export class LookupFinder {
  readonly #catalogue: LineageCatalogue;
  /** By the body of A_Expr. Undefined: not certain. */
  readonly #comparisons = new Map<Body, Comparison | undefined>();

  constructor(catalogue: LineageCatalogue) {
    this.#catalogue = catalogue;
  }

  /** An operator between two sides, which is the server's own. */
  compared(body: Body, scope: QueryScope): void {
    if (this.#catalogue.lookup === undefined) return;
    const comparison = this.#comparison(body, scope);
    const before = this.#comparisons.get(body);
    if (!this.#comparisons.has(body)) this.#comparisons.set(body, comparison);
    else if (before?.class !== comparison?.class || before?.padded !== comparison?.padded) this.#comparisons.set(body, undefined);
  }

  /** True of a comparison that says nothing but which rows have the values that the client named. */
  isLookup(node: unknown): boolean {
    if (this.#comparisons.size === 0) return false;
    const found = tagged(node);
    return found !== undefined && this.#comparisons.get(found.body)?.isComplete === true;
  }

  /** `query`: the statement that was traced. */
  found(query: unknown): Lookups {
    const comparisons = [...this.#comparisons.values()].filter((one) => one !== undefined);
    if (comparisons.length === 0) return noLookups;
    const uses = parametersIn(query);
    const parameters = new Map<number, LookupParameter>();
    for (const { class: name, padded, parameters: compared } of comparisons) {
      for (const { body, form } of compared) {
        const number = numberOf(body);
        const before = parameters.get(number);
        parameters.set(number, {
          classes: before === undefined || before.classes.includes(name) ? (before?.classes ?? [name]) : [...before.classes, name],
          form: before === undefined || before.form === form ? form : undefined,
          padded: padded && before?.padded !== false,
          usedOtherwise: false,
        });
      }
    }
    const looked = new Set(comparisons.flatMap((one) => one.parameters.map(({ body }) => body)));
    for (const body of uses) {
      const parameter = parameters.get(numberOf(body));
      if (parameter !== undefined && !looked.has(body)) parameters.set(numberOf(body), { ...parameter, usedOtherwise: true });
    }
    const constants = comparisons.flatMap((one) => one.constants.map((constant) => ({ class: one.class, ...constant })));
    return { parameters, constants };
  }

  #comparison(body: Body, scope: QueryScope): Comparison | undefined {
    const symbol = strings(body['name']).at(-1);
    if (symbol !== '=' && symbol !== '<>') return undefined;
    const { lexpr, rexpr } = body;
    switch (body['kind']) {
      case 'AEXPR_OP':
      case 'AEXPR_DISTINCT':
      case 'AEXPR_NOT_DISTINCT': {
        const left = this.#column(lexpr, scope);
        const right = this.#column(rexpr, scope);
        if (left !== undefined && right === undefined) return comparison(left, [rexpr]);
        return right !== undefined && left === undefined ? comparison(right, [lexpr]) : undefined;
      }
      case 'AEXPR_IN': {
        const column = this.#column(lexpr, scope);
        const list = tagged(rexpr);
        return column === undefined || list?.tag !== 'List' ? undefined : comparison(column, listOf(list.body['items']));
      }
      case 'AEXPR_OP_ANY':
      case 'AEXPR_OP_ALL': {
        const column = this.#column(lexpr, scope);
        return column === undefined ? undefined : arrayComparison(column, rexpr);
      }
      default:
        return undefined;
    }
  }

  #column(node: unknown, scope: QueryScope): LookupColumn | undefined {
    const [first, ...others] = (storedColumns(node, scope) ?? []).map(({ relation, column }) => this.#catalogue.lookup?.(relation, column));
    if (first === undefined) return undefined;
    return others.every((other) => other?.class === first.class && other.padded === first.padded) ? first : undefined;
  }
}

/**
 * The stored columns that a reference may mean, of all queries around it; undefined where anything else may be meant, or the statement
 * itself may have written the values (VALUES, `excluded`, RETURNING).
 */
export function storedColumns(node: unknown, scope: QueryScope): readonly StoredColumn[] | undefined {
  const reference = tagged(node);
  if (reference?.tag !== 'ColumnRef') return undefined;
  const parts = listOf(reference.body['fields']).map(stringNode);
  const name = parts.at(-1);
  const qualifier = parts.at(-2);
  if (name === undefined || (parts.length > 1 && qualifier === undefined)) return undefined;
  const found: Column[] = [];
  for (let level: QueryScope | undefined = scope; level !== undefined; level = level.outer) {
    for (const { alias, columns, open } of level.items) {
      if (qualifier === undefined ? alias === name : alias !== qualifier) {
        if (qualifier === undefined) return undefined;
        continue;
      }
      if (open || columns.some((column) => column.name === undefined)) return undefined;
      found.push(...columns.filter((column) => column.name === name));
    }
  }
  return found.length === 0 ? undefined : allStored(found);
}

// ---- the other side

function comparison(column: LookupColumn, operands: readonly unknown[]): Comparison {
  const read = operands.map((operand) => operandOf(operand));
  return {
    class: column.class,
    padded: column.padded,
    parameters: read.flatMap((one) => (one.kind === 'parameter' ? [{ body: one.body, form: 'one' as const }] : [])),
    constants: read.flatMap((one) => (one.kind === 'constant' ? [{ offset: one.offset, value: one.value }] : [])),
    isComplete: read.every((one) => one.kind !== 'other'),
  };
}

/** `ARRAY[…]`, a parameter, or a literal such as `'{a,b}'`, also under a cast to an array of a text type. */
function arrayComparison(column: LookupColumn, node: unknown): Comparison {
  const found = tagged(node);
  if (found?.tag === 'TypeCast' && isText(found.body['typeName'], true)) return arrayComparison(column, found.body['arg']);
  if (found?.tag === 'A_ArrayExpr') return comparison(column, listOf(found.body['elements']));
  const whole = comparison(column, [node]);
  return { ...whole, parameters: whole.parameters.map(({ body }) => ({ body, form: 'array' })) };
}

type Operand =
  | { readonly kind: 'parameter'; readonly body: Body }
  | { readonly kind: 'constant'; readonly offset: number; readonly value: string }
  | { readonly kind: 'null' | 'other' };

function operandOf(node: unknown): Operand {
  const found = tagged(node);
  switch (found?.tag) {
    case 'ParamRef':
      return { kind: 'parameter', body: found.body };
    case 'A_Const':
      if (found.body['isnull'] === true) return { kind: 'null' };
      if (found.body['sval'] === undefined) return { kind: 'other' };
      return { kind: 'constant', offset: offsetOf(found.body), value: constantText(node) ?? '' };
    case 'TypeCast':
      return isText(found.body['typeName'], false) ? operandOf(found.body['arg']) : { kind: 'other' };
    default:
      return { kind: 'other' };
  }
}

/** A type of the server's own that holds any text as it is: not `name`, nothing with a length, which would cut. */
function isText(node: unknown, array: boolean): boolean {
  const type = inline(node);
  if (type === undefined || listOf(type['typmods']).length > 0 || type['setof'] === true || type['pct_type'] === true) return false;
  const names = strings(type['names']);
  const isOurs = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog');
  return isOurs && textTypes.has(names.at(-1)!) && (listOf(type['arrayBounds']).length === 1) === array;
}

/** The parser leaves a location of 0 out, as it does every default. */
function offsetOf(body: Body): number {
  const location = body['location'] ?? 0;
  return typeof location === 'number' ? location : 0;
}

// ---- parameters

function numberOf(body: Body): number {
  const number = body['number'];
  return typeof number === 'number' ? number : 0;
}

/** The body of every ParamRef below a node. */
function parametersIn(node: unknown): readonly Body[] {
  const found: Body[] = [];
  const pending: unknown[] = [node];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null) continue;
    for (const [key, value] of Object.entries(next)) {
      if (key === 'ParamRef') found.push(value as Body);
      pending.push(value);
    }
  }
  return found;
}

const noLookups: Lookups = { parameters: new Map(), constants: [] };
const textTypes: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar']);
