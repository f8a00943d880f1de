import type { Decision, Review } from '../core/decision.ts';
import { GatewayFault } from '../core/fault.ts';
import type { Act } from '../core/operation.ts';
import type { PolicyPort, PolicyQuestion } from '../core/ports.ts';
import type { Principal } from '../core/principal.ts';
import { recordAct } from '../core/record.ts';
import type { Target } from '../core/target.ts';
import { AnswerCache, LastAnswers } from './cache.ts';
import { evaluate, unavailable } from './cedar.ts';
import type { Policy, PolicySet } from './compile.ts';
import { buildRequest, checkFacts, type Setting } from './request.ts';
import { RuleBook, type ActionRules, type RuleSet } from './rules.ts';

export interface PolicyEngine extends PolicyPort {
  /** The active policies, for `policy explain`. */
  readonly policies: PolicySet;
  /** From the next question on these policies decide, and nothing decided before is remembered. */
  replace(set: PolicySet): void;
}

export interface PolicyEngineOptions {
  /** Milliseconds since 1970, for rules about the hour and the day of the week. */
  readonly now: () => number;
  /** Decisions remembered; 10,000 where it is not given. */
  readonly cachedDecisions?: number;
}

export function createPolicyEngine(set: PolicySet, options: PolicyEngineOptions): PolicyEngine {
  return new Engine(set, options);
}

class Engine implements PolicyEngine {
  readonly #number = ++engines;
  readonly #now: () => number;
  readonly #cachedDecisions: number;
  #generation = 0;
  #book: RuleBook;
  #caches: Caches;

  constructor(set: PolicySet, options: PolicyEngineOptions) {
    this.#now = options.now;
    this.#cachedDecisions = options.cachedDecisions ?? 10_000;
    this.#book = this.#bookFor(set);
    this.#caches = emptyCaches(this.#cachedDecisions);
  }

  get version(): string {
    return this.#book.set.version;
  }

  get policies(): PolicySet {
    return this.#book.set;
  }

  replace(set: PolicySet): void {
    this.#book = this.#bookFor(set);
    this.#caches = emptyCaches(this.#cachedDecisions);
  }

  decide(question: PolicyQuestion): Decision {
    const { principal, target, cacheKey } = question;
    if (cacheKey === undefined) return this.#decideAfresh(question).decision;
    const { questions } = this.#caches;
    const known = questions.get(principal, target, cacheKey);
    if (known !== undefined) return known;
    const { decision, lasting } = this.#decideAfresh(question);
    if (lasting) questions.set(principal, target, cacheKey, decision);
    return decision;
  }

