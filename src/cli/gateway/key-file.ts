import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** A secret of 32 random bytes, made with mode 0600 where it is missing. Throws where the file holds anything else. */
export function keyFile(path: string): Uint8Array {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    const made = openSync(path, 'wx', 0o600);
    writeSync(made, randomBytes(keyBytes));
    fsyncSync(made);
    closeSync(made);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = readFileSync(path);
  if (key.length !== keyBytes) throw new Error(`${path}: expected ${keyBytes} bytes, found ${key.length}`);
  return key;
}

const keyBytes = 32;
