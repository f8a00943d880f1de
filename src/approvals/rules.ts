import type { Review } from '../core/decision.ts';
import { GatewayFault } from '../core/fault.ts';
import type { Principal } from '../core/principal.ts';
import type { Answer, Approval } from './approval.ts';

type Person = Pick<Principal, 'issuer' | 'issuerUrl' | 'subject'>;

/**
 * Why this principal's answer does not count now; undefined where it does. Who one is comes first, so that a stranger learns nothing
 * about the request's state.
 */
export function refusal(approval: Approval, by: Principal, answer: Answer['answer'], nowMs: number): GatewayFault | undefined {
  const groups = groupsToAnswerFor(approval, by);
  if (by.kind !== 'user') return denied('only people can answer; this sign-in is an agent’s');
  if (by.expiresAtMs <= nowMs) return denied('your sign-in has expired', 'Sign in again: sallyport login.');
  if (samePerson(approval.principal, by)) return denied('nobody can answer a request of their own');
  if (!by.groupsKnown) {
    return denied('your groups are not known: the issuer left them out of the token', 'Ask for a token with fewer groups (overage).');
  }
  if (groups.length === 0) return denied(`this request waits for ${unanswered(approval).join(' and ') || 'another group'}`);
  const ended = endedFault(approval, nowMs);
  if (ended !== undefined) return ended;
  if (answer === 'denied') return undefined;
  if (approval.answers.some((earlier) => earlier.answer === 'approved' && samePerson(earlier, by))) {
    return denied('you have approved this request already; each approval is a different person’s');
  }
  const open = unanswered(approval);
  if (!groups.some((group) => open.includes(group)))
    return denied(`${groups.join(' and ')} approved already; this request waits for ${open.join(' and ')}`);
  return undefined;
}

/** Groups of the request's reviews that the principal is in, each once. */
export function groupsToAnswerFor(approval: Pick<Approval, 'reviews'>, by: Principal): string[] {
  return [...new Set(approval.reviews.map(({ group }) => group).filter((group) => by.groups.includes(group)))];
}

/**
 * True where every review has its number of approvals, each of them by a different person. One person who is in the groups of
 * several reviews answers all of these.
 */
export function isApproved(reviews: readonly Review[], answers: readonly Answer[]): boolean {
  return reviews.length > 0 && reviews.every((review) => isSatisfied(review, answers));
}

/** The earliest of the reviews' ends. */
export function expiresAtMs(reviews: readonly Review[], nowMs: number): number {
  return nowMs + Math.min(...reviews.map((review) => review.expiresMs));
}

/** Same configured issuer, or same issuer under another name of the configuration, and same subject there. */
export function samePerson(a: Person, b: Person): boolean {
  return a.subject === b.subject && (a.issuer === b.issuer || a.issuerUrl === b.issuerUrl);
}

function isSatisfied(review: Review, answers: readonly Answer[]): boolean {
  const people: Answer[] = [];
  for (const answer of answers) {
    if (answer.answer !== 'approved' || !answer.groups.includes(review.group)) continue;
    if (!people.some((person) => samePerson(person, answer))) people.push(answer);
  }
  return people.length >= Math.max(1, review.approvals);
}

/** Groups whose reviews still wait, each once. */
function unanswered({ reviews, answers }: Approval): string[] {
  return [...new Set(reviews.filter((review) => !isSatisfied(review, answers)).map(({ group }) => group))];
}

function endedFault(approval: Approval, nowMs: number): GatewayFault | undefined {
  const { id, state } = approval;
  if (state === 'expired' || (state === 'pending' && nowMs >= approval.expiresAtMs)) {
    return new GatewayFault('approval-expired', { publicMessage: `approval ${id} expired; nobody can answer it any more` });
  }
  if (state === 'pending') return undefined;
  return new GatewayFault('approval-cancelled', { publicMessage: `approval ${id} was ${state} already; nobody can answer it any more` });
}

function denied(publicMessage: string, hint?: string): GatewayFault {
  return new GatewayFault('access-denied', hint === undefined ? { publicMessage } : { publicMessage, hint });
}
