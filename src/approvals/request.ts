import { randomBytes } from 'node:crypto';
import type { ApprovalAnswer, HeldOperation } from '../core/ports.ts';
import { recordAct } from '../core/record.ts';
import type { Approval } from './approval.ts';
import { escapeLine } from '../core/escape.ts';
import { expiresAtMs } from './rules.ts';

/** The request for one held operation, not on record yet. */
export function newApproval(
  { operation, principal, target, reviews, policyVersion }: HeldOperation,
  binding: string,
  nowMs: number,
): Approval {
  const { issuer, issuerUrl, subject, kind, display, claims } = principal;
  return {
    id: randomBytes(8).toString('hex'),
    state: 'filing',
    hold: target.hold,
    binding,
    session: operation.sessionId,
    operation: operation.id,
    target: target.name,
    principal: { issuer, issuerUrl, subject, kind, display, claims },
    acts: operation.acts.map(recordAct),
    text: operation.text,
    runs: operation.runs ?? [],
    parameters: operation.parameters ?? [],
    dataClasses: operation.dataClasses,
    reviews,
    policyVersion,
    requestedAtMs: nowMs,
    expiresAtMs: expiresAtMs(reviews, nowMs),
    endReason: '',
    answers: [],
  };
}

/** What a request's answer is, once it has one. */
export function answerOf({ state, answers, endReason }: Approval): ApprovalAnswer {
  switch (state) {
    case 'approved':
      return { kind: 'approved', by: answers.filter(({ answer }) => answer === 'approved').map(({ display }) => escapeLine(display)) };
    case 'denied': {
      const denial = answers.findLast(({ answer }) => answer === 'denied');
      return { kind: 'denied', by: escapeLine(denial?.display ?? 'a reviewer'), reason: escapeLine(denial?.reason ?? '') };
    }
    case 'expired':
      return { kind: 'expired' };
    case 'filing':
    case 'pending':
    case 'used':
    case 'cancelled':
      return { kind: 'cancelled', reason: escapeLine(endReason || state) };
    default:
      return state satisfies never;
  }
}

/** Characters of a text in a record, so that it nearly always fits its leaf of less than 64 KiB. */
export const maximumRecordedText = 8000;
