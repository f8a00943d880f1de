import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCanonical } from './canonical.ts';
import type { BodyReference } from './record.ts';
import type { Findings } from './report.ts';

interface Counts {
  checked: number;
  missing: number;
  altered: number;
}

/** Bodies: content beside the log, named by its digest. */
export class BodyChecker {
  readonly counts: Counts = { checked: 0, missing: 0, altered: 0 };
  readonly #folder: string;
  readonly #findings: Findings;
  /** Found whole, so that a body of many records is read once. */
  readonly #whole = new Set<string>();

  constructor(folder: string, findings: Findings) {
    this.#folder = folder;
    this.#findings = findings;
  }

  /** Checks one body. Returns the value that was moved out, where it is JSON of a size that a decision may rest on. */
  async check({ member, encoding, sha256, bytes }: BodyReference, sequence: number): Promise<unknown> {
    const wanted = encoding === 'json' && bytes <= MAX_VALUE_BYTES;
    if (this.#whole.has(sha256) && !wanted) return undefined;
    const name = `bodies/${sha256.slice(0, 2)}/${sha256}`;
    const where = `${name} (member ${member} of record ${sequence})`;
    this.counts.checked += 1;
    const found = await digestFile(join(this.#folder, name), bytes <= MAX_VALUE_BYTES ? MAX_VALUE_BYTES : 0);
    if (found === undefined) {
      this.counts.missing += 1;
      this.#findings.problem('missing', where, 'there is no such file');
      return undefined;
    }
    if (found.sha256 !== sha256 || found.bytes !== bytes) {
      this.counts.altered += 1;
      this.#findings.problem('altered', where, `has another digest or length (${found.bytes} bytes for ${bytes})`);
      return undefined;
    }
    if (this.#whole.size < REMEMBERED) this.#whole.add(sha256);
    if (found.content === undefined) return undefined;
    try {
      if (encoding === 'json') return parseCanonical(found.content);
      if (!isUtf8(found.content)) throw new Error('not UTF-8');
    } catch (error) {
      this.#findings.problem('malformed', where, (error as Error).message);
    }
    return undefined;
  }
}

/** Recordings, sealed by a digest in the log. */
export class RecordingChecker {
  readonly counts: Counts = { checked: 0, missing: 0, altered: 0 };
  readonly #folder: string | undefined;
  readonly #findings: Findings;

  /** Without a folder nothing is checked. */
  constructor(folder: string | undefined, findings: Findings) {
    this.#folder = folder;
    this.#findings = findings;
  }

  async check({ file, sha256, bytes }: { file: string; sha256: string; bytes: number }, sequence: number): Promise<void> {
    const where = `recording ${file} (record ${sequence})`;
    if (!isBelow(file)) return this.#findings.problem('malformed', where, 'is no path below the folder of recordings');
    if (this.#folder === undefined) return;
    this.counts.checked += 1;
    const found = await digestFile(join(this.#folder, file), 0);
    if (found === undefined) {
      this.counts.missing += 1;
      this.#findings.problem('missing', where, 'there is no such file');
    } else if (found.sha256 !== sha256 || found.bytes !== bytes) {
      this.counts.altered += 1;
      this.#findings.problem('altered', where, `is not the one that was sealed (${found.bytes} bytes for ${bytes})`);
    }
  }
}

/** Digest and length of a file, and its content where it has at most `keepBytes`; undefined where there is none. */
async function digestFile(
  path: string,
  keepBytes: number,
): Promise<{ sha256: string; bytes: number; content: Buffer | undefined } | undefined> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
  });
  if (file === undefined) return undefined;
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of file.createReadStream() as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes <= keepBytes) kept.push(chunk);
  }
  return { sha256: hash.digest('hex'), bytes, content: bytes <= keepBytes ? Buffer.concat(kept) : undefined };
}

/** A relative path that stays below where it begins, on any system. */
function isBelow(file: string): boolean {
  if (file.includes('\\') || file.includes('\0') || file.includes(':')) return false;
  return file.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

const MAX_VALUE_BYTES = 16 * 1024 * 1024;
const REMEMBERED = 100_000;
