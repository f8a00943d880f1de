import { createHash } from 'node:crypto';
import { GatewayFault } from '../../core/fault.ts';
import type { AuditPort, ClockPort } from '../../core/ports.ts';
import type { AuditRecord } from '../../core/record.ts';
import { KeyedDigest } from '../digest.ts';
import { RecordEncoder } from '../encoder.ts';
import { Batch } from '../frames.ts';
import { encodeRecord, isTooLong, shortenRecord, type Stamp } from '../record.ts';
import { Stamps } from '../stamps.ts';
import type { EntryBundles } from '../tiles.ts';
import type { MerkleTree } from '../tree.ts';
import type { Bodies } from './bodies.ts';
import { CheckpointCadence } from './cadence.ts';
import type { Journal } from './journal.ts';
import type { WriterLock } from './lock.ts';
import type { Publisher } from './publish.ts';

export interface LogLimits {
  /** Records, and about how many bytes, may wait for the disk before appends are refused. */
  readonly backlogRecords: number;
  readonly backlogBytes: number;
  /** Records that may be durable without being under a signed checkpoint before appends are refused. */
  readonly unsignedRecords: number;
  /** A checkpoint is signed after so many records (it may leave out the last ones, up to a full bundle), and of all records after so many milliseconds, whichever comes first; */
  readonly checkpointRecords: number;
  readonly checkpointMs: number;
  /** but the count alone does not make one sooner than this after the last. */
  readonly checkpointSpacingMs: number;
  /** So many full bundles do not wait in memory for the next checkpoint, but are stored ahead of it. */
  readonly waitingBundles: number;
  /** A flush that takes longer counts as a failing disk until it ends. */
  readonly stallMs: number;
  /** How often a failed log tries to resume. */
  readonly retryMs: number;
  /** A journal segment is closed when it has grown to this. */
  readonly segmentBytes: number;
  /** With `disk`: so many zeros at most are kept ahead of the journal's records. */
  readonly roomBytes: number;
}

export interface LogHealth {
  readonly healthy: boolean;
  /** For operators; empty while healthy. */
  readonly reason: string;
}

export interface LogParts {
  readonly gateway: string;
  readonly policyVersion: () => string;
  readonly durability: 'disk' | 'process';
  readonly clock: ClockPort;
  readonly limits: LogLimits;
  readonly onHealth: (health: LogHealth) => void;
  readonly digestKey: Buffer;
  readonly tree: MerkleTree;
  readonly bundles: EntryBundles;
  readonly journal: Journal;
  readonly bodies: Bodies;
  readonly publisher: Publisher;
  readonly lock: WriterLock;
}

/**
 * The writer. Records gather in a batch until the end of the event-loop turn or of the flush before; one write and one flush then serve
 * everyone who waits for that batch.
 *
 * When a write or flush fails, nothing is acknowledged, whoever waits is told, and appends are refused. The records stay in memory in their order and
 * under their numbers, and are written when the disk is back: they were asked and decided, so the log says so. `durableCount` therefore never covers
 * a record that is not on disk, and a grant of a failed record becomes releasable only with its record.
 */
