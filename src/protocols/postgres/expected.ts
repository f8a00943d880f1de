import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import type { Operation } from '../../core/operation.ts';
import type { Allowance } from './allowance.ts';
import type { FieldDescription, NameSpace } from './messages.ts';
import type { MaskContext, MaskPlan } from './mask.ts';
import type { Portal, PreparedStatement, SourceText } from './names.ts';
import type { Sight, Understanding } from './understanding.ts';
import { UnseenCode } from './unseen-code.ts';
import { noViewChanges } from './view-writes.ts';

/** When a statement was judged: before or behind which definitions. */
export interface Judged {
  /** The number of the first definition of others that the judgement may not know of (`Definitions`). */
  readonly at: number;
  readonly statement: PreparedStatement;
  readonly sight: Sight;
}

/** An operation between its grant and its end. */
export class Running {
  readonly operation: Operation;
  readonly grant: Grant;
  readonly understanding: Understanding;
  /** Statements of it that have completed. */
  completed = 0;
  plan: MaskPlan | undefined = undefined;
  rows = 0;
  bytes = 0;
  /** The rows of the current statement were counted one by one; its tag need not be believed. */
  described = false;
  /** The result that the sample is taken from: the first one. */
  samplePlan: MaskPlan | undefined = undefined;
  readonly sample: (string | null)[][] = [];
  errorCode: string | undefined = undefined;
  /** Why the gateway stopped it. */
  reason: string | undefined = undefined;
  /** How much of its answer may be shown; undefined: all of it. */
  allowance: Allowance | undefined = undefined;
  /** Rows copied to the client, which its tag will count. */
  copied = 0;
  /** Its answer passed a limit: nothing more of it is shown, and it ends in this. */
  stopped: GatewayFault | undefined = undefined;
  ended = false;
  /** Undefined: it never runs. */
  readonly judged: Judged | undefined;
  /** `Judged.at`, or later where it was looked at again. */
  judgedAt: number;
  /** What masks it where that is not from where its session looks now. */
  masks: MaskContext | undefined = undefined;
  /** Its current statement has begun to answer: what names mean in it is decided. */
  isShowing = false;
  #masked: Map<string, number> | undefined = undefined;

  constructor(operation: Operation, grant: Grant, understanding: Understanding, judged?: Judged) {
    this.operation = operation;
    this.grant = grant;
    this.understanding = understanding;
    this.judged = judged;
    this.judgedAt = judged?.at ?? 0;
  }

  get id(): string {
    return this.operation.id;
  }

  get source(): SourceText {
    return { text: this.operation.unmasked().text, recorded: this.operation.text };
  }

  get maskedAny(): boolean {
    return this.#masked !== undefined && this.#masked.size > 0;
  }

  /** Cells masked, by data class. */
  get masked(): Map<string, number> {
    return (this.#masked ??= new Map());
  }
}

/**
 * What the server will answer next, in the order in which it was asked (trap 1): one entry for each message that was forwarded and has
 * an answer of its own. Answers change names and states (trap 2), never the client's wish alone.
 */
export type Expected =
  /** `bound`: it went as Parse, Bind, Describe, Execute and Sync of the unnamed statement (`lookup-text.ts`). */
  | { readonly kind: 'query'; readonly running: Running; readonly bound: boolean }
  | { readonly kind: 'parse'; readonly statement: PreparedStatement }
  | { readonly kind: 'bind'; readonly portal: Portal }
  | { readonly kind: 'describe-statement'; readonly statement: PreparedStatement; readonly hidden: boolean }
  | { readonly kind: 'describe-portal'; readonly portal: Portal; readonly hidden: boolean }
  | { readonly kind: 'execute'; readonly running: Running; readonly portal: Portal }
  | { readonly kind: 'close'; readonly what: 'S' | 'P'; readonly name: string }
  | { readonly kind: 'sync' }
  /** A statement that must fail was sent in place of a refused one: its error is replaced by the refusal. */
  | { readonly kind: 'refused'; readonly fault: GatewayFault; readonly operationId: string; readonly simple: boolean }
  /** A statement that must fail was sent behind one that was stopped and ended all the same. Its error is not shown. */
  | { readonly kind: 'fence'; readonly simple: boolean }
  /** The gateway's own Parse, Describe and Sync, of which the client sees nothing. */
  | { readonly kind: 'probe'; fields: readonly FieldDescription[] | undefined };

/** What the entries that are still to be answered may change; whoever relies on such a thing has to wait for them. */
interface Outstanding {
  /** Parse, Bind and Close entries by name space and name. */
  readonly names: Map<string, number>;
  /** Statements that name, forget or declare by SQL. */
  sqlNames: number;
  /** Statements that define relations, and those that define code. */
  relations: number;
  code: number;
  /** Those that make or rename views. */
  views: number;
  /** Copies into the target of which it has not said that they begin. */
  copiesIn: number;
  /** Statements in all, and those whose answers are limited. */
  running: number;
  limited: number;
  limitedChanges: number;
  limitedTexts: number;
}

/** A first-in-first-out queue whose head is cheap to take. */
export class ExpectedQueue {
  #entries: Expected[] = [];
  #head = 0;
  readonly unseen = new UnseenCode();
  readonly #outstanding: Outstanding = {
    names: new Map(),
    sqlNames: 0,
    relations: 0,
    code: 0,
    views: 0,
    copiesIn: 0,
    running: 0,
    limited: 0,
    limitedChanges: 0,
    limitedTexts: 0,
  };

