import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { run, startBank, type Bank, type Ran } from '../harness.ts';

const program = '/usr/lib/postgresql/15/bin/pgbench';

const policy = `
@id("benchmarks may do everything")
permit (
  principal in Group::"deployers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"define", Action::"transfer", Action::"administer"],
  resource in Label::"env=production"
);
`;

let bank: Bank;
before(async () => {
  bank = await startBank({ policies: { 'pgbench.cedar': policy } });
});
after(async () => {
  await bank.close();
});

async function pgbench(...parameters: string[]): Promise<Ran> {
  const ran = await run(program, parameters, await bank.env('pipeline'));
  assert.equal(ran.status, 0, ran.stderr);
  return ran;
}

describe('Debian’s pgbench through the gateway', () => {
  it('makes its tables and fills them', async () => {
    const { stderr } = await pgbench('-i', '-s', '2');
    assert.match(stderr, /200000 of 200000 tuples/);
    const { rows } = await bank.direct('select count(*)::int as n from pgbench_accounts');
    assert.equal(rows[0].n, 200_000);
  });

  for (const mode of ['simple', 'extended', 'prepared']) {
    for (const clients of [1, 8]) {
      it(`runs its TPC-B mix to the end: ${mode}, ${clients} at a time`, async () => {
        await bank.direct('truncate pgbench_history');
        const before = await balances();
        const transactions = 100;
        const { stdout } = await pgbench('-n', '-M', mode, '-c', String(clients), '-j', '2', '-t', String(transactions));
        assert.match(stdout, new RegExp(`transactions actually processed: ${transactions * clients}/${transactions * clients}`));
        assert.match(stdout, /number of failed transactions: 0 \(/);
        const { rows } = await bank.direct('select count(*)::int as n, coalesce(sum(delta), 0)::int as delta from pgbench_history');
        assert.equal(rows[0].n, transactions * clients);
        const now = await balances();
        for (const [table, balance] of Object.entries(now)) assert.equal(balance - before[table]!, rows[0].delta, table);
      });
    }

    it(`reads alone: ${mode}`, async () => {
      const { stdout } = await pgbench('-n', '-S', '-M', mode, '-c', '4', '-j', '2', '-t', '200');
      assert.match(stdout, /number of transactions actually processed: 800\/800/);
      assert.match(stdout, /number of failed transactions: 0 \(/);
    });
  }

  it('leaves a completed record for each decided one, and none that failed', async () => {
    const records = await operationRecords();
    const decided = new Set(records.filter(({ type }) => type === 'operation.decided').map(({ operation }) => operation));
    assert.ok(decided.size > 20_000, `${decided.size} operations`);
    for (const { operation, outcome } of records.filter(({ type }) => type === 'operation.completed')) {
      assert.ok(decided.delete(operation), `${operation} completed twice, or was never decided`);
      assert.equal(outcome, 'succeeded', operation);
    }
    assert.deepEqual([...decided], []);
  });
});

interface OperationRecord {
  readonly type: 'operation.decided' | 'operation.completed';
  readonly operation: string;
  readonly outcome?: string;
}

async function operationRecords(): Promise<readonly OperationRecord[]> {
  const all: OperationRecord[] = [];
  for (let sequence: number | null = 0; sequence !== null;) {
    const path = `/api/v1/audit/records?type=operation.decided,operation.completed&limit=1000&sequence=${sequence}`;
    const page = (await bank.api('auditor-uma', path)) as { records: { record: OperationRecord }[]; next: number | null };
    all.push(...page.records.map(({ record }) => record));
    sequence = page.next;
  }
  return all;
}

/** Sums of the three tables in which the mix moves money. */
async function balances(): Promise<Record<string, number>> {
  const { rows } = await bank.direct(`select (select sum(abalance) from pgbench_accounts)::int as accounts,
    (select sum(bbalance) from pgbench_branches)::int as branches, (select sum(tbalance) from pgbench_tellers)::int as tellers`);
  return rows[0];
}
