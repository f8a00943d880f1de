import { fits, fitting, passed } from './allowance.ts';
import type { Conversation } from './conversation.ts';
import { Descriptions } from './descriptions.ts';
import type { Expected, Running } from './expected.ts';
import { maskRow, sampleRow, type MaskPlan } from './mask.ts';
import type { FieldDescription, Format } from './messages.ts';
import { describedFields } from './names.ts';
import { copyCountTable, copyOpenTable, readyCountTable, readyTable } from './server-tables.ts';
import { unexpected } from './unexpected.ts';
import type { UpstreamOutput } from './upstream-output.ts';

/** The rows of answers: masked where they must be, sampled for the recording, counted, and cut off where they pass a limit. */
export class UpstreamRows {
  readonly #talk: Conversation;
  readonly #output: UpstreamOutput;
  readonly #descriptions = new Descriptions();
  /** Rows that may be shown in this step, where they are limited by the minute. */
  #left = Number.POSITIVE_INFINITY;
  #leftBefore = Number.POSITIVE_INFINITY;

  constructor(talk: Conversation, output: UpstreamOutput) {
    this.#talk = talk;
    this.#output = output;
  }

  /** A step of the relay begins. */
  begin(): void {
    const { limits } = this.#talk.session;
    if (limits.inForce.rowsPerMinute !== undefined) this.#left = limits.rowsLeft();
    this.#leftBefore = this.#left;
  }

  /** It ends: what it showed counts for its minute. */
  end(): void {
    if (this.#leftBefore === Number.POSITIVE_INFINITY) return;
    this.#talk.session.limits.countRows(this.#leftBefore - this.#left);
    this.#left = Number.POSITIVE_INFINITY;
  }

  /** Which frames are handed out one by one now, and which as runs. */
  table() {
    const head = this.#talk.expected.head;
    if (this.#talk.copying?.direction === 'out') return this.#talk.sight().masks.detectors.isEmpty ? copyCountTable : copyOpenTable;
    if (head?.kind !== 'query' && head?.kind !== 'execute') return readyTable;
    const plan = this.#planOf(head);
    return plan !== undefined && plan.isIdentity && !wantsSample(head.running, plan) ? readyCountTable : readyTable;
  }

  /** Rows that nobody needs to look into. */
  run(counted: number, begun: number): void {
    const head = this.#talk.expected.head;
    const { bytes, start, end, remaining } = this.#talk.upstreamFramer;
    if (head?.kind === 'query' || head?.kind === 'execute') {
      const { running } = head;
      running.isShowing = true;
      if (this.isHidden(running)) return;
      if (!fits(running, counted, end - start + remaining, this.#left)) {
        const cut = fitting(bytes, start, end, begun, running, this.#left);
        this.#count(running, cut.rows, cut.end - start);
        this.#output.passUpTo(cut.end);
        this.#stop(running, 1, end - cut.end + remaining);
        return;
      }
      this.#count(running, counted, end - start);
    }
    this.#output.pass();
  }

  one(): void {
    const head = this.#talk.expected.head;
    if (head?.kind !== 'query' && head?.kind !== 'execute') throw unexpected('DataRow', head);
    const plan = this.#planOf(head);
    if (plan === undefined) throw unexpected('DataRow without a description', head);
    const { running } = head;
    running.isShowing = true;
    if (this.isHidden(running)) return;
    const row = this.#talk.upstreamFramer.view();
    if (!fits(running, 1, 0, this.#left)) return this.#stop(running, 1, 0);
    const masked = plan.isIdentity ? undefined : maskRow(plan, row, running.masked);
    const { length } = masked ?? row;
    if (!fits(running, 1, length, this.#left)) return this.#stop(running, 1, length);
    if (wantsSample(running, plan)) {
      running.samplePlan = plan;
      running.sample.push(sampleRow(plan, masked ?? row));
    }
    this.#count(running, 1, length);
    if (masked === undefined) this.#output.pass();
    else this.#output.put(masked);
  }

  /** RowDescription's fields; for the same bytes the same object. */
  fields(body: Uint8Array): readonly FieldDescription[] {
    return this.#descriptions.read(body);
  }

  /** The plan says of which result the sample is, so that each further result of an operation has a plan of its own. */
  plan(running: Running, fields: readonly FieldDescription[], formats: readonly Format[] | undefined): MaskPlan {
    const { samplePlan, understanding, masks = this.#talk.sight().masks } = running;
    return (samplePlan === undefined ? this.#descriptions : new Descriptions()).plan(masks, understanding, fields, formats);
  }

  /** The rows of a result are through. */
  done(plan: MaskPlan): void {
    this.#descriptions.done(plan);
  }

  /** Whether one row more, of so many bytes, is shown; then it counts. Else the answer is stopped where that was not done yet. */
  admits(running: Running, bytes: number): boolean {
    if (fits(running, 1, bytes, this.#left)) {
      this.#count(running, 1, bytes);
      return true;
    }
    this.#stop(running, 1, bytes);
    return false;
  }

  #planOf(head: Expected & { kind: 'query' | 'execute' }): MaskPlan | undefined {
    const { running } = head;
    if (running.plan !== undefined || head.kind === 'query') return running.plan;
    const { portal } = head;
    const described = describedFields(portal);
    if (described === undefined || described === null) return undefined;
    running.plan = this.plan(running, described, portal.resultFormats);
    running.described = true;
    return running.plan;
  }

  /** The client was told an error in place of the rest. */
  isHidden(running: Running): boolean {
    return running.stopped !== undefined || this.#talk.stopping.silent;
  }

  #count(running: Running, rows: number, bytes: number): void {
    if (this.#talk.copying === undefined) running.rows += rows;
    else running.copied += rows;
    running.bytes += bytes;
    this.#left -= rows;
  }

  /** So many rows and bytes more would pass a limit. */
  #stop(running: Running, rows: number, bytes: number): void {
    this.#talk.stopping.answer(running, passed(this.#talk.session.target.name, running, rows, bytes));
  }
}

function wantsSample(running: Running, plan: MaskPlan): boolean {
  return running.sample.length < sampleRows && (running.samplePlan === undefined || running.samplePlan === plan);
}

/** Rows of a result that the recording keeps. */
const sampleRows = 3;
