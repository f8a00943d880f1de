import type { Decision } from './decision.ts';
import type { OpenSession, Outcome } from './effect.ts';
import { assertNever, GatewayFault, toFault } from './fault.ts';
import { takeMint, type Grant } from './grant.ts';
import { noLimits, type SessionLimits, type Usage } from './limits.ts';
import type { Completion, Operation, ResultSample, TranscriptPart } from './operation.ts';
import {
  approvalCancelled,
  approvalDenied,
  approvalExpired,
  approvalRequired,
  exhausted,
  reasonRequired,
  sessionEnded,
} from './pipeline-faults.ts';
import type { AuditPort, HeldOperation, PendingApproval, PipelinePorts, SessionRecording } from './ports.ts';
import { principalKey, type Principal } from './principal.ts';
import { recordActs, type AuditRecord, type SealedRecording } from './record.ts';
import type { Target } from './target.ts';

export interface SessionParts {
  readonly id: string;
  readonly principal: Principal;
  readonly target: Target;
  readonly usage: Usage;
  readonly recording: SessionRecording;
  readonly sequence: number;
  readonly startedAtMs: number;
  readonly endsAtMs: number;
}

interface Running {
  readonly grant: Grant;
  readonly startedAt: number;
}

/** One principal's session at one target, from the first door to its last record. */
export class PipelineSession implements OpenSession {
  readonly id: string;
  readonly grant: Grant;
  readonly principal: Principal;
  readonly target: Target;
  readonly limits: SessionLimits;
  readonly startedAtMs: number;
  /** When the identity or the longest allowed session ends, milliseconds since 1970. */
  readonly endsAtMs: number;
  readonly #ports: PipelinePorts;
  readonly #recording: SessionRecording;
  readonly #principalKey: string;
  readonly #usage: Usage;
  readonly #running = new Map<string, Running>();
  readonly #held = new Map<string, PendingApproval>();
  #operations = 0;
  #closed: string | undefined;

  constructor(ports: PipelinePorts, parts: SessionParts) {
    this.#ports = ports;
    this.id = parts.id;
    this.principal = parts.principal;
    this.target = parts.target;
    this.startedAtMs = parts.startedAtMs;
    this.endsAtMs = parts.endsAtMs;
    this.#recording = parts.recording;
    this.#principalKey = principalKey(parts.principal);
    this.#usage = parts.usage;
    this.limits = this.#sessionLimits();
    this.grant = mint.mint(parts.id, `${parts.id}-0`, parts.sequence);
  }

  get operations(): number {
    return this.#operations;
  }

  nextOperationId(): string {
    this.#operations += 1;
    return `${this.id}-${this.#operations}`;
  }

