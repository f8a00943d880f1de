/** Goes through a parse tree by the allow-list of `grammar.ts`: a node with a rule is left to its rule, any other is gone through. */
import { fieldsOf } from './grammar.ts';
import type { Findings } from './findings.ts';
import { listOf, refuse, tagged, bodyOf, type Body } from './nodes.ts';

/** What a node stands in. Immutable: each level makes its own. */
export interface Scope {
  /** The CTE names that hide relations here, innermost first. */
  readonly ctes: CteName | undefined;
  /** What is mentioned here may be stored by a write. */
  readonly storing: boolean;
  /** An unqualified `*` here covers a relation's columns. */
  readonly starCoversRelation: boolean;
  /** Inside WITH: whether any query of the outermost WITH stores rows, found out once. */
  readonly withStores: boolean | undefined;
  /** The names in FROM whose rows are locked here. */
  readonly locked: 'all' | ReadonlySet<string> | undefined;
  /** The setting whose row of `pg_settings` is all that is selected here: what a column `name` is. */
  readonly settingRow: string | undefined;
  readonly depth: number;
}

export interface CteName {
  readonly name: string;
  readonly outer: CteName | undefined;
}

export type Rule = (body: Body, scope: Scope, walk: Walk) => void;

export const outermost: Scope = {
  ctes: undefined,
  storing: false,
  starCoversRelation: false,
  withStores: undefined,
  locked: undefined,
  settingRow: undefined,
  depth: 0,
};

export class Walk {
  readonly found: Findings;
  readonly #rules: ReadonlyMap<string, Rule>;

  constructor(found: Findings, rules: ReadonlyMap<string, Rule>) {
    this.found = found;
    this.#rules = rules;
  }

  /** A tagged node; nothing where there is none. */
  node(node: unknown, scope: Scope): void {
    const found = tagged(node);
    if (found !== undefined) this.body(found.tag, found.body, scope);
  }

  nodes(list: unknown, scope: Scope): void {
    for (const node of listOf(list)) this.node(node, scope);
  }

  /** A node by its tag and body; nothing where the body is undefined. */
  body(tag: string, body: unknown, scope: Scope): void {
    if (body === undefined || body === null) return;
    if (scope.depth >= maxDepth) refuse('the parse tree is too deep', 'This statement is nested too deeply to be classified.');
    const inner = { ...scope, depth: scope.depth + 1 };
    const rule = this.#rules.get(tag);
    if (rule === undefined) this.fields(tag, bodyOf(body), inner);
    else {
      checkFields(tag, bodyOf(body));
      rule(bodyOf(body), inner, this);
    }
  }

  /** Goes through a node's fields, except those that the caller handles. */
  fields(tag: string, body: Body, scope: Scope, handled: readonly string[] = []): void {
    const kinds = fieldsOf(tag);
    for (const field of Object.keys(body)) {
      const kind = kinds.get(field) ?? refuse(`unknown field ${tag}.${field}`);
      if (handled.includes(field)) continue;
      const value = body[field];
      if (kind === 'node') this.node(value, scope);
      else if (kind === 'nodes') this.nodes(value, scope);
      else if (kind !== 'value') this.body(kind.inline, value, scope);
      else if (typeof value === 'object' && value !== null) refuse(`${tag}.${field} is no plain value`);
    }
  }
}

/** Refuses a node with a field that the allow-list does not have. */
export function checkFields(tag: string, body: Body): void {
  const kinds = fieldsOf(tag);
  for (const field of Object.keys(body)) if (!kinds.has(field)) refuse(`unknown field ${tag}.${field}`);
}

export function isCte(ctes: CteName | undefined, name: string): boolean {
  for (let cte = ctes; cte !== undefined; cte = cte.outer) if (cte.name === name) return true;
  return false;
}

/** Levels of nodes. Well below what the stack of the thread allows. */
const maxDepth = 1_000;
