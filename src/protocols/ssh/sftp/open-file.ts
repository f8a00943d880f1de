import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Transfer } from '../../../core/operation.ts';
import { maskProse } from '../../../masking/text.ts';
import { namePacket, packet, packetBefore, statusPacket } from './encode.ts';
import { statusName } from './fault.ts';
import type { SftpHost } from './host.ts';
import { maskNames, maskStretch } from './mask.ts';
import { MaskedFile, type Fetched } from './masked-file.ts';
import { maxDataBytes, STATUS, TYPE, type Answer } from './messages.ts';
import type { OpenMode } from './plan.ts';
import { TransferCount } from './transfer.ts';

/** What the target has opened. */
export interface Opened {
  readonly handle: Uint8Array;
  readonly path: string;
  readonly mode: OpenMode;
  readonly operationId: string;
  readonly grant: Grant;
}

/** One file or folder that is open: what is read, written and listed through its handle, and what that came to. */
export class OpenFile {
  readonly handle: Uint8Array;
  readonly path: string;
  readonly mode: OpenMode;
  readonly grant: Grant;
  masked: MaskedFile | undefined;
  /** Operations of their own that are under way. */
  busy = 0;
  readonly #host: SftpHost;
  readonly #operationId: string;
  readonly #download: TransferCount | undefined;
  readonly #upload: TransferCount | undefined;
  readonly #counts = new Map<string, number>();
  #names = 0;
  #failure: { readonly code: string; readonly reason: string | undefined } | undefined;
  #whenFree: (() => void) | undefined;
  #isComplete = false;

  constructor(host: SftpHost, { handle, path, mode, operationId, grant }: Opened) {
    this.#host = host;
    this.handle = handle;
    this.path = path;
    this.mode = mode;
    this.grant = grant;
    this.#operationId = operationId;
    const { classes, recordDetectors, detectors, sha256 } = host.context;
    const shown = maskProse(classes, recordDetectors, path);
    this.#download = mode.reads ? new TransferCount(shown, 'download', sha256()) : undefined;
    this.#upload = mode.writes ? new TransferCount(shown, 'upload', sha256()) : undefined;
    if (mode.reads && !detectors.isEmpty) this.masked = this.#maskedFile();
  }

  read(id: number, offset: bigint, length: number): void {
    const wanted = Math.min(length, maxDataBytes);
    if (!this.mode.reads || offset > Number.MAX_SAFE_INTEGER - maxDataBytes) {
      this.#host.reply(undefined, statusPacket(id, STATUS.failure, 'it was not opened for reading, or is not that long'));
      return;
    }
    const at = Number(offset);
    if (this.masked !== undefined && wanted > 0) {
      this.masked.read(at, wanted, (served) => {
        if (served.kind === 'refused') {
          this.fail(served.fault.code, served.fault.publicMessage);
          this.#host.refuse(id, served.fault, this.#operationId);
        } else this.#give(id, at, served);
      });
      return;
    }
    this.#host.upstream.ask(this.grant, (answer) => this.#give(id, at, fetched(answer)), TYPE.read, this.handle, offset, wanted);
  }

  write(id: number, offset: bigint, data: Uint8Array): void {
    if (!this.mode.writes) {
      this.#host.reply(undefined, statusPacket(id, STATUS.failure, 'it was not opened for writing'));
      return;
    }
    this.#upload?.add(this.mode.appends ? undefined : Number(offset), data);
    this.masked?.forget();
    this.#host.upstream.askWithData(this.grant, (answer, raw) => this.#passStatus(id, answer, raw), data, TYPE.write, this.handle, offset);
  }

  list(id: number): void {
    const then = (answer: Answer, raw: Uint8Array): void => {
      if (answer.kind !== 'name') {
        this.#passStatus(id, answer, raw);
        return;
      }
      this.#names += answer.names.length;
      const { classes, detectors } = this.#host.context;
      if (detectors.isEmpty) {
        this.#host.reply(this.grant, packet(TYPE.name, id, { raw }));
        return;
      }
      const shown = maskNames(classes, detectors, answer.names);
      this.#count(Object.entries(shown.masked));
      this.#host.reply(this.grant, namePacket(id, shown.names));
    };
    this.#host.upstream.ask(this.grant, then, TYPE.readdir, this.handle);
  }

  /** A request that has nothing but the handle, and whose answer goes on as it is. */
  pass(id: number, type: number): void {
    this.#host.upstream.ask(this.grant, (answer, raw) => this.#passAnswer(id, answer, raw), type, this.handle);
  }

