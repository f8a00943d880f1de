import { open, readdir, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** The folder of a log, read only. */
export class LogFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined where there is no such file. Throws where it is longer than `limitBytes`, or cannot be read. */
  async read(name: string, limitBytes: number): Promise<Buffer | undefined> {
    const file = await this.open(name);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      if (size > limitBytes) throw new TooLarge(`${name} has ${size} bytes, more than the ${limitBytes} it may have`);
      return await readFile(file);
    } finally {
      await file.close();
    }
  }

  /** Undefined where there is no such file. */
  async open(name: string): Promise<FileHandle | undefined> {
    return open(join(this.path, name), 'r').catch(unlessMissing);
  }

  /** Names in a folder, but those of files that a crash left half written; empty where there is no such folder. */
  async list(name: string): Promise<string[]> {
    const names = (await readdir(join(this.path, name)).catch(unlessMissing)) ?? [];
    return names.filter((entry) => !entry.endsWith('.tmp')).sort();
  }
}

/** More bytes than the format allows: no reason to take the memory. */
export class TooLarge extends Error {}

/** `tile/<level>/<N>` of C2SP tlog-tiles; `level` is a number, or `entries` for a bundle. */
export function tilePath(level: number | 'entries', index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g)!;
  const last = groups.pop()!;
  return `tile/${level}/${groups.map((group) => `x${group}/`).join('')}${last}`;
}

/** The folder of a tile's partial forms; each is a file named by its width. */
export function partialFolder(level: number | 'entries', index: number): string {
  return `${tilePath(level, index)}.p`;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  // A file where the path needs a folder: what is asked for is not there either.
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
