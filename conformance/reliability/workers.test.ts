import assert from 'node:assert/strict';
import { cpSync, globSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { parse, stringify } from 'yaml';
import { ApiClient } from '../../src/cli/client.ts';
import { verifyLog, type VerifyReport } from '../../verifier/index.ts';
import { eventually, startBank, unremarkable, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, sallyport, serve, type ServingProcess, type Site } from './child.ts';

let bank: Bank;
let site: Site;
let served: ServingProcess;
/** Nothing loads any more. */
const load = { isOver: false };
before(async () => {
  bank = await startBank();
  await bank.gateway.close();
  await bank.direct('create table worker_probe (word text primary key); alter table worker_probe owner to gateway');
  site = await newSite(bank, 'workers', (config) => (config['gateway'] = { ...config['gateway'], workers: 2 }));
  served = await serve(site);
});
after(async () => {
  load.isOver = true;
  killLeftovers();
  await bank.close();
});

describe('two workers', () => {
  it('have an equal share of the connections, each with a log of its own, read and verified as one', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, async () => connected(await site.client('pipeline'))));
    for (const client of clients) assert.equal((await client.query('select 1 as one')).rows[0].one, 1);
    const opened = (await recordsFrom(site)).filter(({ record }) => record.type === 'session.opened').map(({ log }) => log);
    assert.deepEqual(opened.map(String).toSorted(byText), [...Array<string>(4).fill('workers/1'), ...Array<string>(4).fill('workers/2')]);
    const live = await sessions();
    assert.equal(live.length, 8);
    const metrics = await text((await site.api('dba-erin')).bytes('/metrics'));
    assert.match(metrics, /^sallyport_sessions_open 8$/m);
    assert.match(metrics, /^sallyport_audit_healthy 1$/m);
    assert.match(metrics, /^sallyport_workers_running 2$/m);
    for (const client of clients) await client.end();
    const report = await verified();
    assert.deepEqual(
      report.logs.map(({ log }) => log),
      ['workers/1', 'workers/2'],
    );
    await eventually('the recordings', () => (recordingsOpen().length === 0 ? true : undefined));
    const shown = await sallyport(
      { ...bank, apiUrl: site.apiUrl },
      await bank.issuer.mint('auditor-uma'),
      'sessions',
      'replay',
      live[0]!.id,
    );
    assert.match(shown.stdout, /select 1 as one/);
  });

  it('follows all logs with one tail, page by page with one query', async () => {
    const both = await pair();
    const token = await bank.issuer.mint('auditor-uma');
    for (const { client } of both) for (let i = 0; i < 20; i++) await client.query(`select ${i} as n`);
    const ended = both.map(({ client }) => client.end());
    await Promise.all(ended);
    const forwards = await pages('oldest');
    const backwards = await pages('newest');
    const ids = (found: readonly { log?: string; sequence: number }[]): string[] => found.map((one) => `${one.log} ${one.sequence}`);
    assert.ok(forwards.length > 100);
    assert.equal(new Set(ids(forwards)).size, forwards.length, 'no record twice');
    const all = new Set(ids(forwards));
    assert.deepEqual(
      ids(backwards).filter((id) => !all.has(id) && !id.startsWith('gateway ')),
      [],
    );
    assert.ok(backwards.length >= forwards.length, 'each page is read on record, so that there are more by now');
    const queried = await sallyport({ ...bank, apiUrl: site.apiUrl }, token, 'audit', 'query', '--session', both[1].id, '--limit', '9');
    assert.equal(queried.stdout.trim().split('\n').length, 9);
    assert.match(queried.stdout, new RegExp(`^${both[1].log} +\\d+ .*session.opened`));
  });

  it('hold for one desk: an operation of either is approved, or denied, by way of the API', async () => {
    const both = await pair();
    const reviewer = await site.api('dba-erin');
    await bank.direct("insert into worker_probe values ('a'), ('b')");
    for (const [index, { client, log }] of both.entries()) {
      const held = client.query('delete from worker_probe').then(
        (result) => result.rowCount,
        (error: unknown) => String(error),
      );
      const approval = await pending();
      const shown = await reviewer.get<{ exact: { text: string } }>(`/api/v1/approvals/${approval}`);
      assert.equal(shown.exact.text, 'delete from worker_probe');
      const answer = index === 0 ? 'approve' : 'deny';
      await reviewer.post(`/api/v1/approvals/${approval}/${answer}`, { reason: `${answer} it` });
      if (index === 0) assert.equal(await held, 2);
      else assert.match(String(await held), /deny it/);
      const records = await recordsFrom(site, 0, ['approval.requested', 'approval.ended', 'operation.decided']);
      const asked = records.find(({ record }) => record.type === 'approval.requested' && record['approval'] === approval);
      assert.deepEqual([asked?.log, asked?.record['log']], ['gateway', log]);
      const ran = records.filter(({ record }) => (record['approvals'] as string[] | undefined)?.includes(approval));
      assert.deepEqual(
        ran.map((one) => one.log),
        index === 0 ? [log] : [],
      );
    }
    await Promise.all(both.map(({ client }) => client.end()));
    await verified();
  });

  it('end a hold whose client is gone or cancels, wherever the cancel arrives', async () => {
    const both = await pair();
    for (const { client } of both) {
      const held = client.query('delete from accounts').then(nothingWrong, String);
      const approval = await pending();
      await cancelElsewhere(client);
      assert.match(await held, /cancel/);
      await ended(approval);
    }
    const [{ client }] = both;
    client.query('delete from accounts').catch(() => {});
    const approval = await pending();
    (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await ended(approval);
    await both[1].client.end();
  });

  it('cancel a running statement whose key the other one gave out, and nothing with a guessed key', async () => {
    for (const { client } of await pair()) {
      const running = client.query('select count(*) from cards a, cards b, cards c').then(nothingWrong, String);
      await eventually('the statement to run', async () => {
        const { rowCount } = await bank.direct(
          "select from pg_stat_activity where state = 'active' and query like '%cards a, cards b, cards c%' and pid <> pg_backend_pid()",
        );
        return rowCount === 1 ? true : undefined;
      });
      await cancelElsewhere(client, 1);
      await cancelElsewhere(client);
      assert.match(await running, /canceling statement due to user request/);
      await client.end();
    }
  });

  it('end a session that an operator kills, and those of a revoked token, in either', async () => {
    const operator = await site.api('dba-erin');
    for (const { client, id } of await pair()) {
      await operator.delete(`/api/v1/sessions/${id}`, { reason: 'runaway job' });
      await eventually('the end', () => client.fatal());
      assert.match(String(client.fatal()), /runaway job/);
    }
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await bank.issuer.mint('pipeline'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'orders',
    };
    const issued = (await (await new ApiClient(site.apiUrl).postForm('/oauth/token', form)).json()) as { access_token: string };
    const both = await pair({ password: issued.access_token });
    const { credentials } = await operator.get<{ credentials: { id: string }[] }>('/api/v1/credentials');
    await operator.delete(`/api/v1/credentials/${credentials[0]?.id}`, { reason: 'leaked' });
    for (const { client } of both) {
      await eventually('the end', () => client.fatal());
      assert.match(String(client.fatal()), /no longer valid/);
    }
    await assert.rejects(connected({ ...(await site.client('pipeline')), password: issued.access_token }), /not accepted|refused/i);
  });

  it('count what a principal may do together', async () => {
    const config = readFileSync(site.configFile, 'utf8');
    const limited = parse(config) as { targets: { orders: object } };
    Object.assign(limited.targets.orders, { limits: { concurrent_sessions: 3, operations_per_minute: 40 } });
    await reloaded(() => writeFileSync(site.configFile, stringify(limited, { aliasDuplicateObjects: false })));
    const clients = [await connected(await site.client('pipeline')), await connected(await site.client('pipeline'))];
    clients.push(await connected(await site.client('pipeline')));
    // What one worker counts, the others count a moment later.
    await eventually('the limit', async () => {
      try {
        await (await connected(await site.client('pipeline'))).end();
        return undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    });
    await assert.rejects(connected(await site.client('pipeline')), { code: '53300' });
    const succeeds = (client: pg.Client): Promise<boolean> =>
      client.query('select 1').then(
        () => true,
        () => false,
      );
    let granted = 0;
    for (let round: boolean[] = [true]; round.includes(true) && granted < 80; granted += round.filter(Boolean).length) {
      round = [];
      for (const client of clients) {
        round.push(await succeeds(client));
        await pause(60);
      }
    }
    assert.ok(granted >= 40 && granted < 80, `${granted} operations: each worker counted for itself`);
    await clients.pop()?.end();
    clients.push(await eventually('a place', async () => connected(await site.client('pipeline')).catch(() => undefined)));
    await Promise.all(clients.map((client) => client.end()));
    await reloaded(() => writeFileSync(site.configFile, config));
  });

  it('take a changed policy both, or neither, and say why', async () => {
    const both = await pair();
    const config = readFileSync(site.configFile, 'utf8');
    const policies = join(bank.folder, 'policies-workers');
    cpSync(join(bank.folder, 'policies'), policies, { recursive: true });
    await reloaded(() => writeFileSync(site.configFile, `${config}policies: policies-workers/\n`));
    const question = 'select count(*) from cards';
    for (const { client } of both) await client.query(question);
    await reloaded(() => writeFileSync(join(policies, '40-new.cedar'), noCards));
    for (const { client } of both) await assert.rejects(client.query(question), /nobody reads cards today/);
    const before = served.log().length;
    writeFileSync(join(policies, '50-bad.cedar'), 'permit (principal,,);');
    served.signal('SIGHUP');
    await eventually('the refusal', () => (served.log().slice(before).includes('not reloaded') ? true : undefined));
    for (const { client } of both) await assert.rejects(client.query(question), /nobody reads cards today/);
    // A worker that starts now gets what is in force, not what lies in the folder.
    const starts = startsOf(1).length;
    process.kill(pidOf(1), 'SIGKILL');
    await restarted(1, starts);
    const fresh = await pair();
    for (const { client } of fresh) await assert.rejects(client.query(question), /nobody reads cards today/);
    rmSync(join(policies, '50-bad.cedar'));
    await reloaded(() => writeFileSync(site.configFile, config));
    for (const { client } of fresh) assert.equal((await client.query(question)).rows[0].count, '6000');
    const changes = (await recordsFrom(site, 0, ['policy.changed'])).map(({ log }) => log);
    for (const log of ['gateway', 'workers/1', 'workers/2']) assert.ok(changes.includes(log), log);
    await Promise.all([...both, ...fresh].map(({ client }) => client.end().catch(() => {})));
  });
});

