import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Secret } from '../secret.ts';
import { readAwsSecret } from './aws.ts';
import { readKeyVaultSecret } from './azure.ts';
import { parseReference } from './reference.ts';
import { readEnvironment, SecretProblem, type SecretSources } from './sources.ts';
import { readVaultSecret } from './vault.ts';

/** Reads one secret. `maxFileBytes`: of a file. Throws `SecretProblem`. */
export async function readSecret(reference: string, sources: SecretSources, maxFileBytes = maximumFileBytes): Promise<Secret> {
  const parsed = parseReference(reference);
  if (parsed === undefined) throw new SecretProblem('expected a secret reference');
  switch (parsed.kind) {
    case 'env':
      return new Secret(reference, encode(readEnvironment(parsed.name, sources)));
    case 'file':
      return new Secret(reference, await readFileLimited(resolve(sources.folder, parsed.path), maxFileBytes));
    case 'azure-keyvault':
      return new Secret(reference, encode(await readKeyVaultSecret(parsed, sources)));
    case 'vault':
      return new Secret(reference, encode(await readVaultSecret(parsed, sources)));
    case 'aws-secretsmanager':
      return new Secret(reference, encode(await readAwsSecret(parsed, sources)));
    default:
      return parsed satisfies never;
  }
}

async function readFileLimited(path: string, maxBytes: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > maxBytes) throw new SecretProblem(`expected at most ${maxBytes} bytes in ${path}`);
    bytes = await file.readFile();
  } catch (error) {
    if (error instanceof SecretProblem) throw error;
    throw new SecretProblem(`expected a readable file: ${path} (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`);
  }
  if (bytes.length === 0) throw new SecretProblem(`expected something in the file ${path}`);
  return bytes;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const maximumFileBytes = 1024 * 1024;
