import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder for what a test writes, and what has to be closed when it is over. */
export class Site {
  readonly folder: string;
  readonly closers: (() => Promise<void>)[] = [];

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `sallyport-${name}-`));
    chmodSync(this.folder, 0o711);
  }

  /** Everything is closed, whatever fails: a server that stays up keeps the process of the test alive. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let next = this.closers.pop(); next !== undefined; next = this.closers.pop())
      await next().catch((error: unknown) => failures.push(error));
    rmSync(this.folder, { recursive: true, force: true });
    if (failures.length > 0) throw failures[0];
  }
}

/** Starts something in a site of its own. Where that fails, what was started of it is closed. */
export async function atNewSite<Started>(name: string, start: (site: Site) => Promise<Started>): Promise<Started> {
  const site = new Site(name);
  try {
    return await start(site);
  } catch (error) {
    await site.close();
    throw error;
  }
}