describe('what is killed', () => {
  it('a worker under load: its records are whole, the other one’s sessions go on, it is started again', async () => {
    for (let round = 0; round < 2; round++) {
      const sessionsOfBoth = [...(await pair()), ...(await pair())];
      const told = sessionsOfBoth.map(({ client }) => insertUntilBroken(client, `k${round}`));
      await pause(150 + Math.random() * 200);
      const starts = startsOf(2).length;
      process.kill(pidOf(2), 'SIGKILL');
      const its = sessionsOfBoth.filter(({ log }) => log === 'workers/2');
      await eventually('broken connections', () => (its.every(({ client }) => isBroken(client)) ? true : undefined));
      await restarted(2, starts);
      const others = sessionsOfBoth.filter(({ log }) => log === 'workers/1');
      assert.deepEqual([its.length, others.filter(({ client }) => !isBroken(client)).length], [2, 2]);
      await Promise.all(sessionsOfBoth.map(({ client }) => client.end().catch(() => {})));
      const answered = (await Promise.all(told)).flat();
      await onRecord(answered, `k${round}`);
    }
    const ends = await recordsFrom(site, 0, ['worker.ended']);
    assert.equal(ends.filter(({ record }) => record['worker'] === 2 && record['reason'] === 'SIGKILL').length, 2);
  });

  it('the primary: the workers end with it, nobody serves on, and everything is there after the next start', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, async () => connected(await site.client('pipeline'))));
    const told = clients.map((client) => insertUntilBroken(client, 'primary'));
    await pause(300);
    const pids = [pidOf(1), pidOf(2)];
    served.signal('SIGKILL');
    await served.ended;
    await eventually('the workers’ end', () => (pids.some(isAlive) ? undefined : true));
    const answered = (await Promise.all(told)).flat();
    served = await serve(site);
    await onRecord(answered, 'primary');
    const client = await connected(await site.client('pipeline'));
    await client.end();
  });

  it('a primary that is silent releases nothing', async () => {
    const { client } = (await pair())[0];
    served.signal('SIGSTOP');
    try {
      await assert.rejects(client.query('delete from accounts'), /nobody can be asked for approval now/);
      assert.equal((await client.query('select count(*)::int as n from accounts')).rows[0].n, 8000);
    } finally {
      served.signal('SIGCONT');
    }
    await client.end();
  });
});

