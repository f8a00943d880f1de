import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { startBank, type Bank } from '../../conformance/harness.ts';
import { lexSql } from '../../src/protocols/postgres/mask-lexer.ts';
import { Random } from '../random.ts';
import { Findings, minimised, runCases, type RunOptions, type RunResult } from '../report.ts';
import { cells, extended, message, Wire, type Message } from '../wire.ts';
import { findCanary, holdsLiteral } from './canaries.ts';
import { looksUp, Lookups } from './lookups.ts';
import { dataClasses, schemaScript } from './schema.ts';
import { makeScript, pause, type Script } from './scripts.ts';

/**
 * The masking oracle. A principal who may do anything but see runs random queries and scripts over a schema full of canaries; every byte
 * that comes back is searched for them in many spellings, and so is, at the end, everything that the gateway keeps.
 */
export async function fuzzMasking(options: RunOptions): Promise<RunResult> {
  const bank = await startBank({ adjust: withClasses, policies: { 'all.cedar': everythingButReveal } });
  try {
    return await new MaskingRun(bank, options).run();
  } finally {
    await bank.close();
  }
}

type Mode = 'simple' | 'text' | 'binary';

class MaskingRun {
  readonly #bank: Bank;
  readonly #options: RunOptions;
  readonly #findings = new Findings();
  readonly #counts = {
    statements: 0,
    rows: 0,
    refused: 0,
    failed: 0,
    'clean cells': 0,
    'chosen cells': 0,
    'over-masked cells': 0,
    'looked up with rows': 0,
    'looked up without': 0,
  };
  #wire: Wire | undefined;
  #direct: pg.Client | undefined;
  #uses = 0;

  constructor(bank: Bank, options: RunOptions) {
    this.#bank = bank;
    this.#options = options;
  }

  async run(): Promise<RunResult> {
    const { port, superuser, password } = this.#bank.postgres;
    this.#direct = new pg.Client({ host: '127.0.0.1', port, user: superuser, password, database: 'orders' });
    this.#direct.on('error', () => {});
    await this.#direct.connect();
    await this.#remake();
    const cases = await runCases(this.#options, (index) => this.#case(index));
    this.#wire?.end();
    await this.#direct.end();
    this.#searchRecordsAtRest();
    const { 'clean cells': cells, 'chosen cells': chosen, 'over-masked cells': over } = this.#counts;
    if (over > (cells + chosen) * mostOverMasked) {
      this.#findings.add({
        what: 'values without a class are masked',
        minimal: this.#overMasked.slice(0, 20),
        detail: `${over} of ${cells + chosen} cells`,
        caseIndex: 0,
      });
    }
    return { cases, counts: this.#counts, findings: this.#findings.all() };
  }

  async #case(index: number): Promise<void> {
    const random = Random.ofCase(this.#options.seed, index);
    const script = makeScript(random);
    const modes = script.steps.map((): Mode => random.pick(['simple', 'simple', 'text', 'binary']));
    const leak = await this.#run(script, modes);
    if (leak !== undefined && this.#findings.isNew(keyOf(script.steps, leak))) await this.#report(script, modes, leak, index);
    if (script.clean !== false) await this.#compare(script.steps[0]!, index, script.clean === 'chosen' ? 'chosen' : 'clean');
  }

  /** Runs a script; the leak, if there is one. Everything is as before afterwards; with `alone` the session ends as well. */
  async #run(script: Script, modes: readonly Mode[], alone = false): Promise<Leak | undefined> {
    let leak: Leak | undefined;
    let wire = await this.#session();
    for (const [at, step] of script.steps.entries()) {
      if (step === pause) {
        await delay(catalogueMs);
        continue;
      }
      const answers = await this.#step(wire, step, modes[at]!);
      const found = findCanary(wire.taken());
      if (found !== undefined && leak === undefined) leak = { step: at, class: found.class, message: shownIn(answers) };
      if (wire.closed) {
        this.#wire = undefined;
        wire = await this.#session();
      }
    }
    if (script.commits || alone) {
      wire.end();
      this.#wire = undefined;
      if (script.commits) await this.#remake();
    } else await wire.query('rollback; close all; deallocate all; unlisten *; reset all');
    const late = findCanary(wire.taken());
    return leak ?? (late === undefined ? undefined : { step: script.steps.length - 1, class: late.class, message: 'later' });
  }

  async #step(wire: Wire, step: string, mode: Mode): Promise<Message[]> {
    this.#counts.statements += 1;
    if (mode === 'simple') wire.send(message('Q', Buffer.from(`${this.#lookups.seen(step)}\0`)));
    else {
      const { text, values } = this.#lookups.bound(step);
      wire.send(extended(text, mode === 'binary' ? 1 : 0, 0, values));
    }
    const answers: Message[] = [];
    for (;;) {
      const one = await wire.next(answerMs);
      if (one === undefined) {
        wire.end();
        return answers;
      }
      answers.push(one);
      if (one.tag === 'D') this.#counts.rows += 1;
      if (one.tag === 'E') this.#counts[one.body.includes('sallyport') || one.body.includes('data class') ? 'refused' : 'failed'] += 1;
      if (one.tag === 'G') {
        wire.send(message('d', Buffer.from('300\traise\n')));
        wire.send(message('c'));
        if (mode !== 'simple') wire.send(message('S'));
      }
      if (one.tag === 'Z') {
        if (looksUp(step)) this.#counts[answers.some(({ tag }) => tag === 'D') ? 'looked up with rows' : 'looked up without'] += 1;
        return answers;
      }
    }
  }

  async #session(): Promise<Wire> {
    if (this.#wire !== undefined && !this.#wire.closed && this.#uses < casesPerSession) {
      this.#uses += 1;
      return this.#wire;
    }
    this.#wire?.end();
    this.#uses = 0;
    const client = await this.#bank.client('pipeline');
    this.#wire = await Wire.open({
      port: this.#bank.postgresPort,
      authority: (client.ssl as { ca: string }).ca,
      database: 'orders',
      password: client.password as string,
    });
    this.#wire.taken();
    return this.#wire;
  }

  /** The schema anew, made around the gateway, which is then made to look. */
  async #remake(): Promise<void> {
    await this.#direct!.query('set role gateway');
    await this.#direct!.query(schemaScript());
    const wire = await this.#session();
    await wire.query("comment on table lookup is 'n'");
    await delay(catalogueMs);
    const rows = (await wire.query('select code from people order by id')).filter(({ tag }) => tag === 'D');
    this.#lookups = new Lookups(rows.map((row) => cells(row)[0]?.toString('utf8') ?? null));
    wire.taken();
  }

  #lookups = new Lookups([]);

  // ---- what was found

  async #report(script: Script, modes: readonly Mode[], leak: Leak, caseIndex: number): Promise<void> {
    const isRolledBack = script.steps[0] === 'begin' && !script.commits;
    const same = async (steps: readonly string[], withModes: readonly Mode[]): Promise<boolean> =>
      // What a transaction held together must not last, or the next try sees it.
      (!isRolledBack || steps[0] === 'begin') && (await this.#run({ ...script, steps }, withModes, true))?.class === leak.class;
    const pairs = script.steps.map((step, at) => [step, modes[at]!] as const);
    const tries = script.commits ? 30 : 300;
    const fewer = await minimised(
      pairs,
      (some) =>
        same(
          some.map(([step]) => step),
          some.map(([, mode]) => mode),
        ),
      tries / 3,
    );
    let steps = fewer.map(([step]) => step);
    const kept = fewer.map(([, mode]) => mode);
    for (const [at, step] of steps.entries()) {
      const tokens = lexSql(step).map((token) => step.slice(token.start, token.end));
      const smaller = await minimised(tokens, (some) => same(steps.with(at, some.join('')), kept), tries);
      steps = steps.with(at, smaller.join(''));
    }
    await this.#remake();
    this.#options.progress(`leak of ${leak.class}: ${steps.join('; ').slice(0, 200)}`);
    this.#findings.add({
      what: keyOf(script.steps, leak),
      minimal: steps.map((step, at) => `${kept[at]}: ${step}`),
      detail: `${leak.class} in ${leak.message}`,
      caseIndex,
    });
  }

  /** The same without the gateway: what comes back must be the same. */
  async #compare(sql: string, caseIndex: number, kind: 'clean' | 'chosen', tries = 4): Promise<void> {
    const wire = await this.#session();
    const answers = await wire.query(this.#lookups.seen(sql));
    const through = answers.filter(({ tag }) => tag === 'D').map((row) => cells(row).map((cell) => cell?.toString('utf8') ?? null));
    let direct: (string | null)[][];
    try {
      const result = await this.#direct!.query({
        text: this.#lookups.direct(sql),
        rowMode: 'array',
        types: { getTypeParser: () => (value: unknown) => value },
      } as pg.QueryArrayConfig);
      direct = result.rows as (string | null)[][];
    } catch {
      return;
    }
    const [a, b] = [through, direct].map((rows) => rows.map((row) => JSON.stringify(row)).sort());
    const width = direct[0]?.length ?? 0;
    if (tries === 4) this.#counts[`${kind} cells`] += direct.length * width;
    if (a!.join('\n') === b!.join('\n')) return;
    if (tries > 0) {
      // Something was defined a moment ago, and until the gateway has read its catalogue again it believes nothing.
      await delay(catalogueMs);
      await this.#compare(sql, caseIndex, kind, tries - 1);
      return;
    }
    const error = answers.find(({ tag }) => tag === 'E');
    let different = through.length === direct.length ? 0 : direct.length * width;
    if (different === 0)
      for (const [row, cellsOfRow] of through.entries())
        for (const [at, cell] of cellsOfRow.entries()) if (cell !== direct[row]![at]) different += 1;
    this.#counts['over-masked cells'] += different;
    const what = error === undefined ? 'a value without a class is masked' : 'a statement without a class is refused';
    this.#overMasked.push(`case ${caseIndex}: ${what}: ${sql}`);
    this.#options.progress(`${different} cells over-masked by case ${caseIndex}: ${sql.slice(0, 400)}`);
  }

  readonly #overMasked: string[] = [];

  /** A recording gets another name when its session ends, which may be now: then all is searched again. */
  #searchRecordsAtRest(): void {
    for (let again = true; again;) {
      again = false;
      try {
        this.#searchRecords();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        again = true;
      }
    }
  }

  /** Audit log, bodies, recordings, database: no canary, and none of the values that clients wrote into conditions. */
  #searchRecords(): void {
    for (const file of filesBelow(join(this.#bank.folder, 'data'))) {
      const bytes = readFileSync(file);
      const found = findCanary(bytes);
      const place = file
        .slice(this.#bank.folder.length + 1)
        .split('/')
        .slice(0, 2)
        .join('/');
      if (found !== undefined && this.#findings.isNew(`a canary (${found.class}) on record in ${place}`)) {
        this.#findings.add({
          what: `a canary (${found.class}) on record in ${place}`,
          minimal: [around(bytes, found.at)],
          detail: file,
          caseIndex: -1,
        });
      }
      if (holdsLiteral(bytes) && this.#findings.isNew(`a value of a condition on record in ${place}`)) {
        const at = bytes.indexOf('lqzwkjx');
        this.#findings.add({
          what: `a value of a condition on record in ${place}`,
          minimal: [around(bytes, at)],
          detail: file,
          caseIndex: -1,
        });
      }
    }
  }
}

