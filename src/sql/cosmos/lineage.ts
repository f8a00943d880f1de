import { aggregateFunctions } from './functions.ts';
import type { Expression, Query, Selection, Source } from './syntax.ts';
import { notUnderstood } from './tokens.ts';
import { computedFrom, conditioned, constant, placesOf, stepInto, type ItemPath, type Value } from './values.ts';

/** What a query gives back, and what it asks of values that it does not give back. */
export interface QueryLineage {
  /** Each row of the result. */
  readonly row: Value;
  /** What decides which rows there are: WHERE, JOIN, what is counted. */
  readonly predicates: readonly ItemPath[];
  /** What rows are sorted by, grouped by or told apart by: it stands in continuation tokens and in what SDKs sort by. */
  readonly arranging: readonly ItemPath[];
  /** FROM has an input that is no part of the item: rows to compare hidden values with, one by one. */
  readonly makesUpRows: boolean;
  /** What is added up: partial sums, which SDKs add up again. */
  readonly sums: readonly ItemPath[];
  /** Built-in functions called, in capital letters. */
  readonly functions: readonly string[];
  /** User-defined functions called. */
  readonly userDefined: readonly string[];
}

/**
 * Traces every place of the result back to the places of the item that its value can come from. Aliases, SELECT VALUE, sub-queries, arrays made of them,
 * objects and arrays written out, and the queries that SDKs are given to sort and to group by (`orderByItems`, `payload`) are followed; operators and
 * functions reach everything that they are given. Faults: `unclassified` for a name that means nothing, or more than one thing.
 */
export function lineageOf(query: Query): QueryLineage {
  const tracer = new Tracer();
  const row = tracer.query(query, new Map());
  return {
    row: row.value,
    predicates: [...row.on, ...tracer.counted],
    arranging: tracer.arranging,
    makesUpRows: row.makesUpRows,
    sums: tracer.sums,
    functions: [...tracer.functions],
    userDefined: [...tracer.userDefined],
  };
}

interface Traced {
  readonly value: Value;
  /** What decides which rows there are. */
  readonly on: readonly ItemPath[];
  readonly makesUpRows: boolean;
}

type Scope = ReadonlyMap<string, Value>;

class Tracer {
  readonly counted: ItemPath[] = [];
  readonly arranging: ItemPath[] = [];
  readonly sums: ItemPath[] = [];
  readonly functions = new Set<string>();
  readonly userDefined = new Set<string>();

  query(query: Query, outer: Scope): Traced {
    const on: ItemPath[] = [];
    const { scope, makesUpRows } = this.#scope(query.from, outer, on);
    if (query.where !== undefined) on.push(...placesOf(this.#value(query.where, scope)));
    const counted = this.counted.length;
    const value = this.#selected(query.selection, query.from, scope);
    const arranged = [...query.groupBy, ...query.orderBy].flatMap((expression) => placesOf(this.#value(expression, scope)));
    if (query.distinct) arranged.push(...placesOf(value));
    this.arranging.push(...arranged);
    // In a sub-query, what is counted decides what comes out, as what is sorted by does under TOP.
    return { value, on: [...on, ...arranged, ...this.counted.slice(counted)], makesUpRows };
  }

  #scope(sources: readonly Source[], outer: Scope, on: ItemPath[]): { readonly scope: Scope; readonly makesUpRows: boolean } {
    const scope = new Map(outer);
    let makesUpRows = false;
    for (const source of sources) {
      const input = this.#input(source.of, scope);
      on.push(...input.on);
      const value = source.iterates ? stepInto(input.value, { kind: 'element' }) : input.value;
      // How many elements a computed array has is computed as well; of a stored one, it tells no value.
      const isComputed = source.iterates && !isStored(input.value);
      if (isComputed) on.push(...placesOf(input.value));
      makesUpRows ||= isComputed || input.makesUpRows;
      const known = scope.get(source.alias);
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(value))
        throw notUnderstood(`two inputs have the name ${source.alias}`);
      if (source.alias !== '') scope.set(source.alias, value);
    }
    return { scope, makesUpRows };
  }

  /** A name that stands for no input yet is the container's. */
  #input(of: Expression, scope: Scope): Traced {
    if (of.kind === 'query') return this.query(of.query, scope);
    if (of.kind === 'reference') return { value: scope.get(of.name) ?? { kind: 'stored', path: [] }, on: [], makesUpRows: false };
    if (of.kind !== 'member' && of.kind !== 'element') throw notUnderstood('an input of FROM is no path');
    const { value, ...rows } = this.#input(of.of, scope);
    return { ...rows, value: stepInto(value, of.kind === 'element' ? { kind: 'element' } : keyStep(of.key)) };
  }

  #selected(selection: Selection, sources: readonly Source[], scope: Scope): Value {
    switch (selection.kind) {
      case 'star': {
        const [source, ...others] = sources;
        const value = source === undefined || others.length > 0 ? undefined : scope.get(source.alias);
        if (value === undefined) throw notUnderstood('SELECT * is for exactly one input');
        return value;
      }
      case 'value':
        return this.#value(selection.expression, scope);
      case 'list':
        return this.#list(selection.items, scope);
      default:
        return selection satisfies never;
    }
  }

