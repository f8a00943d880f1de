import { createHash, type Hash } from 'node:crypto';
import type { RecordingDisk } from './disk.ts';
import { recordingUnavailable, type RecordingEvent, type RecordingHeader } from './format.ts';
import type { Line } from './lines.ts';

export interface Sealed {
  /** Lower-case hex, of the whole file. */
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Appends lines to one file without ever waiting for it: lines collect in memory and go out every 200 ms, or sooner when about 64 Ki characters
 * have come together, one write at a time. The digest is taken on the way. An event that finds 8 Mi characters waiting is refused, and a `gap` line
 * says so once there is room again. After an error of the disk everything is refused for good: what the file then holds is unknown.
 */
export class RecordingWriter {
  readonly #disk: RecordingDisk;
  readonly #path: string;
  readonly #finalPath: string;
  readonly #descriptor: number;
  readonly #hash: Hash = createHash('sha256');
  #waiting: (Line | string)[] = [];
  /** Of all that waits, about, in UTF-16 units. */
  #waitingLength = 0;
  #writtenBytes = 0;
  #beingWrittenBytes = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  /** What waits is to be written now. */
  #wanted = false;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #sealing: Promise<Sealed> | undefined;

  /** Creates `path`; `seal` renames it to `finalPath`. Throws `recording-unavailable`. */
  constructor(disk: RecordingDisk, path: string, finalPath: string, header: RecordingHeader) {
    this.#disk = disk;
    this.#path = path;
    this.#finalPath = finalPath;
    try {
      this.#descriptor = disk.create(path, finalPath);
    } catch (error) {
      throw recordingUnavailable(`cannot create ${path}: ${String(error)}`, error);
    }
    this.#take(JSON.stringify(header));
  }

  /**
   * An event, which happened `atMs` after the session's start, as JSON without a line feed, or what will make that. Throws `recording-unavailable` where it
   * was not taken.
   */
  append(atMs: number, line: Line | string): void {
    if (this.#failure !== undefined) throw recordingUnavailable(`cannot write ${this.#path}: ${this.#failure.message}`, this.#failure);
    if (this.#sealing !== undefined) throw recordingUnavailable(`${this.#path} is sealed`);
    if (this.#waitingLength + this.#beingWrittenBytes > maxWaitingBytes) {
      this.#dropped++;
      throw recordingUnavailable(`the disk does not keep up with ${this.#path}`);
    }
    if (this.#dropped > 0) {
      this.#takeEvent({ at: atMs, event: 'gap', dropped: this.#dropped });
      this.#dropped = 0;
    }
    this.#take(line);
  }

  /** Undefined, unless much waits: then it resolves when that is written, or has failed. Never rejects. */
  get room(): Promise<void> | undefined {
    return this.#waitingLength + this.#beingWrittenBytes > muchWaitingBytes ? this.#flush() : undefined;
  }

  /** Writes everything and the last line, makes it durable and gives the file its final name. Rejects with `recording-unavailable`. */
  seal(last: RecordingEvent): Promise<Sealed> {
    this.#sealing ??= this.#seal(last);
    return this.#sealing;
  }

  async #seal(last: RecordingEvent): Promise<Sealed> {
    if (this.#dropped > 0) this.#takeEvent({ at: last.at, event: 'gap', dropped: this.#dropped });
    this.#takeEvent(last);
    try {
      while (this.#failure === undefined && (this.#waiting.length > 0 || this.#writing !== undefined)) await this.#flush();
      if (this.#failure !== undefined) throw this.#failure;
      await this.#disk.sync(this.#descriptor);
    } catch (error) {
      this.#fail(error);
      await this.#disk.close(this.#descriptor).catch(() => undefined);
      throw recordingUnavailable(`cannot write ${this.#path}: ${String(error)}`, error);
    }
    try {
      await this.#disk.close(this.#descriptor);
      await this.#disk.rename(this.#path, this.#finalPath);
    } catch (error) {
      throw recordingUnavailable(`cannot seal ${this.#path}: ${String(error)}`, error);
    }
    return { sha256: this.#hash.digest('hex'), bytes: this.#writtenBytes };
  }

  #takeEvent(event: RecordingEvent): void {
    this.#take(JSON.stringify(event));
  }

  /** Nothing is written after a failure: the descriptor may soon be another file's. */
  #take(line: Line | string): void {
    if (this.#failure !== undefined) return;
    this.#waiting.push(line);
    this.#waitingLength += line.length + 1;
    if (this.#waitingLength >= flushLength) void this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush(), flushAfterMs).unref();
  }

  /** Resolves when what waited at the call is written or has failed; never rejects. */
  #flush(): Promise<void> | undefined {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wanted = true;
    if (this.#waiting.length > 0) this.#writing ??= this.#writeWaiting();
    return this.#writing;
  }

  /** Not what comes meanwhile, unless that is wanted by then, too: a busy session would have a write of its own for every few lines. */
  async #writeWaiting(): Promise<void> {
    try {
      while (this.#wanted && this.#waiting.length > 0) {
        this.#wanted = false;
        const bytes = composed(this.#waiting);
        this.#waiting = [];
        this.#waitingLength = 0;
        this.#beingWrittenBytes = bytes.length;
        this.#hash.update(bytes);
        for (let done = 0; done < bytes.length;) {
          const count = await this.#disk.write(this.#descriptor, bytes.subarray(done));
          if (count <= 0) throw new Error('nothing could be written');
          done += count;
        }
        this.#writtenBytes += bytes.length;
        this.#beingWrittenBytes = 0;
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#writing = undefined;
  }

  #fail(error: unknown): void {
    clearTimeout(this.#timer);
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#beingWrittenBytes = 0;
  }
}

/** Each line with its line feed. */
function composed(lines: readonly (Line | string)[]): Buffer {
  let text = '';
  for (const line of lines) text += `${typeof line === 'string' ? line : line.compose()}\n`;
  return Buffer.from(text);
}

const flushAfterMs = 200;
const flushLength = 65_536;
const muchWaitingBytes = 1024 * 1024;
/** Counted in UTF-16 units while they wait, of which each becomes at most three bytes, or six where it is escaped. */
const maxWaitingBytes = 8 * 1024 * 1024;
