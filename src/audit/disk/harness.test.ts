import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { ClockPort } from '../../core/ports.ts';
import type { AuditRecord } from '../../core/record.ts';
import type { AuditLog, AuditLogOptions } from '../index.ts';
import { openAuditLog } from '../index.ts';
import type { FileSystem, OpenFile, WholeFile } from './file-system.ts';
import { writeEach } from './file-system.ts';

/** Shared by the tests of this folder: a disk in memory that can crash and fail, and a reader of the format that uses none of the log's code. */

interface File {
  readonly kind: 'file';
  bytes: Buffer;
  /** What a crash of the machine leaves at least. */
  durable: Buffer;
  links: number;
}

interface Folder {
  readonly kind: 'folder';
  readonly names: Map<string, File | Folder>;
  durable: Map<string, File | Folder>;
}

export type DiskCall = 'open' | 'create' | 'write' | 'datasync' | 'truncate' | 'makeFolder' | 'rename' | 'remove' | 'syncFolder' | 'read';

/** Worst-case semantics: nothing survives a crash of the machine but what was flushed, under names whose folder was flushed. */
export class MemoryDisk implements FileSystem {
  readonly calls: { readonly call: DiskCall; readonly path: string }[] = [];
  /** Throws to make a call fail; runs before the call. */
  before: (call: DiskCall, path: string) => void = () => {};
  /** Awaited by every asynchronous call. */
  gate: (call: DiskCall, path: string) => Promise<void> | undefined = () => undefined;
  /** Bytes that the next write takes at most. */
  takes = Infinity;
  #root: Folder = { kind: 'folder', names: new Map(), durable: new Map() };

  constructor() {
    this.#root.names.set('data', { kind: 'folder', names: new Map(), durable: new Map() });
    this.#root.durable = new Map(this.#root.names);
  }

  async open(path: string, how?: 'empty'): Promise<OpenFile> {
    await this.#enter('open', path);
    const folder = this.#folder(posix.dirname(path));
    let file = folder.names.get(posix.basename(path));
    if (file === undefined)
      folder.names.set(posix.basename(path), (file = { kind: 'file', bytes: Buffer.alloc(0), durable: Buffer.alloc(0), links: 1 }));
    if (file.kind === 'folder') throw failure('EISDIR');
    if (how === 'empty') file.bytes = Buffer.alloc(0);
    return this.#openFile(path, file);
  }

  async createExclusive(path: string, bytes: Uint8Array): Promise<void> {
    await this.#enter('create', path);
    const folder = this.#folder(posix.dirname(path));
    if (folder.names.has(posix.basename(path))) throw failure('EEXIST');
    folder.names.set(posix.basename(path), { kind: 'file', bytes: Buffer.from(bytes), durable: Buffer.from(bytes), links: 1 });
  }

  async readFile(path: string): Promise<Buffer> {
    await this.#enter('read', path);
    const node = this.#find(path);
    if (node?.kind !== 'file') throw failure('ENOENT');
    return Buffer.from(node.bytes);
  }

  async list(path: string): Promise<string[]> {
    const node = this.#find(path);
    return node?.kind === 'folder' ? [...node.names.keys()] : [];
  }

  async makeFolder(path: string): Promise<void> {
    await this.#enter('makeFolder', path);
    let folder = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      let next = folder.names.get(name);
      if (next === undefined) {
        next = { kind: 'folder', names: new Map(), durable: new Map() };
        folder.names.set(name, next);
        folder.durable.set(name, next);
      }
      if (next.kind !== 'folder') throw failure('ENOTDIR');
      folder = next;
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#enter('rename', to);
    const node = this.#find(from);
    if (node === undefined) throw failure('ENOENT');
    this.#folder(posix.dirname(from)).names.delete(posix.basename(from));
    this.#folder(posix.dirname(to)).names.set(posix.basename(to), node);
  }

  async remove(path: string): Promise<void> {
    await this.#enter('remove', path);
    const node = this.#find(path);
    if (node?.kind === 'file') node.links = 0;
    if (node !== undefined) this.#folder(posix.dirname(path)).names.delete(posix.basename(path));
  }

  async syncFolder(path: string): Promise<void> {
    await this.#enter('syncFolder', path);
    const folder = this.#folder(path);
    folder.durable = new Map(folder.names);
  }

  writeFiles(files: readonly WholeFile[], folders: readonly string[]): Promise<void> {
    return writeEach(this, files, folders);
  }

