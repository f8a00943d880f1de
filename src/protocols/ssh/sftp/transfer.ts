import type { RunningDigest } from '../../../core/crypto.ts';
import type { Transfer } from '../../../core/operation.ts';

/** What went through of one file in one direction. */
export class TransferCount {
  readonly #path: string;
  readonly #direction: Transfer['direction'];
  readonly #digest: RunningDigest;
  #bytes = 0;
  /** Where the next byte would be, had everything come in order from the beginning; undefined once it has not. */
  #next: number | undefined = 0;

  constructor(path: string, direction: Transfer['direction'], digest: RunningDigest) {
    this.#path = path;
    this.#direction = direction;
    this.#digest = digest;
  }

  /** `offset` undefined: wherever the file ends (appending). */
  add(offset: number | undefined, bytes: Uint8Array): void {
    if (offset !== undefined && offset !== this.#next) this.#next = undefined;
    else if (this.#next !== undefined) this.#next += bytes.length;
    this.#bytes += bytes.length;
    this.#digest.update(bytes);
  }

  /** More was changed than what passed here. */
  lost(): void {
    this.#next = undefined;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Once: a digest ends with it. */
  take(): Transfer {
    const inOrder = this.#next !== undefined;
    return { path: this.#path, direction: this.#direction, bytes: this.#bytes, sha256: this.#digest.hex(), in_order: inOrder };
  }
}
