import type { ApprovalPort, HeldOperation, PendingApproval } from '../core/ports.ts';
import type { Operation } from '../core/operation.ts';

/** The desk, remembering which request for approval an operation came to: a problem document names it. */
export class NotedApprovals implements ApprovalPort {
  readonly #desk: ApprovalPort;
  readonly #noted = new WeakMap<Operation, string>();

  constructor(desk: ApprovalPort) {
    this.#desk = desk;
  }

  request(held: HeldOperation): PendingApproval | Promise<PendingApproval> {
    const pending = this.#desk.request(held);
    const note = (filed: PendingApproval): PendingApproval => {
      this.#noted.set(held.operation, filed.id);
      return filed;
    };
    return pending instanceof Promise ? pending.then(note) : note(pending);
  }

  /** The id of the request that was filed for it; undefined where none was. */
  of(operation: Operation): string | undefined {
    return this.#noted.get(operation);
  }
}