  /**
   * The second door. Answers at once where nothing has to be waited for (a refusal; a pure read, whose answer the driver withholds
   * until its record is durable), else by promise. Never throws, never rejects: what goes wrong is a refusal.
   *
   * @param onHeld told once when the operation waits for people, with the line that the client may see.
   */
  decide(operation: Operation, onHeld: (message: string) => void): Outcome | Promise<Outcome> {
    if (this.#closed !== undefined) return refused(sessionEnded(this.#closed));
    const early = operation.naming ? undefined : this.#beforePolicy(operation);
    if (early !== undefined) return this.#refuse(operation, early, []);
    const { policy } = this.#ports;
    let decision: Decision;
    try {
      decision = policy.decide({
        principal: this.principal,
        target: this.target,
        acts: operation.acts,
        facts: operation.facts,
        cacheKey: operation.cacheKey,
      });
    } catch (error) {
      return this.#refuse(operation, toFault(error), []);
    }
    if (decision.kind === 'deny') {
      const limited = operation.naming ? this.#count(operation) : undefined;
      if (limited !== undefined) return this.#refuse(operation, limited, []);
      return this.#refuse(operation, new GatewayFault(decision.code, { publicMessage: decision.message }), decision.policies);
    }
    if (operation.naming) return { kind: 'granted', grant: this.grant };
    switch (decision.kind) {
      case 'allow':
        return this.#allow(operation, decision.policies, undefined);
      case 'hold':
        return this.#hold(operation, decision, onHeld);
      default:
        return assertNever(decision, 'decision');
    }
  }

  /** Refuses an operation that a protocol could not even put to policy (a statement that cannot be classified), on record. */
  refuse(operation: Operation, fault: GatewayFault): Outcome {
    return this.#refuse(operation, this.#count(operation) ?? fault, []);
  }

  /** Ends the hold of an operation whose client cancelled or went away; its `decide` then answers with a refusal. */
  cancelHold(operationId: string, reason: string): boolean {
    const pending = this.#held.get(operationId);
    pending?.cancel(reason);
    return pending !== undefined;
  }

  complete(completion: Completion): void {
    const running = this.#running.get(completion.operationId);
    if (running === undefined) return;
    this.#running.delete(completion.operationId);
    mint.revoke(running.grant);
    const durationMs = Math.round((this.#ports.clock.monotonic() - running.startedAt) * 1000) / 1000;
    appendIfPossible(this.#ports.audit, {
      type: 'operation.completed',
      session: this.id,
      operation: completion.operationId,
      outcome: completion.outcome,
      error_code: completion.errorCode,
      reason: completion.reason,
      rows: completion.rows,
      bytes: completion.bytes,
      duration_ms: durationMs,
      masked: completion.masked,
      transfers: completion.transfers,
    });
    this.#recording.completed(completion, durationMs);
  }

  sample(sample: ResultSample): void {
    this.#recording.sample(sample);
  }

  /**
   * What passed in a stream. Undefined: go on. Else the recording is behind, and the streams wait until it resolves: it may come to more than the disk takes. Throws
   * `recording-unavailable`: the stream ends.
   */
  transcript(operationId: string, part: TranscriptPart): Promise<void> | undefined {
    return this.#recording.transcript(operationId, part);
  }

  note(event: string, detail: Readonly<Record<string, string | number>>): void {
    appendIfPossible(this.#ports.audit, { type: 'session.note', session: this.id, event, detail });
    this.#recording.note(event, detail);
  }

  /** Ends the session: nothing is granted any more, holds end, running operations get outcome `unknown`, the recording is sealed. */
  async close(reason: string): Promise<void> {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#usage.sessions -= 1;
    mint.revoke(this.grant);
    for (const pending of this.#held.values()) attempt(() => pending.cancel(reason));
    for (const operationId of this.#running.keys()) {
      attempt(() => this.complete({ operationId, outcome: 'unknown', rows: 0, bytes: 0, masked: {} }));
    }
    const recording = await sealed(this.#recording);
    appendIfPossible(this.#ports.audit, {
      type: 'session.closed',
      session: this.id,
      reason,
      operations: this.#operations,
      duration_ms: this.#ports.clock.now() - this.startedAtMs,
      ...(recording === undefined ? {} : { recording }),
    });
  }

  /** What refuses an operation whatever policy says of it: it comes too often, or without the reason that the target asks for. */
  #beforePolicy(operation: Operation): GatewayFault | undefined {
    const limited = this.#count(operation);
    if (limited !== undefined || this.target.requireReason !== true || operation.facts['reason'] !== undefined) return limited;
    // What only uses the session (BEGIN, COMMIT, a setting of one's own) asks for nothing at the target.
    return operation.acts.every(({ action }) => action === 'connect') ? undefined : reasonRequired(this.target.name);
  }

  /** Every operation that goes on record counts, save those that are refused here. */
  #count(operation: Operation): GatewayFault | undefined {
    const { inForce } = this.limits;
    if (inForce.operationsPerMinute === undefined && inForce.rowsPerMinute === undefined) return undefined;
    const over = this.#usage.admit(inForce, this.#ports.clock.monotonic());
    return over === undefined || operation.ends === true ? undefined : exhausted(this.target.name, over);
  }

  #sessionLimits(): SessionLimits {
    const { clock, findTarget } = this.#ports;
    const usage = this.#usage;
    const { name } = this.target;
    return {
      get inForce() {
        return findTarget(name)?.limits ?? noLimits;
      },
      rowsLeft() {
        return usage.rowsLeft(this.inForce, clock.monotonic());
      },
      countRows: (rows) => usage.countRows(rows, clock.monotonic()),
    };
  }

  #allow(operation: Operation, policies: readonly string[], approvals: readonly string[] | undefined): Outcome | Promise<Outcome> {
    let grant: Grant;
    try {
      const sequence = this.#record(operation, 'allow', undefined, policies, approvals);
      grant = mint.mint(this.id, operation.id, sequence);
    } catch (error) {
      return refused(toFault(error));
    }
    if (operation.pureRead && approvals === undefined) return this.#start(operation, grant);
    return this.#ports.audit.durable(grant.sequence).then(
      () => (this.#closed === undefined ? this.#start(operation, grant) : refused(sessionEnded(this.#closed))),
      (error: unknown) => refused(toFault(error)),
    );
  }

