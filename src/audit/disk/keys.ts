import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { GatewayFault } from '../../core/fault.ts';
import { NoteSigner } from '../checkpoint.ts';
import type { FileSystem } from './file-system.ts';
import { readIfPresent, writeDurably } from './file-system.ts';

/**
 * The key that signs checkpoints: Ed25519, PKCS #8 in PEM. Made where it is missing and `mayCreate` says so (a new log); an existing log
 * without its key is refused, since a new key would make another log of it.
 */
export async function loadSigner(disk: FileSystem, path: string, origin: string, mayCreate: boolean): Promise<NoteSigner> {
  let pem = await readIfPresent(disk, path);
  if (pem === undefined) {
    if (!mayCreate) throw unusable(`the log has records, but its private key ${path} is missing`);
    const { privateKey } = generateKeyPairSync('ed25519');
    pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await createKeyFile(disk, path, pem);
  }
  try {
    return new NoteSigner(origin, pem);
  } catch (error) {
    throw unusable(`${path} with origin ${JSON.stringify(origin)}: ${(error as Error).message}`, error);
  }
}

/** The key of keyed digests: 32 bytes as 64 hex digits and a newline. Made where it is missing. */
export async function loadDigestKey(disk: FileSystem, path: string): Promise<Buffer> {
  let text = await readIfPresent(disk, path);
  if (text === undefined) {
    text = Buffer.from(`${randomBytes(DIGEST_KEY_BYTES).toString('hex')}\n`);
    await createKeyFile(disk, path, text);
  }
  const digits = text.toString('latin1').trimEnd();
  if (!/^[0-9a-f]{64}$/.test(digits)) throw unusable(`${path} does not hold 64 hex digits`);
  return Buffer.from(digits, 'hex');
}

async function createKeyFile(disk: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  await disk.makeFolder(dirname(path));
  await writeDurably(disk, path, bytes);
}

function unusable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be opened', detail, cause });
}

const DIGEST_KEY_BYTES = 32;
