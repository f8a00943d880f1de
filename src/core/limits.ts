/** What a target allows, besides policy. Absent: no limit. */
export interface Limits {
  /** Rows of one operation's answer. */
  readonly rows?: number;
  /** Bytes of one operation's answer: rows and copied data, as they go to the client. */
  readonly bytes?: number;
  /** How long the target may work on one statement, milliseconds. Waiting for an approval does not count. */
  readonly statementTimeoutMs?: number;
  /** Operations of one principal, over all its sessions, in any minute. */
  readonly operationsPerMinute?: number;
  /** Rows shown to one principal, over all its sessions, in any minute. */
  readonly rowsPerMinute?: number;
  /** Sessions that one principal may have open at a time. */
  readonly concurrentSessions?: number;
}

export const noLimits: Limits = {};

/** The limits of one session as its protocol sees them. */
export interface SessionLimits {
  /** Those in force now: they may change while the session is open. */
  readonly inForce: Limits;
  /** Rows that the principal may still be shown in this minute; `Infinity` without such a limit. */
  rowsLeft(): number;
  /** Rows that the principal was shown. */
  countRows(rows: number): void;
}

/** The limit that keeps an operation from running now, and when it will not any more. */
export interface Exhausted {
  readonly limit: 'operations_per_minute' | 'rows_per_minute';
  readonly value: number;
  readonly seconds: number;
}

/** What was used in another process of the same gateway. */
export interface UsageReport {
  /** Principal and target, as `UsageBook` names them. */
  readonly key: string;
  /** Since the report before. */
  readonly operations: number;
  readonly rows: number;
  /** Open now. */
  readonly sessions: number;
}

/**
 * What one principal used of one target, over all its sessions. Times are milliseconds of a clock that never goes back. Kept in memory:
 * a gateway that starts anew starts counting anew, and each gateway counts for itself. The processes of one gateway tell each other.
 */
export class Usage {
  sessions = 0;
  /** By process. */
  readonly #sessionsElsewhere = new Map<number, number>();
  #untoldOperations = 0;
  #untoldRows = 0;
  #toldSessions = 0;
  readonly #operations = new MinuteCount();
  readonly #rows = new MinuteCount();

