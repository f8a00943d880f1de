import { cut, cutAll } from '../core/cut.ts';
import { GatewayFault, toFault } from '../core/fault.ts';
import { recordPrincipal } from '../core/record.ts';
import type { ApprovalAnswer, ApprovalPort, AuditPort, ClockPort, HeldOperation, PendingApproval } from '../core/ports.ts';
import { principalKey, type Principal } from '../core/principal.ts';
import type { Answer, Approval, ApprovalState, ApprovalView, ExactText } from './approval.ts';
import { bindingBytes } from './binding.ts';
import { lineForClient, viewOf } from './display.ts';
import { EndRecorder } from './end-recorder.ts';
import { escapeInvisible, escapeLine } from '../core/escape.ts';
import { answerOf, maximumRecordedText, newApproval } from './request.ts';
import { groupsToAnswerFor, isApproved, refusal } from './rules.ts';
import type { ApprovalStore } from './store.ts';
import { systemTimers, type Timers } from './timers.ts';

export interface DeskPorts {
  readonly store: ApprovalStore;
  readonly audit: Pick<AuditPort, 'append' | 'durable' | 'digest'>;
  readonly clock: Pick<ClockPort, 'now'>;
  /** The policy that is in force now. */
  readonly policyVersion: () => string;
  /** Base of links, without a trailing slash. */
  readonly apiUrl: () => string;
  readonly timers?: Timers;
}

/**
 * The desk at which people answer. A request is seen once its record is durable; an answer counts once its record is durable; an
 * approval is used once, and only after that is durable. Where a record cannot be written, nothing takes effect, except what ends a
 * request: that takes effect at once and goes on record as soon as it can.
 *
 * With `hold: wait` a request lives as long as its session, and the desk keeps the exact text in memory for the reviewers. With
 * `hold: refuse-and-retry` it outlives session and gateway, only masked text is kept, and the very same operation of the same principal
 * finds it again by its binding.
 */
export class ApprovalDesk implements ApprovalPort {
  readonly #ports: DeskPorts;
  readonly #timers: Timers;
  readonly #ends: EndRecorder;
  readonly #open = new Map<string, OpenRequest>();
  readonly #listeners = new Set<(approval: ApprovalView) => void>();

  /** Takes up what an earlier run left: requests of its sessions are cancelled, others stand until they expire or policy changes. */
  constructor(ports: DeskPorts) {
    this.#ports = ports;
    this.#timers = ports.timers ?? systemTimers;
    this.#ends = new EndRecorder(ports.store, ports.audit, this.#timers);
    ports.store.purge(ports.clock.now() - keepEndedMs);
    for (const approval of ports.store.open()) this.#takeUp(approval);
    this.#ends.recordAll();
  }

