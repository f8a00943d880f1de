import type { PolicyJson } from './cedar.ts';

/**
 * Reading and rewriting policies as data (Cedar's JSON policy format). An expression is an object with one key, its operator; `Value`
 * holds literals and is never entered as an expression.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Expression = { readonly [key: string]: Json };

/** Visits every expression of a policy's conditions, outer ones first. */
export function visitConditions(policy: PolicyJson, visit: (node: Expression) => void): void {
  for (const condition of policy.conditions) walk(condition.body as Json, visit);
}

/** Rebuilds an expression; `replace` answers a node's replacement, or undefined to keep it and go on inside. */
export function rewrite(node: Json, replace: (node: Expression) => Expression | undefined): Json {
  if (Array.isArray(node)) return node.map((item: Json) => rewrite(item, replace));
  if (!isObject(node)) return node;
  const replacement = replace(node);
  if (replacement !== undefined) return replacement;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, key === 'Value' ? value : rewrite(value, replace)]));
}

/** A policy's conditions as one expression: `when` and `unless` clauses joined. */
export function joinConditions(policy: PolicyJson): Expression {
  const clauses = policy.conditions.map((condition): Expression => {
    const body = condition.body as Expression;
    return condition.kind === 'when' ? body : { '!': { arg: body } };
  });
  return clauses.length === 0 ? { Value: true } : join('&&', clauses);
}

/** Operands joined in their order, as a tree and not as a chain: Cedar reads JSON only to a depth of 128. Needs one operand at least. */
export function join(operator: '&&' | '||', operands: readonly Expression[]): Expression {
  if (operands.length === 1) return operands[0]!;
  const middle = Math.ceil(operands.length / 2);
  return { [operator]: { left: join(operator, operands.slice(0, middle)), right: join(operator, operands.slice(middle)) } };
}

/** The same policy with its chains of `&&` and `||` as trees. What is evaluated first stays first. */
export function balanced(policy: PolicyJson): PolicyJson {
  const conditions = policy.conditions.map(({ kind, body }) => ({ kind, body: balance(body as Json) }));
  return { ...policy, conditions: conditions as PolicyJson['conditions'] };
}

function balance(node: Json): Json {
  return rewrite(node, (inner) => {
    const operator = '&&' in inner ? '&&' : '||' in inner ? '||' : undefined;
    if (operator === undefined) return undefined;
    return join(
      operator,
      operandsOf(inner, operator).map((operand) => balance(operand) as Expression),
    );
  });
}

function operandsOf(node: Expression, operator: '&&' | '||'): readonly Expression[] {
  const operands: Expression[] = [];
  const open: Expression[] = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const pair = next[operator] as { left: Expression; right: Expression } | undefined;
    if (pair === undefined) operands.push(next);
    else open.push(pair.right, pair.left);
  }
  return operands;
}

/** What a set of policies can read while it is evaluated, so that nothing else need be handed over. */
export interface Reads {
  /** Attribute names read of anything. */
  readonly attributes: ReadonlySet<string>;
  /** `context` is used other than by its attributes' names. */
  readonly wholeContext: boolean;
  readonly tags: boolean;
}

export function readsOf(policies: readonly PolicyJson[]): Reads {
  const attributes = new Set<string>();
  let tags = false;
  let contextUses = 0;
  let contextAccesses = 0;
  for (const policy of policies) {
    visitConditions(policy, (node) => {
      if (node['Var'] === 'context') contextUses++;
      if ('hasTag' in node || 'getTag' in node) tags = true;
      const access = (node['.'] ?? node['has']) as { left: Json; attr: string | readonly string[] } | undefined;
      if (access === undefined) return;
      if (isObject(access.left) && access.left['Var'] === 'context') contextAccesses++;
      for (const name of typeof access.attr === 'string' ? [access.attr] : access.attr) attributes.add(name);
    });
  }
  return { attributes, wholeContext: contextUses > contextAccesses, tags };
}

export interface EntityLiteral {
  readonly type: string;
  readonly id: string;
}

/** Every entity that an expression, a scope or a whole policy names. */
export function entityLiterals(node: unknown, found: EntityLiteral[] = []): readonly EntityLiteral[] {
  if (Array.isArray(node)) for (const item of node) entityLiterals(item, found);
  else if (typeof node === 'object' && node !== null) {
    const { type, id } = node as { type?: unknown; id?: unknown };
    if (typeof type === 'string' && typeof id === 'string') found.push({ type, id });
    else for (const value of Object.values(node)) entityLiterals(value, found);
  }
  return found;
}

/** True where a number literal of a policy did not survive its way through JavaScript exactly. */
export function hasUnsafeNumber(node: unknown): boolean {
  if (typeof node === 'number') return !Number.isSafeInteger(node);
  if (typeof node === 'bigint') return true;
  return typeof node === 'object' && node !== null && Object.values(node).some(hasUnsafeNumber);
}

/** True where the expression uses this variable at any depth. */
export function usesVariable(node: Json, variable: string): boolean {
  let found = false;
  walk(node, (inner) => {
    if (inner['Var'] === variable) found = true;
  });
  return found;
}

function walk(node: Json, visit: (node: Expression) => void): void {
  if (Array.isArray(node)) {
    for (const item of node as readonly Json[]) walk(item, visit);
    return;
  }
  if (!isObject(node)) return;
  visit(node);
  for (const [key, value] of Object.entries(node)) if (key !== 'Value') walk(value, visit);
}

function isObject(node: Json): node is Expression {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}