  /** What is there after the process died (`process`), or the machine (`machine`): only what was flushed, or, with `keeps`, a part of the rest as well. */
  afterCrash(of: 'process' | 'machine', keeps: () => number = () => 0): MemoryDisk {
    const copies = new Map<File | Folder, File | Folder>();
    const copy = (node: File | Folder): File | Folder => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node.kind === 'file') {
        const bytes = Buffer.from(of === 'process' ? node.bytes : survivor(node, keeps()));
        const file: File = { kind: 'file', bytes, durable: Buffer.from(bytes), links: 1 };
        copies.set(node, file);
        return file;
      }
      const from = of === 'process' || keeps() > 0.5 ? node.names : node.durable;
      const names = new Map([...from].map(([name, child]) => [name, copy(child)]));
      return { kind: 'folder', names, durable: new Map(names) };
    };
    const disk = new MemoryDisk();
    disk.#root = copy(this.#root) as Folder;
    const lock = disk.#find('/data/audit/lock');
    if (lock !== undefined) disk.#folder('/data/audit').names.delete('lock');
    return disk;
  }

  /** The file itself, to alter it behind the log's back. */
  file(path: string): { bytes: Buffer } {
    const node = this.#find(path);
    if (node?.kind !== 'file') throw failure('ENOENT');
    return node;
  }

  count(call: DiskCall, path: RegExp): number {
    return this.calls.filter((made) => made.call === call && path.test(made.path)).length;
  }

  async #enter(call: DiskCall, path: string): Promise<void> {
    this.calls.push({ call, path });
    this.before(call, path);
    await this.gate(call, path);
  }

  #find(path: string): File | Folder | undefined {
    let node: File | Folder | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) node = node?.kind === 'folder' ? node.names.get(name) : undefined;
    return node;
  }

  #folder(path: string): Folder {
    const node = this.#find(path);
    if (node?.kind !== 'folder') throw failure('ENOENT');
    return node;
  }

  #openFile(path: string, file: File): OpenFile {
    let isClosed = false;
    // A call that was under way when the file was closed may as well not have begun.
    const enter = async (call: DiskCall): Promise<void> => {
      await this.#enter(call, path);
      if (isClosed) throw failure('EBADF');
    };
    const put = (bytes: Uint8Array, position: number): number => {
      const taken = Math.min(bytes.byteLength, this.takes);
      this.takes = Infinity;
      const grown = Buffer.alloc(Math.max(file.bytes.byteLength, position + taken));
      file.bytes.copy(grown);
      grown.set(bytes.subarray(0, taken), position);
      file.bytes = grown;
      return taken;
    };
    return {
      writeNow: (bytes, position) => {
        this.calls.push({ call: 'write', path });
        this.before('write', path);
        return put(bytes, position);
      },
      write: async (bytes, position) => {
        await enter('write');
        return put(bytes, position);
      },
      read: async (into, position) => {
        await enter('read');
        return file.bytes.copy(into, 0, position);
      },
      datasync: async () => {
        const bytes = Buffer.from(file.bytes);
        await enter('datasync');
        file.durable = bytes;
      },
      truncate: async (length) => {
        await enter('truncate');
        const cut = Buffer.alloc(length);
        file.bytes.copy(cut);
        file.bytes = cut;
      },
      stat: async () => {
        if (isClosed) throw failure('EBADF');
        return { size: file.bytes.byteLength, links: file.links };
      },
      close: async () => {
        isClosed = true;
      },
    };
  }
}

/** What of a file may be left when its unflushed bytes were partly written: any length in between, its last bytes perhaps zeros. */
function survivor(file: File, part: number): Buffer {
  if (part === 0) return file.durable;
  const length = Math.round(file.durable.byteLength + part * (file.bytes.byteLength - file.durable.byteLength));
  const left = Buffer.from(file.bytes.subarray(0, Math.max(0, length)));
  if (part > 0.5) left.fill(0, Math.min(left.byteLength, Math.max(file.durable.byteLength, left.byteLength - 5)));
  return left;
}

export function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export const ROOT = '/data/audit';

export const clock: ClockPort = { now: () => 1_790_000_000_000, monotonic: () => performance.now() };

export function options(disk: FileSystem | undefined, more: Partial<AuditLogOptions> = {}): AuditLogOptions {
  return {
    folder: ROOT,
    origin: 'gw.bank.example/audit',
    gateway: 'gw-1',
    policyVersion: () => 'p1',
    privateKeyFile: '/data/log-key.pem',
    digestKeyFile: '/data/digest.key',
    durability: 'disk',
    clock,
    ...(disk === undefined ? {} : { disk }),
    ...more,
    limits: { checkpointMs: 3_600_000, checkpointSpacingMs: 0, retryMs: 5, ...more.limits },
  };
}

export function openOn(disk: FileSystem, more: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  return openAuditLog(options(disk, more));
}

export function note(event: string): AuditRecord {
  return { type: 'session.note', session: 's1', event, detail: { n: 1 } };
}

