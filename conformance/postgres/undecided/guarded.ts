import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before } from 'node:test';
import { startBank, type Bank } from '../../harness.ts';
import { fieldsOf, message, Wire, type WireMessage } from '../drivers/wire.ts';

/**
 * A bank in which one table must not be changed and one must not be read, whatever is tried. What the server holds afterwards says whether
 * it was: nothing of what the gateway says about itself counts.
 */
export interface Guarded {
  readonly bank: Bank;
  /** A signed-in connection that sends what a test says, closed after the test. */
  open(parameters?: readonly (readonly [string, string])[]): Promise<Raw>;
  /** That the guarded table has the rows it had, and was not written to in any way, as the server has it. Asked after each test as well. */
  assertUntouched(message?: string): Promise<void>;
}

/** For the tests of one file: started in front of them, stopped behind them. */
export function guardedBank(): Guarded {
  let bank: Bank;
  let untouched: string;
  const opened: Raw[] = [];
  const assertUntouched = async (message?: string): Promise<void> => assert.equal(await stateOf(bank), untouched, message);
  before(async () => {
    bank = await startBank({ policies: { 'guarded.cedar': policies } });
    await bank.direct(tables);
    untouched = await stateOf(bank);
  });
  after(async () => {
    await bank.close();
  });
  afterEach(async () => {
    for (const raw of opened.splice(0)) raw.close();
    await assertUntouched();
  });
  return {
    get bank() {
      return bank;
    },
    async open(parameters) {
      const raw = await openRaw(bank, parameters);
      opened.push(raw);
      return raw;
    },
    assertUntouched,
  };
}

/** The rows of the guarded table and every write to it since it was made. */
async function stateOf(bank: Bank): Promise<string> {
  const { rows } = await bank.direct(`select (select json_agg(g order by id) from guarded g)::text as rows,
    (select json_agg(w.what order by w.id) from guarded_writes w)::text as writes`);
  return JSON.stringify(rows);
}

export async function openRaw(bank: Bank, parameters: readonly (readonly [string, string])[] = []): Promise<Raw> {
  const wire = await Wire.open(bank.postgresPort);
  await wire.encrypt(readFileSync(bank.authorityFile, 'utf8'));
  wire.startup(0, [['user', 'ci'], ['database', 'orders'], ...parameters]);
  const [asked] = await wire.receiveUntil('RE');
  if (asked?.tag === 'R') wire.send('p', await bank.issuer.mint('pipeline'));
  return new Raw(wire, asked?.tag === 'R' ? await wire.receiveUntil('ZE') : [asked!]);
}

/** A connection, and what came over it, in words: `C select 1`, `E 42501`, `D a,b`, `Z I`. */
export class Raw {
  readonly #wire: Wire;
  readonly signOn: readonly string[];

  constructor(wire: Wire, signOn: readonly WireMessage[]) {
    this.#wire = wire;
    this.signOn = signOn.map(word);
  }

  write(...messages: readonly Uint8Array[]): void {
    this.#wire.write(Buffer.concat(messages));
  }

  /** Up to the last of so many ReadyForQuery, or the end of the connection. */
  async answers(cycles = 1): Promise<readonly string[]> {
    const all: string[] = [];
    for (let left = cycles; left > 0; left -= 1) {
      const some = (await this.#wire.receiveUntil('Z')).map(word);
      all.push(...some);
      if (some.at(-1) === 'closed') break;
    }
    return all;
  }

  async run(text: string | Uint8Array): Promise<readonly string[]> {
    this.write(query(text));
    return this.answers();
  }

  close(): void {
    this.#wire.close();
  }
}

export const query = (text: string | Uint8Array): Buffer =>
  typeof text === 'string' ? message('Q', text) : message('Q', text, Buffer.from([0]));
export const parse = (text: string, name = ''): Buffer => message('P', name, text, int16(0));
export const bind = (statement = '', portal = ''): Buffer => message('B', portal, statement, int16(0), int16(0), int16(0));
export const execute = (portal = '', rows = 0): Buffer => message('E', portal, int32(rows));
export const describe = (what: 'S' | 'P', name = ''): Buffer => message('D', Buffer.from(what), name);
export const close = (what: 'S' | 'P', name = ''): Buffer => message('C', Buffer.from(what), name);
export const sync: Buffer = message('S');
export const flush: Buffer = message('H');
export const copyData = (text: string): Buffer => message('d', Buffer.from(text));
export const copyDone: Buffer = message('c');

function word(one: WireMessage): string {
  const text = one.body.toString();
  switch (one.tag) {
    case '':
      return 'closed';
    case 'E':
      return `E ${fieldsOf(one).get('C')}`;
    case 'C':
      return `C ${text.replace('\0', '')}`;
    case 'D':
      return `D ${cells(one.body).join(',')}`;
    case 'Z':
      return `Z ${text}`;
    default:
      return one.tag;
  }
}

function cells(body: Buffer): readonly string[] {
  const all: string[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left -= 1) {
    const length = body.readInt32BE(at);
    at += 4;
    all.push(length < 0 ? 'null' : body.toString('utf8', at, at + length));
    at += Math.max(0, length);
  }
  return all;
}

function int16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/**
 * Everything of the database belongs to the gateway's own role, so that nothing but the gateway stands before it. `apply_setting` is what
 * applications have to set their tenant with; it may be called.
 */
const tables = `
set role gateway;
create table guarded (id integer primary key, note text);
insert into guarded values (1, 'untouched'), (2, 'untouched');
create table guarded_writes (id integer generated always as identity, what text);
create function tell() returns trigger language plpgsql security definer as $$
  begin insert into guarded_writes (what) values (tg_op); return null; end $$;
create trigger tell after insert or update or delete or truncate on guarded for each statement execute function tell();
create table free (id integer primary key, note text);
insert into free values (1, 'free'), (2, 'free');
create view shown as select * from guarded;
create view shown_again as select id, note from shown;
create view blank as select 1 as one from guarded;
create view triggered as select f.id, g.note from free f join guarded g using (id);
create function redirect() returns trigger language plpgsql as $$ begin delete from guarded where id = old.id; return old; end $$;
create trigger redirect instead of delete on triggered for each row execute function redirect();
create view ruled as select f.id from free f join guarded g using (id);
create rule redirect as on delete to ruled do instead delete from guarded where id = old.id;
create table parted (id integer, note text) partition by range (id);
create table parted_1 partition of parted for values from (0) to (100);
insert into parted values (1, 'part');
create view knobs as select name, setting from pg_settings;
create function apply_setting(name text, value text) returns text language sql as $$ select pg_catalog.set_config(name, value, false) $$;
create view setting_view as select apply_setting('standard_conforming_strings', 'off');
reset role;
create role other nologin;
grant other to gateway;
`;

const policies = `
@id("pipelines work here")
permit (
  principal in Group::"deployers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer"],
  resource in Label::"env=production"
);

@id("the tenant may be set")
permit (principal in Group::"deployers", action == Action::"sql:call-function", resource == Function::"orders/public.apply_setting");

@id("nobody changes what is guarded")
forbid (principal, action in [Action::"write", Action::"define"], resource)
when { resource in [Relation::"orders/public.guarded", Relation::"orders/public.parted"] };
`;
