import { GatewayFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import type { Completion, Transfer } from '../../../core/operation.ts';
import { streamMasker, type StreamMasker } from '../../../masking/stream.ts';
import { maskProse } from '../../../masking/text.ts';
import type { RunningParts } from '../running.ts';
import { isText, notText } from '../sftp/mask.ts';
import { FileOperation, fileActs, prepareQuestion, quoted } from '../sftp/operation.ts';
import { FileObjects, joinedPath } from '../sftp/path.ts';
import { TransferCount } from '../sftp/transfer.ts';
import { ProgramSession, type Passed } from './program-session.ts';
import { readScpRecord, type ScpRecord } from './scp-records.ts';

/** Named for what the sending side's next byte belongs to. */
type State =
  | { readonly kind: 'record' }
  | { readonly kind: 'content'; readonly file: File; left: number }
  | { readonly kind: 'verdict'; readonly file: File };

interface File {
  readonly operationId: string;
  readonly grant: Grant;
  readonly count: TransferCount;
  readonly masker: StreamMasker;
}

/**
 * The old scp protocol between a client and `scp -t` or `scp -f` at the target. Each file and folder in the stream is an operation of its own; what is refused is answered as the
 * receiving side would have refused it, and the sending side goes on with the next. Contents that go to the client are masked, with their length kept.
 *
 * Traps: (1) both sides wait for each other after every line, so that nothing can be overtaken. (2) Names are decided as they come in the stream, never as they were announced; none
 * leaves its folder. (3) While people are asked about one, nothing of the sending side is read. (5) A file that turns out to be no text ends the whole, since its length
 * was told already.
 */
export class ScpSession extends ProgramSession {
  readonly #direction: Transfer['direction'];
  readonly #paths: readonly string[];
  readonly #objects: FileObjects;
  /** Folders that were entered, the innermost last. */
  readonly #folders: string[] = [];
  readonly #counts = new Map<string, number>();
  #line: Uint8Array = new Uint8Array(0);
  #state: State = { kind: 'record' };
  /** What came while something is being decided. */
  #waiting: Uint8Array[] | undefined;
  #isSenderDone = false;
  #bytes = 0;

  /** `paths`: canonical, as the command names them. */
  constructor(parts: RunningParts, direction: Transfer['direction'], paths: readonly string[]) {
    super(parts);
    this.#direction = direction;
    this.#paths = paths;
    this.#objects = new FileObjects(parts.context.session.target.name);
  }

  protected fromClient(bytes: Uint8Array): void {
    if (this.#direction === 'upload') this.#fromSender(bytes);
    else this.put({ kind: 'forward', bytes, grant: this.parts.grant });
  }

  protected fromTarget(bytes: Uint8Array): void {
    if (this.#direction === 'download') this.#fromSender(bytes);
    else this.#toClient(maskedBytes(this.parts, bytes), this.parts.grant);
  }

  protected clientDone(): void {
    if (this.#direction === 'upload' && this.#waiting !== undefined) this.#isSenderDone = true;
    else this.put({ kind: 'forward-end' });
  }

  protected over(outcome: Completion['outcome']): Passed {
    if (this.#state.kind !== 'record') this.#complete(this.#state.file, outcome === 'unknown' ? 'unknown' : 'cancelled', undefined);
    return { bytes: this.#bytes, masked: {}, transfers: undefined };
  }

  // ---- the sending side

  #fromSender(bytes: Uint8Array): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(bytes.slice());
      return;
    }
    let at = 0;
    while (at < bytes.length) {
      const state = this.#state;
      if (state.kind === 'content') {
        const piece = bytes.subarray(at, at + state.left);
        state.left -= piece.length;
        at += piece.length;
        this.#content(state.file, piece, state.left === 0);
        if (state.left === 0) this.#state = { kind: 'verdict', file: state.file };
        continue;
      }
      if (state.kind === 'verdict' && this.#line.length === 0 && bytes[at] === 0) {
        this.#verdict(state.file, bytes.subarray(at, at + 1), 'succeeded');
        at += 1;
        continue;
      }
      const end = bytes.indexOf(lineFeed, at);
      const line = joined([this.#line, bytes.subarray(at, end < 0 ? bytes.length : end)]);
      if (line.length > maxLineBytes)
        throw new GatewayFault('protocol-violation', { publicMessage: `scp: a line of more than ${maxLineBytes} bytes` });
      this.#line = end < 0 ? line : new Uint8Array(0);
      if (end < 0) return;
      at = end + 1;
      if (state.kind === 'verdict') this.#verdict(state.file, withLineFeed(line), 'failed');
      else if (this.#record(readScpRecord(line), withLineFeed(line)) === 'asked') {
        this.#waiting = [bytes.slice(at)];
        return;
      }
    }
  }

  /** What was asked about is decided: on with what came behind it. */
  #goOn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.put({ kind: this.#direction === 'upload' ? 'resume' : 'resume-target' });
    for (const bytes of waiting) this.#fromSender(bytes);
    if (!this.#isSenderDone || this.#waiting !== undefined) return;
    this.put({ kind: 'forward-end' });
  }

  #record(record: ScpRecord, line: Uint8Array): 'asked' | 'passed' {
    switch (record.kind) {
      case 'times':
        this.#pass(line, this.parts.grant);
        return 'passed';
      case 'message':
        this.#pass(maskedBytes(this.parts, line), this.parts.grant);
        return 'passed';
      case 'end-of-folder':
        if (this.#folders.pop() === undefined)
          throw new GatewayFault('protocol-violation', { publicMessage: 'scp: the end of a folder that was not entered' });
        this.#pass(line, this.parts.grant);
        return 'passed';
      case 'folder':
      case 'file':
        // Before what is asked, which may be answered before the effects behind it are applied.
        this.put({ kind: this.#direction === 'upload' ? 'pause' : 'pause-target' });
        this.#askAbout(record);
        return 'asked';
      default:
        return record satisfies never;
    }
  }

  /** Of an upload nobody here knows whether the path of the command is a folder in which the name comes to lie, or the file itself: it is both. */
  #askAbout(record: Extract<ScpRecord, { readonly kind: 'file' | 'folder' }>): void {
    const folder = this.#folders.at(-1);
    const isUpload = this.#direction === 'upload';
    if (this.#folders.length >= maxDepth)
      throw new GatewayFault('limit-exceeded', { publicMessage: `scp: more than ${maxDepth} folders in each other` });
    const path =
      folder !== undefined
        ? joinedPath(folder, record.name)
        : isUpload
          ? joinedPath(this.#paths[0]!, record.name)
          : this.#named(record.name);
    const paths = folder === undefined && isUpload ? [path, this.#paths[0]!] : [path];
    const action =
      record.kind === 'folder' ? (isUpload ? 'ssh:make-folder' : 'ssh:list-files') : isUpload ? 'ssh:write-file' : 'ssh:read-file';
    const verb = record.kind === 'folder' ? (isUpload ? 'make folder' : 'list') : isUpload ? 'write' : 'read';
    const size = record.kind === 'file' ? `, ${record.size} bytes` : '';
    const prepared = prepareQuestion(this.parts, {
      acts: fileActs(this.#objects, paths, action),
      facts: { transfer: 'scp', path, ...(isUpload ? { file_mode: record.mode } : {}) },
      pureRead: !isUpload,
      text: isUpload ? `${verb} ${paths.map(quoted).join(' or ')} (mode ${record.mode}${size})` : `${verb} ${quoted(path)}`,
      exact: [record.kind],
    });
    const operation = new FileOperation(this.parts.context, prepared);
    this.ask(operation, (outcome) => {
      if (outcome.kind === 'refused') this.#refuse(outcome.fault, operation.id);
      else this.#allowed(record, path, operation.id, outcome.grant);
      this.#goOn();
    });
  }

  /** As the command names it: the sending side does not choose. */
  #named(name: string): string {
    const path = this.#paths.find((one) => one.endsWith(`/${name}`));
    if (path === undefined) throw new GatewayFault('protocol-violation', { publicMessage: 'scp: a file that was not asked for' });
    return path;
  }

  #allowed(record: Extract<ScpRecord, { readonly kind: 'file' | 'folder' }>, path: string, operationId: string, grant: Grant): void {
    const { classes, detectors, recordDetectors, sha256 } = this.parts.context;
    const isUpload = this.#direction === 'upload';
    const name = isUpload ? record.name : maskProse(classes, detectors, record.name);
    const line = record.kind === 'file' ? `C${record.mode} ${record.size} ${name}\n` : `D${record.mode} 0 ${name}\n`;
    this.#pass(encoder.encode(line), grant);
    if (record.kind === 'folder') {
      this.#folders.push(path);
      this.put({ kind: 'complete', completion: { operationId, outcome: 'succeeded', rows: 0, bytes: 0, masked: {} } });
      return;
    }
    const masker = streamMasker(classes, isUpload ? detectors.without(new Set(classes.names)) : detectors, { keepsLength: true });
    const file: File = {
      operationId,
      grant,
      count: new TransferCount(maskProse(classes, recordDetectors, path), this.#direction, sha256()),
      masker,
    };
    this.#state = record.size === 0 ? { kind: 'verdict', file } : { kind: 'content', file, left: record.size };
  }

  /** Both sides hear of it as of a file that the other one cannot write, or cannot read. */
  #refuse(fault: GatewayFault, operationId: string): void {
    const message = encoder.encode(`\u0001sallyport: ${fault.publicMessage.replaceAll('\n', ' ')} [operation ${operationId}]\n`);
    this.put({ kind: 'reply', stream: 'stdout', bytes: message, grant: undefined });
    if (this.#direction === 'download') this.put({ kind: 'forward', bytes: encoder.encode('\u0001refused\n'), grant: this.parts.grant });
  }

  #content(file: File, bytes: Uint8Array, isLast: boolean): void {
    if (this.#direction === 'upload') {
      file.count.add(undefined, bytes);
      this.put({ kind: 'forward', bytes, grant: file.grant });
      return;
    }
    const { detectors, settings } = this.parts.context;
    const isReadable = detectors.isEmpty || isText(bytes);
    if (!isReadable && settings.opaqueTransfers !== true) throw notText();
    // One piece to the client for one from the target.
    const pieces: Uint8Array[] = [];
    const masker = detectors.isEmpty ? undefined : file.masker;
    if (masker === undefined) pieces.push(bytes);
    else if (isReadable) for (const piece of masker.push(bytes)) pieces.push(piece.slice());
    else pieces.push(...masker.end().map((piece) => piece.slice()), bytes);
    if (isLast && masker !== undefined) for (const piece of masker.end()) pieces.push(piece.slice());
    const shown = pieces.length === 1 ? pieces[0]! : joined(pieces);
    if (shown.length > 0) this.#deliver(file, shown);
  }

  #deliver(file: File, bytes: Uint8Array): void {
    const { target, limits } = this.parts.context.session;
    if (limits.inForce.bytes !== undefined && file.count.bytes + bytes.length > limits.inForce.bytes)
      throw new GatewayFault('limit-exceeded', { publicMessage: `bytes (${limits.inForce.bytes}) of target ${target.name} is exceeded` });
    file.count.add(undefined, bytes);
    this.#toClient(bytes, file.grant);
  }

  /** Whether the sending side could read all of it. */
  #verdict(file: File, bytes: Uint8Array, outcome: 'succeeded' | 'failed'): void {
    this.#pass(outcome === 'succeeded' ? bytes : maskedBytes(this.parts, bytes), file.grant);
    this.#complete(file, outcome, outcome === 'failed' ? 'not read whole' : undefined);
    this.#state = { kind: 'record' };
  }

  #complete({ operationId, count, masker }: File, outcome: Completion['outcome'], errorCode: string | undefined): void {
    for (const [name, found] of masker.masked) this.#counts.set(name, (this.#counts.get(name) ?? 0) + found);
    const bytes = this.#direction === 'download' ? count.bytes : 0;
    this.put({
      kind: 'complete',
      completion: { operationId, outcome, errorCode, rows: 0, bytes, masked: Object.fromEntries(masker.masked), transfers: [count.take()] },
    });
  }

  /** To the receiving side. */
  #pass(bytes: Uint8Array, grant: Grant): void {
    if (this.#direction === 'upload') this.put({ kind: 'forward', bytes, grant });
    else this.#toClient(bytes, grant);
  }

  #toClient(bytes: Uint8Array, grant: Grant): void {
    this.#bytes += bytes.length;
    this.put({ kind: 'reply', stream: 'stdout', bytes, grant });
  }
}

/** Messages for people, and bytes that say "go on". */
function maskedBytes({ context }: RunningParts, bytes: Uint8Array): Uint8Array {
  if (!context.detectors.mayContain(bytes, 0, bytes.length)) return bytes;
  return encoder.encode(maskProse(context.classes, context.detectors, decoder.decode(bytes)));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function withLineFeed(line: Uint8Array): Uint8Array {
  return joined([line, Uint8Array.of(lineFeed)]);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const lineFeed = 0x0a;
const maxLineBytes = 8 * 1024;
const maxDepth = 256;
