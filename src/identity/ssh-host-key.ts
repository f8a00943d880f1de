import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { newSshKeyPair, parsePublicKeyLine, publicBlobOf, publicKeyLine, sshFingerprint, type SshKeyPair } from './ssh-key-format.ts';

/**
 * The key by which clients know the gateway. Made with mode 0600 in the data folder where it is missing, never changed by the gateway, and the same for all processes, whoever
 * is first. Throws where the file holds anything else than an Ed25519 key in OpenSSH's format (also one that `ssh-keygen` made), or others may read it.
 */
export function sshHostKey(dataFolder: string): SshKeyPair {
  const path = hostKeyPath(dataFolder);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  makeWhereMissing(path);
  return readHostKey(path);
}

/** The public line of the key in a data folder; undefined where none was made yet. */
export function publishedHostKey(dataFolder: string): string | undefined {
  const path = hostKeyPath(dataFolder);
  return statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readHostKey(path).publicKey;
}

/** Everything by which people and programs know a host key. */
export function describeHostKey(host: string, port: number, publicKey: string) {
  const blob = parsePublicKeyLine(publicKey);
  if (blob === undefined) throw new Error('not an Ed25519 key');
  return {
    type: 'ssh-ed25519' as const,
    public_key: publicKey,
    fingerprint: sshFingerprint(blob),
    known_hosts: knownHostsLine(host, port, publicKey),
    sshfp: [sshfpRecord(host, blob)],
  };
}

/** A line of `known_hosts` (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). */
export function knownHostsLine(host: string, port: number, publicKey: string): string {
  return `${port === 22 ? host : `[${host}]:${port}`} ${publicKey}`;
}

/** A DNS record (RFC 4255) for Ed25519 (4, RFC 7479) by its SHA-256 (2, RFC 6594). The SHA-1 of older software is left out. */
function sshfpRecord(host: string, blob: Uint8Array): string {
  return `${host} IN SSHFP 4 2 ${createHash('sha256').update(blob).digest('hex')}`;
}

function readHostKey(path: string): SshKeyPair {
  if ((statSync(path).mode & 0o077) !== 0) throw new Error(`${path}: others may read the gateway's host key; run: chmod 600 ${path}`);
  const privateKey = readFileSync(path, 'utf8');
  try {
    const blob = publicBlobOf(privateKey);
    return { privateKey, publicKey: publicKeyLine(blob), blob };
  } catch (cause) {
    throw new Error(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Written whole under another name first: whoever finds the file finds a key. */
function makeWhereMissing(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  const fresh = `${path}.${process.pid}`;
  rmSync(fresh, { force: true });
  const made = openSync(fresh, 'wx', 0o600);
  try {
    writeSync(made, newSshKeyPair('sallyport').privateKey);
    fsyncSync(made);
    closeSync(made);
    linkSync(fresh, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function hostKeyPath(dataFolder: string): string {
  return join(dataFolder, 'keys', 'ssh_host_ed25519_key');
}
