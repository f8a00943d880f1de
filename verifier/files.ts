import { open, readdir, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Findings } from './report.ts';

/** The folder of a log, read only. */
export class LogFolder {
  readonly path: string;
  readonly #findings: Findings;

  constructor(path: string, findings: Findings) {
    this.path = path;
    this.#findings = findings;
  }

  /**
   * Undefined where there is no such file. Of one that is longer than `limitBytes`, which is a problem, only so much: no reason to take
   * the memory.
   */
  async read(name: string, limitBytes: number): Promise<Buffer | undefined> {
    const file = await this.open(name);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      if (size > limitBytes) this.#findings.problem('altered', name, `has ${size} bytes, more than the ${limitBytes} that are possible`);
      const bytes = Buffer.allocUnsafe(Math.min(size, limitBytes));
      let length = 0;
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  }

  /** Undefined where there is no such file, or something that is no file. */
  async open(name: string): Promise<FileHandle | undefined> {
    const file = await open(join(this.path, name), 'r').catch(unlessMissing);
    if (file === undefined || (await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  }

  /** Names in a folder, but those of files that a crash left half written; empty where there is no such folder. */
  async list(name: string): Promise<string[]> {
    const names = (await readdir(join(this.path, name)).catch(unlessMissing)) ?? [];
    return names.filter((entry) => !entry.endsWith('.tmp')).sort();
  }
}

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
