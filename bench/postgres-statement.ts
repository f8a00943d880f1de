import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { AuditLog } from '../src/audit/index.ts';
import type { Effect, WireSession } from '../src/core/effect.ts';
import { Pipeline } from '../src/core/pipeline.ts';
import type { PipelineSession } from '../src/core/pipeline-session.ts';
import type { Target } from '../src/core/target.ts';
import { compileDataClasses } from '../src/masking/classes.ts';
import type { DataClass, RecogniserName } from '../src/masking/types.ts';
import { nodeCrypto } from '../src/net/crypto.ts';
import { compilePolicies, createPolicyEngine } from '../src/policy/index.ts';
import { buildCatalogue } from '../src/protocols/postgres/catalogue-build.ts';
import * as encode from '../src/protocols/postgres/encode.ts';
import { createPostgresSession } from '../src/protocols/postgres/index.ts';
import { noRows, numbered } from '../src/protocols/postgres/testing/bank.ts';
import { createRecordings } from '../src/recordings/index.ts';
import { createAnalyser, loadParser } from '../src/sql/postgres/index.ts';
import { fixedCatalogue } from '../src/protocols/postgres/testing/fixed-catalogue.ts';
import { best, clock, nothingLogged, nothingRecorded, now, openLog, principal, since, type Taken } from './parts/in-process.ts';

/**
 * What one statement of `pgbench -S` costs in the gateway apart from sockets: framing, analysis, policy, audit (`process`), recording,
 * masking by columns and detectors. Microseconds a statement, eight statements to a turn of the event loop: CPU time of the process, of its
 * main thread alone, and the clock on the wall, each the best of seven runs, and the same without its records. On a machine with other work only CPU time says anything.
 *
 *     node bench/postgres-statement.ts [simple|extended|prepared]
 */

type Mode = 'simple' | 'extended' | 'prepared';
type Records = 'everything' | 'no recording' | 'no records';

const STATEMENTS = 20_000;
const A_TURN = 8;
const RUNS = 7;
const QUESTIONS = 4_096;

const target: Target = { name: 'bench', protocol: 'postgres', labels: { env: 'production' }, masking: 'taint', hold: 'wait' };
const policy = `
@id("pipelines may connect")
permit (principal in Group::"deployers", action in Action::"connect", resource in Label::"env=production");
@id("pipelines may read and write")
permit (principal in Group::"deployers", action in [Action::"read", Action::"write"], resource in Label::"env=production");
`;

const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
async function measure(mode: Mode, log: AuditLog, records: Records): Promise<void> {
  const { wire, session } = await openSession(log, records);
  const runs: Taken[] = [];
  // Made beforehand: a client's work is none of the gateway's.
  const questions = Array.from({ length: QUESTIONS }, (_, index) => asked(mode, 100_000 + index));
  if (mode === 'prepared') exchange(wire, session, joined([parse(), encode.emptyClientMessage('Sync')]), joined([parsed, ready]));
  for (let run = 0; run < RUNS; run += 1) {
    const begin = now();
    for (let done = 0; done < STATEMENTS; done += A_TURN) {
      for (let index = 0; index < A_TURN; index += 1) exchange(wire, session, questions[(done + index) % QUESTIONS]!, answer[mode]);
      await turn();
    }
    await log.checkpoint();
    runs.push(since(begin));
  }
  const { cpu, main, wall } = best(runs, STATEMENTS);
  console.log(`${mode.padEnd(10)} ${records.padEnd(14)} ${cpu} µs CPU (${main} in the main thread), ${wall} µs a statement`);
}

/** One question and its answer, as `net/drive.ts` would take them through. */
function exchange(wire: WireSession, session: PipelineSession, question: Uint8Array, reply: Uint8Array): void {
  apply(wire, session, wire.receive('client', question));
  apply(wire, session, wire.receive('upstream', reply));
}

function apply(wire: WireSession, session: PipelineSession, effects: readonly Effect[]): void {
  for (const effect of effects) {
    if (effect.kind === 'ask') {
      const outcome = session.decide(effect.operation, () => {});
      if (outcome instanceof Promise) throw new Error('the statement waits');
      if (outcome.kind === 'refused') throw outcome.fault;
      apply(wire, session, wire.decide(effect.operation.id, outcome));
    } else if (effect.kind === 'complete') session.complete(effect.completion);
    else if (effect.kind === 'sample') session.sample(effect.sample);
    else if (effect.kind === 'close') throw effect.fault ?? new Error('closed');
  }
}

