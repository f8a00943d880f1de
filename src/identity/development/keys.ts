import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

/** The development issuer's private signing keys: RS256 first, which is what most issuers sign with, then ES256. */
export interface DevelopmentKeys {
  readonly keys: readonly JWK[];
}

/** Reads the keys from `folder`, or makes them; without a folder they die with the process. */
export async function developmentKeys(folder: string | undefined): Promise<DevelopmentKeys> {
  if (folder === undefined) return generate();
  const file = join(folder, 'development-issuer-keys.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as DevelopmentKeys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const keys = await generate();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file, `${JSON.stringify(keys, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return keys;
}

async function generate(): Promise<DevelopmentKeys> {
  return { keys: await Promise.all(['RS256', 'ES256'].map(generateKey)) };
}

async function generateKey(alg: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
}
