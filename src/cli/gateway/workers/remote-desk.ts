import { escapeLine } from '../../../core/escape.ts';
import { GatewayFault, toFault } from '../../../core/fault.ts';
import type { ApprovalAnswer, ApprovalPort, HeldOperation, PendingApproval } from '../../../core/ports.ts';
import type { Channel } from './channel.ts';
import type { FiledHold, PackedHold, PrimarySide } from './messages.ts';

/**
 * The desk as a worker sees it: it is in the primary process, and so are the records of approvals. What is not answered by it is not approved: a
 * desk that is silent makes a request fail, a use count as none and a wait end with the request's own expiry.
 */
export class RemoteDesk implements ApprovalPort {
  readonly #channel: Channel<PrimarySide>;
  readonly #waiting = new Map<number, (answer: ApprovalAnswer) => void>();
  #holds = 0;

  constructor(channel: Channel<PrimarySide>) {
    this.#channel = channel;
  }

  async request(held: HeldOperation): Promise<PendingApproval> {
    const hold = (this.#holds += 1);
    const { promise, resolve } = Promise.withResolvers<ApprovalAnswer>();
    this.#waiting.set(hold, resolve);
    let filed: FiledHold;
    try {
      filed = await this.#channel.call('holdRequested', packHold(hold, held), requestPatienceMs);
    } catch (error) {
      this.#waiting.delete(hold);
      this.#channel.tell('holdCancelled', { hold, reason: 'the operation was refused' });
      throw wording(error);
    }
    return this.#handle(hold, held, filed, promise);
  }

  /** The primary process tells how a request was answered. */
  answered(hold: number, answer: ApprovalAnswer): void {
    this.#waiting.get(hold)?.(answer);
    this.#waiting.delete(hold);
  }

  #handle(hold: number, held: HeldOperation, filed: FiledHold, answer: Promise<ApprovalAnswer>): PendingApproval {
    const { id, alreadyApproved, expiresAtMs, message } = filed;
    let gone = false;
    if (filed.answer !== undefined) this.answered(hold, filed.answer);
    if (held.target.hold === 'wait') this.#expire(hold, expiresAtMs, answer);
    else this.#waiting.delete(hold);
    return {
      id,
      alreadyApproved,
      expiresAtMs,
      message,
      answer,
      use: async () => !gone && (await this.#channel.call('holdUsed', { hold }, usePatienceMs).catch(() => false)) && !gone,
      cancel: (reason) => {
        gone = true;
        if (held.target.hold === 'wait') this.answered(hold, { kind: 'cancelled', reason: escapeLine(reason) });
        this.#channel.tell('holdCancelled', { hold, reason });
      },
    };
  }

  /** The desk ends it in time; this is for a desk that does not. */
  #expire(hold: number, expiresAtMs: number, answer: Promise<ApprovalAnswer>): void {
    const timer = setTimeout(() => this.answered(hold, { kind: 'expired' }), Math.min(expiresAtMs - Date.now() + graceMs, maxTimerMs));
    void answer.then(() => clearTimeout(timer));
  }
}

function packHold(hold: number, held: HeldOperation): PackedHold {
  const { operation, principal, target, reviews, policyVersion } = held;
  const { id, sessionId, protocol, acts, facts, pureRead, naming, text, textIsExact, parameters, runs, dataClasses } = operation;
  return {
    hold,
    held: {
      operation: {
        id,
        sessionId,
        protocol,
        acts,
        facts,
        pureRead,
        naming,
        text,
        textIsExact,
        dataClasses,
        ...(parameters === undefined ? {} : { parameters }),
        ...(runs === undefined ? {} : { runs }),
      },
      principal,
      // Nothing else of a target's configuration: it holds secrets.
      target: { name: target.name, protocol: target.protocol, labels: target.labels, masking: target.masking, hold: target.hold },
      reviews,
      policyVersion,
    },
    exact: operation.exact(),
    unmasked: target.hold === 'wait' ? operation.unmasked() : undefined,
  };
}

function wording(error: unknown): GatewayFault {
  const fault = toFault(error);
  if (fault.code !== 'internal') return fault;
  return new GatewayFault('approval-cancelled', {
    publicMessage: 'nobody can be asked for approval now',
    detail: fault.detail,
    hint: 'Run it again in a moment.',
    cause: error,
  });
}

const requestPatienceMs = 5_000;
/** More than the log needs to say that it cannot be written. */
const usePatienceMs = 10_000;
const graceMs = 5_000;
const maxTimerMs = 2 ** 31 - 1;
