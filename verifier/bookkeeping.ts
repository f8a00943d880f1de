import { ApprovalBook, type Complain } from './approvals.ts';
import { isCount, isStrings, type LogRecord } from './record.ts';
import type { UnknownOutcome, VerifyReport } from './report.ts';
import type { Ties } from './ties.ts';

/**
 * Follows what the records say, in order: operations stand in open sessions, each is decided once and completed at most once and only
 * after it was allowed, a session's end counts its operations. Memory goes with the sessions that are open, not with the log.
 */
export class Bookkeeping {
  readonly approvals = new ApprovalBook();
  readonly #ties: Ties;
  readonly #open = new Map<string, Session>();
  /** Closed or cut off, oldest first. */
  readonly #ended = new Map<string, 'closed' | 'cut off'>();
  readonly #durability = new Set<string>();
  readonly #unknownOutcomes: UnknownOutcome[] = [];
  #unknownOutcomeCount = 0;
  #cutOff: string[] = [];
  #cutOffCount = 0;
  #undecided = 0;
  #late = 0;

  constructor(ties: Ties) {
    this.#ties = ties;
  }

  take(sequence: number, record: LogRecord, complain: Complain): void {
    switch (record.type) {
      case 'gateway.started':
        return this.#started(record);
      case 'session.opened':
        return this.#opened(record, complain);
      case 'session.closed':
        return this.#closed(record, complain);
      case 'session.note':
        return void this.#session(record, complain);
      case 'operation.decided':
        return this.#decided(sequence, record, complain);
      case 'operation.completed':
        return this.#completed(record, complain);
      case 'approval.requested':
        return this.#requested(record, complain);
      case 'approval.answered':
        return this.approvals.answered(record, complain);
      case 'approval.ended':
        return this.approvals.ended(record, complain);
      case 'worker.started':
      case 'log.witnessed':
        return this.#ties.tellsOf(sequence, record);
      default:
    }
  }

