import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type pg from 'pg';
import { parse, stringify } from 'yaml';
import { ApiClient } from '../../../src/cli/client.ts';
import { eventually, startBank, type Bank } from '../../harness.ts';
import { connected, recordsFrom } from '../../reliability/child.ts';

type Targets = Record<string, Record<string, unknown>>;
type Stored = Readonly<Record<string, unknown>>;

/** The bank's database behind several targets, each with its own restrictions; what one test uses up no other has. */
export class LimitedSite {
  readonly bank: Bank;

  private constructor(bank: Bank) {
    this.bank = bank;
  }

  /** `policies` come behind one that permits everything. */
  static async start(targets: Readonly<Record<string, object>>, policies = ''): Promise<LimitedSite> {
    const bank = await startBank({
      policies: { 'all.cedar': `@id("all") permit (principal, action, resource);\n${policies}` },
      adjust: (config) => {
        const { orders } = config['targets'] as unknown as Record<string, object>;
        const all = Object.entries(targets).map(([name, own]) => [name, { ...structuredClone(orders!), ...own }]);
        config['targets'] = Object.fromEntries([['orders', orders], ...all]);
      },
    });
    process.env['SALLYPORT_CA'] = bank.authorityFile;
    return new LimitedSite(bank);
  }

  async session(target: string, as = 'pipeline'): ReturnType<typeof connected> {
    return connected({ ...(await this.bank.client(as)), database: target });
  }

  /** Of a target, in the order of the log. Of completed operations, those whose decision names it. */
  async records(type: string, target: string): Promise<readonly Stored[]> {
    const found = await this.#recorded(['operation.decided', type]);
    const here = new Set(found.filter((record) => record['target'] === target).map((record) => record['operation']));
    return found.filter((record) => record['type'] === type && here.has(record['operation']));
  }

  /** Writes the configuration and waits until it is in force. */
  async reconfigure(change: (targets: Targets) => void): Promise<void> {
    const changes = async (): Promise<number> => (await this.#recorded(['config.changed'])).length;
    const before = await changes();
    const config = parse(readFileSync(this.bank.configFile, 'utf8')) as { targets: Targets };
    change(config.targets);
    writeFileSync(this.bank.configFile, stringify(config, { aliasDuplicateObjects: false }));
    await eventually('the reload', async () => ((await changes()) > before ? true : undefined));
  }

  async #recorded(types: readonly string[]): Promise<readonly Stored[]> {
    const api = async () => new ApiClient(this.bank.apiUrl, await this.bank.issuer.mint('auditor-uma'));
    return (await recordsFrom({ api }, 0, types)).map(({ record }) => record as Stored);
  }
}

export async function failure(promise: Promise<unknown>): Promise<pg.DatabaseError> {
  return promise.then(
    () => assert.fail('was let through'),
    (error: unknown) => error as pg.DatabaseError,
  );
}

/** Without parameters node-postgres uses the simple protocol, unless it is told. */
export function extended(text: string): pg.QueryConfig {
  return { text, queryMode: 'extended' } as pg.QueryConfig;
}
