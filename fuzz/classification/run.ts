import { mkdtempSync, chmodSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/cli/demo/embedded-postgres.ts';
import { GatewayFault } from '../../src/core/fault.ts';
import { compileDataClasses } from '../../src/masking/classes.ts';
import { nodeCrypto } from '../../src/net/crypto.ts';
import { CatalogueReader } from '../../src/net/postgres-catalogue.ts';
import { maskContext } from '../../src/protocols/postgres/mask.ts';
import { lexSql } from '../../src/protocols/postgres/mask-lexer.ts';
import { Names } from '../../src/protocols/postgres/names.ts';
import { understand, type Sight, type Understanding } from '../../src/protocols/postgres/understanding.ts';
import { createAnalyser, loadParser } from '../../src/sql/postgres/index.ts';
import type { SessionEffect, Statement } from '../../src/sql/statement.ts';
import { Random } from '../random.ts';
import { Findings, minimised, runCases, type RunOptions, type RunResult } from '../report.ts';
import { letThrough, shortfall } from './judge.ts';
import { changes, observation, type Seen } from './observe.ts';
import { schema } from './schema.ts';
import { makeText } from './statements.ts';
import { Definitions } from '../../src/protocols/postgres/definitions.ts';

/**
 * What the gateway says of a statement against what it does: each runs on a real server, around the gateway, in a transaction that is
 * rolled back, and everything that it changed is looked up there. What the gateway calls less than what was seen is a finding; what the
 * server runs and the gateway cannot classify is counted.
 */
export async function fuzzClassification(options: RunOptions): Promise<RunResult> {
  await loadParser();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  chmodSync(folder, 0o711);
  const server = await startEmbeddedPostgres({
    folder: join(folder, 'postgres'),
    password: 'fuzz',
    settings: { track_functions: 'all', max_prepared_transactions: '2', log_min_messages: 'fatal', ...patience },
  });
  const run = new ClassificationRun(server, options);
  try {
    return await run.run();
  } finally {
    await run.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What became of one text. */
type Verdict =
  | { readonly kind: 'not run' | 'agreed' | 'ended the transaction' }
  | { readonly kind: 'not classified'; readonly why: string }
  | { readonly kind: 'short'; readonly what: string };

class ClassificationRun {
  readonly #server: EmbeddedPostgres;
  readonly #options: RunOptions;
  readonly #findings = new Findings();
  readonly #counts = { ran: 0, 'not accepted by the server': 0, 'ended the transaction': 0, 'not classified': 0 };
  readonly #unclassified = new Map<string, string>();
  readonly #analyser = createAnalyser({ maxShapes: 1000 });
  #client: pg.Client | undefined;
  #sight: Sight | undefined;

  constructor(server: EmbeddedPostgres, options: RunOptions) {
    this.#server = server;
    this.#options = options;
  }

  async run(): Promise<RunResult> {
    const admin = this.#newClient('postgres', 'postgres');
    await admin.connect();
    await admin.query("create role fuzz_owner login createdb password 'fuzz'");
    await admin.query('create database fuzz owner fuzz_owner');
    await admin.end();
    await this.#remake();
    const cases = await runCases(this.#options, (index) => this.#case(index));
    const { ran, 'not classified': missed } = this.#counts;
    if (ran > 200 && missed > ran * mostUnclassified) {
      this.#findings.add({
        what: 'too much of what the server runs is not classified',
        minimal: [...this.#unclassified].map(([why, sql]) => `${why}: ${sql}`),
        detail: `${missed} of ${ran}`,
        caseIndex: 0,
      });
    }
    for (const [why, sql] of this.#unclassified)
      this.#options.progress(`not classified (${why}): ${sql.slice(0, 160).replaceAll(/\s+/g, ' ')}`);
    return { cases, counts: this.#counts, findings: this.#findings.all() };
  }

  async close(): Promise<void> {
    await this.#client?.end().catch(() => {});
  }

  async #case(index: number): Promise<void> {
    const sql = makeText(Random.ofCase(this.#options.seed, index));
    const verdict = await this.#judge(sql);
    switch (verdict.kind) {
      case 'not run':
        this.#counts['not accepted by the server'] += 1;
        return;
      case 'ended the transaction':
        this.#counts[verdict.kind] += 1;
        return;
      case 'not classified':
        this.#counts.ran += 1;
        this.#counts['not classified'] += 1;
        if (!this.#unclassified.has(verdict.why)) this.#unclassified.set(verdict.why, sql);
        return;
      case 'agreed':
        this.#counts.ran += 1;
        return;
      case 'short':
        this.#counts.ran += 1;
        if (this.#findings.isNew(verdict.what)) await this.#report(sql, verdict.what, index);
    }
  }

  async #report(sql: string, what: string, caseIndex: number): Promise<void> {
    const tokens = lexSql(sql).map((token) => sql.slice(token.start, token.end));
    const smaller = await minimised(
      tokens,
      async (some) => {
        const verdict = await this.#judge(some.join(''));
        return verdict.kind === 'short' && verdict.what === what;
      },
      300,
    );
    this.#options.progress(`${what}: ${smaller.join('')}`);
    this.#findings.add({ what, minimal: [smaller.join('')], detail: JSON.stringify(this.#meaningOf(smaller.join(''))?.acts), caseIndex });
  }

  /** Runs a text in a transaction that is rolled back, and compares. */
  async #judge(sql: string): Promise<Verdict> {
    if (sql.includes('\0') || !sql.isWellFormed()) return { kind: 'not run' };
    const client = await this.#session();
    let before: Seen | undefined;
    let after: Seen;
    let tags: readonly string[];
    try {
      await client.query(opening);
      before = await look(client);
      const results: unknown = await client.query(sql);
      tags = (Array.isArray(results) ? results : [results])
        .map((result: pg.QueryResult) => result.command as string | null)
        .filter((tag) => tag !== null);
      after = await look(client);
    } catch {
      await this.#rollBack(client, before?.transaction);
      return { kind: 'not run' };
    }
    const ended = after.transaction !== before.transaction;
    if (ended) {
      await this.#discard();
      await this.#remake();
    } else await this.#rollBack(client, before.transaction);

    let meaning: Understanding;
    let forReading: Understanding;
    let nested: readonly SessionEffect[];
    try {
      const analysis = this.#analyser.analyse(sql);
      meaning = understand(analysis, this.#sight!, named);
      forReading = understand(analysis, { ...this.#sight!, readOnly: true }, named);
      nested = effectsOf(analysis.statements);
    } catch (error) {
      if (!(error instanceof GatewayFault)) return { kind: 'short', what: `analysis threw ${String(error)}` };
      return {
        kind: 'not classified',
        why: (error.detail === '' ? error.publicMessage : error.detail).replaceAll(/["'`].*|\d+/g, '…').slice(0, 80),
      };
    }
    const endsIt = nested.some(({ kind }) => ['commit', 'rollback', 'begin'].includes(kind)) || meaning.facts['opaque'] === true;
    if (ended) return endsIt ? { kind: 'ended the transaction' } : { kind: 'short', what: 'the transaction ended, and no effect says so' };
    if (tags.length !== meaning.statements.length && !tags.includes('')) {
      return { kind: 'short', what: `the server ran ${tags.length} statements, the gateway read ${meaning.statements.length}` };
    }
    const observed = changes(before, after);
    const what = shortfall(meaning, observed, nested) ?? letThrough(forReading, observed);
    return what === undefined ? { kind: 'agreed' } : { kind: 'short', what };
  }

  #meaningOf(sql: string): Understanding | undefined {
    try {
      return understand(this.#analyser.analyse(sql), this.#sight!, named);
    } catch {
      return undefined;
    }
  }

  async #session(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = this.#newClient('fuzz_owner', 'fuzz');
    client.on('end', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    await client.query(prepared);
    this.#client = client;
    return client;
  }

  #newClient(user: string, database: string): pg.Client {
    const client = new pg.Client({ host: '127.0.0.1', port: this.#server.port, user, password: 'fuzz', database, query_timeout: 30_000 });
    client.on('error', () => {});
    return client;
  }

  async #rollBack(client: pg.Client, began: string | undefined): Promise<void> {
    try {
      const { rows } = (await client.query('select extract(epoch from now())::text as began').catch(() => ({ rows: [{ began }] }))) as {
        rows: { began: string | undefined }[];
      };
      await client.query('rollback');
      if (rows[0]?.began !== began) await this.#remake();
      // What outlives a rollback: prepared statements, settings of the session, locks, sequences.
      const { rows: left } = await client.query<{ n: number }>('select count(*)::int as n from pg_prepared_statements');
      if (left[0]?.n === 2) await client.query('select pg_advisory_unlock_all()');
      else await this.#discard();
    } catch {
      await this.#remake();
    }
  }

  async #discard(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => {});
  }

  /** The schema anew, and what the gateway knows of it. */
  async #remake(): Promise<void> {
    await this.#discard();
    const client = this.#newClient('fuzz_owner', 'fuzz');
    await client.connect();
    for (const repair of repairs) await client.query(repair).catch(() => {});
    const { rows } = await client.query<{ gid: string }>('select gid from pg_prepared_xacts');
    for (const { gid } of rows) await client.query(`rollback prepared ${client.escapeLiteral(gid)}`);
    await client.query(schema);
    await client.end();
    const place = { target: 'fuzz', database: undefined, databaseName: 'fuzz' };
    const classes = compileDataClasses([], nodeCrypto, new Uint8Array(32).fill(7));
    const reader = new CatalogueReader({
      place,
      connection: { host: '127.0.0.1', port: this.#server.port, user: 'fuzz_owner', password: 'fuzz', database: 'fuzz' },
      classes,
      analyse: (sql) => this.#analyser.analyse(sql),
      definitions: new Definitions(),
      report: (what, error) => this.#options.progress(`${what}: ${String(error)}`),
    });
    await reader.ready();
    const catalogue = reader.current();
    this.#sight = { place, catalogue, masks: maskContext(classes, catalogue, 'taint', new Set()), made: new Set() };
    const text = `${prepared}; ${opening}`;
    named.apply(effectsOf(this.#analyser.analyse(text).statements), { text });
  }
}

async function look(client: pg.Client): Promise<Seen> {
  const { rows } = await client.query<{ seen: string }>(observation);
  return JSON.parse(rows[0]!.seen) as Seen;
}

/** Of the statements and of what they run by name in the same text. */
function effectsOf(statements: readonly Statement[]): readonly SessionEffect[] {
  return statements.flatMap((statement) =>
    statement.sessionEffects.flatMap((effect) => (effect.kind === 'prepare' ? [effect, ...effect.statement.sessionEffects] : [effect])),
  );
}

const prepared = 'prepare p_select as select id from orders; prepare p_delete as delete from orders where id = 1';
const opening = 'begin; set local lock_timeout = 2000; set local statement_timeout = 5000; declare c0 cursor for select id from customers';
const named = new Names();
/** What texts leave behind outside their transaction and outside the two schemas. */
const repairs = [
  "set statement_timeout = '20s'",
  "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'fuzz'",
  'alter role fuzz_owner reset all',
  'alter database fuzz reset all',
  'drop schema if exists app2, made19 cascade',
  'drop publication if exists made36',
  'drop publication if exists made37',
];
/** Of what the server runs. */
/** What RESET ALL and its like go back to. */
const patience = { statement_timeout: '10s', lock_timeout: '3s' };
const mostUnclassified = 0.005;
