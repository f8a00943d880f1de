import type { FileHandle } from 'node:fs/promises';
import { crc32c } from './crc32c.ts';
import type { LogFolder } from './files.ts';
import type { Findings } from './report.ts';

export interface JournalRecord {
  readonly sequence: number;
  /** Holds the leaf from `start` to `end`; the byte before `start` may be overwritten. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * The journal as it was when it was opened (what a running gateway appends later is not read): its records in order, each with its
 * checksum checked. Reading goes on behind what is damaged or missing, which is reported.
 */
export class Journal {
  readonly #folder: LogFolder;
  readonly #segments: readonly Segment[];
  readonly #findings: Findings;
  /** Size of the newest signed checkpoint: damage below it is never the trace of a crash. */
  readonly #signed: number;
  #current = -1;
  #file: FileHandle | undefined;
  #readUpTo = 0;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #next: number;
  /** Where one segment reaches into the next, what was read already is not given a second time. */
  #given = 0;
  #tornBytes = 0;
  #damaged = false;

  constructor(folder: LogFolder, segments: readonly Segment[], signed: number, findings: Findings) {
    this.#folder = folder;
    this.#segments = segments;
    this.#signed = signed;
    this.#findings = findings;
    this.#next = segments[0]?.first ?? 0;
  }

  /** The sequence of the next record. */
  get next(): number {
    return this.#next;
  }

  /** Bytes at the very end that are no whole frame: a write that a crash interrupted. */
  get tornBytes(): number {
    return this.#tornBytes;
  }

  /** For messages: the segment that is being read. */
  get place(): string {
    return `journal/${this.#segments[this.#current]?.name ?? ''}`;
  }