export class LogWriter implements AuditPort {
  durableCount: number;
  readonly #parts: LogParts;
  readonly #digest: KeyedDigest;
  readonly #encoder = new RecordEncoder();
  readonly #stamps: Stamps;
  #next: number;
  #filling: Batch;
  #spare: Buffer | undefined;
  /** Batches on their way, oldest first: one, or all that a failure left. */
  readonly #queue: Batch[] = [];
  #waitingBytes = 0;
  /** Why records are refused now; undefined while the log is open. */
  #refusing: string | undefined;
  #failed = false;
  /** Another process writes this log now. There is no way back. */
  #lost = false;
  #closed = false;
  #reported = '';
  #scheduled = false;
  /** Somebody waits for a record of the batch that fills. */
  #awaited = false;
  #lazy: NodeJS.Timeout | undefined;
  #busy = false;
  #busySince = 0;
  /**
   * One session at most was in the batch before, so that nobody is likely to share the next one's flush: with `disk` it begins at once, before the statement is
   * even sent, instead of at the end of the turn.
   */
  #isAlone = false;
  readonly #cadence: CheckpointCadence;
  #retry: NodeJS.Timeout | undefined;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #listeners = new Set<() => void>();

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#digest = new KeyedDigest(parts.digestKey);
    this.#stamps = new Stamps(parts);
    this.#next = parts.tree.size;
    this.durableCount = this.#next;
    this.#filling = new Batch(this.#next, undefined);
    const { stallMs, checkpointMs, retryMs } = parts.limits;
    this.#cadence = new CheckpointCadence({
      journal: parts.journal,
      lock: parts.lock,
      publisher: parts.publisher,
      retryMs,
      flushed: (take) => this.#flushed(take),
      onLost: () => this.#stopForGood(),
      onChange: () => this.#report(),
    });
    this.#timers = [
      setInterval(() => this.#watch(), Math.ceil(stallMs / 3)).unref(),
      setInterval(() => this.#signIfGrown(), checkpointMs).unref(),
    ];
  }

  append(record: AuditRecord): number {
    if (this.#refusing !== undefined) throw unavailable(this.#refusing);
    const { durability, limits, publisher, tree } = this.#parts;
    if (this.#next - this.durableCount >= limits.backlogRecords || this.#waitingBytes >= limits.backlogBytes) {
      throw unavailable('too many records wait for the disk');
    }
    if (tree.size - publisher.published.size >= limits.unsignedRecords) throw unavailable('too many records wait for a signed checkpoint');
    const batch = this.#filling;
    const before = batch.size;
    const stamp = this.#stamps.now();
    const later = this.#encoder.later(record, stamp);
    if (later !== undefined) batch.add(later);
    else this.#addNow(batch, record, stamp);
    this.#waitingBytes += batch.size - before;
    // What follows an effect is then laid out while nobody waits, and what may be done before the flush needs no moment more.
    if (durability === 'disk') batch.layOut();
    const sequence = this.#next++;
    if (NOBODY_WAITS_FOR.has(record.type)) this.#scheduleLazily();
    else if (this.#isAlone && !this.#scheduled && !this.#busy) this.#run();
    else this.#scheduleNow();
    return sequence;
  }

  #addNow(batch: Batch, record: AuditRecord, stamp: Stamp): void {
    const leaf = encodeRecord(record, stamp);
    if (!isTooLong(leaf)) return batch.add(leaf);
    const shortened = shortenRecord(record, stamp);
    batch.add(shortened.leaf);
    for (const body of shortened.bodies) batch.addBody(body);
  }

  durable(sequence: number): Promise<void> {
    if (sequence < this.durableCount) return DONE;
    if (sequence >= this.#next) return Promise.reject(new RangeError(`record ${sequence} was never appended`));
    if (this.#refusing !== undefined && !this.#closed) return Promise.reject(unavailable(this.#refusing));
    if (sequence >= this.#filling.first) {
      this.#scheduleNow();
      return this.#filling.durable;
    }
    return this.#queue.findLast((batch) => batch.first <= sequence)!.durable;
  }

  digest(bytes: Uint8Array): string {
    return this.#digest.of(bytes);
  }

  /** Stores content beside the log, durable when it resolves. */
  async body(content: Uint8Array): Promise<{ readonly sha256: string; readonly bytes: number }> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    try {
      await this.#parts.bodies.store(sha256, content);
    } catch (error) {
      throw unavailable(`a body could not be stored: ${messageOf(error)}`, error);
    }
    return { sha256, bytes: content.byteLength };
  }

  get health(): LogHealth {
    const reason = this.#refusing ?? this.#cadence.failure ?? '';
    return { healthy: reason === '', reason };
  }

  /** Signs a checkpoint over every record appended before the call. */
  async checkpoint(): Promise<string> {
    if (this.#next > this.durableCount) await this.durable(this.#next - 1);
    return this.#cadence.sign();
  }

  /** Resolves once every record that was appended before the call is durable, or cannot be made so for now. Never rejects. */
  async settled(): Promise<void> {
    if (this.#next > this.durableCount) await this.durable(this.#next - 1).catch(() => {});
  }

  /** Calls back whenever `durableCount` grew, and at the end. Returns how to stop that. */
  onDurable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Writes what is waiting, signs a last checkpoint, gives up the lock. Throws when not every record could be made durable. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#refusing ??= 'the log is closed';
    this.#cadence.stop();
    for (const timer of this.#timers) clearInterval(timer);
    let failure: unknown;
    try {
      clearTimeout(this.#retry);
      if (this.#lost) throw unavailable(LOST);
      if (this.#failed) await this.#resume();
      if (this.#next > this.durableCount) await this.durable(this.#next - 1);
      await this.#cadence.sign();
    } catch (error) {
      failure = error;
    }
    clearTimeout(this.#retry);
    clearTimeout(this.#lazy);
    if (!this.#lost) await this.#parts.journal.trim().catch(() => {});
    await this.#parts.journal.close().catch(() => {});
    await this.#parts.lock.release();
    for (const listener of this.#listeners) listener();
    if (failure !== undefined) throw failure;
  }

  /** At the end of this turn, so that all that the turn brings shares the flush; or when the flush on its way has ended. */
  #schedule(): void {
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  #scheduleNow(): void {
    this.#awaited = true;
    this.#schedule();
  }

  /**
   * What follows an effect goes with the next record that somebody waits for, or after a moment: a flush of its own would only be in the way of
   * the session's next statement.
   */
  #scheduleLazily(): void {
    if (this.#scheduled || this.#busy) return;
    this.#lazy ??= setTimeout(() => {
      this.#lazy = undefined;
      if (this.#filling.count > 0) this.#schedule();
    }, LAZY_MS);
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    if (this.#busy || this.#failed) return;
    try {
      if (this.#writeNow()) return;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#busy = true;
    this.#busySince = performance.now();
    this.#work().then(
      () => {
        this.#busy = false;
        this.#failIfFlushFailed();
        if (this.#failed) return;
        if (this.#refusing !== undefined && !this.#closed) this.#refuse(undefined);
        if (this.#awaited) this.#schedule();
        else if (this.#filling.count > 0) this.#scheduleLazily();
      },
      (error: unknown) => {
        this.#busy = false;
        this.#fail(error);
      },
    );
  };

  /** True where the batch needed nothing but a write that the system took at once: most batches with `process`. The promises around it would cost as much again. */
  #writeNow(): boolean {
    const { durability, journal } = this.#parts;
    const batch = this.#filling;
    if (durability !== 'process' || batch.count === 0 || batch.bodies.length > 0 || this.#refusing !== undefined) return false;
    if (this.#queue.length > 0 || !journal.writeNow(batch)) return false;
    this.#enqueue();
    this.#queue.shift();
    this.#settle(batch);
    return true;
  }

  async #work(): Promise<void> {
    if (this.#filling.count > 0) this.#enqueue();
    await this.#drain();
  }

  #enqueue(): void {
    this.#queue.push(this.#filling);
    this.#awaited = false;
    this.#filling = new Batch(this.#next, this.#spare);
    this.#spare = undefined;
  }

  async #drain(): Promise<void> {
    const { bodies, durability, journal } = this.#parts;
    for (let batch = this.#queue[0]; batch !== undefined; batch = this.#queue[0]) {
      this.#busySince = performance.now();
      for (const body of batch.bodies) await bodies.store(body.sha256, body.content);
      await journal.write(batch, durability === 'disk');
      this.#queue.shift();
      this.#settle(batch);
    }
  }

  #settle(batch: Batch): void {
    const { bundles, durability, limits, publisher, tree } = this.#parts;
    tree.append(batch.hashes);
    batch.leaves((leaf) => bundles.append(leaf));
    this.#waitingBytes -= batch.size;
    this.durableCount += batch.count;
    this.#isAlone = durability === 'disk' && batch.count <= RECORDS_OF_ONE;
    batch.resolve();
    if (batch.bytes.byteLength <= MAX_SPARE_BYTES) this.#spare = batch.bytes;
    for (const listener of this.#listeners) listener();
    const due = tree.size - publisher.published.size >= limits.checkpointRecords;
    if (due && this.#cadence.age >= limits.checkpointSpacingMs) this.#cadence.signSoon(true);
    else if (bundles.full.length >= limits.waitingBundles) this.#cadence.storeSoon();
  }

  #fail(error: unknown): void {
    this.#failed = true;
    if (this.#filling.count > 0) this.#enqueue();
    this.#refuse(`the journal cannot be written: ${messageOf(error)}`, error);
    if (!this.#closed && !this.#lost) this.#retry = setTimeout(() => void this.#resume().catch(() => {}), this.#parts.limits.retryMs);
  }

  /** Back to what is acknowledged, then the records that are still owed. */
  async #resume(): Promise<void> {
    this.#busy = true;
    try {
      await this.#parts.journal.reopen();
      await this.#drain();
    } catch (error) {
      this.#fail(error);
      throw unavailable(this.#refusing!, error);
    } finally {
      this.#busy = false;
    }
    this.#failed = false;
    if (this.#closed) return;
    this.#refuse(undefined);
    this.#signIfGrown();
  }

  /** A disk that does not answer is a failed disk to whoever waits, and a working one again when it has answered. */
  #watch(): void {
    if (!this.#busy || this.#refusing !== undefined) return;
    const elapsed = performance.now() - this.#busySince;
    if (elapsed > this.#parts.limits.stallMs) this.#refuse(`the disk has not answered for ${Math.round(elapsed)} ms`);
  }

  #refuse(reason: string | undefined, cause?: unknown): void {
    this.#refusing = reason ?? (this.#closed ? 'the log is closed' : undefined);
    if (reason !== undefined) {
      const fault = unavailable(reason, cause);
      for (const batch of this.#queue) batch.reject(fault);
      this.#filling.reject(fault);
    }
    this.#report();
  }

  #report(): void {
    const health = this.health;
    if (health.reason === this.#reported || this.#closed) return;
    this.#reported = health.reason;
    this.#parts.onHealth(health);
  }

  #signIfGrown(): void {
    const { publisher, tree } = this.#parts;
    if (!this.#failed && tree.size !== publisher.published.size) this.#cadence.signSoon();
  }

  /** Records go on to be written meanwhile. */
  async #flushed<Taken>(take: () => Taken): Promise<Taken> {
    if (this.#failed) throw unavailable(this.#refusing!);
    const taken = take();
    try {
      await this.#parts.journal.flush();
    } catch (error) {
      this.#failIfFlushFailed();
      throw error;
    }
    return taken;
  }

  /** A flush beside the batches has failed; where a batch is on its way, that is looked at when it has arrived. */
  #failIfFlushFailed(): void {
    const { failure } = this.#parts.journal;
    if (failure !== undefined && !this.#busy && !this.#failed) this.#fail(failure);
  }

  /** Another process writes this log: not one more byte from here. */
  #stopForGood(): void {
    this.#failed = true;
    this.#lost = true;
    clearTimeout(this.#retry);
    this.#refuse(LOST);
  }
}

function unavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('audit-unavailable', {
    publicMessage: 'the audit log cannot be written, so nothing is let through',
    detail,
    hint: 'Try again in a few seconds.',
    cause,
  });
}

function messageOf(error: unknown): string {
  return error instanceof GatewayFault ? error.detail : error instanceof Error ? error.message : String(error);
}

const DONE = Promise.resolve();
/** Records that come after what they tell of. */
const NOBODY_WAITS_FOR: ReadonlySet<AuditRecord['type']> = new Set(['operation.completed', 'session.note']);
const LAZY_MS = 5;
/** What completes one statement, and what decides the next. */
const RECORDS_OF_ONE = 2;
const LOST = 'another process has taken the audit log';
const MAX_SPARE_BYTES = 1024 * 1024;
