import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDemoAuthority } from '../../../src/cli/demo/certificates.ts';
import { startBank, type Bank } from '../../harness.ts';
import { startPostgres15 } from '../../parts/postgres15.ts';
import { message, Wire, type WireMessage } from '../drivers/wire.ts';
import { canaries } from './canaries.ts';

/**
 * A PostgreSQL 15 with canaries in it, twice: `orders` behind the gateway, which permits everything but to see, and `control`, in which the same is
 * tried around it. The gateway's role is a superuser: what no permission of the server's own forbids, the gateway alone has to stop.
 */
export interface Site {
  /** A session through the gateway. */
  through(mode: Mode): Promise<Session>;
  /** A session around it, in `control`. */
  around(): Promise<Session>;
  /** Both databases as they were, and known to the gateway. */
  remake(): Promise<void>;
  /** Around the gateway, in `orders`. */
  direct(sql: string): Promise<pg.QueryResult>;
  readonly bank: Bank;
  readonly serverPort: number;
  close(): Promise<void>;
}

export type Mode = 'taint' | 'strict';

/** A connection that keeps every byte. */
export class Session {
  readonly #wire: Wire;
  #seen: Buffer[] = [];

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Sends bytes; their answer up to ReadyForQuery. */
  async send(...messages: readonly Uint8Array[]): Promise<readonly WireMessage[]> {
    this.#wire.write(Buffer.concat(messages));
    const answer: WireMessage[] = [];
    for (;;) {
      const some = await this.#wire.receiveUntil('ZG');
      answer.push(...some);
      for (const one of some) this.#seen.push(Buffer.from(one.tag), one.body);
      if (some.at(-1)?.tag !== 'G') return answer;
      this.#wire.write(Buffer.concat([message('d', Buffer.from(copied)), message('c')]));
    }
  }

  async query(sql: string): Promise<readonly WireMessage[]> {
    return this.send(message('Q', sql));
  }

  /** The same by Parse, Bind, Execute and Sync. */
  async extended(sql: string, format: 0 | 1 = 0): Promise<readonly WireMessage[]> {
    const none = Buffer.from([0, 0]);
    return this.send(
      message('P', '', sql, none),
      message('B', '', '', none, none, Buffer.from([0, 1, 0, format])),
      message('D', Buffer.from('P'), ''),
      message('E', '', Buffer.alloc(4)),
      message('S'),
    );
  }

