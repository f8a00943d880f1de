import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { verifyLog } from '../../verifier/index.ts';
import { startBank, unremarkable, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, serve, type Site, type StoredRecord } from './child.ts';

/** What one client asked and was told. */
interface Witnessed {
  readonly answered: string[];
}

/** In each of the two modes of durability: together fifty. */
const rounds = 25;
const clientCount = 4;
const tokenPattern = /[wr]-[dp]\d+-[a-z]{12}/g;

let bank: Bank;
before(async () => {
  bank = await startBank();
  await bank.gateway.close();
  await bank.direct('create table kill_probe (word text primary key); alter table kill_probe owner to gateway');
});
after(async () => {
  killLeftovers();
  await bank.close();
});

describe('kill -9 of the gateway under load', { concurrency: true }, () => {
  for (const durability of ['disk', 'process'] as const) {
    it(`loses no record of what was done or told, ${rounds} times (durability: ${durability})`, async () => {
      const site = await newSite(bank, durability, (config) => (config['audit'] = { durability }));
      const log = new FollowedLog(site);
      const warm = await serve(site);
      warm.signal('SIGTERM');
      assert.equal(await warm.ended, 0);
      let served = await serve(site);
      let told = 0;
      let done = 0;
      for (let round = 0; round < rounds; round++) {
        const witnesses = await loadUntilKilled(site, () => served.signal('SIGKILL'), `${durability[0]}${round}`);
        assert.equal(await served.ended, 'SIGKILL');
        served = await serve(site);
        await log.readOn();
        await log.verify();
        const executed = await executedIn(`${durability[0]}${round}`);
        for (const token of executed) assert.ok(log.allowed.has(token), `round ${round}: executed without its record: ${token}`);
        for (const token of witnesses.flatMap(({ answered }) => answered)) {
          assert.ok(log.allowed.has(token), `round ${round}: answered without its record: ${token}`);
          if (token.startsWith('w')) assert.ok(executed.has(token), `round ${round}: answered and not executed: ${token}`);
          told++;
        }
        done += executed.size;
        assert.deepEqual(globSync(join(site.data, 'recordings', '**', '*.open*')), [], 'a recording was not sealed');
        for (const session of log.opened) assert.ok(log.sealed.has(session), `round ${round}: session ${session} has no sealed recording`);
      }
      served.signal('SIGTERM');
      assert.equal(await served.ended, 0);
      assert.equal(log.starts, rounds + 2);
      assert.ok(told > rounds && done > rounds, `there was hardly any load: ${told} answers, ${done} changes`);
    });
  }
});

/** Everything on record that this test asks about, read on after each restart. */
class FollowedLog {
  readonly allowed = new Set<string>();
  readonly opened = new Set<string>();
  readonly sealed = new Set<string>();
  starts = 0;
  readonly #site: Site;
  #next = 0;
  /** Of the round before. */
  #kept: { readonly publicKey: string; readonly knownCheckpoint: string } | undefined;

  constructor(site: Site) {
    this.#site = site;
  }

  /** Complete, unaltered, and the same log that it was before the kill: by a program that shares no code with the gateway. */
  async verify(): Promise<void> {
    const auditor = await this.#site.api('auditor-uma');
    const { checkpoint, verifier_key: publicKey } = await auditor.get<{ checkpoint: string; verifier_key: string }>(
      '/api/v1/audit/checkpoint',
    );
    const folders = { folder: join(this.#site.data, 'audit'), recordings: join(this.#site.data, 'recordings') };
    const before = this.#kept;
    this.#kept = { publicKey: before?.publicKey ?? publicKey, knownCheckpoint: checkpoint };
    const report = await verifyLog({ ...folders, ...before });
    assert.ok(report.ok, JSON.stringify(report.problems));
  }

  async readOn(): Promise<void> {
    const records = await recordsFrom(this.#site, this.#next);
    for (const one of records) this.#take(one);
  }

  #take({ sequence, record }: StoredRecord): void {
    assert.equal(sequence, this.#next, 'a record is missing');
    this.#next = sequence + 1;
    const session = String(record['session']);
    if (record.type === 'gateway.started') this.starts++;
    if (record.type === 'session.opened') this.opened.add(session);
    if (record.type === 'recording.recovered') this.sealed.add(session);
    if (record.type !== 'operation.decided' || record['decision'] !== 'allow') return;
    for (const [token] of JSON.stringify([record['text'], record['parameters']]).matchAll(tokenPattern)) this.allowed.add(token);
  }
}

async function loadUntilKilled(site: Site, kill: () => void, round: string): Promise<readonly Witnessed[]> {
  const clients = await Promise.all(Array.from({ length: clientCount }, async () => connected(await site.client('pipeline'))));
  const witnesses = clients.map(() => ({ answered: [] }));
  const working = clients.map((client, index) => work(client, witnesses[index] as Witnessed, round));
  await pause(50 + Math.random() * 350);
  kill();
  await Promise.all(working);
  return witnesses;
}

/** Unique changes and unique reads, one after the other, as text and with parameters, until the connection breaks. */
async function work(client: pg.Client, { answered }: Witnessed, round: string): Promise<void> {
  const write = 'insert into kill_probe values';
  const read = 'select count(*) from kill_probe where word =';
  try {
    for (;;) {
      for (const [kind, statement] of [
        ['w', write],
        ['r', read],
      ] as const) {
        const [text, bound] = [newToken(kind, round), newToken(kind, round)];
        await client.query(`${statement} ('${text}')`);
        answered.push(text);
        await client.query(`${statement} ($1)`, [bound]);
        answered.push(bound);
      }
    }
  } catch (error) {
    assert.match(String(error), /terminated|ECONNRESET|EPIPE|not queryable/);
  } finally {
    client.end().catch(() => {});
  }
}

async function executedIn(round: string): Promise<Set<string>> {
  const { rows } = await bank.direct(`select word from kill_probe where word like 'w-${round}-%'`);
  return new Set(rows.map(({ word }) => word as string));
}

function newToken(kind: 'w' | 'r', round: string): string {
  return `${kind}-${round}-${unremarkable(12)}`;
}
