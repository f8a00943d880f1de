import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { GatewayFault } from '../../core/fault.ts';
import type { FileSystem } from './file-system.ts';
import { readIfPresent, writeDurably } from './file-system.ts';

/** Content beside the log, each file named by the SHA-256 of its bytes. */
export class Bodies {
  readonly #disk: FileSystem;
  readonly #root: string;

  constructor(disk: FileSystem, root: string) {
    this.#disk = disk;
    this.#root = root;
  }

  /** Durable when it resolves. */
  async store(sha256: string, content: Uint8Array): Promise<void> {
    const folder = join(this.#root, sha256.slice(0, 2));
    const path = join(folder, sha256);
    const present = await readIfPresent(this.#disk, path);
    if (present?.equals(content) === true) return this.#disk.syncFolder(folder);
    await this.#disk.makeFolder(folder);
    await this.#disk.syncFolder(this.#root);
    await writeDurably(this.#disk, path, content);
  }

  /** Throws `audit-unavailable` where the body is missing or is not what its name says. */
  async read(sha256: string): Promise<Uint8Array> {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw unreadable(sha256, 'is not a digest');
    const content = await readIfPresent(this.#disk, join(this.#root, sha256.slice(0, 2), sha256));
    if (content === undefined) throw unreadable(sha256, 'is missing');
    if (createHash('sha256').update(content).digest('hex') !== sha256) throw unreadable(sha256, 'was altered');
    return content;
  }
}

function unreadable(sha256: string, what: string): GatewayFault {
  return new GatewayFault('audit-unavailable', { publicMessage: 'the audit log cannot be read', detail: `body ${sha256} ${what}` });
}