  reveals(principal: Principal, target: Target, classes: readonly string[]): ReadonlySet<string> {
    if (classes.length === 0) return none;
    const { reveals, lastReveals } = this.#caches;
    const last = lastReveals.get(principal, target, classes);
    if (last !== undefined) return last;
    const key = reveals.keyOf(principal, target, JSON.stringify(classes));
    const known = reveals.get(key);
    if (known !== undefined) {
      lastReveals.set(principal, target, classes, known);
      return known;
    }
    const setting = { principal, target, facts: {} };
    const rulings = classes.map((id) => this.#ruleOnce({ action: 'reveal', object: { type: 'DataClass', id } }, setting, this.#now()));
    const revealed = new Set(classes.filter((_, index) => rulings[index]?.decision.kind === 'allow'));
    if (rulings.every((ruling) => ruling.lasting)) reveals.set(key, revealed);
    return revealed;
  }

  #decideAfresh(question: PolicyQuestion): Ruling {
    checkFacts(question.facts);
    const now = this.#now();
    return mostRestrictive(distinctActs(question).map((act) => this.#ruleOnce(act, question, now)));
  }

  /** Statements differ more often than the acts in them: an act is remembered with the facts that its policies read. */
  #ruleOnce(act: Act, setting: Setting, now: number): Ruling {
    const rules = rulesFor(this.#book, act, setting);
    if (readsTheMoment(rules)) return rule(rules, act, setting, now);
    const { acts } = this.#caches;
    const key = acts.keyOf(setting.principal, setting.target, JSON.stringify([act, factsRead(rules, setting.facts)]));
    const known = acts.get(key);
    if (known !== undefined) return known;
    const ruling = rule(rules, act, setting, now);
    acts.set(key, ruling);
    return ruling;
  }

  /** Two generations take turns with their names, so that a policy set in use is never overwritten and memory stays bounded. */
  #bookFor(set: PolicySet): RuleBook {
    this.#generation = 1 - this.#generation;
    return new RuleBook(set, `sallyport/${this.#number}/${this.#generation}`);
  }
}

/** A decision, and whether it holds for every equal question until the policies change. */
export interface Ruling {
  readonly decision: Decision;
  readonly lasting: boolean;
}

/**
 * The acts of a question, each once. An operation that names nothing (an empty query, BEGIN) asks for what the session itself asked
 * for. Throws `limit-exceeded` where there are too many to decide without stopping everyone else.
 */
export function distinctActs(question: PolicyQuestion): readonly Act[] {
  const { acts, target } = question;
  if (acts.length === 0) return [{ action: 'connect', object: { type: 'Target', id: target.name } }];
  if (acts.length === 1) return acts;
  const distinct = [...new Map(acts.map((act) => [`${act.action} ${act.object.type} ${act.object.id}`, act])).values()];
  if (distinct.length > maxActs) {
    throw new GatewayFault('limit-exceeded', { publicMessage: `the operation asks for more than ${maxActs} different things at once` });
  }
  return distinct;
}

/** Throws `policy-unavailable` for an action outside the schema. */
export function rulesFor(book: RuleBook, act: Act, setting: Setting): ActionRules {
  const rules = book.rulesFor(act.action, setting.principal.groupsKnown);
  if (rules === undefined) throw unavailable(`action ${act.action} is not in the policy schema`);
  return rules;
}

/** Decides one act in two passes. Throws `policy-unavailable` for every evaluation error. */
export function rule(rules: ActionRules, act: Act, setting: Setting, now: number): Ruling {
  const lasting = !readsTheMoment(rules);
  const ask = (set: RuleSet): ReturnType<typeof evaluate> => evaluate(set.name, buildRequest(act, rules, set, setting, now));
  const first = ask(rules.first);
  if (!first.allowed) return { decision: denial(act, matched(rules, first.reasons), setting), lasting };
  const reviewing = rules.reviews === undefined ? [] : matched(rules, ask(rules.reviews).reasons);
  if (reviewing.length === 0) {
    return { decision: { kind: 'allow', policies: matched(rules, first.reasons).map((policy) => policy.id) }, lasting };
  }
  const reviews = reviewing.flatMap(reviewOf);
  const decision = { kind: 'hold', policies: reviewing.map((policy) => policy.id), reviews, message: holdMessage(reviews) } as const;
  return { decision, lasting };
}

/** An operation is as restricted as its most restricted act; what several acts say alike is said once. */
export function mostRestrictive(rulings: readonly Ruling[]): Ruling {
  const lasting = rulings.every((ruling) => ruling.lasting);
  const decisions = rulings.map((ruling) => ruling.decision);
  const denied = decisions.filter((decision) => decision.kind === 'deny');
  const [firstDenied] = denied;
  if (firstDenied !== undefined) {
    const code = denied.find((decision) => decision.code === 'access-denied')?.code ?? firstDenied.code;
    const messages = [...new Set(denied.map((decision) => decision.message))].slice(0, maxMessages);
    return { decision: { kind: 'deny', code, policies: mergedIds(denied), message: messages.join(' ') }, lasting };
  }
  const held = decisions.filter((decision) => decision.kind === 'hold');
  if (held.length > 0) {
    const reviews = [...new Map(held.flatMap((decision) => decision.reviews).map((review) => [review.policy, review])).values()];
    return { decision: { kind: 'hold', policies: mergedIds(held), reviews, message: holdMessage(reviews) }, lasting };
  }
  return { decision: { kind: 'allow', policies: mergedIds(decisions) }, lasting };
}

function readsTheMoment(rules: ActionRules): boolean {
  return rules.first.readsTheMoment || rules.reviews?.readsTheMoment === true;
}

function factsRead(rules: ActionRules, facts: Setting['facts']): readonly (readonly [string, unknown])[] {
  const read = (name: string): boolean => rules.first.reads.attributes.has(name) || rules.reviews?.reads.attributes.has(name) === true;
  return Object.entries(facts).filter(([name]) => read(name));
}

interface Caches {
  /** Whole questions, by the identity of what was asked. */
  readonly questions: LastAnswers<Decision>;
  readonly acts: AnswerCache<Ruling>;
  readonly reveals: AnswerCache<ReadonlySet<string>>;
  /** Of them, those found last, by the identity of the list of classes. */
  readonly lastReveals: LastAnswers<ReadonlySet<string>>;
}

function emptyCaches(limit: number): Caches {
  return { questions: new LastAnswers(), acts: new AnswerCache(limit), reveals: new AnswerCache(limit), lastReveals: new LastAnswers() };
}

/** In the order of the policies' texts; Cedar gives none. */
function matched(rules: ActionRules, ids: readonly string[]): readonly Policy[] {
  const all = [...rules.first.policies, ...(rules.reviews?.policies ?? [])];
  return all.filter((rule) => ids.includes(rule.policy.id)).map((rule) => rule.policy);
}

function reviewOf(policy: Policy): readonly Review[] {
  if (policy.review === undefined) return [];
  const { group, approvals, expiresMs } = policy.review;
  const message = policy.message ?? `policy ${JSON.stringify(policy.id)} asks for review by ${group}`;
  return [{ policy: policy.id, group, approvals, expiresMs, message }];
}

function denial(act: Act, forbidding: readonly Policy[], { principal }: Setting): Decision & { readonly kind: 'deny' } {
  const code = act.action === 'connect' ? 'access-denied' : 'policy-denied';
  const { action, object } = recordAct(act);
  const unknown = principal.groupsKnown ? '' : ` ${unknownGroups}`;
  const [first] = forbidding;
  if (first === undefined) {
    const message = `No policy permits ${action} on ${object}. Ask for a policy that permits it.${unknown}`;
    return { kind: 'deny', code, policies: [], message };
  }
  const reason = `${action} on ${object} is forbidden by policy ${JSON.stringify(first.id)}.`;
  const message = first.message === undefined ? `${reason}${unknown}` : `${first.message} ${reason}${unknown}`;
  return { kind: 'deny', code, policies: forbidding.map((policy) => policy.id), message };
}

function holdMessage(reviews: readonly Review[]): string {
  return [...new Set(reviews.map((review) => review.message))].slice(0, maxMessages).join(' ');
}

function mergedIds(decisions: readonly Decision[]): readonly string[] {
  return [...new Set(decisions.flatMap((decision) => decision.policies))];
}

const unknownGroups = 'Group membership is unknown: the token lists too many groups.';
const none: ReadonlySet<string> = new Set();
/** An operation with many denied acts names the first few. */
const maxMessages = 3;
const maxActs = 4_096;
let engines = 0;