describe('the evidence of workers', () => {
  it('is closed in order, and stays when there are fewer of them', async () => {
    served.signal('SIGTERM');
    assert.equal(await served.ended, 0);
    const config = readFileSync(site.configFile, 'utf8');
    const before = await verified();
    assert.ok(before.logs.every(({ report }) => report.uncheckpointed === 0 && report.sessionsOpen.open === 0));
    writeFileSync(site.configFile, config.replace('workers: 2', 'workers: 1'));
    served = await serve(site);
    const client = await connected(await site.client('pipeline'));
    await client.query('select 7 as seven');
    await client.end();
    const logs = new Set((await recordsFrom(site)).map(({ log }) => log));
    assert.deepEqual([...logs].map(String).toSorted(byText), ['gateway', 'workers/1', 'workers/2']);
    served.signal('SIGTERM');
    assert.equal(await served.ended, 0);
    await verified();
  });

  it('cannot be removed, cut or exchanged unseen: the gateway’s own log says what there must be', async () => {
    const { checkpoint, publicKey } = { checkpoint: readFileSync(join(site.data, 'audit', 'checkpoint'), 'utf8'), publicKey: ownKey() };
    const verify = (folder: string): Promise<VerifyReport> => verifyLog({ folder, publicKey, knownCheckpoint: checkpoint });
    const copy = (name: string): string => {
      const folder = join(bank.folder, `copy-${name}`);
      cpSync(join(site.data, 'audit'), folder, { recursive: true });
      return folder;
    };
    assert.ok((await verify(copy('whole'))).ok);

    const removed = copy('removed');
    rmSync(join(removed, 'workers', '2'), { recursive: true });
    assert.deepEqual(kinds(await verify(removed)), ['missing workers/2']);

    const exchanged = copy('exchanged');
    renameSync(join(exchanged, 'workers', '1'), join(exchanged, 'workers', 'x'));
    renameSync(join(exchanged, 'workers', '2'), join(exchanged, 'workers', '1'));
    renameSync(join(exchanged, 'workers', 'x'), join(exchanged, 'workers', '2'));
    assert.ok(kinds(await verify(exchanged)).includes('wrong-key workers/1: log.pub'));

    const added = copy('added');
    cpSync(join(added, 'workers', '1'), join(added, 'workers', '3'), { recursive: true });
    assert.ok(kinds(await verify(added)).includes('inserted workers/3'));

    const emptied = copy('emptied');
    for (const file of globSync('*', { cwd: join(emptied, 'workers', '1') })) {
      if (file !== 'log.pub') rmSync(join(emptied, 'workers', '1', file), { recursive: true });
    }
    assert.equal((await verify(emptied)).ok, false);
    const cli = await sallyport({ ...bank, apiUrl: site.apiUrl }, undefined, 'audit', 'verify', removed);
    assert.equal(cli.status, 1);
    assert.match(cli.stdout, /missing: workers\/2: this log is gone/);
  });
});

