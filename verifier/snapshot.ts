import type { LogFolder } from './files.ts';
import { HistoryReader } from './history.ts';
import { findSegments, type Segment } from './journal.ts';
import { openCheckpoint, type Checkpoint, type VerifierKey } from './note.ts';
import { Findings } from './report.ts';

/** A checkpoint that the log must bear out. */
export interface Claim {
  readonly size: number;
  /** 32 bytes, as text of one character a byte: some 100 bytes of memory a claim, where a log has one for 1,000 records. */
  readonly root: string;
  readonly where: string;
  /** The one that the auditor kept. */
  readonly known: boolean;
}

/** A checkpoint from elsewhere, and what people call it. */
export interface KnownCheckpoint extends Checkpoint {
  readonly as: string;
}

/** What is signed, and which journal segments there are: read so that both belong together even while a gateway is writing. */
export interface Snapshot {
  /** By size, each size and root once. */
  readonly claims: readonly Claim[];
  /** Complete entries of the history. */
  readonly entries: number;
  /** Size of the newest checkpoint whose signature holds. */
  readonly size: number;
  readonly segments: readonly Segment[];
}

export async function takeSnapshot(
  folder: LogFolder,
  key: VerifierKey,
  origin: string,
  known: KnownCheckpoint | undefined,
  findings: Findings,
): Promise<Snapshot> {
  for (let attempt = 1; ; attempt += 1) {
    const found = new Findings();
    const signed = await readSigned(folder, key, origin, known, found);
    const segments = await findSegments(folder, found);
    const first = segments[0]?.first ?? 0;
    const tileStart = Math.floor(signed.current / 256) * 256;
    if (first > tileStart) {
      for (const { file } of attempt < ATTEMPTS ? segments : []) await file?.close();
      // A running gateway deletes segments once a newer checkpoint covers them; then that one is there by now.
      if (attempt < ATTEMPTS) continue;
      const detail = `the journal begins at record ${first}; it must hold the records from ${tileStart} on`;
      found.problem('missing', 'journal', detail);
    }
    findings.add(found);
    return { claims: signed.claims, entries: signed.entries, size: signed.size, segments };
  }
}

/** Reads `checkpoint` and its history until neither has moved under us. */
async function readSigned(
  folder: LogFolder,
  key: VerifierKey,
  origin: string,
  known: KnownCheckpoint | undefined,
  findings: Findings,
): Promise<{ claims: Claim[]; entries: number; size: number; current: number }> {
  const book = new ClaimBook(findings, known);
  const file = await folder.open('checkpoints');
  const reader = file === undefined ? undefined : new HistoryReader(file);
  if (reader === undefined) findings.problem('missing', 'checkpoints', 'the history of checkpoints is gone');
  let current = await folder.read('checkpoint', MAX_CHECKPOINT_BYTES);
  /** The entry of the history that `checkpoint` is; undefined while it was not seen. */
  let currentEntry: number | undefined;
  /** The newest notes of the history: a checkpoint is replaced a moment after its entry was written. */
  const newest: { number: number; note: Buffer }[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let entry = await reader?.next(); entry !== undefined; entry = await reader?.next()) {
        book.addEntry(entry.number, openCheckpoint(entry.note, key, origin));
        if (current?.equals(entry.note) === true) currentEntry = entry.number;
        newest.push({ number: entry.number, note: Buffer.from(entry.note) });
        if (newest.length > REMEMBERED) newest.shift();
      }
      const now = await folder.read('checkpoint', MAX_CHECKPOINT_BYTES);
      if (now === undefined || current?.equals(now) === true) break;
      current = now;
      currentEntry = newest.findLast(({ note }) => note.equals(now))?.number;
    }
  } finally {
    await file?.close();
  }
  if (reader?.broken !== undefined) findings.problem('altered', 'checkpoints', reader.broken);
  const currentSize = book.addCurrent(current === undefined ? undefined : openCheckpoint(current, key, origin)) ?? book.newestSize;
  if (reader !== undefined && current !== undefined) checkPlace(currentEntry, reader, findings);
  return { claims: book.claims(), entries: reader?.entries ?? 0, size: book.newestSize, current: currentSize };
}

