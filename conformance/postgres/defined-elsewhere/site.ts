import { after, afterEach, before } from 'node:test';
import type { DemoConfig } from '../../../src/cli/demo/world.ts';
import { startBank, type Bank } from '../../harness.ts';
import { openRaw, type Raw } from '../undecided/guarded.ts';

/** A bank in which one session may define what it likes while another one reads. */
export interface Site {
  readonly bank: Bank;
  /** A signed-in connection, closed after the test. */
  open(): Promise<Raw>;
}

export function site(): Site {
  let bank: Bank;
  const opened: Raw[] = [];
  before(async () => {
    bank = await startBank({ policies, adjust: hideContent });
    await bank.direct(definitions);
  });
  after(async () => bank.close());
  afterEach(() => {
    for (const raw of opened.splice(0)) raw.close();
  });
  return {
    get bank() {
      return bank;
    },
    async open() {
      const raw = await openRaw(bank);
      opened.push(raw);
      return raw;
    },
  };
}

/** `accounts.number` and `closed.papers.content` are hidden. `picked` is code that reads it: whatever calls it is masked whole. */
const definitions = `
set role gateway;
create function picked(one integer) returns varchar language sql stable as $$ select number::varchar from accounts where id = one $$;
create table plain (id integer primary key, note varchar not null);
insert into plain values (1, 'plain'), (2, 'plainer');
create schema open;
create table open.papers (id integer primary key, content varchar);
create schema closed;
create table closed.papers (id integer primary key, content varchar);
insert into closed.papers values (1, 'nobody sees this');
create view notes as select n.id, n.note from plain n join closed.papers p on p.id = n.id;
`;

function hideContent(config: DemoConfig): void {
  config['data_classes'] = { ...config['data_classes'], content: { columns: ['orders/closed.papers.content'], mask: 'redact' } };
}

const policies = {
  'all.cedar': '@id("pipelines do everything") permit (principal in Group::"deployers", action, resource);',
};
