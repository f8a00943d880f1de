import { escapeInvisible, escapeLine } from '../core/escape.ts';
import type { Approval, ApprovalState, ApprovalView, ReviewView } from './approval.ts';

/** A request as people see it; undefined while its record is not durable. */
export function viewOf(approval: Approval): ApprovalView | undefined {
  const { state, principal } = approval;
  if (state === 'filing') return undefined;
  return {
    id: approval.id,
    state,
    hold: approval.hold,
    session: approval.session,
    operation: approval.operation,
    target: approval.target,
    principal: {
      issuer: principal.issuer,
      subject: escapeLine(principal.subject),
      kind: principal.kind,
      display: escapeLine(principal.display),
      claims: Object.fromEntries(
        Object.entries(principal.claims).map(([name, value]) => [escapeLine(name), typeof value === 'string' ? escapeLine(value) : value]),
      ),
    },
    acts: approval.acts.map(({ action, object }) => ({ action, object: escapeLine(object) })),
    text: escapeInvisible(approval.text),
    runs: approval.runs.map(escapeInvisible),
    dataClasses: approval.dataClasses,
    reviews: approval.reviews.map((review): ReviewView => ({
      policy: review.policy,
      group: review.group,
      approvals: review.approvals,
      message: review.message,
      answers: approval.answers
        .filter(({ groups }) => groups.includes(review.group))
        .map(({ display, answer, reason, atMs }) => ({ by: escapeLine(display), answer, reason: escapeLine(reason), atMs })),
    })),
    requestedAtMs: approval.requestedAtMs,
    expiresAtMs: approval.expiresAtMs,
    endReason: escapeLine(approval.endReason),
  };
}

/** The client's one line: who is asked, the link, when it expires. */
export function lineForClient(approval: Approval, apiUrl: string, nowMs: number): string {
  const link = `${apiUrl}/approvals/${approval.id}`;
  const expires = `expires ${clockTime(approval.expiresAtMs, nowMs)}`;
  switch (approval.state) {
    case 'filing':
    case 'pending':
      return `waiting for approval by ${whoIsAsked(approval)}: ${link}, ${expires}`;
    case 'approved':
      return `approved: ${link}, ${expires}`;
    case 'denied': {
      const denial = approval.answers.findLast(({ answer }) => answer === 'denied');
      const because = denial === undefined || denial.reason === '' ? '' : `: ${escapeLine(denial.reason)}`;
      return `approval refused by ${escapeLine(denial?.display ?? 'a reviewer')}${because} (${link}; it can be asked for again at ${clockTime(approval.expiresAtMs, nowMs)})`;
    }
    case 'expired':
    case 'cancelled':
    case 'used':
      return `approval ${endWords.get(approval.state)}: ${link}`;
    default:
      return approval.state satisfies never;
  }
}

function whoIsAsked({ reviews }: Approval): string {
  const people = new Map<string, number>();
  for (const { group, approvals } of reviews) people.set(group, Math.max(people.get(group) ?? 1, approvals));
  return [...people].map(([group, number]) => (number > 1 ? `${group} (${number} people)` : group)).join(' and ');
}

/** `14:32 UTC`, with the date where it is more than a day away. */
function clockTime(atMs: number, nowMs: number): string {
  const text = new Date(atMs).toISOString();
  const time = `${text.slice(11, 16)} UTC`;
  return atMs - nowMs < dayMs ? time : `${text.slice(0, 10)} ${time}`;
}

const dayMs = 86_400_000;
const endWords: ReadonlyMap<ApprovalState, string> = new Map([
  ['expired', 'expired'],
  ['cancelled', 'cancelled'],
  ['used', 'used already'],
]);