  #list(items: (Selection & { readonly kind: 'list' })['items'], scope: Scope): Value {
    return { kind: 'object', members: items.map(({ expression, name }) => ({ key: name, value: this.#value(expression, scope) })) };
  }

  #value(expression: Expression, scope: Scope): Value {
    switch (expression.kind) {
      case 'constant':
        return constant;
      case 'reference':
        return scope.get(expression.name) ?? unknownName(expression.name);
      case 'member':
        return stepInto(this.#value(expression.of, scope), keyStep(expression.key));
      case 'element':
        return stepInto(this.#value(expression.of, scope), { kind: 'element' });
      case 'object':
        return { kind: 'object', members: expression.members.map(({ key, value }) => ({ key, value: this.#value(value, scope) })) };
      case 'array':
        return { kind: 'array', elements: expression.elements.map((element) => this.#value(element, scope)) };
      case 'operation':
        return computedFrom(expression.operands.map((operand) => this.#value(operand, scope)));
      case 'call':
        return this.#call(expression, scope);
      case 'query':
        return this.#subquery(expression, scope);
      default:
        return expression satisfies never;
    }
  }

  #call({ name, isUserDefined, operands }: Expression & { readonly kind: 'call' }, scope: Scope): Value {
    const value = computedFrom(operands.map((operand) => this.#value(operand, scope)));
    if (isUserDefined) {
      this.userDefined.add(name);
      return value;
    }
    this.functions.add(name);
    if (!aggregateFunctions.has(name)) return value;
    if (SUMS.has(name)) this.sums.push(...placesOf(value));
    if (!COUNTS.has(name)) return value;
    // How many there are says nothing of a value but whether it is there, as a condition does.
    this.counted.push(...placesOf(value));
    return constant;
  }

  #subquery({ how, query }: Expression & { readonly kind: 'query' }, scope: Scope): Value {
    const { value, on } = this.query(query, scope);
    switch (how) {
      case 'exists':
        // Of a value that is selected, whether there is one.
        return { kind: 'computed', from: [...on, ...placesOf(value)] };
      case 'array':
        return conditioned({ kind: 'array', elements: [value] }, on);
      case 'one':
        return conditioned(value, on);
      default:
        return how satisfies never;
    }
  }
}

/** Parts of the item, whatever decides whether they are there. */
function isStored(value: Value): boolean {
  if (value.kind === 'conditioned') return isStored(value.value);
  return value.kind === 'stored' || (value.kind === 'array' && value.elements.every(isStored));
}

function keyStep(key: string | undefined): { readonly kind: 'key'; readonly key: string } | { readonly kind: 'any-key' } {
  return key === undefined ? { kind: 'any-key' } : { kind: 'key', key };
}

function unknownName(name: string): never {
  throw notUnderstood(`the name ${name} stands for no input of FROM`);
}

const SUMS: ReadonlySet<string> = new Set(['AVG', 'SUM']);
const COUNTS: ReadonlySet<string> = new Set(['COUNT', 'COUNTIF']);
