import type { SignInRequest } from './effect.ts';
import { toFault } from './fault.ts';
import { UsageBook, type Usage } from './limits.ts';
import { refusedConnection, tooManySessions, unknownTarget } from './pipeline-faults.ts';
import { appendIfPossible, PipelineSession } from './pipeline-session.ts';
import type { PipelinePorts } from './ports.ts';
import { principalKey, type Principal } from './principal.ts';
import { recordAct, recordPrincipal } from './record.ts';
import type { Protocol, Target } from './target.ts';

export interface Arrival {
  readonly signIn: SignInRequest;
  /** The target that the listener fixes; wins over what the client names. */
  readonly listenerTarget: string | undefined;
  readonly protocol: Protocol;
  /** The client's address and port, for the record. */
  readonly peer: string;
}

/**
 * The one way from a credential to a forwarded operation: authenticate → open session → decide each operation → (hold) → record →
 * grant → forward → completed record. Knows no protocol and no socket. It alone holds the mint, so nothing is forwarded around it.
 */
export class Pipeline {
  readonly #ports: PipelinePorts;
  readonly usage = new UsageBook();

  constructor(ports: PipelinePorts) {
    this.#ports = ports;
  }

  /** The first door. Throws a fault that is safe to word to the client; the reason in full is on record. */
  async open(arrival: Arrival): Promise<PipelineSession> {
    const { audit, clock, identity, policy } = this.#ports;
    const { signIn } = arrival;
    const targetName = arrival.listenerTarget ?? signIn.targetName ?? '';
    let principal: Principal | undefined;
    let openedAs: string | undefined;
    let usage: Usage | undefined;
    try {
      principal = await identity.authenticate(signIn.credential, targetName);
      const target = this.#ports.findTarget(targetName);
      if (target === undefined || target.protocol !== arrival.protocol) throw unknownTarget(targetName);
      const acts = signIn.acts(targetName);
      const decision = policy.decide({ principal, target, acts, facts: signIn.facts, cacheKey: undefined });
      if (decision.kind !== 'allow') throw refusedConnection(decision);

      usage = this.#enter(principal, target);
      const id = this.#ports.newSessionId();
      const sequence = audit.append({
        type: 'session.opened',
        session: id,
        operation: `${id}-0`,
        target: target.name,
        protocol: target.protocol,
        peer: arrival.peer,
        claimed_user: signIn.claimedUser,
        acts: acts.map(recordAct),
        policies: decision.policies,
        ...recordPrincipal(principal),
      });
      openedAs = id;
      await audit.durable(sequence);
      const startedAtMs = clock.now();
      const recording = this.#ports.recordings.open({ sessionId: id, target, principal, startedAtMs });
      const endsAtMs = Math.min(principal.expiresAtMs, startedAtMs + this.#ports.maxSessionMs());
      return new PipelineSession(this.#ports, { id, principal, target, usage, recording, sequence, startedAtMs, endsAtMs });
    } catch (error) {
      const fault = toFault(error);
      if (usage !== undefined) usage.sessions -= 1;
      if (openedAs !== undefined) {
        const closed = { type: 'session.closed', session: openedAs, reason: fault.code, operations: 0, duration_ms: 0 } as const;
        appendIfPossible(audit, closed);
      }
      const who = principal === undefined ? '' : ` (${principalKey(principal)})`;
      appendIfPossible(audit, {
        type: 'sign-in.refused',
        target: targetName,
        peer: arrival.peer,
        claimed_user: signIn.claimedUser,
        code: fault.code,
        detail: `${fault.detail}${who}`,
      });
      throw fault;
    }
  }
  /** Takes the place of one session, before anything is waited for: two that arrive at once do not both take the last one. */
  #enter(principal: Principal, target: Target): Usage {
    const usage = this.usage.of(principalKey(principal), target.name, this.#ports.clock.monotonic());
    const most = target.limits?.concurrentSessions;
    if (most !== undefined && usage.allSessions >= most) throw tooManySessions(target.name, most);
    usage.sessions += 1;
    return usage;
  }
}
