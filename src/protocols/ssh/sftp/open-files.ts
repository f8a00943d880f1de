import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Transfer } from '../../../core/operation.ts';
import { maskProse } from '../../../masking/text.ts';
import { packet, packetBefore, namePacket, statusPacket } from './encode.ts';
import { statusName } from './fault.ts';
import type { SftpHost } from './host.ts';
import { maskNames, maskStretch } from './mask.ts';
import { MaskedFile, type Fetched } from './masked-file.ts';
import { maxDataBytes, STATUS, TYPE, type Answer, type Attributes, type Extension, type Request } from './messages.ts';
import { FileOperation, prepareQuestion, type FileQuestion } from './operation.ts';
import { attributesQuestion, copyQuestion, type OpenMode } from './plan.ts';
import { TransferCount } from './transfer.ts';

export interface Opened {
  readonly handle: Uint8Array;
  readonly path: string;
  readonly mode: OpenMode;
  readonly operationId: string;
  readonly grant: Grant;
}

type HandleRequest = Extract<Request, { readonly handle: Uint8Array }>;
type HandleExtension = Extract<Extension, { readonly handle: Uint8Array }>;

/**
 * Open files and folders, by handles of the gateway's own, none of which is ever used twice. What is read and written through a handle belongs to the decision that opened it; its
 * operation ends when it is closed. What else is asked of a handle (attributes, copying) is decided for itself, and a close waits for that: so no handle of the target is another
 * file's when something comes that was decided for this one.
 */
export class OpenFiles {
  readonly #host: SftpHost;
  readonly #files = new Map<number, OpenFile>();
  readonly #closing = new Set<OpenFile>();
  #lastId = 0;

  constructor(host: SftpHost) {
    this.#host = host;
  }

  /** The target has opened it. The client gets its handle; of a text that is to be masked, once it is known to be one. */
  opened(id: number, opened: Opened): void {
    const file = new OpenFile(this.#host, opened);
    if (this.#files.size >= maxOpenFiles) {
      this.#closing.add(file);
      file.fail('limit-exceeded', `more than ${maxOpenFiles} files are open`);
      this.#host.refuse(
        id,
        new GatewayFault('limit-exceeded', { publicMessage: `more than ${maxOpenFiles} files are open` }),
        opened.operationId,
      );
      this.#end(undefined, file);
      return;
    }
    const give = (): void => {
      this.#lastId += 1;
      this.#files.set(this.#lastId, file);
      this.#host.reply(opened.grant, packet(TYPE.handle, id, handleOf(this.#lastId)));
    };
    if (file.masked === undefined) give();
    else {
      this.#closing.add(file);
      file.masked.peek((fault) => {
        if (fault !== undefined && !this.#host.context.settings.opaqueTransfers) {
          file.fail(fault.code, fault.publicMessage);
          this.#host.refuse(id, fault, opened.operationId);
          this.#end(undefined, file);
          return;
        }
        this.#closing.delete(file);
        if (fault !== undefined) file.masked = undefined;
        give();
      });
    }
  }

  request(request: HandleRequest): void {
    const file = this.#fileOf(request.handle);
    if (file === undefined) this.#noSuchHandle(request.id);
    else if (request.kind === 'close') this.#close(request.id, request.handle, file);
    else if (request.kind === 'read') file.read(request.id, request.offset, request.length);
    else if (request.kind === 'write') file.write(request.id, request.offset, request.data);
    else if (request.kind === 'fsetstat') this.#setAttributes(request.id, file, request.attributes);
    else if (request.kind === 'readdir') file.list(request.id);
    else file.pass(request.id, TYPE.fstat);
  }

  extension(id: number, extension: HandleExtension): void {
    const file = this.#fileOf(extension.handle);
    if (file === undefined) this.#noSuchHandle(id);
    else file.passExtension(id, extension.name);
  }

  copy(id: number, { from, to, fromOffset, length, toOffset }: Extract<Extension, { readonly name: 'copy-data' }>): void {
    const source = this.#fileOf(from);
    const destination = this.#fileOf(to);
    if (source === undefined || destination === undefined || !source.mode.reads || !destination.mode.writes) {
      this.#noSuchHandle(id);
      return;
    }
    const range = [fromOffset, length, toOffset] as const;
    const isWhole = range.every((part) => part === 0n);
    this.#decide(
      id,
      [source, destination],
      copyQuestion(this.#host.objects, source.path, destination.path, range),
      isWhole ? undefined : this.#partialCopy(source),
      (grant, then) => {
        destination.wasWrittenOtherwise();
        const { upstream } = this.#host;
        upstream.ask(grant, then, TYPE.extended, 'copy-data', source.handle, fromOffset, length, destination.handle, toOffset);
      },
    );
  }

