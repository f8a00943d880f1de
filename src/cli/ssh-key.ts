import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { IssuedToken } from '../api/schema.ts';
import { newSshKeyPair, type SshKeyPair } from '../identity/ssh-key-format.ts';
import { Failure, messageOf } from './failure.ts';
import { targetToken, type TargetTokenOptions } from './target-token.ts';

export interface IssuedSshKey {
  readonly issued: IssuedToken;
  readonly pair: SshKeyPair;
}

/** Makes a key pair here and has its public part bound to whoever runs this, and to the target. The private part goes nowhere. */
export async function issueSshKey(target: string, options: TargetTokenOptions): Promise<IssuedSshKey> {
  const pair = newSshKeyPair(`sallyport ${target}`);
  const issued = await targetToken(target, options, {
    requested_token_type: 'urn:sallyport:token-type:ssh-key',
    ssh_public_key: pair.publicKey,
  });
  return { issued, pair };
}

/** The private key with mode 0600 and, beside it, the public one, which clients would else read from an older file. No reader sees half of a key. */
export function writeSshKey(file: string, { privateKey, publicKey }: SshKeyPair): void {
  const fresh = `${file}.${process.pid}`;
  try {
    writeFileSync(fresh, privateKey, { mode: 0o600, flag: 'wx' });
    writeFileSync(`${fresh}.pub`, `${publicKey}\n`, { mode: 0o644, flag: 'wx' });
    renameSync(fresh, file);
    renameSync(`${fresh}.pub`, `${file}.pub`);
  } catch (cause) {
    for (const left of [fresh, `${fresh}.pub`]) rmSync(left, { force: true });
    throw new Failure(`cannot write the key to ${file}: ${messageOf(cause)}`, { hint: 'give another place with --out', cause });
  }
}

/** Where a target's key is kept when no place is given: beside the sign-ins, in a folder for its owner only. */
export function keyPath(target: string, out: string | undefined): string {
  if (out !== undefined) return resolve(out);
  const base = process.env['XDG_CONFIG_HOME'];
  const file = join(
    base === undefined || base === '' ? join(homedir(), '.config') : base,
    'sallyport',
    'ssh',
    `key-${encodeURIComponent(target)}`,
  );
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return file;
}
