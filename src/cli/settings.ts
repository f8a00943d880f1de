import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Failure, usage } from './failure.ts';

/** What `sallyport login` keeps: one sign-in for each gateway, in a file that only its owner can read. */
export interface SignIn {
  readonly issuer: string;
  readonly clientId: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly resource: string | null;
  readonly token: string;
  readonly refreshToken: string | null;
  readonly expiresAtMs: number;
}

export interface Stored {
  /** The gateway signed in to last: what commands use when none is named. */
  readonly current: string | undefined;
  readonly gateways: ReadonlyMap<string, SignIn>;
}

/** `--url`, else `SALLYPORT_URL`, else the gateway signed in to last. Without a trailing slash. */
export async function gatewayUrl(option: string | undefined): Promise<string> {
  const given = option ?? process.env['SALLYPORT_URL'] ?? (await readStored()).current;
  if (given === undefined || given === '') {
    throw usage('which gateway?', 'set SALLYPORT_URL, give --url, or run: sallyport login https://<gateway>:8080');
  }
  return checkUrl(given);
}

/** A token goes over https only, or to this very machine. */
export function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw usage(`not the URL of a gateway: ${text}`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw usage(`only a scheme, host and port: ${text}`);
  if (url.protocol === 'http:' && !isLoopback(url)) throw usage(`a token would travel in clear text to ${url.host}`, 'use https://');
  return url.href.replace(/\/+$/, '');
}

export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
}

export async function readStored(): Promise<Stored> {
  const file = storePath();
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) throw new Failure(`${file} can be read by others`, { hint: `run: chmod 600 ${file}` });
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: undefined, gateways: new Map() };
    throw error;
  }
  try {
    const { current, gateways } = JSON.parse(text) as { current?: string; gateways: Record<string, SignIn> };
    return { current, gateways: new Map(Object.entries(gateways)) };
  } catch (cause) {
    throw new Failure(`${file} is damaged`, { hint: `remove it and run: sallyport login`, cause });
  }
}

/** Replaces the file whole, so that a reader never sees half of it; created for its owner only. */
export async function writeStored(stored: Stored): Promise<void> {
  const file = storePath();
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${process.pid}`;
  try {
    await writeFile(
      fresh,
      `${JSON.stringify({ current: stored.current, gateways: Object.fromEntries(stored.gateways) }, undefined, 2)}\n`,
      {
        mode: 0o600,
        flag: 'wx',
      },
    );
    await chmod(fresh, 0o600);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

function storePath(): string {
  const base = process.env['XDG_CONFIG_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.config') : base, 'sallyport', 'credentials.json');
}