  passExtension(id: number, name: string): void {
    this.#host.upstream.ask(this.grant, (answer, raw) => this.#passAnswer(id, answer, raw), TYPE.extended, name, this.handle);
  }

  /** Its content was changed by more than what was written through it. */
  wasWrittenOtherwise(): void {
    this.#upload?.lost();
    this.masked?.forget();
  }

  /** The first reason holds. */
  fail(code: string, reason?: string): void {
    this.#failure ??= { code, reason };
  }

  release(): void {
    this.busy -= 1;
    this.#freeIfIdle();
  }

  /** Called back once nothing of it is under way that a close could overtake. */
  whenFree(callback: () => void): void {
    this.#whenFree = callback;
    if (this.masked === undefined) this.#freeIfIdle();
    else this.masked.whenIdle(() => this.#freeIfIdle());
  }

  complete(outcome: 'succeeded' | 'cancelled' | 'unknown'): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    const counts = [this.#download, this.#upload].filter((count) => count !== undefined);
    const transfers: Transfer[] = counts.filter(({ bytes }) => bytes > 0 || counts.length === 1).map((count) => count.take());
    const failed = this.#failure;
    this.#host.complete(this.#operationId, {
      outcome: failed === undefined ? outcome : 'failed',
      errorCode: failed?.code,
      reason: failed?.reason,
      rows: this.#names,
      bytes: this.#download?.bytes ?? 0,
      masked: Object.fromEntries(this.#counts),
      transfers: transfers.length === 0 ? undefined : transfers,
    });
  }

  #freeIfIdle(): void {
    if (this.busy > 0 || this.#whenFree === undefined || this.masked?.isIdle === false) return;
    const free = this.#whenFree;
    this.#whenFree = undefined;
    free();
  }

  #maskedFile(): MaskedFile {
    const { context, upstream } = this.#host;
    return new MaskedFile({
      fetch: (offset, length, then) =>
        upstream.ask(this.grant, (answer) => then(fetched(answer)), TYPE.read, this.handle, BigInt(offset), length),
      mask: (before, bytes, after) => maskStretch(context.classes, context.detectors, before, bytes, after),
      count: (masked) => this.#count(masked),
    });
  }

  #give(id: number, offset: number, served: Fetched): void {
    if (served.kind === 'end') this.#host.reply(this.grant, statusPacket(id, STATUS.endOfFile, 'End of file'));
    else if (served.kind === 'failed') {
      this.fail(statusName(served.code));
      this.#host.reply(this.grant, statusPacket(id, served.code, served.message));
    } else {
      const { inForce } = this.#host.context.session.limits;
      const download = this.#download!;
      if (inForce.bytes !== undefined && download.bytes + served.bytes.length > inForce.bytes) {
        const fault = new GatewayFault('limit-exceeded', {
          publicMessage: `bytes (${inForce.bytes}) of target ${this.#host.context.session.target.name} is exceeded`,
        });
        this.fail(fault.code, fault.publicMessage);
        this.#host.refuse(id, fault, this.#operationId);
        return;
      }
      download.add(offset, served.bytes);
      this.#host.reply(this.grant, packetBefore(served.bytes.length, TYPE.data, id), served.bytes);
    }
  }

  #passStatus(id: number, answer: Answer, raw: Uint8Array): void {
    if (answer.kind !== 'status') {
      this.fail('wrong answer');
      this.#host.reply(this.grant, statusPacket(id, STATUS.failure, 'the target answered something else'));
      return;
    }
    if (answer.code !== STATUS.ok && answer.code !== STATUS.endOfFile) this.fail(statusName(answer.code));
    this.#host.reply(this.grant, packet(TYPE.status, id, { raw }));
  }

  #passAnswer(id: number, answer: Answer, raw: Uint8Array): void {
    if (answer.kind === 'attributes') this.#host.reply(this.grant, packet(TYPE.attributes, id, { raw }));
    else if (answer.kind === 'extended-reply') this.#host.reply(this.grant, packet(TYPE.extendedReply, id, { raw }));
    else this.#passStatus(id, answer, raw);
  }

  #count(masked: Iterable<readonly [string, number]>): void {
    for (const [name, count] of masked) this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }
}

function fetched(answer: Answer): Fetched {
  if (answer.kind === 'data') return { kind: 'data', bytes: answer.data };
  if (answer.kind !== 'status') return { kind: 'failed', code: STATUS.failure, message: 'the target answered something else' };
  return answer.code === STATUS.endOfFile ? { kind: 'end' } : { kind: 'failed', code: answer.code, message: answer.message };
}
