import { close, constants, fdatasync, existsSync, mkdirSync, open, openSync, rename, write } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** What a recording needs of the file system. Errors are Node's own. */
export interface RecordingDisk {
  /** Creates a file of mode 0600 that must not exist, nor `unless`; and its folder, mode 0700. Synchronous: a session must not start without it. */
  create(path: string, unless: string): number;
  /** Writes at the end of the file. May write less than all: the answer is how much. */
  write(descriptor: number, bytes: Uint8Array): Promise<number>;
  sync(descriptor: number): Promise<void>;
  close(descriptor: number): Promise<void>;
  /** Gives a file its final name, durably. */
  rename(from: string, to: string): Promise<void>;
}

export const localDisk: RecordingDisk = {
  create(path, unless) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    if (existsSync(unless)) throw new Error(`${unless} exists already`);
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND, 0o600);
  },
  write: async (descriptor, bytes) => (await writeAsync(descriptor, bytes)).bytesWritten,
  sync: promisify(fdatasync),
  close: promisify(close),
  async rename(from, to) {
    await promisify(rename)(from, to);
    await syncFolder(dirname(to));
  },
};

/** A new name in a folder is durable only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const descriptor = await promisify(open)(folder, constants.O_RDONLY);
  try {
    await promisify(fdatasync)(descriptor);
  } finally {
    await promisify(close)(descriptor);
  }
}

const writeAsync = promisify(write);
