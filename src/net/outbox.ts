import type { Writable } from 'node:stream';
import { toFault, type GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import { joinSmall } from '../core/passing.ts';
import type { AuditPort } from '../core/ports.ts';

/**
 * What goes to the client, in order. Bytes that belong to a grant stay here until the grant's record is durable, and everything behind
 * them waits too: an answer before its record is durable is not possible.
 */
export class Outbox {
  readonly #socket: Writable;
  readonly #audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  readonly #onFault: (fault: GatewayFault) => void;
  readonly #onReleased: () => void;
  readonly #isApart: boolean;
  #ready: Uint8Array[] = [];
  #withheld: { readonly bytes: Uint8Array; readonly sequence: number }[] = [];
  #withheldBytes = 0;
  #releasing = false;
  #emptied: (() => void) | undefined;

  /**
   * `onReleased`: nothing is withheld any more. `isApart`: each piece is written by itself, and so begins a TLS record of its own. Without its `_writev`, a socket does not join what
   * waits to be written either.
   */
  constructor(
    socket: Writable,
    audit: Pick<AuditPort, 'durableCount' | 'durable'>,
    onFault: (fault: GatewayFault) => void,
    onReleased: () => void = () => {},
    isApart = false,
  ) {
    this.#socket = socket;
    this.#audit = audit;
    this.#onFault = onFault;
    this.#onReleased = onReleased;
    this.#isApart = isApart;
    if (isApart) Object.defineProperty(socket, '_writev', { value: undefined });
  }

  get isWithholding(): boolean {
    return this.#withheld.length > 0;
  }

  put(bytes: Uint8Array, grant: Grant | undefined): void {
    const sequence = grant === undefined ? -1 : grant.sequence;
    if (this.#withheld.length === 0 && this.#audit.durableCount > sequence) {
      this.#ready.push(bytes);
      return;
    }
    this.#withheld.push({ bytes, sequence });
    this.#withheldBytes += bytes.length;
    if (!this.#releasing) void this.#release();
  }

  /** Writes what may go, in one piece where it is small, unless pieces stay apart. `full`: the caller stops producing until the socket drains. */
  flush(): 'full' | 'open' {
    if (this.#ready.length === 0) return this.#withheldBytes > maxWithheldBytes ? 'full' : 'open';
    const ready = this.#isApart ? this.#ready : joinSmall(this.#ready);
    this.#ready = [];
    let open = true;
    if (ready.length === 1) {
      open = this.#socket.write(ready[0]);
    } else {
      this.#socket.cork();
      for (const bytes of ready) open = this.#socket.write(bytes);
      this.#socket.uncork();
    }
    return open && this.#withheldBytes <= maxWithheldBytes ? 'open' : 'full';
  }

  /** Answers whose record never became durable are never sent. */
  discard(): void {
    this.#withheld = [];
    this.#withheldBytes = 0;
  }

  /** Calls back once everything was written. */
  whenEmpty(callback: () => void): void {
    this.flush();
    if (this.#withheld.length === 0) callback();
    else this.#emptied = callback;
  }

  async #release(): Promise<void> {
    this.#releasing = true;
    try {
      for (let head = this.#withheld[0]; head !== undefined; head = this.#withheld[0]) {
        if (this.#audit.durableCount <= head.sequence) await this.#audit.durable(head.sequence);
        if (this.#withheld[0] !== head) continue;
        this.#withheld.shift();
        this.#withheldBytes -= head.bytes.length;
        this.#ready.push(head.bytes);
      }
    } catch (error) {
      this.discard();
      this.#onFault(toFault(error));
    } finally {
      this.#releasing = false;
    }
    if (this.flush() === 'open') this.#socket.emit('drain');
    this.#onReleased();
    this.#emptied?.();
  }
}

const maxWithheldBytes = 4 * 1024 * 1024;
