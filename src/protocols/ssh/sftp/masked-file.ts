import type { GatewayFault } from '../../../core/fault.ts';
import { contextBytes, isText, notText, type MaskedStretch } from './mask.ts';

/** What a read of the file at the target came to. */
export type Fetched =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly code: number; readonly message: string };

/** What a client's read is answered. `bytes` may be a view of what is kept here. */
export type Served = Fetched | { readonly kind: 'refused'; readonly fault: GatewayFault };

export interface MaskedFileParts {
  /** Asks the target for up to so many bytes, and gives the answer, which dies when it returns. Answers may come in any order. */
  readonly fetch: (offset: number, length: number, answer: (fetched: Fetched) => void) => void;
  readonly mask: (before: Uint8Array, bytes: Uint8Array, after: Uint8Array) => MaskedStretch;
  readonly count: (masked: ReadonlyMap<string, number>) => void;
}

/**
 * An open file whose text is masked, read at any offset. The file is cut into blocks at fixed offsets, and each block is masked whole, with what stands before and behind it. So
 * what is shown of a byte does not depend on where and how a client reads: a number that is read in two halves, or at another offset, is the same masked number.
 *
 * Reads are answered in their order. Blocks are asked for ahead of time for all reads that wait, up to 2 MiB, and kept while reading goes on where it left off; a read
 * elsewhere, or a write, begins anew. A block that is no text is refused.
 */
export class MaskedFile {
  readonly #parts: MaskedFileParts;
  readonly #reads: Read[] = [];
  readonly #blocks = new Map<number, Block>();
  /** Blocks whose masked values were counted: a block may be masked again. */
  readonly #counted = new Set<number>();
  /** Where the last read that was answered ended. */
  #next = 0;
  #whenIdle: (() => void) | undefined;

  constructor(parts: MaskedFileParts) {
    this.#parts = parts;
  }

  read(offset: number, length: number, answer: (served: Served) => void): void {
    if (this.#reads.length === 0 && offset !== this.#next) this.forget();
    this.#reads.push({ offset, length, answer });
    this.#serve();
  }

  /** What is kept, or on its way, may be out of date. */
  forget(): void {
    this.#blocks.clear();
  }

  /** Why its beginning is not shown; undefined where it is, is empty, or cannot be read. */
  peek(answer: (fault: GatewayFault | undefined) => void): void {
    this.read(0, 1, (served) => {
      this.#next = 0;
      answer(served.kind === 'refused' ? served.fault : undefined);
    });
  }

  /** No read waits. */
  get isIdle(): boolean {
    return this.#reads.length === 0;
  }

  /** Called back once no read waits. */
  whenIdle(callback: () => void): void {
    if (this.#reads.length === 0) callback();
    else this.#whenIdle = callback;
  }

  #serve(): void {
    for (let read = this.#reads[0]; read !== undefined; read = this.#reads[0]) {
      const served = this.#served(read);
      if (served === undefined) break;
      this.#reads.shift();
      this.#next = read.offset + (served.kind === 'data' ? served.bytes.length : 0);
      read.answer(served);
    }
    this.#fetchAhead();
    this.#tidy();
    if (this.#reads.length > 0) return;
    const idle = this.#whenIdle;
    this.#whenIdle = undefined;
    idle?.();
  }

  /** What a read is answered; undefined where blocks are missing, which are asked for. */
  #served({ offset, length }: Read): Served | undefined {
    const first = Math.floor(offset / blockBytes);
    const last = Math.floor((offset + length - 1) / blockBytes);
    const pieces: Uint8Array[] = [];
    let isWaiting = false;
    for (let index = first; index <= last; index += 1) {
      const shown = this.#shown(index);
      if (shown === undefined) {
        // Those behind it are asked for as well.
        isWaiting = true;
        continue;
      }
      if (isWaiting) continue;
      if (!(shown instanceof Uint8Array)) {
        if (pieces.length === 0) return shown;
        break;
      }
      const from = Math.max(0, offset - index * blockBytes);
      const to = Math.min(shown.length, offset + length - index * blockBytes);
      if (to > from) pieces.push(shown.subarray(from, to));
      if (shown.length < blockBytes) break;
    }
    if (isWaiting) return undefined;
    return pieces.length === 0 ? { kind: 'end' } : { kind: 'data', bytes: joined(pieces) };
  }

  /** A block as it is shown, or why it is not; undefined where it, or what stands beside it, has not come. */
  #shown(index: number): Uint8Array | Served | undefined {
    const block = this.#block(index);
    if (block.shown !== undefined) return block.shown;
    const before = index === 0 ? undefined : this.#block(index - 1);
    if (!block.isComplete || before?.isComplete === false) return undefined;
    if (block.failure !== undefined) return block.failure;
    if (block.length === 0) return block.bytes;
    const after = block.length < blockBytes ? undefined : this.#block(index + 1);
    if (after?.isComplete === false) return undefined;
    // What cannot be read beside it cannot be looked at, so that it might hide the other half of a value.
    const failure = before?.failure ?? after?.failure;
    if (failure !== undefined) return failure;
    const bytes = block.bytes.subarray(0, block.length);
    if (!isText(bytes)) return { kind: 'refused', fault: notText() };
    const { bytes: shown, masked } = this.#parts.mask(
      before === undefined ? none : before.bytes.subarray(Math.max(0, before.length - contextBytes), before.length),
      bytes,
      after === undefined ? none : after.bytes.subarray(0, Math.min(contextBytes, after.length)),
    );
    if (!this.#counted.has(index)) this.#parts.count(masked);
    this.#counted.add(index);
    block.shown = shown;
    return shown;
  }