/** `checkpoint` is, byte for byte, the last entry of the history or the one before it. */
function checkPlace(entry: number | undefined, reader: HistoryReader, findings: Findings): void {
  if (entry === undefined) {
    findings.problem('truncated', 'checkpoints', 'the history has no entry that is the file “checkpoint”');
  } else if (reader.entries - 1 - entry > 1) {
    const detail = `is entry ${entry} of the history, which has ${reader.entries - 1 - entry} newer ones; one is possible`;
    findings.problem('altered', 'checkpoint', detail);
  }
  if (reader.incompleteBytes > 0 && reader.broken === undefined) {
    findings.note(`checkpoints ends in ${reader.incompleteBytes} bytes of an entry that was not written to its end (a crash)`);
  }
}

/** Gathers what was signed, and what signed checkpoints alone can show to be wrong. */
class ClaimBook {
  readonly #findings: Findings;
  readonly #known: KnownCheckpoint | undefined;
  readonly #claims: Claim[] = [];
  #last: Claim | undefined;
  #knownSeen = false;
  newestSize = 0;

  constructor(findings: Findings, known: KnownCheckpoint | undefined) {
    this.#findings = findings;
    this.#known = known;
  }

  addEntry(number: number, note: ReturnType<typeof openCheckpoint>): void {
    const where = `checkpoints, entry ${number}`;
    if (!note.ok) return this.#findings.problem(note.kind, where, note.detail);
    const { checkpoint } = note;
    if (checkpoint.text === this.#known?.text) this.#knownSeen = true;
    if (number === 0 && checkpoint.size !== 0) {
      this.#findings.problem('truncated', where, `the first checkpoint of a log has size 0, this one ${checkpoint.size}`);
    }
    if (this.#last !== undefined && checkpoint.size < this.#last.size) {
      const detail = `goes back from size ${this.#last.size} to ${checkpoint.size}`;
      this.#findings.problem('split-view', where, detail);
    }
    this.#last = this.#add(checkpoint, where, false);
  }

  /** Returns the size of `checkpoint`; undefined where there is none that holds. */
  addCurrent(note: ReturnType<typeof openCheckpoint> | undefined): number | undefined {
    if (note === undefined) this.#findings.problem('missing', 'checkpoint', 'there is no checkpoint');
    else if (!note.ok) this.#findings.problem(note.kind, 'checkpoint', note.detail);
    if (note?.ok !== true) return undefined;
    this.#add(note.checkpoint, 'checkpoint', false);
    return note.checkpoint.size;
  }

  claims(): Claim[] {
    const known = this.#known;
    if (known !== undefined && known.size > this.newestSize) {
      const detail = `the ${known.as} has ${known.size} records, the newest of the log ${this.newestSize}`;
      this.#findings.problem('truncated', known.as, detail);
    } else if (known !== undefined) {
      this.#add(known, known.as, true);
      if (!this.#knownSeen) this.#findings.problem('altered', 'checkpoints', `the history does not hold the ${known.as}`);
    }
    return this.#claims.sort((a, b) => a.size - b.size || Number(a.known) - Number(b.known));
  }

  #add({ size, root }: Checkpoint, where: string, known: boolean): Claim {
    const claim: Claim = { size, root: root.toString('latin1'), where, known };
    this.newestSize = Math.max(this.newestSize, size);
    const last = this.#claims.at(-1);
    if (!known && last?.size === size) {
      if (last.root === claim.root) return last;
      this.#findings.problem('split-view', where, `another root than ${last.where} for the same size ${size}`);
    }
    this.#claims.push(claim);
    return claim;
  }
}

/** Each round reads what came since the last one, so a second round is rare and a third hardly happens. */
const ROUNDS = 100;
const ATTEMPTS = 10;
const REMEMBERED = 16;
const MAX_CHECKPOINT_BYTES = 1024 * 1024;
