import type { Decision } from '../core/decision.ts';
import type { Explanation } from '../policy/index.ts';
import type { Explained } from './schema.ts';

/** An explanation of policy as the API answers it and as `sallyport policy explain` prints it. */
export function explanationView({ decision, failure, acts }: Explanation, masked: readonly string[] | undefined): Explained {
  const reviews = decision?.kind === 'hold' ? decision.reviews : [];
  return {
    ...answer(decision, failure),
    acts: acts.map(({ action, object, decision, failure, policies }) => ({
      action,
      object,
      ...answer(decision, failure),
      policies: policies.map(({ id, effect, review, file, line, outcome }) => ({
        id,
        effect,
        review: review ?? null,
        file,
        line,
        outcome,
      })),
    })),
    reviews: reviews.map(({ policy, group, approvals }) => ({ policy, group, approvals })),
    masked: masked === undefined ? null : [...masked],
  };
}

function answer(decision: Decision | undefined, failure: string | undefined): Pick<Explained, 'decision' | 'message'> {
  if (decision === undefined) return { decision: 'unavailable', message: failure ?? 'policy could not be evaluated' };
  return { decision: decision.kind, message: decision.kind === 'allow' ? '' : decision.message };
}