  /** What is to be said at the log's end. */
  summary(): Pick<VerifyReport, 'durability' | 'decidedWithoutCompletion' | 'sessionsOpen'> & { readonly notes: readonly string[] } {
    const running = [...this.#open.values()].flatMap((session) => [...session.running.values()]);
    const first = [...this.#unknownOutcomes, ...running].slice(0, LISTED);
    const open = [...this.#open.keys()];
    const notes: string[] = [];
    if (this.#undecided > 0) {
      notes.push(
        `${this.#undecided} operations of closed sessions have no decision on record (only prepared, or refused while the log was down)`,
      );
    }
    if (this.#late > 0) notes.push(`${this.#late} operations were decided after their session’s end; none of them ran`);
    return {
      durability: [...this.#durability],
      decidedWithoutCompletion: { count: this.#unknownOutcomeCount + running.length, first },
      sessionsOpen: { open: open.length, ended: this.#cutOffCount, first: [...this.#cutOff, ...open].slice(0, LISTED) },
      notes,
    };
  }

  /** Only one gateway writes a log: whatever its earlier run had open has ended without a record. */
  #started(record: LogRecord): void {
    this.#durability.add(String(record['durability']));
    this.#ties.worker = isCount(record['worker']) ? record['worker'] : undefined;
    for (const [id, session] of this.#open) {
      this.#cutOffCount += 1;
      if (this.#cutOff.length < LISTED) this.#cutOff.push(id);
      this.#end(id, session, 'cut off');
    }
  }

  #opened(record: LogRecord, complain: Complain): void {
    this.#ties.sessions += 1;
    const id = String(record['session']);
    if (this.#open.has(id) || this.#ended.has(id)) return complain('bookkeeping', `session ${id} is opened a second time`);
    this.#open.set(id, {
      target: String(record['target']),
      principal: `${String(record['issuer'])}|${String(record['subject'])}`,
      issuerUrl: String(record['issuer_url']),
      decided: new OperationSet(id),
      running: new Map(),
    });
  }

  /** With `log`, the session is on record in that log. */
  #requested(record: LogRecord, complain: Complain): void {
    const issuerUrl = typeof record['log'] === 'string' ? undefined : this.#session(record, complain)?.issuerUrl;
    this.approvals.requested(record, issuerUrl, complain);
  }

  #closed(record: LogRecord, complain: Complain): void {
    const id = String(record['session']);
    const session = this.#session(record, complain);
    if (session === undefined) return;
    const operations = isCount(record['operations']) ? record['operations'] : 0;
    const { count, highest } = session.decided;
    if (operations < Math.max(count, highest)) {
      complain('bookkeeping', `session ${id} closes with ${operations} operations, but ${Math.max(count, highest)} are on record`);
    }
    this.#undecided += Math.max(0, operations - count);
    this.#end(id, session, 'closed');
  }

  #decided(sequence: number, record: LogRecord, complain: Complain): void {
    const session = String(record['session']);
    const operation = String(record['operation']);
    const state = this.#open.get(session);
    if (state === undefined && this.#ended.get(session) === 'closed') {
      // A hold that ended together with its session is decided a moment later; nothing is granted any more then.
      this.#late += 1;
      if (record['decision'] === 'allow') this.#keepUnknown({ session, operation, record: sequence });
    } else if (this.#session(record, complain) !== undefined && state !== undefined) {
      if (!state.decided.add(operation)) complain('bookkeeping', `operation ${operation} is decided a second time`);
      if (state.target !== record['target']) complain('bookkeeping', `operation ${operation} is on another target than its session`);
      if (state.principal !== record['principal'])
        complain('bookkeeping', `operation ${operation} is another principal’s than its session`);
      if (record['decision'] === 'allow') state.running.set(operation, { session, operation, record: sequence });
    }
    const approvals = record['approvals'];
    if (!isStrings(approvals)) return;
    if (record['decision'] !== 'allow') return complain('approval', `operation ${operation} is refused, yet names approvals`);
    for (const approval of approvals) {
      // A worker's log holds no records of approvals: there the gateway's own log is asked, once all of it is known.
      if (this.#ties.worker === undefined) this.approvals.usedFor(approval, record, complain);
      else this.#ties.uses.push({ record: sequence, approval, decided: record, issuerUrl: state?.issuerUrl });
    }
  }

  #completed(record: LogRecord, complain: Complain): void {
    const session = this.#session(record, complain);
    const operation = String(record['operation']);
    if (session === undefined || session.running.delete(operation)) return;
    const why = session.decided.has(operation) ? 'was refused or has ended already' : 'was not decided';
    complain('bookkeeping', `operation ${operation} completes, but ${why}`);
  }

  /** The record's session, which must be open. */
  #session(record: LogRecord, complain: Complain): Session | undefined {
    const id = String(record['session']);
    const session = this.#open.get(id);
    if (session === undefined) {
      const why = { closed: 'is closed', 'cut off': 'ended with an earlier run of the gateway', none: 'was not opened' };
      complain('bookkeeping', `${record.type} in session ${id}, which ${why[this.#ended.get(id) ?? 'none']}`);
    }
    return session;
  }

  #end(id: string, session: Session, how: 'closed' | 'cut off'): void {
    for (const outcome of session.running.values()) this.#keepUnknown(outcome);
    this.#open.delete(id);
    this.#ended.set(id, how);
    if (this.#ended.size > REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!);
  }

  #keepUnknown(outcome: UnknownOutcome): void {
    this.#unknownOutcomeCount += 1;
    if (this.#unknownOutcomes.length < LISTED) this.#unknownOutcomes.push(outcome);
  }
}

interface Session {
  readonly target: string;
  readonly principal: string;
  readonly issuerUrl: string;
  readonly decided: OperationSet;
  /** Allowed and not completed, by operation. */
  readonly running: Map<string, UnknownOutcome>;
}

/**
 * Operations of one session. Ids `<session>-<number>` take one bit each, so that a session of millions of operations stays small;
 * ids of any other form are kept as they are.
 */
class OperationSet {
  readonly #prefix: string;
  readonly #chunks = new Map<number, Uint8Array>();
  readonly #others = new Set<string>();
  #count = 0;
  #highest = 0;

  constructor(session: string) {
    this.#prefix = `${session}-`;
  }

  get count(): number {
    return this.#count;
  }

  /** The highest number; 0 without one. */
  get highest(): number {
    return this.#highest;
  }

  /** False where it was there already. */
  add(operation: string): boolean {
    if (this.has(operation)) return false;
    this.#count += 1;
    const number = this.#number(operation);
    if (number === undefined) {
      this.#others.add(operation);
      return true;
    }
    const place = Math.floor(number / CHUNK);
    const chunk = this.#chunks.get(place) ?? new Uint8Array(CHUNK / 8);
    chunk[(number % CHUNK) >> 3]! |= 1 << (number & 7);
    this.#chunks.set(place, chunk);
    this.#highest = Math.max(this.#highest, number);
    return true;
  }

  has(operation: string): boolean {
    const number = this.#number(operation);
    if (number === undefined) return this.#others.has(operation);
    const byte = this.#chunks.get(Math.floor(number / CHUNK))?.[(number % CHUNK) >> 3] ?? 0;
    return (byte & (1 << (number & 7))) !== 0;
  }

  #number(operation: string): number | undefined {
    if (!operation.startsWith(this.#prefix)) return undefined;
    const digits = operation.slice(this.#prefix.length);
    return /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : undefined;
  }
}

/** Operations to a piece of an `OperationSet`: 128 bytes. */
const CHUNK = 1024;
/** Sessions that have ended; what names an older one is reported as naming one that was not opened. */
const REMEMBERED = 100_000;
const LISTED = 10;
