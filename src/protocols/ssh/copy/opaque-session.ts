import type { RunningParts } from '../running.ts';
import { TransferCount } from '../sftp/transfer.ts';
import { ProgramSession, type Passed } from './program-session.ts';

/** A program of which nobody looks into the stream: rsync, git. What goes each way is counted, and on record by its digest. */
export class OpaqueSession extends ProgramSession {
  readonly #download: TransferCount;
  readonly #upload: TransferCount;

  /** `what`: for people, values of data classes masked. */
  constructor(parts: RunningParts, what: string) {
    super(parts);
    this.#download = new TransferCount(what, 'download', parts.context.sha256());
    this.#upload = new TransferCount(what, 'upload', parts.context.sha256());
  }

  protected fromClient(bytes: Uint8Array): void {
    this.#upload.add(undefined, bytes);
    this.put({ kind: 'forward', bytes, grant: this.parts.grant });
  }

  protected fromTarget(bytes: Uint8Array): void {
    this.#download.add(undefined, bytes);
    this.put({ kind: 'reply', stream: 'stdout', bytes, grant: this.parts.grant });
  }

  protected clientDone(): void {
    this.put({ kind: 'forward-end' });
  }

  protected over(): Passed {
    return { bytes: this.#download.bytes, masked: {}, transfers: [this.#download.take(), this.#upload.take()] };
  }
}