  #block(index: number): Block {
    const known = this.#blocks.get(index);
    if (known !== undefined) return known;
    const block = new Block();
    this.#blocks.set(index, block);
    this.#fetch(block, index);
    return block;
  }

  #fetch(block: Block, index: number): void {
    this.#parts.fetch(index * blockBytes + block.length, blockBytes - block.length, (fetched) => {
      if (this.#blocks.get(index) !== block) return;
      block.take(fetched);
      if (block.isComplete) this.#serve();
      else this.#fetch(block, index);
    });
  }

  #fetchAhead(): void {
    const wanted = new Set<number>();
    for (const { offset, length } of this.#reads) {
      const last = Math.floor((offset + length - 1) / blockBytes);
      for (let index = Math.floor(offset / blockBytes); index <= last; index += 1) {
        if (this.#endsBefore(index)) break;
        if (wanted.add(index).size > blocksAhead) return;
        this.#block(index);
      }
    }
  }

  /** A block before it was not full. */
  #endsBefore(index: number): boolean {
    const before = this.#blocks.get(index - 1);
    return before !== undefined && before.isComplete && before.length < blockBytes;
  }

  /** What no read that waits needs goes, save what the next one may go on with. */
  #tidy(): void {
    const needed = new Set<number>();
    const need = (from: number, to: number): void => {
      for (let index = from; index <= to; index += 1) needed.add(index);
    };
    for (const { offset, length } of this.#reads) {
      need(Math.floor(offset / blockBytes) - 1, Math.floor((offset + length - 1) / blockBytes) + 1);
      if (needed.size > blocksAhead) break;
    }
    const isIdle = this.#reads.length === 0;
    if (isIdle) need(Math.floor(this.#next / blockBytes) - 1, Math.floor(this.#next / blockBytes) + 1);
    for (const [index, block] of this.#blocks) {
      const mayBeStale = isIdle && (block.length < blockBytes || block.failure !== undefined);
      if (block.isComplete && (mayBeStale || !needed.has(index))) this.#blocks.delete(index);
    }
  }
}

interface Read {
  readonly offset: number;
  readonly length: number;
  readonly answer: (served: Served) => void;
}

/** A stretch of the file as it came. */
class Block {
  bytes: Uint8Array = none;
  length = 0;
  isComplete = false;
  failure: Fetched | undefined;
  shown: Uint8Array | undefined;

  take(fetched: Fetched): void {
    if (fetched.kind === 'data' && fetched.bytes.length > 0) {
      // The server may have given more than it was asked for.
      const taken = fetched.bytes.subarray(0, blockBytes - this.length);
      if (this.length + taken.length > this.bytes.length) {
        const grown = new Uint8Array(this.length === 0 ? taken.length : blockBytes);
        grown.set(this.bytes.subarray(0, this.length));
        this.bytes = grown;
      }
      this.bytes.set(taken, this.length);
      this.length += taken.length;
      this.isComplete = this.length === blockBytes;
      return;
    }
    this.isComplete = true;
    if (fetched.kind === 'failed') this.failure = fetched;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const none = new Uint8Array(0);
/** More than twice `contextBytes`, and what servers read at once. */
const blockBytes = 128 * 1024;
const blocksAhead = 16;
