import type { Conversation } from './conversation.ts';
import type { Definition } from './definitions.ts';
import { joined, type Footprint } from './footprint.ts';
import type { TransactionStatus } from './messages.ts';
import type { Understanding } from './understanding.ts';
import type { Unsettled } from './unsettled.ts';

/**
 * When others may come to see what this session defines: with the COMMIT of the transaction in which it did, or with the statement itself
 * where no transaction is known to be open. They are told before it is forwarded (`Definitions`), and again when the target has answered.
 */
export class Defining {
  readonly #talk: Conversation;
  readonly #open: Definition[] = [];
  /** Of the transaction that is open. */
  #footprint: Footprint | undefined;
  /** What ends a transaction was sent, and the target has not said since that one is open. */
  #mayHaveEnded = false;
  #settled: Unsettled | undefined;

  constructor(talk: Conversation) {
    this.#talk = talk;
  }

  /** Others may already see what the target has not confirmed. */
  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  /** What was defined since the session had no transaction open: something that others may see. */
  get concernsOthers(): boolean {
    return this.#footprint !== undefined;
  }

  /** The catalogue is not to be believed from now on. */
  settled(what: Unsettled): void {
    if (this.#settled !== 'code') this.#settled = what;
  }

  /** Just before a statement is forwarded: what has to be waited for first, if anything. Rejects where it must not be forwarded. */
  begin({ footprint, ending }: Understanding): Promise<void> | undefined {
    if (footprint === undefined && ending === undefined) return undefined;
    const isInside = this.#talk.transaction === 'T' && this.#talk.expected.running === 0 && !this.#mayHaveEnded;
    if (ending !== undefined) this.#mayHaveEnded = true;
    if (footprint !== undefined) this.#footprint = joined(this.#footprint, footprint);
    if (this.#footprint === undefined || !(ending === 'commit' || (footprint !== undefined && !isInside))) return undefined;
    const { definition, announced } = this.#talk.definitions.begin(this.#footprint, this);
    this.#open.push(definition);
    return announced;
  }

  /** The target is ready; what it settled was said before. Nothing is known while more was sent. */
  ready(status: TransactionStatus): void {
    if (!this.#talk.expected.isEmpty) return;
    this.#mayHaveEnded = false;
    if (status === 'I') this.#footprint = undefined;
    for (const definition of this.#open.splice(0)) this.#talk.definitions.end(definition, this.#settled);
    this.#settled = undefined;
  }

  /** The session is over, and what was sent may yet take effect. */
  abandon(): void {
    for (const definition of this.#open.splice(0)) this.#talk.target.definitionAbandoned(this.#talk.databaseName, definition);
  }
}
