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
 * Appends lines to one file without ever waiting for it: lines collect in memory and go out every 200 ms, or sooner when about 16 Ki characters
 * have come together, one write at a time; at once where the disk is quick, else by a thread. The digest is taken on the way. An event that finds 8 Mi characters waiting
 * is refused, and a `gap` line says so once there is room again. After an error of the disk everything is refused for good: what the file then holds is unknown.
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
  /** Bytes that the disk did not take at once. */
  #unwritten: Buffer | undefined;
  #writtenBytes = 0;
  #beingWrittenBytes = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
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
      while (this.#failure === undefined && (this.#waiting.length > 0 || this.#unwritten !== undefined || this.#writing !== undefined))
        await this.#flush();
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
    if (this.#waitingLength >= writeLength) this.#write();
    else this.#timer ??= setTimeout(this.#write, writeAfterMs).unref();
  }

  readonly #write = (): void => {
    if (this.#writing === undefined && this.#waitingLength < mostWrittenNow) this.#writeNow();
    if (this.#waiting.length > 0 || this.#unwritten !== undefined) void this.#flush();
  };

  /** As much as the disk takes at once. */
  #writeNow(): void {
    this.#stopTimer();
    try {
      const bytes = this.#composed();
      const count = this.#disk.writeNow(this.#descriptor, bytes);
      this.#writtenBytes += count;
      if (count < bytes.length) this.#unwritten = Buffer.from(bytes.subarray(count));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Resolves when what waited at the call is written or has failed; never rejects. */
  #flush(): Promise<void> {
    this.#stopTimer();
    this.#writing ??= this.#writeWaiting().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeWaiting(): Promise<void> {
    try {
      while (this.#unwritten !== undefined || this.#waiting.length > 0) {
        const bytes = this.#unwritten ?? Buffer.from(this.#composed());
        this.#unwritten = undefined;
        this.#beingWrittenBytes = bytes.length;
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
  }

  /** What waits, as bytes that the digest covers; good until anything else is composed. */
  #composed(): Buffer {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#waitingLength = 0;
    const bytes = composed(lines);
    this.#hash.update(bytes);
    return bytes;
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fail(error: unknown): void {
    this.#stopTimer();
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    this.#waiting = [];
    this.#waitingLength = 0;
    this.#unwritten = undefined;
    this.#beingWrittenBytes = 0;
  }
}

/** The lines, each with its line feed, in memory that all recordings share. */
function composed(lines: readonly (Line | string)[]): Buffer {
  let at = 0;
  let text = '';
  for (const line of lines) {
    text += `${typeof line === 'string' ? line : line.compose()}\n`;
    if (text.length < encodedAtOnce) continue;
    at = encode(text, at);
    text = '';
  }
  at = encode(text, at);
  const bytes = memory.subarray(0, at);
  if (memory.length > mostMemory) memory = Buffer.allocUnsafeSlow(leastMemory);
  return bytes;
}

/** Behind the first `at` bytes; returns where it ends. */
function encode(text: string, at: number): number {
  const most = at + text.length * 3;
  if (most > memory.length) {
    const larger = Buffer.allocUnsafeSlow(Math.max(most, memory.length * 2));
    memory.copy(larger, 0, 0, at);
    memory = larger;
  }
  return at + memory.write(text, at, 'utf8');
}

const writeAfterMs = 200;
const writeLength = 16_384;
/** What is larger may take long. */
const mostWrittenNow = 262_144;
const muchWaitingBytes = 1024 * 1024;
/** Counted in UTF-16 units while they wait, of which each becomes at most three bytes, or six where it is escaped. */
const maxWaitingBytes = 8 * 1024 * 1024;
/** Text is encoded in pieces of this length, UTF-16 units: longer ones outlive the engine's young memory. */
const encodedAtOnce = 8_192;
const leastMemory = 64 * 1024;
const mostMemory = 1024 * 1024;
let memory = Buffer.allocUnsafeSlow(leastMemory);
