import fs from 'node:fs';
import os from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { WholeFile } from './file-system.ts';
import { FILE_MODE } from './file-system.ts';

export interface Request {
  readonly id: number;
  readonly files: readonly WholeFile[];
  readonly folders: readonly string[];
}

export interface Answer {
  readonly id: number;
  readonly failure?: { readonly message: string; readonly code: string | undefined };
}

/** About a third of the time that a session's thread gets. */
const nicer = 5;

// Where it shares a core with sessions, they come first, most of the time: what it writes is derived from what is on disk already. On Linux a priority is a thread's own.
if (process.platform === 'linux') os.setPriority(Math.min(os.getPriority() + nicer, os.constants.priority.PRIORITY_LOW));

/** The thread of `FileThread`. */
parentPort?.on('message', (request: Request) => parentPort!.postMessage(answerTo(request)));

function answerTo({ files, folders, id }: Request): Answer {
  try {
    for (const file of files) writeWhole(file);
    for (const folder of folders) syncFolder(folder);
    return { id };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { id, failure: { message, code } };
  }
}

function writeWhole({ bytes, path }: WholeFile): void {
  // One log has one writer, so that nobody else writes this file.
  const temporary = `${path}.tmp`;
  const file = fs.openSync(temporary, 'w', FILE_MODE);
  try {
    for (let done = 0; done < bytes.byteLength;) {
      const taken = fs.writeSync(file, bytes, done, bytes.byteLength - done, done);
      if (taken === 0) throw new Error('the disk takes no more bytes');
      done += taken;
    }
    fs.fdatasyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  fs.renameSync(temporary, path);
}

function syncFolder(path: string): void {
  const folder = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}