interface Leak {
  readonly step: number;
  readonly class: string;
  readonly message: string;
}

/** Findings of one kind: the same class by the same kinds of statements in the same kind of message. */
function keyOf(steps: readonly string[], leak: Leak): string {
  const words = steps.slice(0, leak.step + 1).map((step) => step.trim().split(/\s+/).slice(0, 2).join(' '));
  const verbs = steps.length === 1 ? [steps[0]!.trim().split(/\s+/)[0]!] : words.filter((word) => word !== 'begin');
  return `${leak.class} in ${leak.message} by ${verbs.join('; ')}`;
}

function shownIn(answers: readonly Message[]): string {
  const names: Readonly<Record<string, string>> = {
    D: 'rows',
    E: 'an error',
    N: 'a notice',
    A: 'a notification',
    S: 'a setting',
    d: 'copied data',
  };
  const tags = new Set(answers.filter(({ body }) => findCanary(body) !== undefined).map(({ tag }) => names[tag] ?? tag));
  return [...tags].join(' and ') || 'the stream';
}

function withClasses(config: Record<string, Record<string, unknown>>): void {
  const prefixed = (places: readonly string[]): string[] => places.map((place) => `orders/${place}`);
  config['data_classes'] = Object.fromEntries(
    Object.entries(dataClasses).map(([name, { columns, paths, ...rest }]) => [
      name,
      { columns: prefixed(columns), paths: prefixed(paths), ...rest },
    ]),
  );
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

function around(bytes: Buffer, at: number): string {
  return bytes
    .subarray(Math.max(0, at - 300), at + 60)
    .toString('utf8')
    .replaceAll(/\s+/g, ' ');
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

const everythingButReveal = `@id("everything but seeing")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"execute", Action::"administer"], resource);
`;
const catalogueMs = 250;
const answerMs = 10_000;
const casesPerSession = 60;
const mostOverMasked = 0.01;