interface InWorker {
  readonly client: Awaited<ReturnType<typeof connected>>;
  readonly id: string;
  readonly log: string;
}

/** Two sessions, one in each worker, whoever else is connected. */
async function pair(changes: pg.ClientConfig = {}): Promise<readonly [InWorker, InWorker]> {
  const found = new Map<string, InWorker>();
  const others: InWorker['client'][] = [];
  while (found.size < 2) {
    const before = new Set((await sessions()).map(({ id }) => id));
    const client = await connected({ ...(await site.client('pipeline')), ...changes });
    const id = await eventually('the session', async () => (await sessions()).find((session) => !before.has(session.id))?.id);
    const [opened] = await (
      await site.api('auditor-uma')
    )
      .get<{ records: { log: string }[] }>('/api/v1/audit/records', {
        session: id,
        type: 'session.opened',
      })
      .then(({ records }) => records);
    const log = opened?.log ?? '';
    if (found.has(log)) others.push(client);
    else found.set(log, { client, id, log });
  }
  await Promise.all(others.map((client) => client.end()));
  const [first, second] = [...found.values()].toSorted((a, b) => (a.log < b.log ? -1 : 1));
  return [first!, second!];
}

async function sessions(): Promise<readonly { id: string }[]> {
  return (await (await site.api('dba-erin')).get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' })).sessions;
}

async function pages(order: string): Promise<readonly { log?: string; sequence: number }[]> {
  const auditor = await site.api('auditor-uma');
  const found: { log?: string; sequence: number }[] = [];
  for (let at: unknown; at !== null;) {
    const page: { records: { log?: string; sequence: number }[]; next: string | null } = await auditor.get('/api/v1/audit/records', {
      order,
      limit: 37,
      ...(at === undefined ? {} : { sequence: at as string }),
    });
    found.push(...page.records);
    at = page.next;
  }
  return found;
}

async function pending(): Promise<string> {
  const reviewer = await site.api('dba-erin');
  const found = await eventually(
    'the hold',
    async () => (await reviewer.get<{ approvals: { id: string }[] }>('/api/v1/approvals', { state: 'pending' })).approvals[0],
  );
  return found.id;
}

async function ended(approval: string): Promise<void> {
  const reviewer = await site.api('dba-erin');
  await eventually('its end', async () => {
    const { state } = await reviewer.get<{ state: string }>(`/api/v1/approvals/${approval}`);
    return state === 'cancelled' ? true : undefined;
  });
}

/** A cancel on a connection of its own. Of two workers with as many the first one gets it, so that the key of one of them comes to the other. */
async function cancelElsewhere(client: pg.Client, change = 0): Promise<void> {
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const packet = Buffer.alloc(16);
  packet.writeInt32BE(16, 0);
  packet.writeInt32BE(80_877_102, 4);
  packet.writeInt32BE(processID, 8);
  packet.writeInt32BE(secretKey ^ change, 12);
  const socket = connect(site.postgresPort, '127.0.0.1');
  socket.end(packet);
  await new Promise((resolve) => {
    socket.on('close', resolve);
    socket.resume();
  });
}

/** Every change makes another digest: a second look at the same files is not taken for it. */
async function reloaded(change: () => void): Promise<void> {
  const newest = (): string | undefined => [...served.log().matchAll(/"digest":"(\w+)"[^\n]*"configuration reloaded"/g)].at(-1)?.[1];
  const before = newest();
  change();
  served.signal('SIGHUP');
  await eventually('the reload', () => (newest() === before ? undefined : true));
}

function startsOf(worker: number): readonly number[] {
  return [...served.log().matchAll(/"worker":(\d+),"pid":(\d+),"msg":"worker started"/g)]
    .filter((found) => Number(found[1]) === worker)
    .map((found) => Number(found[2]));
}

function pidOf(worker: number): number {
  return startsOf(worker).at(-1) as number;
}

async function restarted(worker: number, starts: number): Promise<void> {
  await eventually('another start', () => (startsOf(worker).length > starts ? true : undefined), 60_000);
}

function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

function nothingWrong(): string {
  return 'it went through';
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function isBroken(client: InWorker['client']): boolean {
  return client.fatal() !== undefined;
}

async function insertUntilBroken(client: pg.Client, round: string): Promise<readonly string[]> {
  const answered: string[] = [];
  try {
    while (!load.isOver) {
      const word = `${round}-${unremarkable(12)}`;
      await client.query(`insert into worker_probe values ('${word}')`);
      answered.push(word);
    }
  } catch {
    // The end of its worker, or of the round.
  }
  return answered;
}

/** What was answered or done stands in one of the logs, and all logs verify. */
async function onRecord(answered: readonly string[], round: string): Promise<void> {
  const done = (await bank.direct(`select word from worker_probe where word like '${round}-%'`)).rows.map(({ word }) => String(word));
  const decided = new Set(
    (await recordsFrom(site, 0, ['operation.decided'])).flatMap(({ record }) => String(record['text']).match(/[a-z0-9]+-[a-z]{12}/) ?? []),
  );
  assert.ok(answered.length > 4, `there was hardly any load: ${answered.length}`);
  for (const word of answered) assert.ok(done.includes(word), `answered and not done: ${word}`);
  for (const word of done) assert.ok(decided.has(word), `done without its record: ${word}`);
  assert.deepEqual(recordingsOpen(), []);
  await verified();
}

async function verified(): Promise<VerifyReport> {
  const report = await verifyLog({ folder: join(site.data, 'audit'), publicKey: ownKey(), recordings: join(site.data, 'recordings') });
  assert.deepEqual([report.ok, report.problems], [true, []]);
  return report;
}

function ownKey(): string {
  return readFileSync(join(site.data, 'audit', 'log.pub'), 'utf8').trim();
}

function recordingsOpen(): readonly string[] {
  return globSync(join(site.data, 'recordings', '**', '*.open*'));
}

function kinds({ problems }: VerifyReport): readonly string[] {
  return problems.map(({ kind, where }) => `${kind} ${where}`);
}

const noCards = `@id("nobody reads cards today")
@message("nobody reads cards today")
forbid (principal, action == Action::"sql:select", resource == Relation::"orders/public.cards");
`;
