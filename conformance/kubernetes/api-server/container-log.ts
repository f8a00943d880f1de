import { EventEmitter, once } from 'node:events';
import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs';

export interface LogOptions {
  readonly isFollowed: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  readonly sinceMs: number | undefined;
  readonly hasTimestamps: boolean;
}

/** What a container has written, in a file, and when each piece came. */
export class ContainerLog {
  readonly #path: string;
  readonly #file: number;
  readonly #pieces: { readonly offset: number; readonly timeMs: number }[] = [];
  readonly #events = new EventEmitter<{ more: [] }>().setMaxListeners(0);
  #size = 0;
  #isOver = false;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'a+');
  }

  write(chunk: Buffer): void {
    this.#pieces.push({ offset: this.#size, timeMs: Date.now() });
    writeSync(this.#file, chunk);
    this.#size += chunk.length;
    this.#events.emit('more');
  }

  end(): void {
    this.#isOver = true;
    closeSync(this.#file);
    this.#events.emit('more');
  }

  async *read(options: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
    let at = Math.max(this.#tailStart(options.tailLines), this.#sinceStart(options.sinceMs));
    let left = options.limitBytes ?? Infinity;
    while (!signal.aborted && left > 0) {
      const end = this.#size;
      if (at < end) {
        const stream = createReadStream(this.#path, { start: at, end: Math.min(end, at + left) - 1, highWaterMark: 256 * 1024 });
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          yield options.hasTimestamps ? this.#withTimestamps(chunk, at) : chunk;
          at += chunk.length;
          left -= chunk.length;
        }
      } else if (!options.isFollowed || this.#isOver) return;
      else await once(this.#events, 'more', { signal }).catch(() => {});
    }
  }

  /** Every line that begins in the chunk gets the time of the piece in which it came. */
  #withTimestamps(chunk: Buffer, offset: number): Buffer {
    const lines: string[] = [];
    let at = offset;
    for (const line of chunk.toString('latin1').split(/(?<=\n)/)) {
      const isStart = at === 0 || this.#byteBefore(at) === 0x0a;
      lines.push(isStart ? `${rfc3339Nano(this.#timeOf(at))} ${line}` : line);
      at += line.length;
    }
    return Buffer.from(lines.join(''), 'latin1');
  }

  #timeOf(offset: number): number {
    return this.#pieces.findLast((piece) => piece.offset <= offset)?.timeMs ?? 0;
  }

  #byteBefore(offset: number): number | undefined {
    return this.#slice(offset - 1, offset)[0];
  }

  #sinceStart(sinceMs: number | undefined): number {
    if (sinceMs === undefined) return 0;
    return this.#pieces.find((piece) => piece.timeMs >= sinceMs)?.offset ?? this.#size;
  }

  /** Where the last lines begin; an unfinished last line counts. */
  #tailStart(lines: number | undefined): number {
    if (lines === undefined) return 0;
    if (lines === 0) return this.#size;
    let [left, end] = [lines, this.#size];
    if (end > 0 && this.#byteBefore(end) !== 0x0a) left -= 1;
    while (end > 0) {
      const start = Math.max(0, end - 64 * 1024);
      const window = this.#slice(start, end);
      for (let index = window.length - 1; index >= 0; index -= 1) {
        if (window[index] !== 0x0a) continue;
        if (left === 0) return start + index + 1;
        left -= 1;
      }
      end = start;
    }
    return 0;
  }

  #slice(start: number, end: number): Buffer {
    const window = Buffer.alloc(Math.max(0, end - start));
    const file = openSync(this.#path, 'r');
    readSync(file, window, 0, window.length, start);
    closeSync(file);
    return window;
  }
}

function rfc3339Nano(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/(\.\d{3})Z$/, '$1000000Z');
}