  request(held: HeldOperation): PendingApproval {
    const { audit, store, clock } = this.#ports;
    if (held.reviews.length === 0)
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'a hold without reviews' });
    if (held.policyVersion !== this.#ports.policyVersion()) throw new GatewayFault('approval-cancelled', { publicMessage: policyChanged });
    const binding = audit.digest(bindingBytes(held));
    const earlier = held.target.hold === 'refuse-and-retry' ? this.#findEarlier(binding) : undefined;
    if (earlier !== undefined) return this.#handle(earlier, held);

    const { issuer, subject } = held.principal;
    if (store.countOpen(issuer, subject) >= maximumOpen) {
      throw new GatewayFault('limit-exceeded', {
        publicMessage: `${maximumOpen} requests for approval of yours are open already`,
        hint: 'Wait for answers, or end the sessions that wait.',
      });
    }
    const approval = newApproval(held, binding, clock.now());
    try {
      store.insert(approval);
    } catch (error) {
      throw new GatewayFault('audit-unavailable', {
        publicMessage: 'the request for approval cannot be kept now',
        detail: String(error),
        cause: error,
      });
    }
    this.#admit(approval, held);
    this.#file(approval, held.log);
    return this.#handle(approval, held);
  }

  /**
   * One person's answer, for every review of a group that they are in. Resolves when it is durable and has taken effect. Throws
   * `access-denied`, `approval-cancelled`, `approval-expired` or `audit-unavailable`; then nothing took effect.
   */
  async answer(id: string, by: Principal, answer: 'approve' | 'deny', reason: string): Promise<ApprovalView> {
    const request = this.#open.get(id);
    const turn = request?.turn ?? Promise.resolve();
    // One answer at a time for each request: of two that race, the second is judged with the first one known.
    const mine = turn.then(() => this.#answerNow(id, by, answer === 'approve' ? 'approved' : 'denied', reason));
    if (request !== undefined) request.turn = mine.then(ignore, ignore);
    return mine;
  }

  async list(filter: { readonly state: ApprovalState | undefined }): Promise<readonly ApprovalView[]> {
    return this.#ports.store.list(filter.state).flatMap((approval) => viewOf(approval) ?? []);
  }

  async find(id: string): Promise<ApprovalView | undefined> {
    const approval = this.#ports.store.find(id);
    return approval === undefined ? undefined : viewOf(approval);
  }

  /**
   * What exactly will run, for the reviewers, while a request of a waiting session is pending here. Undefined otherwise: with
   * `refuse-and-retry` people see the masked text, and the exact bytes are bound by their digest.
   */
  async exactText(id: string): Promise<ExactText | undefined> {
    const held = this.#open.get(id)?.held;
    if (held === undefined || this.#ports.store.find(id)?.state !== 'pending') return undefined;
    const { text, runs, parameters } = held.operation.unmasked();
    return {
      text: escapeInvisible(text),
      runs: runs.map(escapeInvisible),
      parameters: parameters.map((value) => (value === null ? null : escapeInvisible(value))),
    };
  }

  /** Tells every change from now on; returns how to stop. A listener that throws is not told again. */
  subscribe(listener: (approval: ApprovalView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called after every reload: requests under another policy version are cancelled, their clients told to run it again. */
  policyChanged(): void {
    for (const approval of this.#ports.store.open()) {
      if (approval.policyVersion !== this.#ports.policyVersion()) this.#end(approval.id, 'cancelled', policyChanged);
    }
  }

  /** The gateway stops: requests of its sessions end, others wait for the next start. */
  stop(): void {
    for (const [id, { held }] of this.#open) if (held !== undefined) this.#end(id, 'cancelled', 'the gateway is stopping');
    for (const request of this.#open.values()) request.stopTimer();
    this.#open.clear();
    this.#ends.stop();
  }

  #takeUp(approval: Approval): void {
    this.#admit(approval, undefined);
    if (approval.hold === 'wait' || approval.state === 'filing') this.#end(approval.id, 'cancelled', 'the gateway was restarted');
    else if (approval.policyVersion !== this.#ports.policyVersion()) this.#end(approval.id, 'cancelled', policyChanged);
  }

  #findEarlier(binding: string): Approval | undefined {
    const earlier = this.#ports.store.findByBinding(binding);
    if (earlier === undefined || this.#ports.clock.now() < earlier.expiresAtMs) return earlier;
    this.#end(earlier.id, 'expired', '');
    return undefined;
  }

  #admit(approval: Approval, held: HeldOperation | undefined): void {
    const { promise, resolve } = Promise.withResolvers<ApprovalAnswer>();
    const request: OpenRequest = {
      held: approval.hold === 'wait' ? held : undefined,
      ended: promise,
      resolve,
      turn: Promise.resolve(),
      stopTimer: ignore,
    };
    this.#open.set(approval.id, request);
    if (approval.state === 'approved') resolve(answerOf(approval));
    const expireOrWait = (): void => {
      const leftMs = approval.expiresAtMs - this.#ports.clock.now();
      if (leftMs <= 0) this.#end(approval.id, 'expired', '');
      else request.stopTimer = this.#timers.after(leftMs, expireOrWait);
    };
    expireOrWait();
  }

  /** Puts the request on record and shows it once that is durable. Throws where the log refuses it at once. */
  #file(approval: Approval, log: string | undefined): void {
    const { audit, store, clock } = this.#ports;
    let sequence: number;
    try {
      sequence = audit.append({
        type: 'approval.requested',
        approval: approval.id,
        ...(log === undefined ? {} : { log }),
        session: approval.session,
        operation: approval.operation,
        target: approval.target,
        principal: principalKey(approval.principal),
        reviews: approval.reviews.map(({ policy, group, approvals }) => ({ policy, group, approvals })),
        binding: approval.binding,
        text: cut(approval.text, maximumRecordedText),
        ...(approval.runs.length === 0 ? {} : { runs: cutAll(approval.runs, maximumRecordedText) }),
        expires: new Date(approval.expiresAtMs).toISOString(),
      });
    } catch (error) {
      this.#end(approval.id, 'cancelled', notRecorded, neverOnRecord);
      throw toFault(error);
    }
    audit
      .durable(sequence)
      .then(() => {
        if (store.change(approval.id, { from: ['filing'], to: 'pending', atMs: clock.now(), recorded: false })) this.#tell(approval.id);
      })
      .catch(() => this.#end(approval.id, 'cancelled', notRecorded));
  }

  #handle(approval: Approval, held: HeldOperation): PendingApproval {
    const { id } = approval;
    let gone = false;
    return {
      id,
      alreadyApproved: approval.state === 'approved',
      expiresAtMs: approval.expiresAtMs,
      message: lineForClient(approval, this.#ports.apiUrl(), this.#ports.clock.now()),
      answer: this.#open.get(id)?.ended ?? Promise.resolve(answerOf(approval)),
      use: async () => !gone && (await this.#use(id, held)) && !gone,
      cancel: (reason) => {
        gone = true;
        if (approval.hold === 'wait') this.#end(id, 'cancelled', reason);
      },
    };
  }

  async #use(id: string, held: HeldOperation): Promise<boolean> {
    const { audit, store, clock, policyVersion } = this.#ports;
    const request = this.#open.get(id);
    const approval = store.find(id);
    if (request === undefined || approval === undefined) return false;
    if (clock.now() >= approval.expiresAtMs) {
      this.#end(id, 'expired', '');
      return false;
    }
    if (approval.policyVersion !== policyVersion() || audit.digest(bindingBytes(held)) !== approval.binding) return false;
    try {
      // Consumed first, recorded second: whatever fails or crashes between, it is never used twice.
      if (!store.change(id, { from: ['approved'], to: 'used', atMs: clock.now(), recorded: false })) return false;
    } catch {
      return false;
    }
    this.#close(id, { kind: 'cancelled', reason: 'used already' });
    this.#tell(id);
    return (await this.#ends.record({ id, state: 'used' })) && approval.policyVersion === policyVersion();
  }

  async #answerNow(id: string, by: Principal, kind: Answer['answer'], reason: string): Promise<ApprovalView> {
    const { audit, store, clock } = this.#ports;
    const approval = this.#answerable(id, by, kind);
    const groups = groupsToAnswerFor(approval, by);
    const { issuer, issuerUrl, subject, display } = by;
    const answer: Answer = {
      issuer,
      issuerUrl,
      subject,
      display,
      groups,
      answer: kind,
      reason: cut(reason, maximumRecordedText),
      atMs: clock.now(),
    };
    const to = kind === 'denied' ? 'denied' : isApproved(approval.reviews, [...approval.answers, answer]) ? 'approved' : 'pending';

    let sequence = audit.append({
      type: 'approval.answered',
      approval: id,
      session: approval.session,
      operation: approval.operation,
      answer: kind,
      reason: answer.reason,
      group: groups.join(', '),
      ...recordPrincipal(by),
    });
    try {
      if (to !== 'pending') sequence = audit.append({ type: 'approval.ended', approval: id, state: to });
      await audit.durable(sequence);
    } catch (error) {
      // The answer may come to stand in the log although it did not count: so nobody may answer this request any more.
      this.#end(id, 'cancelled', notRecorded);
      throw error;
    }

    // Meanwhile the request may have expired or been cancelled, or policy may have changed.
    this.#answerable(id, by, kind);
    if (!store.change(id, { from: ['pending'], to, atMs: clock.now(), answer, recorded: to !== 'pending' })) {
      throw new GatewayFault('approval-cancelled', { publicMessage: `approval ${id} ended meanwhile; the answer did not count` });
    }
    const answered = store.find(id)!;
    if (to === 'denied') this.#close(id, answerOf(answered));
    if (to === 'approved') this.#open.get(id)?.resolve(answerOf(answered));
    this.#tell(id);
    return viewOf(answered)!;
  }

  /** The request, where this answer would count now; else throws, after ending what is over. */
  #answerable(id: string, by: Principal, kind: Answer['answer']): Approval {
    const { store, clock, policyVersion } = this.#ports;
    const approval = store.find(id);
    if (approval === undefined || approval.state === 'filing') {
      throw new GatewayFault('access-denied', { publicMessage: 'there is no such request for approval' });
    }
    const fault = refusal(approval, by, kind, clock.now());
    if (fault?.code === 'approval-expired') this.#end(id, 'expired', '');
    if (fault !== undefined) throw fault;
    if (approval.policyVersion !== policyVersion()) {
      this.#end(id, 'cancelled', policyChanged);
      throw new GatewayFault('approval-cancelled', { publicMessage: `approval ${id} was cancelled: ${policyChanged}` });
    }
    if (!this.#open.has(id))
      throw new GatewayFault('approval-cancelled', { publicMessage: `approval ${id} ended; nobody can answer it any more` });
    return approval;
  }

  /** Ends a request that waits or was not used yet. Takes effect here even where it can be neither kept nor recorded at the moment. */
  #end(id: string, state: 'expired' | 'cancelled', reason: string, recorded = false): void {
    this.#close(id, state === 'expired' ? { kind: 'expired' } : { kind: 'cancelled', reason: escapeLine(reason) });
    const { store, clock } = this.#ports;
    try {
      if (!store.change(id, { from: ['filing', 'pending', 'approved'], to: state, atMs: clock.now(), reason, recorded })) return;
    } catch {
      // Closed in memory, so that nobody can answer or use it; a restart finds it in the store and ends it there.
      return;
    }
    this.#ends.recordAll();
    this.#tell(id);
  }

  #close(id: string, answer: ApprovalAnswer): void {
    const request = this.#open.get(id);
    this.#open.delete(id);
    request?.stopTimer();
    request?.resolve(answer);
  }

  #tell(id: string): void {
    const approval = this.#ports.store.find(id);
    const view = approval === undefined ? undefined : viewOf(approval);
    if (view === undefined) return;
    for (const listener of this.#listeners) {
      try {
        listener(view);
      } catch {
        this.#listeners.delete(listener);
      }
    }
  }
}

/** A request that can still be answered or used here. */
interface OpenRequest {
  /** Kept only for waiting sessions: its text is unmasked. */
  readonly held: HeldOperation | undefined;
  readonly ended: Promise<ApprovalAnswer>;
  readonly resolve: (answer: ApprovalAnswer) => void;
  /** Settles when the answer before has been dealt with. */
  turn: Promise<void>;
  stopTimer: () => void;
}

function ignore(): void {}

/** Open requests of one principal: one that asks without end must not bury the others'. */
const maximumOpen = 50;
/** A request whose own record was refused: its end has none either. */
const neverOnRecord = true;
const keepEndedMs = 30 * 86_400_000;
const policyChanged = 'policy changed meanwhile; run it again';
const notRecorded = 'the audit log could not be written; run it again';
