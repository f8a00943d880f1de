import fs from 'node:fs';
import { dirname } from 'node:path';
import { FileThread } from './file-thread.ts';

/** The calls that the log makes on the disk, so that tests can make each of them fail. Errors are Node's, with `code`. */
export interface FileSystem {
  /** For reading and writing; created (0600) where it is missing. `empty`: whatever it holds goes. */
  open(path: string, how?: 'empty'): Promise<OpenFile>;
  /** Creates the file, with this content from the first moment on, or fails with `EEXIST`. */
  createExclusive(path: string, bytes: Uint8Array): Promise<void>;
  readFile(path: string): Promise<Buffer>;
  /** Names in a folder; none where it is missing. */
  list(folder: string): Promise<string[]>;
  /** With its parents, 0700; the names of those it created are durable. */
  makeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A file or a whole folder; nothing where it is missing. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /**
   * Writes each file whole or not at all, in their order and flushed, and then makes the names in `folders` durable. Folders must be there; bytes must not change
   * meanwhile. What was written before an error stays.
   */
  writeFiles(files: readonly WholeFile[], folders: readonly string[]): Promise<void>;
}

export interface WholeFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface OpenFile {
  /** Hands bytes to the operating system at once; returns how many it took. */
  writeNow(bytes: Uint8Array, position: number): number;
  write(bytes: Uint8Array, position: number): Promise<number>;
  read(into: Uint8Array, position: number): Promise<number>;
  /** fdatasync. An error is final: the system may have dropped what it could not write. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Size in bytes, and number of names: 0 once the file was deleted. */
  stat(): Promise<{ readonly size: number; readonly links: number }>;
  close(): Promise<void>;
}

export const localDisk: FileSystem = {
  async open(path, how) {
    const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | (how === 'empty' ? fs.constants.O_TRUNC : 0);
    return openFile(await called<number>((done) => fs.open(path, flags, FILE_MODE, done)));
  },
  async createExclusive(path, bytes) {
    const temporary = `${path}.${process.pid}-${++temporaries}.tmp`;
    await fs.promises.writeFile(temporary, bytes, { mode: FILE_MODE, flush: true });
    try {
      await fs.promises.link(temporary, path);
    } finally {
      await fs.promises.unlink(temporary);
    }
  },
  readFile: (path) => fs.promises.readFile(path),
  async list(folder) {
    try {
      return await fs.promises.readdir(folder);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  },
  async makeFolder(path) {
    const first = await fs.promises.mkdir(path, { recursive: true, mode: FOLDER_MODE });
    if (first === undefined) return;
    for (let created = path; ; created = dirname(created)) {
      await localDisk.syncFolder(dirname(created));
      if (created === first) return;
    }
  },
  rename: (from, to) => called((done) => fs.rename(from, to, done)),
  remove: (path) => fs.promises.rm(path, { recursive: true, force: true }),
  async syncFolder(path) {
    const folder = await fs.promises.open(path, fs.constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  writeFiles: (files, folders) => (files.length < MANY_FILES ? writeEach(localDisk, files, folders) : thread.write(files, folders)),
};

/** Writes all of it. A write that takes nothing is an error. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const taken = await file.write(bytes.subarray(done), position + done);
    if (taken === 0) throw new Error('the disk takes no more bytes');
    done += taken;
  }
}

/** A file that appears whole or not at all. The folder is synced by whoever needs the name to be durable. */
export async function writeWhole(disk: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${++temporaries}.tmp`;
  const file = await disk.open(temporary, 'empty');
  try {
    await writeAll(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
}

/** `writeFiles` by the other calls of a disk. */
export async function writeEach(disk: FileSystem, files: readonly WholeFile[], folders: readonly string[]): Promise<void> {
  for (const { bytes, path } of files) await writeWhole(disk, path, bytes);
  for (const folder of folders) await disk.syncFolder(folder);
}

/** A file that appears whole or not at all, with its name durable. */
export async function writeDurably(disk: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  await writeWhole(disk, path, bytes);
  await disk.syncFolder(dirname(path));
}

/** The file's bytes, or `undefined` where there is none. */
export async function readIfPresent(disk: FileSystem, path: string): Promise<Buffer | undefined> {
  try {
    return await disk.readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** A descriptor and callbacks, not `fs.FileHandle`: that takes three times as long for a file that is written once, and there are two files to 256 records. */
function openFile(descriptor: number): OpenFile {
  return {
    writeNow: (bytes, position) => fs.writeSync(descriptor, bytes, 0, bytes.byteLength, position),
    write: (bytes, position) => called((done) => fs.write(descriptor, bytes, 0, bytes.byteLength, position, done)),
    read: (into, position) => called((done) => fs.read(descriptor, into, 0, into.byteLength, position, done)),
    datasync: () => called((done) => fs.fdatasync(descriptor, done)),
    truncate: (length) => called((done) => fs.ftruncate(descriptor, length, done)),
    async stat() {
      const { size, nlink } = await called<fs.Stats>((done) => fs.fstat(descriptor, done));
      return { size, links: nlink };
    },
    close: () => called((done) => fs.close(descriptor, done)),
  };
}

/** A call with a callback as a promise. */
function called<Result = void>(call: (done: (error: Error | null, result?: Result) => void) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result as Result)));
  });
}

/** Two writers of the same content must not share a temporary file. */
let temporaries = 0;
const thread = new FileThread();
export const FILE_MODE = 0o600;
/** For fewer, a thread of their own is not worth its memory. */
const MANY_FILES = 8;
const FOLDER_MODE = 0o700;
