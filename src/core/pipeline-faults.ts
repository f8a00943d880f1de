import type { Decision } from './decision.ts';
import { GatewayFault } from './fault.ts';
import type { Exhausted } from './limits.ts';
import type { PendingApproval } from './ports.ts';

/** What the pipeline tells a client, word by word. */

export function unknownTarget(name: string): GatewayFault {
  return new GatewayFault('target-unknown', {
    publicMessage: 'access to this target is not permitted',
    detail: `no such target on this listener: ${JSON.stringify(name)}`,
  });
}

export function refusedConnection(decision: Exclude<Decision, { kind: 'allow' }>): GatewayFault {
  if (decision.kind === 'deny') return new GatewayFault('access-denied', { publicMessage: decision.message });
  return new GatewayFault('access-denied', {
    publicMessage: 'a connection itself cannot wait for approval; let policy review the operations inside it',
    detail: `policies with @review match connect: ${decision.policies.join(', ')}`,
  });
}

export function tooManySessions(target: string, value: number): GatewayFault {
  return new GatewayFault('too-many-sessions', {
    publicMessage: `concurrent_sessions (${value}) of target ${target} is reached: you have so many sessions there already`,
  });
}

export function exhausted(target: string, { limit, value, seconds }: Exhausted): GatewayFault {
  return new GatewayFault('rate-exceeded', {
    publicMessage: `${limit} (${value}) of target ${target} is reached; try again in ${seconds} s`,
  });
}

export function reasonRequired(target: string): GatewayFault {
  return new GatewayFault('reason-required', { publicMessage: `target ${target} asks for a reason, and none was stated` });
}

export function sessionEnded(reason: string): GatewayFault {
  return new GatewayFault('session-ended', { publicMessage: `session ended: ${reason}` });
}

export function approvalRequired(pending: PendingApproval, decision: Decision & { kind: 'hold' }): GatewayFault {
  return new GatewayFault('approval-required', {
    publicMessage: `${decision.message} ${pending.message}`,
    hint: `Run exactly the same again once approval ${pending.id} is given.`,
  });
}

export function approvalDenied(pending: PendingApproval, answer: { by: string; reason: string }): GatewayFault {
  const because = answer.reason === '' ? '' : `: ${answer.reason}`;
  return new GatewayFault('approval-denied', { publicMessage: `approval ${pending.id} was refused by ${answer.by}${because}` });
}

export function approvalExpired(pending: PendingApproval): GatewayFault {
  return new GatewayFault('approval-expired', {
    publicMessage: `approval ${pending.id} expired before it was given`,
    hint: 'Run it again to ask again.',
  });
}

export function approvalCancelled(pending: PendingApproval, reason: string): GatewayFault {
  return new GatewayFault('approval-cancelled', { publicMessage: `approval ${pending.id} ended: ${reason}` });
}
