import { keepPolicySet, type PolicyJson } from './cedar.ts';
import type { Policy, PolicySet } from './compile.ts';
import { entityLiterals, readsOf, type Reads } from './expression.ts';
import { forUnknownGroups } from './groups.ts';
import { actionsByName } from './schema.ts';

/** A list of policies that Cedar keeps ready under a name. */
export interface RuleSet {
  readonly name: string;
  readonly policies: readonly Rule[];
  readonly reads: Reads;
  /** The answer depends on more than principal, target, acts and facts of the statement: it must not be cached. */
  readonly readsTheMoment: boolean;
}

/** A policy as one question sees it: `json` may be rewritten, `policy` is what was written. */
export interface Rule {
  readonly policy: Policy;
  readonly json: PolicyJson;
}

/** The policies that can concern one action: pass 1, and pass 2 where there is any. */
export interface ActionRules {
  readonly action: string;
  /** The groups in which the action stands. */
  readonly groups: readonly string[];
  readonly first: RuleSet;
  readonly reviews: RuleSet | undefined;
}

/**
 * One generation of policies, divided by action so that a question meets only the policies that can concern it. Divided on first
 * use; actions that meet the same policies share what is kept. `name` must be unique to a generation that is in use.
 */
export class RuleBook {
  readonly set: PolicySet;
  readonly #name: string;
  readonly #byAction = new Map<string, ActionRules>();
  readonly #kept = new Map<string, RuleSet>();

  constructor(set: PolicySet, name: string) {
    this.set = set;
    this.#name = name;
  }

  /** Undefined for an action that the schema does not know. */
  rulesFor(action: string, groupsKnown: boolean): ActionRules | undefined {
    const key = `${action} ${groupsKnown}`;
    const found = this.#byAction.get(key);
    if (found !== undefined) return found;
    const groups = actionsByName.get(action);
    if (groups === undefined) return undefined;
    const rules = this.#divide(action, groups, groupsKnown);
    this.#byAction.set(key, rules);
    return rules;
  }

  #divide(action: string, groups: readonly string[], groupsKnown: boolean): ActionRules {
    const concerning = this.set.policies.flatMap((policy) => {
      const json = asAsked(policy, action, groups);
      return json === undefined ? [] : [{ policy, json: groupsKnown ? json : forUnknownGroups(json) }];
    });
    const reviews = concerning.filter((rule) => rule.policy.review !== undefined);
    return {
      action,
      groups,
      first: this.#keep(concerning.filter((rule) => rule.policy.review === undefined)),
      reviews: reviews.length === 0 ? undefined : this.#keep(reviews),
    };
  }

  #keep(rules: readonly Rule[]): RuleSet {
    const policies = Object.fromEntries(rules.map((rule) => [rule.policy.id, rule.json]));
    const content = JSON.stringify(policies);
    const found = this.#kept.get(content);
    if (found !== undefined) return found;
    const name = `${this.#name}/${this.#kept.size}`;
    keepPolicySet(name, policies);
    const reads = readsOf(rules.map((rule) => rule.json));
    const readsTheMoment = reads.wholeContext || momentary.some((fact) => reads.attributes.has(fact));
    const kept = { name, policies: rules, reads, readsTheMoment };
    this.#kept.set(content, kept);
    return kept;
  }
}

/**
 * The policy as it stands for one action, or undefined where it cannot concern it.
 * - A permit reveals only where it names `reveal`: a rule about everything does not unmask.
 * - Whoever is permitted something on a target, or on a part of it, is permitted the housekeeping of a session there (`connect`).
 */
function asAsked(policy: Policy, action: string, groups: readonly string[]): PolicyJson | undefined {
  const { json } = policy;
  const named = json.action.op === 'All' ? undefined : new Set(entityLiterals(json.action).map((literal) => literal.id));
  const exactly = json.action.op === '==';
  const concerns = named === undefined || named.has(action) || (!exactly && groups.some((group) => named.has(group)));
  if (policy.effect === 'forbid') return concerns ? json : undefined;
  if (action === 'reveal') return named?.has('reveal') === true ? json : undefined;
  if (concerns) return json;
  const housekeeping = action === 'connect' || groups.includes('connect');
  const onlyReveals = named.size === 1 && named.has('reveal');
  return housekeeping && !onlyReveals ? { ...json, action: { op: 'All' }, resource: targetOf(json.resource) } : undefined;
}

/** A scope on a part of a target as a scope on that target: objects are named by path, the target first. */
function targetOf(scope: PolicyJson['resource']): PolicyJson['resource'] {
  if (scope.op === 'All') return scope;
  const [object] = entityLiterals(scope);
  if (object === undefined) return { op: 'All' };
  if (object.type === 'Label') return { op: 'in', entity: object };
  return { op: 'in', entity: { type: 'Target', id: object.id.split('/', 1)[0] ?? '' } };
}

/** Facts that may differ between two questions with the same statement, principal and target. */
const momentary = ['hour', 'weekday', 'reason'];