/** Appends notes and waits until all are durable. */
export async function fill(log: AuditLog, from: number, to: number): Promise<void> {
  let last = -1;
  for (let i = from; i < to; i++) last = log.append(note(`e${i}`));
  if (last >= 0) await log.durable(last);
}

export interface CheckedLog {
  /** Every leaf: those under the checkpoint, then the journal's. */
  readonly leaves: readonly string[];
  readonly signed: number;
  readonly checkpoints: number;
}

/** Reads the folder as docs/reference/audit-log.md says and throws at the first thing that is not so (signatures are left to `checkpoint.test.ts`). */
export async function checkFolder(disk: FileSystem, root = ROOT): Promise<CheckedLog> {
  const read = (path: string): Promise<Buffer> => disk.readFile(`${root}/${path}`);
  const notes: string[] = [];
  const history = await read('checkpoints');
  for (let at = 0; at < history.byteLength;) {
    const newline = history.indexOf(10, at);
    const end = newline + 1 + Number(history.toString('utf8', at, newline));
    if (newline < 0 || end > history.byteLength) break;
    notes.push(history.toString('utf8', newline + 1, end));
    at = end;
  }
  const current = (await read('checkpoint')).toString();
  if (current !== notes.at(-1) && current !== notes.at(-2)) throw new Error('checkpoint is not in the history');
  const heads = notes.map((text) => ({ size: Number(text.split('\n')[1]), root: text.split('\n')[2] }));
  const signed = heads.at(-1)!.size;

  const leaves: Buffer[] = [];
  for (let index = 0; index * 256 < signed; index++) {
    const width = Math.min(256, signed - index * 256);
    const bytes = await read(pathOf('entries', index, width)).catch(() => read(pathOf('entries', index, 256)));
    let at = 0;
    for (let i = 0; i < width; i++) {
      const length = bytes.readUInt16BE(at);
      leaves.push(bytes.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    const tile = await read(pathOf('0', index, width)).catch(() => read(pathOf('0', index, 256)));
    const expected = Buffer.concat(leaves.slice(index * 256, index * 256 + width).map(hashLeaf));
    if (!tile.subarray(0, width * 32).equals(expected)) throw new Error(`level 0 tile ${index} is wrong`);
  }
  for (let level = 1; signed >= 256 ** level; level++) {
    const count = Math.floor(signed / 256 ** level);
    for (let index = 0; index * 256 < count; index++) {
      const width = Math.min(256, count - index * 256);
      const tile = await read(pathOf(String(level), index, width)).catch(() => read(pathOf(String(level), index, 256)));
      for (let i = 0; i < width; i++) {
        const begin = (index * 256 + i) * 256 ** level;
        if (!tile.subarray(i * 32, i * 32 + 32).equals(rootOf(leaves.slice(begin, begin + 256 ** level))))
          throw new Error(`tile ${level}/${index} is wrong`);
      }
    }
  }
  for (const { root: claimed, size } of heads) {
    if (rootOf(leaves.slice(0, size)).toString('base64') !== claimed) throw new Error(`root at ${size} is wrong`);
  }

  const segments = (await disk.list(`${root}/journal`)).sort();
  let next = Number(segments[0]?.slice(0, 16));
  for (const name of segments) {
    if (Number(name.slice(0, 16)) !== next) throw new Error(`segment ${name} should begin at ${next}`);
    const bytes = await read(`journal/${name}`);
    for (let at = 0; at + 8 <= bytes.byteLength;) {
      const length = bytes.readUInt32BE(at);
      const leaf = bytes.subarray(at + 8, at + 8 + length);
      at += 8 + length;
      if (length === 0) continue;
      if (next < leaves.length && !leaf.equals(leaves[next]!)) throw new Error(`record ${next} differs`);
      if (next >= leaves.length) leaves.push(leaf);
      next++;
    }
  }
  if (next < signed) throw new Error('the journal is behind the checkpoint');
  return { leaves: leaves.map(String), signed, checkpoints: notes.length };
}

function pathOf(level: string, index: number, width: number): string {
  const digits = String(index).padStart(3, '0');
  return `tile/${level}/${digits}${width === 256 ? '' : `.p/${width}`}`;
}

export function hashLeaf(leaf: Uint8Array): Buffer {
  return createHash('sha256').update(Buffer.of(0)).update(leaf).digest();
}

/** MTH of RFC 6962 section 2.1, word for word. */
export function rootOf(leaves: readonly Uint8Array[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest();
  if (leaves.length === 1) return hashLeaf(leaves[0]!);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return createHash('sha256')
    .update(Buffer.of(1))
    .update(rootOf(leaves.slice(0, k)))
    .update(rootOf(leaves.slice(k)))
    .digest();
}
