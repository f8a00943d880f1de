import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { verifyLog } from '../../verifier/index.ts';
import { ApiClient } from '../../src/cli/client.ts';
import { eventually, startBank, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, sallyport, serve, type Site, type StoredRecord } from './child.ts';

let bank: Bank;
before(async () => {
  bank = await startBank({
    adjust: ({ targets = {} }) => Object.assign(targets, { spare: structuredClone(targets['orders']) }),
  });
  process.env['SALLYPORT_CA'] = bank.authorityFile;
});
after(async () => {
  killLeftovers();
  await bank.close();
});

type Place = Pick<Site, 'api'>;
const api = async (as: string): Promise<ApiClient> => new ApiClient(bank.apiUrl, await bank.issuer.mint(as));

describe('a session ends, whatever it is doing, when', () => {
  it('its token expires', async () => {
    const exp = Math.floor(Date.now() / 1000) + 10;
    const four = await FourSessions.open(
      { api },
      { ...(await bank.client('pipeline')), password: await bank.issuer.mint('pipeline', { exp }) },
    );
    await four.end(/has expired|no longer valid/);
  });

  it('its gateway token is revoked', async () => {
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await bank.issuer.mint('pipeline'),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'orders',
    };
    const issued = (await (await new ApiClient(bank.apiUrl).postForm('/oauth/token', form)).json()) as { access_token: string };
    const four = await FourSessions.open({ api }, { ...(await bank.client('pipeline')), password: issued.access_token });
    const operator = await api('dba-erin');
    const { credentials } = await operator.get<{ credentials: { id: string }[] }>('/api/v1/credentials');
    assert.equal(credentials.length, 1);
    await operator.delete(`/api/v1/credentials/${credentials[0]?.id}`, { reason: 'leaked' });
    await four.end(/no longer valid/);
    await assert.rejects(
      connected({ ...(await bank.client('pipeline')), password: issued.access_token }),
      /not accepted|refused|authentication/i,
    );
  });

  it('an operator ends it', async () => {
    const four = await FourSessions.open({ api }, await bank.client('pipeline'));
    const token = await bank.issuer.mint('dba-erin');
    const killed = await Promise.all(four.ids.map((id) => sallyport(bank, token, 'sessions', 'kill', id, '--reason', 'runaway job')));
    for (const { status, stderr } of killed) assert.equal(status, 0, stderr);
    await four.end(/runaway job/);
  });

  it('its target leaves the configuration', async () => {
    const four = await FourSessions.open({ api }, { ...(await bank.client('pipeline')), database: 'spare' });
    const other = await connected(await bank.client('pipeline'));
    const text = readFileSync(bank.configFile, 'utf8');
    const without = text.replace(/^ {2}spare:\n(?: {4}.*\n)+/m, '');
    assert.notEqual(without, text);
    writeFileSync(bank.configFile, without);
    process.kill(process.pid, 'SIGHUP');
    await four.end(/target was removed/);
    assert.deepEqual((await other.query('select 1 as one')).rows, [{ one: 1 }]);
    await other.end();
  });
});

describe('a gateway that is asked to stop', () => {
  it('tells its clients, seals what is open, closes its log and ends, whoever hangs on', async () => {
    const site = await newSite(bank, 'stopping');
    const served = await serve(site);
    const four = await FourSessions.open(site, await site.client('pipeline'));
    const silent = connect(site.postgresPort, '127.0.0.1');
    const halfway = connect(site.postgresPort, '127.0.0.1', () => halfway.write(sslRequest));
    for (const socket of [silent, halfway]) socket.on('error', () => {});
    await once(halfway, 'readable');
    served.signal('SIGTERM');
    await four.clientsEnded(/gateway is stopping/);
    assert.equal(await served.ended, 0, served.log());
    for (const socket of [silent, halfway]) socket.destroy();

    const again = await serve(site);
    const records = await recordsFrom(site);
    const stopped = records.findIndex(({ record }) => record.type === 'gateway.stopped');
    assert.ok(stopped > 0, 'no gateway.stopped');
    assert.equal(records[stopped + 1]?.record.type, 'gateway.started', 'something was recorded after the end');
    four.checkRecords(records.slice(0, stopped), /gateway is stopping/);
    const report = await verifyLog({ folder: `${site.data}/audit`, recordings: `${site.data}/recordings` });
    assert.ok(report.ok, JSON.stringify(report.problems));
    again.signal('SIGTERM');
    assert.equal(await again.ended, 0);
  });
});

/** One idle session, one whose operation is held, one in the middle of a large result, and one whose client has stopped reading that. */
class FourSessions {
  readonly ids: readonly string[];
  readonly #place: Place;
  readonly #idle: Awaited<ReturnType<typeof connected>>;
  readonly #working: readonly Promise<Error>[];
  readonly #deaf: pg.Client;

