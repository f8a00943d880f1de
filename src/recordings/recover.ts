import { open, readdir, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { SealedRecording } from '../core/record.ts';
import { localDisk } from './disk.ts';
import { eventSchema, type RecordingEvent } from './format.ts';
import { digestOf, parseJson } from './timeline.ts';

export interface RecoveredRecordings {
  readonly recovered: readonly RecoveredRecording[];
  /** What could not be sealed stays as it is and is tried again at the next start. */
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
}

export interface RecoveredRecording {
  readonly session: string;
  readonly recording: SealedRecording;
  /** Bytes of an incomplete last line that were cut off. */
  readonly droppedBytes: number;
}

/** Closes and seals every recording of this owner (empty: of the gateway itself) that was still open, each with a `recovered` line where its own last line is missing. */
export async function recoverRecordings(folder: string, owner: string): Promise<RecoveredRecordings> {
  const recovered: RecoveredRecording[] = [];
  const failed: { file: string; reason: string }[] = [];
  for (const day of await namesIn(join(folder, owner), 'folder')) {
    for (const name of await namesIn(join(folder, owner, day), 'file')) {
      if (!name.endsWith(openSuffix)) continue;
      const file = join(owner, day, name);
      try {
        recovered.push(await recoverOne(folder, file));
      } catch (error) {
        failed.push({ file, reason: String(error) });
      }
    }
  }
  return { recovered, failed };
}

async function recoverOne(folder: string, file: string): Promise<RecoveredRecording> {
  const finalFile = file.slice(0, -unsealed.length);
  const handle = await open(join(folder, file), 'r+');
  try {
    const { end, lastLine } = await findEnd(handle);
    const droppedBytes = (await handle.stat()).size - end;
    await handle.truncate(end);
    const last = eventSchema.safeParse(parseJson(lastLine)).data;
    if (last?.event !== 'closed' && last?.event !== 'recovered') {
      const line: RecordingEvent = { at: last?.at ?? 0, event: 'recovered', dropped_bytes: droppedBytes };
      await handle.write(`${JSON.stringify(line)}\n`, end);
    }
    await handle.datasync();
    const digest = await digestOf(handle.createReadStream({ start: 0, autoClose: false }));
    await localDisk.rename(join(folder, file), join(folder, finalFile));
    return { session: basename(file, openSuffix), recording: { file: finalFile, ...digest }, droppedBytes };
  } finally {
    await handle.close();
  }
}

/** Where the last whole line ends, and that line without its line feed (empty where it is longer than any that is looked for). */
async function findEnd(handle: FileHandle): Promise<{ readonly end: number; readonly lastLine: string }> {
  let end = 0;
  let offset = 0;
  let lineStart = 0;
  for await (const chunk of handle.createReadStream({ start: 0, autoClose: false })) {
    const bytes = chunk as Buffer;
    for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
      lineStart = end;
      end = offset + at + 1;
    }
    offset += bytes.length;
  }
  const length = Math.max(0, end - 1 - lineStart);
  if (length > maxLastLine) return { end, lastLine: '' };
  const line = Buffer.alloc(length);
  await handle.read(line, 0, length, lineStart);
  return { end, lastLine: line.toString() };
}

async function namesIn(folder: string, kind: 'file' | 'folder'): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries
    .filter((entry) => (kind === 'file' ? entry.isFile() : entry.isDirectory()))
    .map((entry) => entry.name)
    .sort();
}

const unsealed = '.open';
const openSuffix = `.jsonl${unsealed}`;
const lineFeed = 0x0a;
const maxLastLine = 1024 * 1024;