  get head(): Expected | undefined {
    return this.#entries[this.#head];
  }

  get length(): number {
    return this.#entries.length - this.#head;
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  push(entry: Expected): void {
    this.#entries.push(entry);
    this.#count(entry, 1);
    this.unseen.pushed(entry);
  }

  /** True where a Parse, Bind or Close of this name has no answer yet. */
  isNaming(what: NameSpace, name: string): boolean {
    return this.#outstanding.names.has(what + name);
  }

  /** True where a statement that changes names by SQL has no answer yet. */
  get isNamingBySql(): boolean {
    return this.#outstanding.sqlNames > 0;
  }

  /** What statements without an answer may be defining. */
  get defines(): Understanding['defines'] {
    if (this.#outstanding.code > 0) return 'code';
    return this.#outstanding.relations > 0 ? 'relations' : 'nothing';
  }

  /** True where a statement that changes views has no answer yet. */
  get changesViews(): boolean {
    return this.#outstanding.views > 0;
  }

  get mayCopyIn(): boolean {
    return this.#outstanding.copiesIn > 0;
  }

  /** Operations without an end. */
  get running(): number {
    return this.#outstanding.running;
  }

  /** Those of them that may be stopped for what they answer. */
  get limited(): number {
    return this.#outstanding.limited;
  }

  /** Those of the limited ones that may change something. */
  get limitedChanges(): number {
    return this.#outstanding.limitedChanges;
  }

  /** Those of them that came as a Query, which is a cycle by itself. */
  get limitedTexts(): number {
    return this.#outstanding.limitedTexts;
  }

  has(kind: Expected['kind']): boolean {
    return this.#entries.some((entry, index) => index >= this.#head && entry.kind === kind);
  }

  pop(): Expected | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#count(entry, -1);
    this.unseen.popped(entry);
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

  /** Removes every Sync behind the head; returns how many there were. */
  dropSyncs(): number {
    const before = this.#entries.length - this.#head;
    this.#entries = this.#entries.slice(this.#head).filter((entry) => entry.kind !== 'sync');
    this.#head = 0;
    return before - this.#entries.length;
  }

  #count(entry: Expected, by: 1 | -1): void {
    const { names } = this.#outstanding;
    switch (entry.kind) {
      case 'parse':
        addTo(names, `S${entry.statement.name}`, by);
        return;
      case 'bind':
        addTo(names, `P${entry.portal.name}`, by);
        return;
      case 'close':
        addTo(names, `${entry.what}${entry.name}`, by);
        return;
      case 'query':
      case 'execute': {
        if (entry.kind === 'query' && entry.bound) {
          addTo(names, 'S', by);
          addTo(names, 'P', by);
        }
        const { understanding } = entry.running;
        this.#outstanding.running += by;
        if (entry.running.allowance !== undefined) {
          this.#outstanding.limited += by;
          if (!understanding.pureRead) this.#outstanding.limitedChanges += by;
          if (entry.kind === 'query') this.#outstanding.limitedTexts += by;
        }
        if (understanding.namesBySql) this.#outstanding.sqlNames += by;
        if (understanding.defines !== 'nothing') this.#outstanding[understanding.defines] += by;
        if (understanding.viewChanges !== noViewChanges) this.#outstanding.views += by;
        if (understanding.copiesIn) this.#outstanding.copiesIn += by;
        return;
      }
      default:
        return;
    }
  }
}

function addTo(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