  /** The channel is over: nothing goes through them any more. */
  end(): void {
    for (const file of [...this.#files.values(), ...this.#closing]) file.complete('cancelled');
    this.#files.clear();
    this.#closing.clear();
  }

  #fileOf(handle: Uint8Array): OpenFile | undefined {
    return handle.length === 4 ? this.#files.get(new DataView(handle.buffer, handle.byteOffset).getUint32(0)) : undefined;
  }

  #noSuchHandle(id: number): void {
    this.#host.reply(undefined, statusPacket(id, STATUS.failure, 'no such handle, or it was not opened for this'));
  }

  #close(id: number, handle: Uint8Array, file: OpenFile): void {
    this.#files.delete(new DataView(handle.buffer, handle.byteOffset).getUint32(0));
    this.#closing.add(file);
    file.whenFree(() => this.#end(id, file));
  }

  /** `id`: of the client's request to close it, where there is one. */
  #end(id: number | undefined, file: OpenFile): void {
    this.#host.upstream.ask(
      file.grant,
      (answer, raw) => {
        if (id !== undefined) this.#host.reply(file.grant, packet(TYPE.status, id, { raw }));
        if (answer.kind === 'status' && answer.code !== STATUS.ok) file.fail(statusName(answer.code));
        file.complete('succeeded');
        this.#closing.delete(file);
      },
      TYPE.close,
      file.handle,
    );
  }

  #setAttributes(id: number, file: OpenFile, attributes: Attributes): void {
    const raw = attributes.bytes.slice();
    this.#decide(id, [file], attributesQuestion(this.#host.objects, file.path, attributes), undefined, (grant, then) => {
      if (attributes.size !== undefined) file.wasWrittenOtherwise();
      this.#host.upstream.ask(grant, then, TYPE.fsetstat, file.handle, { raw });
    });
  }

  /** An operation of its own about open files. */
  #decide(
    id: number,
    files: readonly OpenFile[],
    question: FileQuestion,
    refusal: GatewayFault | undefined,
    forward: (grant: Grant, then: (answer: Answer, raw: Uint8Array) => void) => void,
  ): void {
    const { context } = this.#host;
    const operation = new FileOperation(context, prepareQuestion(this.#host, question));
    const isReadOnly = context.session.target.readOnly === true;
    const readOnly = isReadOnly
      ? new GatewayFault('read-only', { publicMessage: `target ${context.session.target.name} is read-only` })
      : undefined;
    for (const file of files) file.busy += 1;
    const free = (): void => {
      for (const file of files) file.release();
    };
    this.#host.ask(operation, readOnly ?? refusal, (outcome) => {
      if (outcome.kind === 'refused') {
        this.#host.refuse(id, outcome.fault, operation.id);
        free();
        return;
      }
      forward(outcome.grant, (answer, raw) => {
        this.#host.reply(outcome.grant, packet(TYPE.status, id, { raw }));
        const isFine = answer.kind === 'status' && answer.code === STATUS.ok;
        this.#host.complete(
          operation.id,
          isFine
            ? { outcome: 'succeeded' }
            : { outcome: 'failed', errorCode: answer.kind === 'status' ? statusName(answer.code) : 'wrong answer' },
        );
        free();
      });
    });
  }

  /** Parts of a file in files of their own would no longer be found by any detector. */
  #partialCopy(source: OpenFile): GatewayFault | undefined {
    if (source.masked === undefined) return undefined;
    return new GatewayFault('masking-refused', {
      publicMessage: 'part of a file in which something may be hidden from you is not copied into another; copy the whole',
    });
  }
}

class OpenFile {
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

  complete(outcome: 'succeeded' | 'cancelled'): void {
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

function handleOf(id: number): Uint8Array {
  const handle = new Uint8Array(4);
  new DataView(handle.buffer).setUint32(0, id);
  return handle;
}

const maxOpenFiles = 1024;