  static async open(place: Place, config: pg.ClientConfig): Promise<FourSessions> {
    const [idle, holding, reading, deaf] = await Promise.all([connected(config), connected(config), connected(config), connected(config)]);
    await idle.query('select 1');
    const held = failure(holding.query('delete from accounts'));
    const [flowing, stuck] = [new pg.Query(large), new pg.Query(large)];
    const broken = [flowing, stuck].map((query) => new Promise<Error>((resolve) => void query.on('error', resolve)));
    let rows = 0;
    for (const query of [flowing, stuck]) query.on('row', () => (rows += 1));
    reading.query(flowing);
    deaf.query(stuck);
    await eventually('rows', () => (rows > 10_000 ? true : undefined));
    streamOf(deaf).pause();
    const client = await place.api('dba-erin');
    const ids = await eventually('four sessions', async () => {
      const { sessions } = await client.get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' });
      return sessions.length === 4 ? sessions.map(({ id }) => id) : undefined;
    });
    await eventually('the hold', async () => ((await pending(place)).length === 1 ? true : undefined));
    return new FourSessions(place, ids, idle, [held, broken[0] as Promise<Error>], deaf);
  }

  private constructor(
    place: Place,
    ids: readonly string[],
    idle: Awaited<ReturnType<typeof connected>>,
    working: readonly Promise<Error>[],
    deaf: pg.Client,
  ) {
    this.#place = place;
    this.ids = ids;
    this.#idle = idle;
    this.#working = working;
    this.#deaf = deaf;
  }

  /** All four are gone: for their clients, in the gateway, at the database and on record, with the reason. */
  async end(reason: RegExp): Promise<void> {
    await this.clientsEnded(reason);
    const operator = await this.#place.api('dba-erin');
    await eventually('no session', async () => {
      const { sessions } = await operator.get<{ sessions: { id: string }[] }>('/api/v1/sessions', { state: 'live' });
      return sessions.some(({ id }) => this.ids.includes(id)) ? undefined : true;
    });
    assert.deepEqual(await pending(this.#place), []);
    this.checkRecords(
      await eventually('the records', async () => {
        const records = await recordsFrom(this.#place, 0, ['session.closed', 'approval.requested', 'approval.ended', 'operation.decided']);
        const closed = records.filter(({ record }) => record.type === 'session.closed' && this.ids.includes(String(record['session'])));
        return closed.length === this.ids.length ? records : undefined;
      }),
      reason,
    );
  }

  async clientsEnded(reason: RegExp): Promise<void> {
    const told = await eventually('the end of the idle session', () => this.#idle.fatal());
    assert.equal((told as pg.DatabaseError).code, '57P01');
    assert.match(told.message, reason);
    const [held] = await Promise.all(this.#working);
    assert.match(String(held), reason);
    await eventually('no connection at the database', async () => {
      const { rows } = await bank.direct(
        "select pid from pg_stat_activity where state = 'active' and query like '%cross join%' and pid <> pg_backend_pid()",
      );
      return rows.length === 0 ? true : undefined;
    });
    streamOf(this.#deaf).destroy();
    assert.equal((await bank.direct('select count(*)::int as n from accounts')).rows[0].n, 8000);
  }

  checkRecords(records: readonly StoredRecord[], reason: RegExp): void {
    for (const id of this.ids) {
      const ofSession = records.map(({ record }) => record).filter((record) => record['session'] === id);
      const closed = ofSession.find(({ type }) => type === 'session.closed');
      assert.ok(closed?.['recording'] !== undefined, `session ${id} has no end with a recording`);
      const requested = ofSession.find(({ type }) => type === 'approval.requested');
      if (requested === undefined) continue;
      const ended = records.find(({ record }) => record.type === 'approval.ended' && record['approval'] === requested['approval']);
      assert.equal(ended?.record['state'], 'cancelled');
      const decided = ofSession.find(({ type, operation }) => type === 'operation.decided' && operation === requested['operation']);
      assert.equal(decided?.['decision'], 'deny', String(reason));
    }
  }
}

async function pending(place: Place): Promise<readonly unknown[]> {
  const { approvals } = await (await place.api('dba-erin')).get<{ approvals: unknown[] }>('/api/v1/approvals', { state: 'pending' });
  return approvals;
}

function failure(query: Promise<unknown>): Promise<Error> {
  return query.then(
    () => assert.fail('it went through'),
    (error: unknown) => error as Error,
  );
}

function streamOf(client: pg.Client): { pause(): void; destroy(): void } {
  return (client as unknown as { connection: { stream: { pause(): void; destroy(): void } } }).connection.stream;
}

const large = 'select p.id, p.payee, p.memo from payments p cross join generate_series(1, 1000)';
/** PostgreSQL "SSLRequest". */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