  #start(operation: Operation, grant: Grant): Outcome {
    this.#running.set(operation.id, { grant, startedAt: this.#ports.clock.monotonic() });
    return { kind: 'granted', grant };
  }

  async #hold(operation: Operation, decision: Decision & { kind: 'hold' }, onHeld: (message: string) => void): Promise<Outcome> {
    const { policy, approvals } = this.#ports;
    const held: HeldOperation = {
      operation,
      principal: this.principal,
      target: this.target,
      reviews: decision.reviews,
      policyVersion: policy.version,
    };
    let pending: PendingApproval;
    try {
      const requested = approvals.request(held);
      pending = requested instanceof Promise ? await requested : requested;
    } catch (error) {
      return this.#refuse(operation, toFault(error), decision.policies);
    }
    if (this.target.hold === 'refuse-and-retry') {
      if (pending.alreadyApproved) return this.#useApproval(operation, pending, held, decision.policies);
      const answered = await Promise.race([pending.answer, Promise.resolve(undefined)]);
      const fault = answered?.kind === 'denied' ? approvalDenied(pending, answered) : approvalRequired(pending, decision);
      return this.#refuse(operation, fault, decision.policies);
    }
    this.#held.set(operation.id, pending);
    try {
      if (this.#closed !== undefined) pending.cancel(this.#closed);
      else {
        this.#recording.note('held', { operation: operation.id, approval: pending.id });
        onHeld(pending.message);
      }
      const answer = await pending.answer;
      const by = answer.kind === 'approved' ? answer.by.join(', ') : answer.kind === 'denied' ? answer.by : '';
      this.#recording.note('approval', { operation: operation.id, approval: pending.id, answer: answer.kind, by });
      switch (answer.kind) {
        case 'approved':
          return await this.#useApproval(operation, pending, held, decision.policies);
        case 'denied':
          return this.#refuse(operation, approvalDenied(pending, answer), decision.policies);
        case 'expired':
          return this.#refuse(operation, approvalExpired(pending), decision.policies);
        case 'cancelled':
          return this.#refuse(operation, approvalCancelled(pending, answer.reason), decision.policies);
        default:
          return assertNever(answer, 'approval answer');
      }
    } catch (error) {
      // Nobody waits for an answer any more.
      attempt(() => pending.cancel('the operation was refused'));
      return this.#refuse(operation, toFault(error), decision.policies);
    } finally {
      this.#held.delete(operation.id);
    }
  }

  async #useApproval(operation: Operation, pending: PendingApproval, held: HeldOperation, policies: readonly string[]): Promise<Outcome> {
    const isStale = (): boolean => this.#ports.policy.version !== held.policyVersion;
    let used: boolean;
    try {
      used = this.#closed === undefined && !isStale() && (await pending.use());
    } catch (error) {
      return this.#refuse(operation, toFault(error), policies);
    }
    // Looked at again: to make the use durable took its time.
    if (!used || this.#closed !== undefined || isStale()) {
      const reason = isStale() ? 'policy changed meanwhile; run it again' : 'it can no longer be used';
      return this.#refuse(operation, approvalCancelled(pending, reason), policies);
    }
    return this.#allow(operation, policies, [pending.id]);
  }

  #refuse(operation: Operation, fault: GatewayFault, policies: readonly string[]): Outcome {
    try {
      this.#record(operation, 'deny', fault.code, policies, undefined);
    } catch {
      // Refused either way; a denial needs no record to take effect, and the log's own trouble is reported by its health.
    }
    return refused(fault);
  }

  #digest(operation: Operation): string {
    const { sameExact } = operation;
    if (sameExact?.digest !== undefined) return sameExact.digest;
    const digest = this.#ports.audit.digest(operation.exact());
    if (sameExact !== undefined) sameExact.digest = digest;
    return digest;
  }

  #record(
    operation: Operation,
    decision: 'allow' | 'deny',
    code: string | undefined,
    policies: readonly string[],
    approvals: readonly string[] | undefined,
  ): number {
    const { audit } = this.#ports;
    const sequence = audit.append({
      type: 'operation.decided',
      session: this.id,
      operation: operation.id,
      target: this.target.name,
      principal: this.#principalKey,
      decision,
      code,
      policies,
      acts: recordActs(operation.acts),
      facts: operation.facts,
      text: operation.text,
      text_exact: operation.textIsExact,
      digest: operation.textIsExact ? undefined : this.#digest(operation),
      parameters: operation.parameters,
      runs: operation.runs,
      data_classes: operation.dataClasses,
      approvals,
      pure_read: operation.pureRead,
    });
    this.#recording.decided(operation, decision, code);
    return sequence;
  }
}

/** One step of an ending, whose failure must not keep the next ones from being done. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    // The recording or the desk is gone; the log still gets the rest.
  }
}

async function sealed(recording: SessionRecording): Promise<SealedRecording | undefined> {
  try {
    return await recording.seal();
  } catch {
    return undefined;
  }
}

function refused(fault: GatewayFault): Outcome {
  return { kind: 'refused', fault };
}

/** For records whose loss changes no permission: what follows an effect, and refusals. Their absence reads "outcome unknown". */
export function appendIfPossible(audit: AuditPort, record: AuditRecord): void {
  try {
    audit.append(record);
  } catch {
    // The log is down: nothing new is granted meanwhile, and its health says so.
  }
}

const mint = takeMint();
