import { resolve } from 'node:path';
import type { ConfigProblem } from './problem.ts';
import { Secret } from './secret.ts';
import { readSecret } from './secrets/read.ts';
import { parseReference } from './secrets/reference.ts';
import { SecretProblem, type SecretSources } from './secrets/sources.ts';
import type { Path, Source } from './source.ts';

/** Reads secrets and keeps what went wrong, so that all problems are reported together. */
export class SecretReader {
  readonly problems: ConfigProblem[] = [];
  readonly files: string[] = [];
  readonly #source: Source;
  readonly #sources: SecretSources;

  constructor(source: Source, sources: SecretSources) {
    this.#source = source;
    this.#sources = sources;
  }

  read(path: Path, reference: string): Promise<Secret> {
    return this.#read(path, reference, true);
  }

  /** What need not be text. */
  readBytes(path: Path, reference: string): Promise<Secret> {
    return this.#read(path, reference, false);
  }

  async #read(path: Path, reference: string, isText: boolean): Promise<Secret> {
    const parsed = parseReference(reference);
    if (parsed?.kind === 'file') this.files.push(resolve(this.#sources.folder, parsed.path));
    try {
      const secret = await readSecret(reference, this.#sources, isText ? undefined : mostBytes);
      if (isText) secret.text();
      return secret;
    } catch (error) {
      const message = error instanceof SecretProblem ? error.message : 'expected text in UTF-8';
      this.problems.push(this.#source.problem(path, message));
      return new Secret(reference, new Uint8Array());
    }
  }

  add(path: Path, message: string): void {
    this.problems.push(this.#source.problem(path, message));
  }

  async readOptional(path: Path, reference: string | undefined): Promise<Secret | undefined> {
    return reference === undefined ? undefined : this.read(path, reference);
  }
}

/** Of a file that is no secret: what describes a large API has megabytes. */
const mostBytes = 16 * 1024 * 1024;
