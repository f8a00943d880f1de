import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Completion, Operation, ResultSample, TranscriptPart } from '../core/operation.ts';
import type { ClockPort, RecordedSession, RecordingPort, SessionRecording } from '../core/ports.ts';
import type { SealedRecording } from '../core/record.ts';
import { localDisk, type RecordingDisk } from './disk.ts';
import { headerOf, recordingUnavailable, type RecordingEvent } from './format.ts';
import { CompletedLine, DecidedLine, SampleLine } from './lines.ts';
import { recoverRecordings, type RecoveredRecordings } from './recover.ts';
import { RecordingWriter } from './writer.ts';

export interface RecordingsOptions {
  /** Recordings are `<folder>/<yyyy-mm-dd>/<session>.jsonl`, by the UTC day of the session's start; `.jsonl.open` until sealed. */
  readonly folder: string;
  /** One of several processes that record here: its recordings are below `<folder>/<owner>`, and it recovers no others. */
  readonly owner?: string;
  readonly clock: ClockPort;
  readonly disk?: RecordingDisk;
}

export interface Recordings extends RecordingPort {
  /**
   * Seals what a killed gateway left open; for the start, before any session. Only one process may use a folder and owner. What is returned
   * is not on record yet.
   */
  recover(): Promise<RecoveredRecordings>;
  /** The stored bytes of a session's recording, sealed or still growing; undefined where there is none. */
  read(sessionId: string): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export function createRecordings(options: RecordingsOptions): Recordings {
  const { folder, clock, owner = '' } = options;
  const disk = options.disk ?? localDisk;
  return {
    open: (session) => new OpenRecording(session, folder, owner, clock, disk),
    recover: () => recoverRecordings(folder, owner),
    async read(sessionId) {
      const file = await openStored(join(folder, owner), sessionId);
      return file?.createReadStream();
    },
  };
}

class OpenRecording implements SessionRecording {
  readonly #clock: ClockPort;
  readonly #startedAt: number;
  readonly #file: string;
  readonly #writer: RecordingWriter;

  constructor(session: RecordedSession, folder: string, owner: string, clock: ClockPort, disk: RecordingDisk) {
    if (!safeSessionId.test(session.sessionId)) throw recordingUnavailable('the session id cannot be a file name');
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#file = join(owner, new Date(session.startedAtMs).toISOString().slice(0, 10), `${session.sessionId}.jsonl`);
    const path = join(folder, this.#file);
    this.#writer = new RecordingWriter(disk, `${path}.open`, path, headerOf(session));
  }

  decided(operation: Operation, decision: 'allow' | 'deny', code: string | undefined): void {
    const at = this.#at();
    this.#writer.append(at, new DecidedLine(at, operation, decision, code));
  }

  sample(sample: ResultSample): void {
    const at = this.#at();
    this.#writer.append(at, new SampleLine(at, sample));
  }

  completed(completion: Completion, durationMs: number): void {
    const at = this.#at();
    for (const transfer of completion.transfers ?? []) {
      const masked = transfer.direction === 'download' ? { ...completion.masked } : {};
      const event: RecordingEvent = { at, event: 'transfer', operation: completion.operationId, ...transfer, masked };
      this.#writer.append(at, JSON.stringify(event));
    }
    this.#writer.append(at, new CompletedLine(at, completion, durationMs));
  }

  transcript(operation: string, { stream, text }: TranscriptPart): Promise<void> | undefined {
    for (let from = 0; from < text.length; from += maxStreamLength) {
      const event: RecordingEvent = { at: this.#at(), event: 'stream', operation, stream, text: text.slice(from, from + maxStreamLength) };
      this.#writer.append(event.at, JSON.stringify(event));
    }
    return this.#writer.room;
  }

  note(event: string, detail: Readonly<Record<string, string | number>>): void {
    const note: RecordingEvent = { at: this.#at(), event: 'note', note: event, detail: { ...detail } };
    this.#writer.append(note.at, JSON.stringify(note));
  }

  async seal(): Promise<SealedRecording> {
    const last: RecordingEvent = { at: this.#at(), event: 'closed' };
    return { file: this.#file, ...(await this.#writer.seal(last)) };
  }

  #at(): number {
    return Math.max(0, Math.round(this.#clock.monotonic() - this.#startedAt));
  }
}

/** The newest day first: what is asked for is mostly recent. A recording may be sealed, and so renamed, while it is looked for. */
async function openStored(folder: string, sessionId: string): Promise<FileHandle | undefined> {
  if (!safeSessionId.test(sessionId)) return undefined;
  const days = (await readdir(folder).catch(unlessMissing)) ?? [];
  for (const day of days.filter((name) => dayName.test(name)).sort(byNameDescending)) {
    for (const suffix of ['.jsonl', '.jsonl.open', '.jsonl']) {
      const file = await open(join(folder, day, `${sessionId}${suffix}`)).catch(unlessMissing);
      if (file !== undefined) return file;
    }
  }
  return undefined;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw recordingUnavailable(`cannot read recordings: ${error.message}`, error);
}

function byNameDescending(a: string, b: string): number {
  return a < b ? 1 : -1;
}

/** Of one line, UTF-16 units. */
const maxStreamLength = 65_536;
const safeSessionId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
const dayName = /^\d{4}-\d{2}-\d{2}$/;
