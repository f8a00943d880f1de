import type { ApprovalAnswer, ApprovalPort, HeldOperation, PendingApproval } from '../../../core/ports.ts';
import type { FiledHold, PackedHold } from './messages.ts';

/** The requests for approval of one worker's sessions, at the desk of the primary process. */
export class Holds {
  readonly #desk: ApprovalPort;
  readonly #log: string;
  readonly #tell: (hold: number, answer: ApprovalAnswer) => void;
  readonly #open = new Map<number, { readonly session: string; readonly pending: PendingApproval }>();
  /** Given up by the worker before the desk had them. */
  readonly #givenUp = new Map<number, string>();

  /** `log`: the one in which the worker's sessions are. */
  constructor(desk: ApprovalPort, log: string, tell: (hold: number, answer: ApprovalAnswer) => void) {
    this.#desk = desk;
    this.#log = log;
    this.#tell = tell;
  }

  /** Throws what the desk throws. */
  async request(packed: PackedHold): Promise<FiledHold> {
    const { hold } = packed;
    const held = unpackHold(packed, this.#log);
    const pending = await this.#desk.request(held);
    const answer = await Promise.race([pending.answer, Promise.resolve(undefined)]);
    const { id, alreadyApproved, expiresAtMs, message } = pending;
    const waits = held.target.hold === 'wait';
    if (waits || alreadyApproved) this.#open.set(hold, { session: held.operation.sessionId, pending });
    if (waits) void pending.answer.then((answered) => this.#answered(hold, answered));
    const givenUp = this.#givenUp.get(hold);
    if (givenUp !== undefined) this.cancel(hold, givenUp);
    return { id, alreadyApproved, expiresAtMs, message, answer };
  }

  /** True once the use is durable; then, and only then, may the operation go on. */
  async use(hold: number): Promise<boolean> {
    const pending = this.#open.get(hold)?.pending;
    this.#open.delete(hold);
    return pending !== undefined && (await pending.use());
  }

  cancel(hold: number, reason: string): void {
    const open = this.#open.get(hold);
    if (open === undefined) this.#remember(hold, reason);
    this.#open.delete(hold);
    open?.pending.cancel(reason);
  }

  sessionClosed(session: string): void {
    for (const [hold, open] of this.#open) if (open.session === session) this.cancel(hold, 'its session has ended');
  }

  /** The worker is gone: nobody waits for these any more. */
  end(reason: string): void {
    for (const hold of this.#open.keys()) this.cancel(hold, reason);
  }

  #answered(hold: number, answer: ApprovalAnswer): void {
    if (answer.kind !== 'approved') this.#open.delete(hold);
    this.#tell(hold, answer);
  }

  #remember(hold: number, reason: string): void {
    this.#givenUp.set(hold, reason);
    if (this.#givenUp.size > remembered) this.#givenUp.delete(this.#givenUp.keys().next().value as number);
  }
}

function unpackHold({ held, exact, unmasked }: PackedHold, log: string): HeldOperation {
  const { text, runs = [], parameters = [] } = held.operation;
  return { ...held, log, operation: { ...held.operation, exact: () => exact, unmasked: () => unmasked ?? { text, runs, parameters } } };
}

const remembered = 1_000;