  /** The next records with a sequence below `limit`, in order, without gaps; empty where there are none. */
  async read(limit: number): Promise<JournalRecord[]> {
    const records: JournalRecord[] = [];
    while (this.#next < limit) {
      if (this.#file === undefined) {
        if (records.length > 0 || !(await this.#openNext())) return records;
        continue;
      }
      const frame = this.#takeFrame();
      if (typeof frame === 'object') {
        if (frame.sequence < this.#given) continue;
        records.push(frame);
        this.#given = this.#next;
      } else if (frame !== 'incomplete' || !(await this.#readMore())) await this.#endSegment(frame);
    }
    return records;
  }

  /** To be called when `read` has no more: whether the journal reaches as far as the checkpoint. */
  checkEnd(): void {
    if (this.#segments.length === 0) this.#findings.problem('missing', 'journal', 'there is no journal segment');
    else if (this.#next < this.#signed && !this.#damaged) {
      const detail = `the journal ends at record ${this.#next}, but a checkpoint signs ${this.#signed} records`;
      this.#findings.problem('truncated', this.place, detail);
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    for (const { file } of this.#segments.slice(this.#current + 1)) await file?.close();
  }

  #takeFrame(): JournalRecord | 'incomplete' | Damage {
    while (this.#buffer.length - this.#at >= HEADER_BYTES) {
      const lengthBytes = this.#buffer.readUInt32BE(this.#at);
      const sum = this.#buffer.readUInt32BE(this.#at + 4);
      if (lengthBytes === 0 && sum === BARRIER_SUM) {
        this.#at += HEADER_BYTES;
        continue;
      }
      if (lengthBytes < MIN_LEAF_BYTES || lengthBytes > MAX_LEAF_BYTES) return 'an impossible length';
      const start = this.#at + HEADER_BYTES;
      const end = start + lengthBytes;
      if (end > this.#buffer.length) return 'incomplete';
      if (crc32c(this.#buffer, start, end) !== sum) return 'a wrong checksum';
      this.#at = end;
      this.#next += 1;
      return { sequence: this.#next - 1, bytes: this.#buffer, start, end };
    }
    return 'incomplete';
  }

  /** False at the end of the segment. */
  async #readMore(): Promise<boolean> {
    const { sizeBytes } = this.#segments[this.#current]!;
    const wanted = Math.min(CHUNK_BYTES, sizeBytes - this.#readUpTo);
    if (wanted <= 0) return false;
    const rest = this.#buffer.length - this.#at;
    const buffer = Buffer.allocUnsafe(rest + wanted);
    this.#buffer.copy(buffer, 0, this.#at);
    const { bytesRead } = await this.#file!.read(buffer, rest, wanted, this.#readUpTo);
    this.#readUpTo += bytesRead;
    this.#buffer = buffer.subarray(0, rest + bytesRead);
    this.#at = 0;
    return bytesRead > 0;
  }

  async #openNext(): Promise<boolean> {
    const segment = this.#segments[this.#current + 1];
    if (segment === undefined) return false;
    if (this.#current >= 0 && segment.first !== this.#next) this.#reportGap(segment);
    this.#current += 1;
    this.#next = segment.first;
    this.#readUpTo = 0;
    this.#buffer = Buffer.alloc(0);
    this.#at = 0;
    this.#file = segment.file ?? (await this.#folder.open(`journal/${segment.name}`));
    // Deleted since it was listed, by a gateway that has signed and bundled all of it: nothing of it is missing.
    if (this.#file === undefined) this.#next = this.#segments[this.#current + 1]?.first ?? this.#next;
    return true;
  }

  #reportGap(segment: Segment): void {
    if (segment.first > this.#next) {
      if (this.#damaged) return;
      const detail = `records ${this.#next} to ${segment.first - 1} are in no segment`;
      this.#findings.problem('missing', `journal/${segment.name}`, detail);
    } else {
      const detail = `begins at record ${segment.first}, but the segment before it reaches to record ${this.#next - 1}`;
      this.#findings.problem('inserted', `journal/${segment.name}`, detail);
    }
  }

  async #endSegment(reason: 'incomplete' | Damage): Promise<void> {
    const offset = this.#readUpTo - (this.#buffer.length - this.#at);
    const { sizeBytes } = this.#segments[this.#current]!;
    if (offset < sizeBytes) {
      const last = this.#current === this.#segments.length - 1;
      if (last && this.#next >= this.#signed && !(await this.#hasBarrier(offset))) {
        this.#tornBytes = sizeBytes - offset;
      } else {
        const kind = reason === 'incomplete' ? 'truncated' : 'altered';
        const what = reason === 'incomplete' ? 'fewer bytes than its length says' : reason;
        this.#findings.problem(kind, `record ${this.#next} (${this.place} at byte ${offset})`, `the frame has ${what}`);
        this.#damaged = true;
      }
    }
    await this.#file!.close();
    this.#file = undefined;
  }

  /** Whether the eight bytes of a barrier stand anywhere behind `offset`, which is within the current segment. */
  async #hasBarrier(offset: number): Promise<boolean> {
    const { sizeBytes } = this.#segments[this.#current]!;
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = offset; at < sizeBytes; at += CHUNK_BYTES - BARRIER.length + 1) {
      const { bytesRead } = await this.#file!.read(chunk, 0, Math.min(CHUNK_BYTES, sizeBytes - at), at);
      if (chunk.subarray(0, bytesRead).includes(BARRIER)) return true;
    }
    return false;
  }
}

/** A segment as it was found. */
export interface Segment {
  readonly name: string;
  /** Sequence of its first record. */
  readonly first: number;
  /** Without the zeros at its end, which a gateway writes ahead of its records. */
  readonly sizeBytes: number;
  /** Opened at once for the newest segments: a running gateway that deletes them meanwhile takes nothing away. */
  readonly file: FileHandle | undefined;
}

/**
 * Lists the journal. The caller passes the segments on to a `Journal`, or closes their files. Where one is gone that was listed, a running gateway
 * has deleted it, and those before it as well: it goes from the oldest on.
 */
export async function findSegments(folder: LogFolder, findings: Findings): Promise<Segment[]> {
  const names = await folder.list('journal');
  let segments: Segment[] = [];
  for (const [place, name] of names.entries()) {
    if (!SEGMENT_NAME.test(name)) {
      findings.note(`journal/${name} is no journal segment`);
      continue;
    }
    const file = await folder.open(`journal/${name}`);
    if (file === undefined) {
      for (const earlier of segments) await earlier.file?.close();
      segments = [];
      continue;
    }
    const sizeBytes = await endOfContent(file);
    const keep = place >= names.length - KEPT_OPEN;
    if (!keep) await file.close();
    segments.push({ name, first: Number(name.slice(0, 16)), sizeBytes, file: keep ? file : undefined });
  }
  return segments;
}

/** Where the last byte that is not zero ends: no record ends in one. */
async function endOfContent(file: FileHandle): Promise<number> {
  const chunk = Buffer.alloc(ROOM_CHUNK_BYTES);
  let { size } = await file.stat();
  while (size > 0) {
    const from = Math.max(0, size - chunk.length);
    const { bytesRead } = await file.read(chunk, 0, size - from, from);
    for (let at = bytesRead; at > 0; at -= 1) if (chunk[at - 1] !== 0) return from + at;
    size = from;
  }
  return 0;
}

type Damage = 'an impossible length' | 'a wrong checksum';

const SEGMENT_NAME = /^\d{16}\.journal$/;
const HEADER_BYTES = 8;
export const MIN_LEAF_BYTES = 2;
export const MAX_LEAF_BYTES = 65_534;
const BARRIER_SUM = 0xffffffff;
const BARRIER = Buffer.from('00000000ffffffff', 'hex');
const CHUNK_BYTES = 1024 * 1024;
const ROOM_CHUNK_BYTES = 64 * 1024;
const KEPT_OPEN = 64;
