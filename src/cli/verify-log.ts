import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Failure, messageOf, usage } from './failure.ts';
import { print, printJson } from './terminal.ts';

export interface VerifyOptions {
  readonly publicKey?: string;
  readonly checkpoint?: string;
  readonly recordings?: string;
  readonly json?: boolean;
}

/** Runs the independent verifier on a folder and prints what it found; 0 where the log is whole, else 1. */
export async function verifyFolder(folder: string, options: VerifyOptions): Promise<0 | 1> {
  const publicKey = options.publicKey === undefined ? undefined : await readKey(options.publicKey);
  const knownCheckpoint = options.checkpoint === undefined ? undefined : await readText(options.checkpoint, 'the checkpoint');
  const verifier = await loadVerifier();
  const report = await verifier.verifyLog({
    folder,
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(knownCheckpoint === undefined ? {} : { knownCheckpoint }),
    ...(options.recordings === undefined ? {} : { recordings: options.recordings }),
  });
  if (options.json === true) printJson(report);
  else for (const line of verifier.describeReport(report)) print(line);
  return report.ok ? 0 : 1;
}

/**
 * The verifier shares no code with the gateway and is no part of its build: it is found by place, next to `src/` in a checkout and
 * in `dist/`, in the language that this file is in.
 */
async function loadVerifier(): Promise<Verifier> {
  const place = new URL(`../../verifier/index${extname(import.meta.url)}`, import.meta.url).href;
  try {
    return (await import(place)) as Verifier;
  } catch (cause) {
    throw new Failure(`the verifier cannot be loaded: ${messageOf(cause)}`, { cause });
  }
}

interface Verifier {
  verifyLog(options: { folder: string; publicKey?: string; knownCheckpoint?: string; recordings?: string }): Promise<Report>;
  /** Lines that are safe to print. */
  describeReport(report: Report): readonly string[];
}

/** What we need of the verifier's answer; it words the rest itself. */
type Report = { readonly ok: boolean } & Readonly<Record<string, unknown>>;

/** A verifier key (`name+hash+base64`) as it is, else a file that holds one. */
async function readKey(keyOrFile: string): Promise<string> {
  if (/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/.test(keyOrFile)) return keyOrFile;
  return (await readText(keyOrFile, 'the public key')).trim();
}

async function readText(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw usage(`cannot read ${what} ${file}: ${messageOf(cause)}`);
  }
}