  /** Counts one operation, or says which limit it would pass: then it does not count. */
  admit(limits: Limits, nowMs: number): Exhausted | undefined {
    const { operationsPerMinute, rowsPerMinute } = limits;
    if (rowsPerMinute !== undefined && this.#rows.total(nowMs) >= rowsPerMinute) {
      return { limit: 'rows_per_minute', value: rowsPerMinute, seconds: this.#rows.secondsUntilBelow(rowsPerMinute, nowMs) };
    }
    if (operationsPerMinute === undefined) return undefined;
    if (this.#operations.total(nowMs) >= operationsPerMinute) {
      const seconds = this.#operations.secondsUntilBelow(operationsPerMinute, nowMs);
      return { limit: 'operations_per_minute', value: operationsPerMinute, seconds };
    }
    this.#operations.add(1, nowMs);
    this.#untoldOperations += 1;
    return undefined;
  }

  /** Sessions that are open, here and elsewhere. */
  get allSessions(): number {
    let total = this.sessions;
    for (const count of this.#sessionsElsewhere.values()) total += count;
    return total;
  }

  /** What the other processes do not know yet; undefined where that is nothing. */
  takeUntold(key: string): UsageReport | undefined {
    const report = { key, operations: this.#untoldOperations, rows: this.#untoldRows, sessions: this.sessions };
    if (report.operations === 0 && report.rows === 0 && report.sessions === this.#toldSessions) return undefined;
    this.#untoldOperations = 0;
    this.#untoldRows = 0;
    this.#toldSessions = report.sessions;
    return report;
  }

  addElsewhere(process: number, { operations, rows, sessions }: Omit<UsageReport, 'key'>, nowMs: number): void {
    if (operations > 0) this.#operations.add(operations, nowMs);
    if (rows > 0) this.#rows.add(rows, nowMs);
    if (sessions === 0) this.#sessionsElsewhere.delete(process);
    else this.#sessionsElsewhere.set(process, sessions);
  }

  rowsLeft({ rowsPerMinute }: Limits, nowMs: number): number {
    return rowsPerMinute === undefined ? Number.POSITIVE_INFINITY : Math.max(0, rowsPerMinute - this.#rows.total(nowMs));
  }

  countRows(rows: number, nowMs: number): void {
    this.#rows.add(rows, nowMs);
    this.#untoldRows += rows;
  }

  /** Nothing of it counts any more. */
  isIdle(nowMs: number): boolean {
    if (this.#toldSessions !== this.sessions || this.#sessionsElsewhere.size > 0) return false;
    return this.sessions === 0 && this.#operations.total(nowMs) === 0 && this.#rows.total(nowMs) === 0;
  }
}

/** The usage of every principal at every target. Bounded by the sign-ins of the last minute and the sessions that are open. */
export class UsageBook {
  readonly #pages = new Map<string, Usage>();
  #sweepAt = sweepFrom;

  of(principal: string, target: string, nowMs: number): Usage {
    return this.#page(`${target} ${principal}`, nowMs);
  }

  /** What was used here since the last call, for the other processes of this gateway. */
  takeUntold(): readonly UsageReport[] {
    const untold: UsageReport[] = [];
    for (const [key, usage] of this.#pages) {
      const report = usage.takeUntold(key);
      if (report !== undefined) untold.push(report);
    }
    return untold;
  }

  /** What another process used. */
  addElsewhere(process: number, reports: readonly UsageReport[], nowMs: number): void {
    for (const report of reports) this.#page(report.key, nowMs).addElsewhere(process, report, nowMs);
  }

  /** Another process has ended, and its sessions with it; what they used in the last minute counts on. */
  endedElsewhere(process: number, nowMs: number): void {
    for (const usage of this.#pages.values()) usage.addElsewhere(process, { operations: 0, rows: 0, sessions: 0 }, nowMs);
  }

  #page(key: string, nowMs: number): Usage {
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    if (this.#pages.size >= this.#sweepAt) this.#sweep(nowMs);
    const usage = new Usage();
    this.#pages.set(key, usage);
    return usage;
  }

  #sweep(nowMs: number): void {
    for (const [key, usage] of this.#pages) if (usage.isIdle(nowMs)) this.#pages.delete(key);
    this.#sweepAt = Math.max(sweepFrom, 2 * this.#pages.size);
  }
}

/**
 * A count over the last minute, in one number a second: the second that runs and the sixty before it, so that no minute ever has more
 * than the limit, wherever it begins.
 */
class MinuteCount {
  /** Made when something is counted. */
  #seconds: Float64Array | undefined;
  #total = 0;
  #second = 0;

  add(count: number, nowMs: number): void {
    this.#seconds ??= new Float64Array(slots);
    this.#advance(nowMs, this.#seconds);
    this.#seconds[this.#second % slots]! += count;
    this.#total += count;
  }

  total(nowMs: number): number {
    if (this.#seconds !== undefined) this.#advance(nowMs, this.#seconds);
    return this.#total;
  }

  /** Whole seconds until the count has fallen below `limit`, by time alone; at least one. */
  secondsUntilBelow(limit: number, nowMs: number): number {
    let left = this.total(nowMs);
    for (let second = Math.max(0, this.#second - slots + 1); second <= this.#second; second += 1) {
      left -= this.#seconds?.[second % slots] ?? 0;
      if (left < limit) return Math.max(1, Math.ceil(((second + slots) * 1000 - nowMs) / 1000));
    }
    return slots;
  }

  #advance(nowMs: number, seconds: Float64Array): void {
    const second = Math.floor(nowMs / 1000);
    if (second <= this.#second) return;
    const passed = Math.min(second - this.#second, slots);
    for (let gone = second - passed + 1; gone <= second; gone += 1) {
      this.#total -= seconds[gone % slots]!;
      seconds[gone % slots] = 0;
    }
    this.#second = second;
  }
}

const slots = 61;
const sweepFrom = 1_024;
