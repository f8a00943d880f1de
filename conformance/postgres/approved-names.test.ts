import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import pg from 'pg';
import { eventually, startBank, type Bank } from '../harness.ts';

/**
 * An approval of `execute a` must be one of what `a` meant. It once bound these nine characters: with `hold: refuse-and-retry` whoever
 * had a small DELETE approved could give its name to another one and retry that under the same approval, and the reviewer saw
 * neither of them. What the name means stands beside the statement: a client that wrote it into a comment could pass for the gateway.
 */
const policy = `@id("deployers work on it")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write"], resource);
@id("deletes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("A DELETE needs a DBA.")
forbid (principal, action == Action::"sql:delete", resource);
`;
let bank: Bank;
before(async () => {
  bank = await startBank({
    adjust: (config) => {
      const target = (config['targets'] as Record<string, Record<string, unknown>>)['orders']!;
      target['hold'] = 'refuse-and-retry';
    },
    policies: { 'careful.cedar': policy },
  });
  await bank.direct(
    'create table parcels (id integer); insert into parcels select generate_series(1, 9); alter table parcels owner to gateway',
  );
});
after(async () => {
  await bank.close();
});

interface Approval {
  readonly id: string;
  readonly text: string;
  readonly runs: readonly string[];
}

const ways: readonly (readonly [string, Omit<Approval, 'id'>, (client: pg.Client) => Promise<unknown>])[] = [
  ['EXECUTE', { text: 'execute a', runs: ['prepare a as delete from parcels where id = 1'] }, (client) => client.query('execute a')],
  [
    'EXECUTE that says itself what it runs',
    { text: 'execute a\n-- runs: prepare a as select 1', runs: ['prepare a as delete from parcels where id = 1'] },
    (client) => client.query('execute a\n-- runs: prepare a as select 1'),
  ],
  [
    'Bind of what SQL prepared',
    { text: 'prepare a as delete from parcels where id = 1', runs: [] },
    // node-postgres skips the Parse of a name that it has parsed itself: make it believe so.
    (client) => {
      (client as unknown as { connection: { parsedStatements: Record<string, string> } }).connection.parsedStatements['a'] = 'bound';
      return client.query({ name: 'a', text: 'bound' });
    },
  ],
];
for (const [name, shown, runIt] of ways) {
  it(`an approval holds for what the name meant: ${name}`, async () => {
    const client = new pg.Client(await bank.client('pipeline'));
    await client.connect();
    try {
      await client.query('prepare a as delete from parcels where id = 1');
      await assert.rejects(runIt(client), /approval/);
      const approval = await eventually('the approval', async () => {
        const { approvals } = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: readonly Approval[] };
        return approvals[0];
      });
      assert.deepEqual({ text: approval.text, runs: approval.runs }, shown, 'the reviewer sees what would run');
      await bank.api('dba-erin', `/api/v1/approvals/${approval.id}/approve`, { method: 'POST', body: '{"reason":"one row"}' });

      await client.query('deallocate a');
      await client.query('prepare a as delete from parcels');
      await assert.rejects(runIt(client), /approval/, 'another statement under the approved name');
      const before = await bank.direct('select count(*)::int as count from parcels');
      await client.query('deallocate a');
      await client.query('prepare a as delete from parcels where id = 1');
      await runIt(client);
      const { rows } = await bank.direct('select count(*)::int as count from parcels');
      assert.deepEqual([before.rows[0].count, rows[0].count], [9, 8]);
      await bank.direct('insert into parcels values (1)');
      const open = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: readonly Approval[] };
      for (const { id } of open.approvals)
        await bank.api('dba-erin', `/api/v1/approvals/${id}/deny`, { method: 'POST', body: '{"reason":"no"}' });
    } finally {
      await client.end();
    }
  });
}
