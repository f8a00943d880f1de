import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import pg from 'pg';
import { startBank, type Bank } from '../../conformance/harness.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/cli/demo/embedded-postgres.ts';
import { Random } from '../random.ts';
import { Findings, minimised, runCases, type RunOptions, type RunResult } from '../report.ts';
import { Wire } from '../wire.ts';
import { bendAnswer, makeMessages, type Sent } from './messages.ts';

/**
 * Messages against the real listener with a real server behind it; in every fourth case the answers are bent instead, by a server that
 * stands between the two. The gateway lives through all of it, its other sessions go on, it answers at once, its memory stays where it
 * was, and whatever the server's own log says was executed stands in the audit log as allowed, as often.
 */
export async function fuzzProtocol(options: RunOptions): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-fuzz-'));
  chmodSync(folder, 0o711);
  const server = await startEmbeddedPostgres({ folder: join(folder, 'postgres'), password: 'fuzz', settings: loggingSettings });
  const bender = await Bender.listen(server.port);
  const bank = await startBank({ adjust: (config) => withTargets(config, server.port, bender.port), policies: { 'all.cedar': policy } });
  const run = new ProtocolRun(bank, server, bender, join(folder, 'postgres', 'data', 'log'), options);
  try {
    return await run.run();
  } finally {
    run.close();
    await bank.close();
    await bender.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

class ProtocolRun {
  readonly #bank: Bank;
  readonly #server: EmbeddedPostgres;
  readonly #bender: Bender;
  readonly #logFolder: string;
  readonly #options: RunOptions;
  readonly #findings = new Findings();
  readonly #counts = { messages: 0, 'ended by the gateway': 0, 'answers bent': 0, 'executed statements': 0, 'megabytes at most': 0 };
  readonly #crashes: string[] = [];
  readonly #onCrash = (error: unknown): void =>
    void this.#crashes.push(error instanceof Error ? (error.stack ?? String(error)) : String(error));
  #steady: Wire | undefined;

  constructor(bank: Bank, server: EmbeddedPostgres, bender: Bender, logFolder: string, options: RunOptions) {
    this.#bank = bank;
    this.#server = server;
    this.#bender = bender;
    this.#logFolder = logFolder;
    this.#options = options;
  }

  async run(): Promise<RunResult> {
    process.on('uncaughtException', this.#onCrash);
    process.on('unhandledRejection', this.#onCrash);
    const admin = new pg.Client({ host: '127.0.0.1', port: this.#server.port, user: 'postgres', password: 'fuzz', database: 'postgres' });
    await admin.connect();
    await admin.query("create role gateway login password 'fuzz'");
    await admin.query(
      'create table notes (id integer, note text); create table forbidden (id integer); alter table notes owner to gateway; alter table forbidden owner to gateway',
    );
    await admin.end();
    const delays = monitorEventLoopDelay({ resolution: 20 });
    delays.enable();
    this.#steady = await this.#open('fuzz');
    const start = await memory();
    const cases = await runCases(this.#options, async (index) => {
      await this.#case(index);
      if (index % 50 !== 49) return;
      const used = await memory();
      this.#counts['megabytes at most'] = Math.max(this.#counts['megabytes at most'], used);
      if (used - start > mostGrowthMegabytes && this.#findings.isNew('memory grows')) {
        this.#findings.add({ what: 'memory grows', minimal: [], detail: `from ${start} to ${used} MB`, caseIndex: index });
      }
    });
    delays.disable();
    if (delays.max > mostBlockedMs * 1e6) {
      this.#findings.add({ what: 'the process was blocked', minimal: [], detail: `${Math.round(delays.max / 1e6)} ms`, caseIndex: -1 });
    }
    this.#steady.end();
    await delay(500);
    await this.#compareLogs();
    return { cases, counts: this.#counts, findings: this.#findings.all() };
  }

  close(): void {
    process.off('uncaughtException', this.#onCrash);
    process.off('unhandledRejection', this.#onCrash);
  }

  async #case(index: number): Promise<void> {
    const random = Random.ofCase(this.#options.seed, index);
    const bends = random.chance(0.25);
    const messages = makeMessages(random);
    const trouble = await this.#play(messages, bends ? index : undefined);
    if (trouble === undefined || !this.#findings.isNew(trouble)) return;
    this.#options.progress(`${trouble} (case ${index})`);
    const smaller = bends ? messages : await minimised(messages, async (some) => (await this.#play(some, undefined)) === trouble, 40);
    this.#findings.add({
      what: trouble,
      minimal: smaller.map(({ told }) => told),
      detail: bends ? 'with bent answers' : '',
      caseIndex: index,
    });
  }

  /** Sends, waits until it is quiet, and sees whether everything else still stands. */
  async #play(messages: readonly Sent[], bendSeed: number | undefined): Promise<string | undefined> {
    let wire: Wire;
    try {
      wire = await this.#open(bendSeed === undefined ? 'fuzz' : 'bent');
    } catch (error) {
      return `no new session: ${String(error)}`;
    }
    if (bendSeed !== undefined) this.#bender.bendNext(new Random(bendSeed ^ this.#options.seed));
    for (const { bytes } of messages) wire.send(bytes);
    this.#counts.messages += messages.length;
    let quiet = 0;
    while (!wire.closed && quiet < 2) quiet = (await wire.next(quietMs)) === undefined ? quiet + 1 : 0;
    if (bendSeed !== undefined) this.#counts['answers bent'] += this.#bender.stop();
    const ended = wire.closed;
    if (ended) this.#counts['ended by the gateway'] += 1;
    wire.end();
    if (this.#crashes.length > 0) return `crash: ${this.#crashes.splice(0).join('\n').slice(0, 600)}`;
    const asked = performance.now();
    const answer = await this.#steady!.query("select 'steady'", answerMs);
    if (answer.at(-1)?.tag === 'Z') return undefined;
    const waited = Math.round(performance.now() - asked);
    this.#steady!.end();
    this.#steady = await this.#open('fuzz');
    return waited >= answerMs ? 'another session waits' : 'another session ended';
  }

  async #open(database: string): Promise<Wire> {
    const client = await this.#bank.client('pipeline');
    return Wire.open({
      port: this.#bank.postgresPort,
      authority: (client.ssl as { ca: string }).ca,
      database,
      password: client.password as string,
    });
  }

  /** What the server says it executed against what the audit log says was allowed. */
  async #compareLogs(): Promise<void> {
    const executed = new Map<string, number>();
    for (const name of readdirSync(this.#logFolder).filter((file) => file.endsWith('.json'))) {
      for (const line of readFileSync(join(this.#logFolder, name), 'utf8').split('\n')) {
        if (line === '') continue;
        const {
          user,
          message,
          application_name: application,
        } = JSON.parse(line) as { user?: string; message?: string; application_name?: string };
        const found = /^(?:statement|execute (?:fetch from )?[^:]*): ([^]*)$/.exec(message ?? '');
        if (found === null || user !== 'gateway' || application === 'sallyport catalogue') continue;
        executed.set(found[1]!, (executed.get(found[1]!) ?? 0) + 1);
        this.#counts['executed statements'] += 1;
      }
    }
    const allowed = await this.#allowed();
    for (const [sql, count] of executed) {
      const known = allowed.get(sql) ?? 0;
      if (known >= count || sql === '' || housekeeping.test(sql)) continue;
      this.#findings.add({
        what: known === 0 ? 'executed, and never allowed' : 'executed more often than allowed',
        minimal: [sql],
        detail: `executed ${count} times, allowed ${known} times`,
        caseIndex: -1,
      });
    }
  }

  async #allowed(): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (let sequence = 0; ;) {
      const page = (await this.#bank.api(
        'auditor-uma',
        `/api/v1/audit/records?type=operation.decided&limit=1000&sequence=${sequence}`,
      )) as {
        records: { record: { decision: string; text: string } }[];
        next: number | null;
      };
      for (const { record } of page.records) {
        if (record.decision !== 'allow') continue;
        const [text] = record.text.split('\n-- runs: ') as [string];
        found.set(text, (found.get(text) ?? 0) + 1);
      }
      if (page.next === null) return found;
      sequence = page.next;
    }
  }
}

/** Stands between the gateway and the server, and bends the server's answers of one session when told to. */
class Bender {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #random: Random | undefined;
  #bent = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen(upstreamPort: number): Promise<Bender> {
    const server = createServer();
    const bender = new Bender(server);
    server.on('connection', (client) => bender.#between(client, connect(upstreamPort, '127.0.0.1')));
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    return bender;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  bendNext(random: Random): void {
    this.#random = random;
    this.#bent = 0;
  }

  /** How many answers were bent. */
  stop(): number {
    this.#random = undefined;
    return this.#bent;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #between(client: Socket, upstream: Socket): void {
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    let unread: Buffer = Buffer.alloc(0);
    upstream.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      const out: Buffer[] = [];
      while (unread.length >= 5) {
        const length = unread.readUInt32BE(1) + 1;
        if (unread.length < length) break;
        const one = unread.subarray(0, length);
        unread = unread.subarray(length);
        if (this.#random?.chance(0.12) === true) {
          this.#bent += 1;
          out.push(...bendAnswer(one, this.#random));
        } else out.push(one);
      }
      client.write(Buffer.concat(out));
    });
  }
}

function withTargets(config: Record<string, Record<string, unknown>>, port: number, bentPort: number): void {
  const upstream = { host: '127.0.0.1', database: 'postgres', user: 'gateway', password: 'env:FUZZ_PASSWORD', tls: 'unsafe_disable' };
  process.env['FUZZ_PASSWORD'] = 'fuzz';
  config['targets'] = {
    fuzz: { protocol: 'postgres', upstream: { ...upstream, port } },
    bent: { protocol: 'postgres', upstream: { ...upstream, port: bentPort } },
  };
  config['data_classes'] = {};
}

async function memory(): Promise<number> {
  (globalThis as { gc?: () => void }).gc?.();
  await delay(0);
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return Math.round((heapUsed + external + arrayBuffers) / 1_048_576);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

const policy = `@id("most of it")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"execute"], resource);
@id("nobody touches it")
forbid (principal, action, resource) when { resource in Relation::"fuzz/public.forbidden" || resource in Relation::"bent/public.forbidden" };
`;
const loggingSettings = {
  logging_collector: 'on',
  log_destination: 'jsonlog',
  log_directory: 'log',
  log_filename: 'fuzz.log',
  log_statement: 'all',
  log_min_messages: 'log',
};
/** What the gateway sends of its own accord. */
const housekeeping = /^REFUSED BY SALLYPORT/;
const quietMs = 40;
const answerMs = 1_000;
const mostBlockedMs = 1_000;
const mostGrowthMegabytes = 400;
