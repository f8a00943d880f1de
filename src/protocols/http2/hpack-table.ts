/** The two tables of HPACK, RFC 7541 section 2.3. */

/** Fields that were sent, the newest first. `T`: what is kept of each. */
export class DynamicTable<T extends { readonly bytes: number }> {
  /** The oldest first. */
  readonly #entries: T[] = [];
  readonly #evicted: (entry: T) => void;
  #bytes = 0;
  #maxBytes: number;

  constructor(maxBytes: number, evicted: (entry: T) => void = () => {}) {
    this.#maxBytes = maxBytes;
    this.#evicted = evicted;
  }

  get length(): number {
    return this.#entries.length;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** `index`: 0 is the newest. */
  at(index: number): T | undefined {
    return this.#entries[this.#entries.length - 1 - index];
  }

  /** Section 4.4: one that is larger than the table empties it, and is not there then. */
  add(entry: T): void {
    this.#evict(this.#maxBytes - entry.bytes);
    if (entry.bytes > this.#maxBytes) return;
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
  }

  /** Section 4.3. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#evict(maxBytes);
  }

  #evict(most: number): void {
    while (this.#bytes > most) {
      const oldest = this.#entries.shift();
      if (oldest === undefined) return;
      this.#bytes -= oldest.bytes;
      this.#evicted(oldest);
    }
  }
}

/** Section 4.1. */
export function entryBytes(name: string, value: string): number {
  return name.length + value.length + 32;
}

/** Appendix A, without its index 0, which there is not. */
export const staticTable: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((status) => [':status', status] as const),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards proxy-authenticate ' +
    'proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate'
  )
    .split(' ')
    .map((name) => [name, ''] as const),
];