async function openSession(log: AuditLog, records: Records): Promise<{ wire: WireSession; session: PipelineSession }> {
  const analyser = createAnalyser({ maxShapes: 10_000 });
  const analyse = (sql: string) => analyser.analyse(sql);
  const column = { target: 'bench', database: undefined, schema: 'public', relation: 'ledger', column: 'owner' };
  const detected = (name: RecogniserName): DataClass => ({
    name,
    columns: [],
    paths: [],
    detect: [{ kind: 'recogniser', name }],
    mask: 'partial-last4',
  });
  const owner: DataClass = { name: 'owner', columns: [column], paths: [], detect: [], mask: 'partial-last4' };
  const dataClasses = [owner, detected('card-number'), detected('us-ssn'), detected('email')];
  const classes = compileDataClasses(dataClasses, nodeCrypto, new Uint8Array(32));
  const files = [{ name: 'bench.cedar', text: policy }];
  const policies = compilePolicies({ files, crypto: nodeCrypto, targets: [target], dataClasses: classes.names });
  const engine = createPolicyEngine(policies, { now: Date.now });
  const place = { target: 'bench', database: undefined, databaseName: 'bench' };
  const catalogue = buildCatalogue({ rows: catalogueRows, place, classes, analyse, previous: undefined });
  const pipeline = new Pipeline({
    identity: { authenticate: async () => principal },
    policy: engine,
    approvals: { request: () => undefined } as unknown as ConstructorParameters<typeof Pipeline>[0]['approvals'],
    audit: records === 'no records' ? nothingLogged(log) : log,
    recordings: records === 'everything' ? createRecordings({ folder: join(folder, 'recordings'), clock }) : nothingRecorded,
    clock,
    findTarget: () => target,
    newSessionId: () => `ses_${Date.now().toString(36)}${Math.random().toString(16).slice(2)}`,
    maxSessionMs: () => 3_600_000,
  });
  const wire = createPostgresSession({
    crypto: nodeCrypto,
    listenerTarget: undefined,
    clientAuth: 'password',
    canEncrypt: false,
    unsafePlaintext: true,
    openidConfiguration: undefined,
    analyse,
    target: () => ({
      name: 'bench',
      user: 'gateway',
      password: undefined,
      database: 'bench',
      tls: false,
      classes,
      ...fixedCatalogue(catalogue),
    }),
    reveals: (who, of) => engine.reveals(who, of, classes.names),
    policyVersion: () => engine.version,
  });
  wire.receive(
    'client',
    encode.startupMessage(0, [
      { name: 'user', value: 'ci' },
      { name: 'database', value: 'bench' },
    ]),
  );
  const [signIn] = wire.receive('client', encode.passwordMessage('token')).filter((effect) => effect.kind === 'sign-in');
  if (signIn === undefined) throw new Error('no sign-in');
  const session = await pipeline.open({ signIn: signIn.request, listenerTarget: undefined, protocol: 'postgres', peer: '127.0.0.1:1' });
  wire.notify({ kind: 'signed-in', session });
  wire.notify({ kind: 'connected' });
  wire.receive('upstream', joined([encode.authenticationOk(), encode.backendKeyData(1, new Uint8Array(4)), ready]));
  return { wire, session };
}

function modes(): readonly Mode[] {
  const [only] = process.argv.slice(2);
  return only === undefined ? ['simple', 'extended', 'prepared'] : [only as Mode];
}

function asked(mode: Mode, aid: number): Uint8Array {
  if (mode === 'simple') return encode.query(`SELECT abalance FROM pgbench_accounts WHERE aid = ${aid};`);
  const parameters = [new TextEncoder().encode(String(aid))];
  const run = [
    encode.bind({ portal: '', statement: mode === 'prepared' ? 'P0_1' : '', parameterFormats: [], parameters, resultFormats: [] }),
    encode.describe('P', ''),
    encode.execute('', 0),
    encode.emptyClientMessage('Sync'),
  ];
  return joined(mode === 'prepared' ? run : [parse(''), ...run]);
}

function parse(name = 'P0_1'): Uint8Array {
  return encode.parse({ name, query: 'SELECT abalance FROM pgbench_accounts WHERE aid = $1;', parameterTypes: [] });
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

const ready = encode.readyForQuery('I');
const parsed = encode.emptyServerMessage('ParseComplete');
const described = encode.rowDescription([
  { name: 'abalance', tableOid: 16_400, column: 3, typeOid: 23, typeSize: 4, typeModifier: -1, format: 0 },
]);
const result = [described, encode.dataRow([new TextEncoder().encode('0')]), encode.commandComplete('SELECT 1'), ready];
const bound = [encode.emptyServerMessage('BindComplete'), ...result];
const answer = { simple: joined(result), extended: joined([parsed, ...bound]), prepared: joined(bound) };
const catalogueRows = {
  ...noRows,
  relations: [
    { oid: 16_400, schema: 'public', name: 'pgbench_accounts', kind: 'r', rowSecurity: false },
    { oid: 16_500, schema: 'public', name: 'ledger', kind: 'r', rowSecurity: false },
  ],
  columns: new Map([
    [16_400, numbered(['aid', 'bid', 'abalance', 'filler'])],
    [16_500, new Map([[1, 'owner']])],
  ]),
};

try {
  await loadParser();
  const log = await openLog(folder);
  for (const mode of modes())
    for (const records of ['everything', 'no recording', 'no records'] as const) await measure(mode, log, records);
  await log.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
