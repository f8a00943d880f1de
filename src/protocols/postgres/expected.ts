import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { SessionEffect } from '../../sql/statement.ts';
import type { FieldDescription } from './messages.ts';
import type { MaskPlan } from './mask.ts';
import type { Portal, PreparedStatement } from './names.ts';
import type { Understanding } from './understanding.ts';

/** An operation between its grant and its end. */
export interface Running {
  readonly id: string;
  readonly grant: Grant;
  readonly understanding: Understanding;
  /** Session effects of its statements, by the order in which they complete. */
  readonly effects: readonly (readonly SessionEffect[])[];
  /** Statements of it that have completed. */
  completed: number;
  plan: MaskPlan | undefined;
  rows: number;
  bytes: number;
  readonly masked: Map<string, number>;
  /** The rows of the current statement were counted one by one; its tag need not be believed. */
  described: boolean;
  /** The result that the sample is taken from: the first one. */
  samplePlan: MaskPlan | undefined;
  readonly sample: (string | null)[][];
  errorCode: string | undefined;
  ended: boolean;
}

/**
 * What the server will answer next, in the order in which it was asked (trap 1): one entry for each message that was forwarded and has
 * an answer of its own. Answers change names and states (trap 2), never the client's wish alone.
 */
export type Expected =
  | { readonly kind: 'query'; readonly running: Running }
  | { readonly kind: 'parse'; readonly statement: PreparedStatement }
  | { readonly kind: 'bind'; readonly portal: Portal }
  | { readonly kind: 'describe-statement'; readonly statement: PreparedStatement; readonly hidden: boolean }
  | { readonly kind: 'describe-portal'; readonly portal: Portal; readonly hidden: boolean }
  | { readonly kind: 'execute'; readonly running: Running; readonly portal: Portal }
  | { readonly kind: 'close'; readonly what: 'S' | 'P'; readonly name: string }
  | { readonly kind: 'sync' }
  /** A statement that must fail was sent in place of a refused one: its error is replaced by the refusal. */
  | { readonly kind: 'refused'; readonly fault: GatewayFault; readonly operationId: string; readonly simple: boolean }
  /** The gateway's own Parse, Describe and Sync, of which the client sees nothing. */
  | {
      readonly kind: 'probe';
      readonly done: (fields: readonly FieldDescription[] | undefined) => void;
      fields: readonly FieldDescription[] | undefined;
    };

export function running(id: string, grant: Grant, understanding: Understanding): Running {
  return {
    id,
    grant,
    understanding,
    effects: understanding.statements.map((statement) => statement.sessionEffects),
    completed: 0,
    plan: undefined,
    rows: 0,
    bytes: 0,
    masked: new Map(),
    described: false,
    samplePlan: undefined,
    sample: [],
    errorCode: undefined,
    ended: false,
  };
}

/** A first-in-first-out queue whose head is cheap to take. */
export class ExpectedQueue {
  #entries: Expected[] = [];
  #head = 0;

  get head(): Expected | undefined {
    return this.#entries[this.#head];
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(entry: Expected): void {
    this.#entries.push(entry);
  }

  pop(): Expected | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#entries.length) {
      this.#entries.length = 0;
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** Removes entries behind the head that `unwanted` picks. */
  drop(unwanted: (entry: Expected) => boolean): void {
    const [head, ...rest] = this.#entries.slice(this.#head);
    this.#entries = head === undefined ? [] : [head, ...rest.filter((entry) => !unwanted(entry))];
    this.#head = 0;
  }
}
