import fs from 'node:fs';
import { dirname } from 'node:path';

/** The calls that the log makes on the disk, so that tests can make each of them fail. Errors are Node's, with `code`. */
export interface FileSystem {
  /** For reading and writing; created (0600) where it is missing. */
  open(path: string): Promise<OpenFile>;
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
  async open(path) {
    return openFile(await fs.promises.open(path, fs.constants.O_RDWR | fs.constants.O_CREAT, FILE_MODE));
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
  rename: (from, to) => fs.promises.rename(from, to),
  remove: (path) => fs.promises.rm(path, { recursive: true, force: true }),
  async syncFolder(path) {
    const folder = await fs.promises.open(path, fs.constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
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
  const file = await disk.open(temporary);
  try {
    await file.truncate(0);
    await writeAll(file, bytes, 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
}

/** The same, with its name durable. */
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

/** Callbacks, not the promises of `fs.FileHandle`: a quarter of the time per call goes otherwise to the handle. */
function openFile(handle: fs.promises.FileHandle): OpenFile {
  return {
    writeNow: (bytes, position) => fs.writeSync(handle.fd, bytes, 0, bytes.byteLength, position),
    write: (bytes, position) =>
      new Promise((resolve, reject) => {
        fs.write(handle.fd, bytes, 0, bytes.byteLength, position, (error, written) => (error ? reject(error) : resolve(written)));
      }),
    read: async (into, position) => (await handle.read(into, 0, into.byteLength, position)).bytesRead,
    datasync: () =>
      new Promise((resolve, reject) => {
        fs.fdatasync(handle.fd, (error) => (error ? reject(error) : resolve()));
      }),
    truncate: (length) => handle.truncate(length),
    async stat() {
      const { size, nlink } = await handle.stat();
      return { size, links: nlink };
    },
    close: () => handle.close(),
  };
}

/** Two writers of the same content must not share a temporary file. */
let temporaries = 0;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
