import type { DataClasses } from '../../masking/classes.ts';
import type { DetectorSet } from '../../masking/detect.ts';
import { streamMasker, type StreamMasker } from '../../masking/stream.ts';
import { maskProse } from '../../masking/text.ts';
import type { TranscriptPart } from '../../core/operation.ts';
import { TypedLines } from './typed-lines.ts';

export interface TranscriptOptions {
  readonly classes: DataClasses;
  /** All of them, whatever the principal may see: recordings have other readers. */
  readonly detectors: DetectorSet;
  readonly tty: boolean;
  /** A transfer of files, of which the beginning is kept. */
  readonly isCopy: boolean;
}

/**
 * What the recording keeps of one command or terminal (SSH, exec and attach of Kubernetes). Of a terminal everything, since what is typed decides what runs. Of a command without one, of which the words
 * are known exactly: all its input, and of its output the first 1 Mi characters; of a transfer the first 64 Ki of each.
 */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #outputs: Readonly<Record<'output' | 'error', Kept>>;
  readonly #input: Kept;
  readonly #typed = new TypedLines();
  #parts: TranscriptPart[] = [];

  constructor(options: TranscriptOptions) {
    this.#options = options;
    const { tty, isCopy } = options;
    const output = tty ? Infinity : isCopy ? transferCharacters : outputCharacters;
    const kept = (most: number): Kept => new Kept(streamMasker(options.classes, options.detectors), most);
    this.#outputs = { output: kept(output), error: kept(output) };
    this.#input = kept(isCopy ? transferCharacters : Infinity);
  }

  output(stream: 'output' | 'error', bytes: Uint8Array): void {
    const text = this.#outputs[stream].push(bytes);
    this.#put(stream, text);
    if (this.#options.tty) this.#type(this.#typed.shown(text));
  }

  input(bytes: Uint8Array): void {
    if (this.#options.tty) this.#type(this.#typed.typed(bytes));
    else this.#put('input', this.#input.push(bytes));
  }

  resize(columns: number, rows: number): void {
    this.#parts.push({ stream: 'resize', text: `${columns}x${rows}` });
  }

  end(): void {
    for (const stream of ['output', 'error'] as const) this.#put(stream, this.#outputs[stream].end());
    if (this.#options.tty) this.#type(this.#typed.end());
    else this.#put('input', this.#input.end());
  }

  /** Everything since the last call, in order. */
  take(): readonly TranscriptPart[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  #type(lines: readonly string[]): void {
    const { classes, detectors } = this.#options;
    for (const line of lines) this.#put('input', maskProse(classes, detectors, line));
  }

  #put(stream: TranscriptPart['stream'], text: string): void {
    if (text !== '') this.#parts.push({ stream, text });
  }
}

/** One stream, masked and decoded, as far as it is kept. */
class Kept {
  readonly #masker: StreamMasker;
  readonly #decoder = new TextDecoder();
  #left: number;

  constructor(masker: StreamMasker, most: number) {
    this.#masker = masker;
    this.#left = most;
  }

  push(bytes: Uint8Array): string {
    return this.#left > 0 ? this.#take(this.#masker.push(bytes), true) : '';
  }

  end(): string {
    return this.#left > 0 ? this.#take(this.#masker.end(), false) : '';
  }

  #take(pieces: readonly Uint8Array[], stream: boolean): string {
    let text = '';
    for (const piece of pieces) text += this.#decoder.decode(piece, { stream: true });
    if (!stream) text += this.#decoder.decode();
    if (text.length <= this.#left) {
      this.#left -= text.length;
      return text;
    }
    text = `${text.slice(0, this.#left)}\n[the rest is not recorded]\n`;
    this.#left = 0;
    return text;
  }
}

const outputCharacters = 1024 * 1024;
const transferCharacters = 64 * 1024;
