import type { Decision } from '../core/decision.ts';
import { toFault } from '../core/fault.ts';
import type { Act } from '../core/operation.ts';
import type { PolicyQuestion } from '../core/ports.ts';
import { recordAct, type RecordedAct } from '../core/record.ts';
import { evaluateOnce } from './cedar.ts';
import type { PolicySet } from './compile.ts';
import { distinctActs, mostRestrictive, rule, rulesFor, type Ruling } from './engine.ts';
import { buildRequest, checkFacts } from './request.ts';
import { RuleBook, type ActionRules, type Rule, type RuleSet } from './rules.ts';

/** Why a question is answered as it is. Nothing is kept or cached by asking. */
export interface Explanation {
  /** Undefined where policy cannot be evaluated: the gateway denies. `failure` then says why. */
  readonly decision: Decision | undefined;
  readonly failure: string | undefined;
  readonly acts: readonly ActExplanation[];
}

export interface ActExplanation extends RecordedAct {
  readonly decision: Decision | undefined;
  readonly failure: string | undefined;
  /** Every policy that can concern this action, pass 1 before pass 2. */
  readonly policies: readonly PolicyExplanation[];
}

export interface PolicyExplanation {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  /** The reviewing group, of a policy of pass 2. */
  readonly review: string | undefined;
  readonly file: string;
  readonly line: number;
  /**
   * `applies`: it matched. `conditions-unmet`: principal, action and object fit, but a `when` or `unless` does not.
   * `elsewhere`: it is about another principal, action or object. `failed`: it could not be evaluated.
   */
  readonly outcome: 'applies' | 'conditions-unmet' | 'elsewhere' | 'failed';
}

/** `now`: milliseconds since 1970. */
export function explain(set: PolicySet, question: PolicyQuestion, now: number): Explanation {
  const book = new RuleBook(set, 'sallyport/explain');
  try {
    checkFacts(question.facts);
  } catch (error) {
    return { decision: undefined, failure: toFault(error).detail, acts: [] };
  }
  const explained = distinctActs(question).map((act) => explainAct(book, act, question, now));
  const acts = explained.map((entry) => entry.explanation);
  const failure = acts.find((act) => act.failure !== undefined)?.failure;
  const rulings = explained.flatMap((entry) => entry.ruling ?? []);
  return { decision: failure === undefined ? mostRestrictive(rulings).decision : undefined, failure, acts };
}

function explainAct(
  book: RuleBook,
  act: Act,
  question: PolicyQuestion,
  now: number,
): { readonly explanation: ActExplanation; readonly ruling: Ruling | undefined } {
  let policies: readonly PolicyExplanation[] = [];
  try {
    const rules = rulesFor(book, act, question);
    policies = [rules.first, ...(rules.reviews === undefined ? [] : [rules.reviews])].flatMap((set) =>
      set.policies.map((entry) => explainPolicy(entry, set, { act, rules, question, now })),
    );
    const ruling = rule(rules, act, question, now);
    return { explanation: { ...recordAct(act), decision: ruling.decision, failure: undefined, policies }, ruling };
  } catch (error) {
    return { explanation: { ...recordAct(act), decision: undefined, failure: toFault(error).detail, policies }, ruling: undefined };
  }
}

interface Asked {
  readonly act: Act;
  readonly rules: ActionRules;
  readonly question: PolicyQuestion;
  readonly now: number;
}

function explainPolicy({ policy, json }: Rule, set: RuleSet, asked: Asked): PolicyExplanation {
  const request = buildRequest(asked.act, asked.rules, set, asked.question, asked.now);
  const matches = (candidate: typeof json): boolean => evaluateOnce({ asked: candidate }, request).reasons.length > 0;
  const outcome = (): PolicyExplanation['outcome'] => {
    try {
      if (matches(json)) return 'applies';
      return matches({ ...json, conditions: [] }) ? 'conditions-unmet' : 'elsewhere';
    } catch {
      return 'failed';
    }
  };
  return { id: policy.id, effect: policy.effect, review: policy.review?.group, file: policy.file, line: policy.line, outcome: outcome() };
}
