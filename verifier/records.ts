import type { ApprovalBook } from './approvals.ts';
import { Bookkeeping } from './bookkeeping.ts';
import { bodiesOf, isKnownType, isSealed, memberProblems, parseRecord, type LogRecord } from './record.ts';
import type { Findings, VerifyReport } from './report.ts';
import { BodyChecker, RecordingChecker } from './sealed.ts';
import { Ties } from './ties.ts';

/** Checks every record by itself and with those before it: form, members, bodies, recordings, bookkeeping, time. */
export class RecordChecker {
  readonly #findings: Findings;
  readonly ties = new Ties();
  readonly #bookkeeping = new Bookkeeping(this.ties);
  readonly #bodies: BodyChecker;
  readonly #recordings: RecordingChecker;
  readonly #unknownTypes = new Map<string, number>();
  #lostFrom: number | undefined;
  #first = '';
  #last = '';
  #lastMs = 0;
  #stepsBack = 0;
  #largestStepBackMs = 0;

  /** `folder` is the log's; without `recordings`, recordings are not looked at. */
  constructor(folder: string, recordings: string | undefined, findings: Findings) {
    this.#findings = findings;
    this.#bodies = new BodyChecker(folder, findings);
    this.#recordings = new RecordingChecker(recordings, findings);
  }

  get approvals(): ApprovalBook {
    return this.#bookkeeping.approvals;
  }

  /** Records from here on are not all known: what they say about each other can no longer be judged. */
  lost(sequence: number): void {
    this.#lostFrom ??= sequence;
  }

  /** Resolves to nothing at once for a record without bodies and recordings: then it costs no turn of the event loop. */
  take(sequence: number, leaf: Buffer): Promise<void> | undefined {
    let record: LogRecord;
    try {
      record = parseRecord(leaf);
    } catch (error) {
      this.#findings.problem('malformed', `record ${sequence}`, (error as Error).message);
      return undefined;
    }
    this.#takeTime(record.time);
    for (const detail of memberProblems(record)) this.#findings.problem('malformed', `record ${sequence} (${record.type})`, detail);
    if (!isKnownType(record.type)) this.#unknownTypes.set(record.type, (this.#unknownTypes.get(record.type) ?? 0) + 1);
    if (record.type === 'key.rotated') {
      this.#findings.note(`record ${sequence} tells of a new signing key; every checkpoint here is still checked with the one key given`);
    }
    if (record['bodies'] === undefined && record['recording'] === undefined) {
      this.#takeMeaning(sequence, record);
      return undefined;
    }
    return this.#takeWithFiles(sequence, record);
  }

  summary(): Pick<VerifyReport, 'durability' | 'decidedWithoutCompletion' | 'sessionsOpen' | 'bodies' | 'recordings' | 'times'> {
    const { notes, ...meaning } = this.#bookkeeping.summary();
    for (const note of notes) this.#findings.note(note);
    if (meaning.durability.includes('process')) {
      const text = 'durability “process” was in force: a crash of the machine may have lost records that no checkpoint signed';
      this.#findings.note(text);
    }
    for (const [type, count] of this.#unknownTypes)
      this.#findings.note(`${count} records of the type ${JSON.stringify(type)}, which this verifier does not know`);
    if (this.#lostFrom !== undefined)
      this.#findings.note(`from record ${this.#lostFrom} on it was not judged what records say about each other`);
    if (this.#stepsBack > 0) {
      const text = `the clock went back ${this.#stepsBack} times between records, at most by ${this.#largestStepBackMs} ms`;
      this.#findings.note(text);
    }
    return {
      ...meaning,
      bodies: this.#bodies.counts,
      recordings: this.#recordings.counts,
      times: { first: this.#first, last: this.#last, stepsBack: this.#stepsBack, largestStepBackMs: this.#largestStepBackMs },
    };
  }

  async #takeWithFiles(sequence: number, record: LogRecord): Promise<void> {
    let resolved: Record<string, unknown> = record;
    try {
      for (const reference of bodiesOf(record)) {
        const value = await this.#bodies.check(reference, sequence);
        if (value !== undefined) resolved = { ...resolved, [reference.member]: value };
      }
    } catch (error) {
      if ('code' in (error as object)) throw error;
      this.#findings.problem('malformed', `record ${sequence}`, (error as Error).message);
    }
    const recording = record['recording'];
    if (isSealed(recording)) await this.#recordings.check(recording, sequence);
    this.#takeMeaning(sequence, resolved as LogRecord);
  }

  #takeMeaning(sequence: number, record: LogRecord): void {
    this.#bookkeeping.take(sequence, record, (kind, detail) => {
      if (this.#lostFrom === undefined) this.#findings.problem(kind, `record ${sequence}`, detail);
    });
  }

  #takeTime(time: string): void {
    if (time === this.#last) return;
    const ms = Date.parse(time);
    if (this.#first === '') this.#first = time;
    else if (ms < this.#lastMs - TOLERANCE_MS) {
      this.#stepsBack += 1;
      this.#largestStepBackMs = Math.max(this.#largestStepBackMs, this.#lastMs - ms);
    }
    this.#last = time;
    this.#lastMs = ms;
  }
}

/** Clocks are disciplined in small steps all the time; those are not worth a note. */
const TOLERANCE_MS = 1000;
