import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import { packet, statusPacket } from './encode.ts';
import { statusName } from './fault.ts';
import type { SftpHost } from './host.ts';
import { STATUS, TYPE, type Answer, type Attributes, type Extension, type Request } from './messages.ts';
import { OpenFile, type Opened } from './open-file.ts';
import { FileOperation, prepareQuestion, type FileQuestion } from './operation.ts';
import { attributesQuestion, copyQuestion } from './plan.ts';

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
  end(outcome: 'cancelled' | 'unknown'): void {
    for (const file of [...this.#files.values(), ...this.#closing]) file.complete(outcome);
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

function handleOf(id: number): Uint8Array {
  const handle = new Uint8Array(4);
  new DataView(handle.buffer).setUint32(0, id);
  return handle;
}

const maxOpenFiles = 1024;