  /** All that came since the last call. */
  taken(): Buffer {
    const all = Buffer.concat(this.#seen);
    this.#seen = [];
    return all;
  }

  close(): void {
    this.#wire.close();
  }
}

export async function startSite(): Promise<Site> {
  const scratch = mkdtempSync(join(tmpdir(), 'sallyport-beside-'));
  chmodSync(scratch, 0o711);
  const authority = await createDemoAuthority();
  const authorityFile = join(scratch, 'ca.crt');
  writeFileSync(authorityFile, authority.certificate);
  const server = await startPostgres15({
    folder: join(scratch, 'postgres15'),
    tls: await authority.issue(['localhost']),
    hba: 'hostssl control gateway 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256\n',
    settings: { wal_level: 'logical', shared_preload_libraries: 'pg_stat_statements', max_prepared_transactions: '4' },
  });
  const admin = { host: '127.0.0.1', port: server.port, user: server.user, password: server.password };
  await run({ ...admin, database: 'postgres' }, [
    `create role gateway login superuser password '${password}'`,
    'create role reader',
    'create database orders owner gateway',
    'create database control owner gateway',
  ]);
  const owner = { ...admin, user: 'gateway', password };
  for (const database of ['orders', 'control']) await run({ ...owner, database }, [extensions, schema]);
  const bank = await startBank({
    policies: { 'all.cedar': everythingButReveal },
    adjust: (config) => {
      config.audit = { durability: 'process' };
      const { orders } = config.targets as Record<string, { upstream: object }>;
      const upstream = {
        ...orders!.upstream,
        port: server.port,
        ca: `file:${authorityFile}`,
        password: undefined,
        unsafe_password: password,
      };
      config.targets = {
        orders: structuredClone({ ...orders!, upstream }),
        strict: structuredClone({ ...orders!, upstream, masking: 'strict' }),
      };
      config.data_classes = {
        ssn: { columns: both('public.customers.ssn'), mask: 'redact' },
        tax: { columns: both('public.customers.tax'), mask: 'hash' },
        pin: { columns: both('public.customers.pin'), mask: 'hash' },
        birth: { columns: both('public.customers.born'), mask: 'null' },
        document: { columns: [], paths: both('public.customers.profile#$.secret'), mask: 'redact' },
      };
    },
  });
  const gatewayAuthority = readFileSync(bank.authorityFile, 'utf8');
  const site: Site = {
    bank,
    serverPort: server.port,
    async through(mode) {
      const token = await bank.issuer.mint('pipeline');
      return open(bank.postgresPort, gatewayAuthority, mode === 'strict' ? 'strict' : 'orders', token);
    },
    around: () => open(server.port, authority.certificate, 'control', password),
    async remake() {
      for (const database of ['orders', 'control']) await run({ ...owner, database }, [schema]);
      // The gateway reads its catalogue again when something was defined through it.
      for (const mode of ['taint', 'strict'] as const) {
        const session = await site.through(mode);
        await session.query("comment on table public.plain is 'made anew'");
        await session.query('select 1');
        session.close();
      }
    },
    direct: (sql) => run({ ...owner, database: 'orders' }, [sql]),
    async close() {
      await bank.close();
      await server.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
  return site;
}

async function open(port: number, authority: string, database: string, secret: string): Promise<Session> {
  const wire = await Wire.open(port);
  await wire.encrypt(authority);
  wire.startup(0, [
    ['user', 'gateway'],
    ['database', database],
  ]);
  await authenticate(wire, secret);
  return new Session(wire);
}

async function authenticate(wire: Wire, secret: string): Promise<void> {
  const [asked] = await wire.receiveUntil('RE');
  if (asked?.tag !== 'R') throw new Error('no password was asked for');
  if (asked.body.readInt32BE(0) !== 3) throw new Error('another way to sign in than a password');
  wire.send('p', secret);
  const answers = await wire.receiveUntil('ZE');
  if (answers.at(-1)?.tag !== 'Z') throw new Error(`not signed in: ${answers.at(-1)?.body.toString()}`);
}

async function run(connection: pg.ClientConfig, texts: readonly string[]): Promise<pg.QueryResult> {
  const client = new pg.Client(connection);
  client.on('notice', () => {});
  await client.connect();
  try {
    let last: pg.QueryResult | undefined;
    for (const text of texts) last = await client.query(text);
    return last!;
  } finally {
    await client.end();
  }
}

function both(place: string): string[] {
  return [`orders/${place}`, `strict/${place}`];
}

const password = 'only-the-tests-know';
/** What a COPY FROM STDIN is given. */
const copied = '900\tcopied\n';

const extensions = `
create extension if not exists dblink;
create extension if not exists postgres_fdw;
create extension if not exists file_fdw;
create extension if not exists pageinspect;
create extension if not exists pgstattuple;
create extension if not exists pg_stat_statements;
create extension if not exists tablefunc;
`;

const rows = canaries.ssn.map((ssn, row) => {
  const document = JSON.stringify({ city: `city ${row}`, secret: canaries.document[row] });
  return `(${row}, 'name ${row}', '${ssn}', '${canaries.tax[row]}', ${canaries.pin[row]}, '${canaries.born[row]}', '${document}')`;
});

/** Everything anew, whatever is there. */
const schema = `
set client_min_messages = error;
do $$ declare s text; begin
  for s in select nspname from pg_namespace where nspname like 'x\\_%' loop execute format('drop schema %I cascade', s); end loop;
  for s in select relname from pg_class where relname like 'x\\_%' and relkind = 'r' and relpersistence = 'p' loop
    execute format('drop table if exists %I cascade', s);
  end loop;
end $$;
drop server if exists x_server cascade;
drop domain if exists x_domain cascade;
drop publication if exists x_all;
drop table if exists customers, plain, linked, digits, secured cascade;
drop domain if exists taxed cascade;
drop view if exists named, checked cascade;
drop sequence if exists counter cascade;
create domain taxed as text;
create table customers (id integer primary key, name text not null, ssn text not null unique, tax taxed, pin integer, born date, profile jsonb);
insert into customers values ${rows.join(', ')};
create table plain (id integer primary key, note text);
insert into plain select i, 'note ' || i from generate_series(0, 5) i;
create table linked (customer integer references customers, memo text);
create table digits as select i as n from generate_series(0, 9) i;
create view named as select id, name from customers;
create view checked as select id, name from customers where id >= 0 with check option;
create sequence counter;
create table secured (id integer);
insert into secured values (1);
alter table secured enable row level security;
create policy asking on secured using ((select ssn::integer from customers limit 1) > 0);
grant select, update on secured, customers to reader;
analyze;
`;

const everythingButReveal = `
@id("everything but seeing")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"execute", Action::"administer"], resource);
`;
