import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everySplit } from '../../core/testing/every-split.ts';
import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { buildCatalogue } from './catalogue-build.ts';
import * as encode from './encode.ts';
import { analyse, answers, bind, decisions, error, execute, joined, parse, ready, run, sync, when } from './fixture.test.ts';
import { bankResult, bankRows, canary } from './testing/bank.ts';
import type { FakeResult } from './testing/fake-server.ts';
import type { GatewayOptions, TestGateway } from './testing/gateway.ts';
import { transcript } from './testing/transcript.ts';

/** The bank, whose `customers.ssn` can be looked up by its pseudonym. */
const classes = compileDataClasses(
  [
    {
      name: 'ssn',
      mask: 'pseudonym',
      lookup: true,
      columns: [{ target: 'orders', database: undefined, schema: 'public', relation: 'customers', column: 'ssn' }],
      paths: [],
      detect: [],
    },
  ],
  nodeCrypto,
  new Uint8Array(32).fill(7),
);
const columnTypes = new Map([
  [
    20_001,
    new Map([
      [1, 23],
      [2, 25],
      [3, 25],
    ]),
  ],
]);
const catalogue = buildCatalogue({
  rows: { ...bankRows, columnTypes },
  place: { target: 'orders', database: undefined, databaseName: 'orders' },
  classes,
  analyse,
  previous: undefined,
});
const shown = classes.mask({ class: 'ssn', kind: 'pseudonym' }, canary)!;
const sql = `select id from customers where ssn = '${shown}'`;
const sent = `select id from customers where ssn = $1${' '.repeat(shown.length)}`;
const found: FakeResult = {
  fields: [{ name: 'id', tableOid: 20_001, column: 1, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 }],
  rows: [['7'], ['8'], ['9']],
  tag: 'SELECT 3',
};
const rows = ['RowDescription(id)', 'DataRow(7)', 'DataRow(8)', 'DataRow(9)', 'Complete(SELECT 3)'];

function gatewayWith(options: Partial<GatewayOptions> = {}, result: FakeResult = found): TestGateway {
  return ready({ classes, catalogue, results: (text) => (text.includes('$1') ? result : bankResult(text)), ...options });
}

const kinds = (gateway: TestGateway) => gateway.server.messages.map(({ kind }) => kind);
const cycle = ['Parse', 'Bind', 'Describe', 'Execute', 'Close', 'Close', 'Sync'];

describe('a Query with a pseudonym in its text', () => {
  it('goes with a parameter in its place and the value bound to it; the client is answered as to a Query', () => {
    const gateway = gatewayWith();
    gateway.client(encode.query(sql));
    assert.deepEqual(answers(gateway), [...rows, 'Ready(I)']);
    assert.deepEqual(kinds(gateway), cycle);
    assert.deepEqual(gateway.server.ran, [sent]);
    const [, bound] = gateway.server.messages;
    assert.deepEqual(bound?.kind === 'Bind' && bound.parameters.map((value) => Buffer.from(value!).toString()), [canary]);
    assert.deepEqual(decisions(gateway), [`granted ${sql}`]);
    assert.deepEqual(
      gateway.operations.map(({ text, facts }) => [text, facts['lookups']]),
      [["select id from customers where ssn = '…'", ['ssn']]],
    );
    assert.deepEqual(
      gateway.completions.map(({ outcome, rows: count }) => [outcome, count]),
      [['succeeded', 3]],
    );
  });

  it('goes the same wherever the client’s and the server’s bytes are cut', () => {
    const bytes = joined([encode.query(sql), encode.query('select 1')]);
    const expected = transcriptOf(gatewayWith(), [bytes]);
    assert.ok(expected.includes('Complete(SELECT 3)'));
    everySplit(bytes, (parts) => assert.deepEqual(transcriptOf(gatewayWith(), parts), expected));
  });

  it('fails once, in its place, in a transaction too', () => {
    const gateway = gatewayWith({}, { tag: '', error: '22012' });
    gateway.client(joined([encode.query(sql), encode.query('begin'), encode.query(sql), encode.query(sql), encode.query('rollback')]));
    assert.deepEqual(answers(gateway), [
      'Error(22012)',
      'Ready(I)',
      'Complete(BEGIN)',
      'Ready(T)',
      'Error(22012)',
      'Ready(E)',
      'Error(25P02)',
      'Ready(E)',
      'Complete(ROLLBACK)',
      'Ready(I)',
    ]);
  });

  it('without rows says nothing of NoData', () => {
    const gateway = gatewayWith({}, { tag: 'UPDATE 1' });
    gateway.client(encode.query(`update orders set amount = 1 where exists (select from customers where ssn = '${shown}')`));
    assert.deepEqual(answers(gateway), ['Complete(UPDATE 1)', 'Ready(I)']);
  });

  it('is asked for once, and nothing goes where it is denied or held', () => {
    for (const answer of ['deny', 'hold'] as const) {
      const gateway = gatewayWith({ policy: when('customers', answer) });
      gateway.client(encode.query(sql));
      assert.deepEqual(gateway.server.ran, []);
      assert.ok(!kinds(gateway).includes('Bind'));
    }
  });

  it('is cut where it passes a limit, and fails its transaction', () => {
    const gateway = gatewayWith({ limits: { rows: 2 } });
    gateway.client(encode.query('begin'), encode.query(sql));
    assert.deepEqual(answers(gateway), ['Complete(BEGIN)', 'Ready(T)', ...rows.slice(0, 3), 'Error(54000)', 'Ready(E)']);
    gateway.notify({ kind: 'cancel-delivered' });
    gateway.client(encode.query('rollback'), encode.query('select 1'));
    assert.deepEqual(answers(gateway).at(-2), 'Complete(SELECT 1)');
  });

  it('leaves no unnamed statement behind: a Bind that was sent behind it waits and finds none, also where it failed', () => {
    for (const result of [found, { tag: '', error: '22012' }]) {
      const gateway = gatewayWith({ slowServer: true }, result);
      gateway.client(parse('select 1'), sync);
      gateway.serve();
      gateway.client(joined([encode.query(sql), bind('', '', [canary]), execute(), sync]));
      for (let round = 0; round < 5; round += 1) gateway.serve();
      assert.deepEqual(answers(gateway).slice(-3), ['Ready(I)', 'Error(26000)', 'Ready(I)']);
      assert.deepEqual(gateway.server.ran, [sent]);
    }
  });

  it('is refused inside a cycle of the extended protocol, which its Sync would end', () => {
    const gateway = gatewayWith();
    gateway.client(joined([...run('delete from orders'), encode.query(sql), sync]));
    assert.deepEqual(gateway.server.ran, ['delete from orders']);
    assert.equal(answers(gateway).filter((word) => word === 'Error(42501)').length, 1);
  });
});

describe('where a table may be another one of the same name', () => {
  const parameter = 'select id from customers where ssn = $1';
  const bound = (text: string) => joined([parse(text), bind('', '', [shown]), encode.describe('P', ''), execute(), sync]);

  it('behind code that may have made it, it must be named with its schema', () => {
    const gateway = gatewayWith();
    gateway.client(encode.query(sql), bound(parameter));
    assert.ok(!answers(gateway).includes('Error(42501)'));
    gateway.client(encode.query('do $$ begin end $$'));
    answers(gateway);
    gateway.client(encode.query(sql), bound(parameter));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)', 'ParseComplete', 'Error(42501)', 'Ready(I)']);
    gateway.client(encode.query(sql.replace('customers', 'public.customers')), bound(parameter.replace('customers', 'public.customers')));
    assert.ok(!answers(gateway).includes('Error(42501)'));
  });

  it('also where it is sent without waiting', () => {
    const gateway = gatewayWith({ slowServer: true });
    gateway.client(
      joined([parse('do $$ begin end $$'), bind(), execute(), parse(parameter, 's'), bind('s', '', [shown]), execute(), sync]),
    );
    for (let round = 0; round < 5; round += 1) gateway.serve();
    assert.deepEqual(gateway.server.ran, ['do $$ begin end $$']);
  });

  it('by a search path of the session’s own', () => {
    const named = sql.replace('customers', 'public.customers');
    for (const change of [
      'set search_path = scratch, public',
      'set local search_path to scratch',
      "select set_config('search_path', 'scratch', false)",
      'reset search_path',
    ]) {
      const gateway = gatewayWith();
      gateway.client(encode.query(change));
      answers(gateway);
      gateway.client(encode.query(sql), encode.query(named));
      assert.equal(answers(gateway).filter((word) => word === 'Error(42501)').length, 1, change);
    }
    const brought = gatewayWith({
      startup: [
        { name: 'user', value: 'ci' },
        { name: 'database', value: 'orders' },
        { name: 'options', value: '-c search_path=scratch' },
      ],
    });
    brought.client(encode.query(sql), encode.query(named));
    assert.equal(answers(brought).filter((word) => word === 'Error(42501)').length, 1);
    for (const usual of ['set search_path = public', `set search_path = "$user", public`, 'reset all', 'set statement_timeout = 0']) {
      const gateway = gatewayWith();
      gateway.client(encode.query(usual), encode.query(sql));
      assert.ok(!answers(gateway).includes('Error(42501)'), usual);
    }
  });

  it('what the server brings along is no such code', () => {
    const gateway = gatewayWith();
    gateway.client(encode.query("select pg_catalog.version(), current_setting('x', true), format('%s', 1)"), encode.query(sql));
    assert.ok(!answers(gateway).includes('Error(42501)'));
  });
});

describe('a Bind with a pseudonym', () => {
  it('goes with the value; what was asked for has the pseudonym', () => {
    const gateway = gatewayWith();
    const text = 'select id from customers where ssn = $1';
    gateway.client(joined([parse(text, 's'), bind('s', 'p', [shown]), encode.describe('P', 'p'), execute('p'), sync]));
    assert.deepEqual(answers(gateway), ['ParseComplete', 'BindComplete', ...rows, 'Ready(I)']);
    const bound = gateway.server.messages.find(({ kind }) => kind === 'Bind');
    assert.deepEqual(bound?.kind === 'Bind' && bound.parameters.map((value) => Buffer.from(value!).toString()), [canary]);
    assert.deepEqual(
      gateway.operations.filter(({ naming }) => !naming).map((operation) => operation.unmasked().parameters),
      [[shown]],
    );
  });

  it('keeps what the server says beside its answers back until the transaction has ended', () => {
    const gateway = gatewayWith({ slowServer: true });
    const log = encode.noticeResponse(
      new Map([
        ['S', 'LOG'],
        ['V', 'LOG'],
        ['C', '00000'],
        ['M', `plan: Index Cond: (ssn = '${canary}'::text)`],
        ['D', `parameters: $1 = '${canary}'`],
        ['F', 'auto_explain.c'],
      ]),
    );
    const cases: readonly (readonly [string, readonly Uint8Array[]])[] = [
      ['while it is bound', [encode.emptyServerMessage('ParseComplete'), log]],
      ['while it runs', [encode.emptyServerMessage('ParseComplete'), encode.emptyServerMessage('BindComplete'), log]],
      [
        'while another statement runs, behind it',
        [
          ...['ParseComplete', 'BindComplete'].map((kind) => encode.emptyServerMessage(kind as 'ParseComplete')),
          encode.rowDescription([...found.fields!]),
          encode.commandComplete('SELECT 0'),
          ...['ParseComplete', 'BindComplete'].map((kind) => encode.emptyServerMessage(kind as 'ParseComplete')),
          log,
          error('22012', `division by ${canary}`),
        ],
      ],
    ];
    for (const [what, upstream] of cases) {
      const other = gatewayWith({ slowServer: true });
      other.client(joined([parse('select id from customers where ssn = $1'), bind('', '', [shown]), encode.describe('P', ''), execute()]));
      other.client(joined([parse('select 1 as one', 'n'), bind('n', 'n'), execute('n'), sync]));
      other.upstream(...upstream);
      const bytes = Buffer.concat(other.toClient).toString();
      assert.match(bytes, /withheld by masking/, what);
      assert.ok(!bytes.includes(canary), what);
    }
    gateway.client(encode.query('select id from orders'));
    gateway.upstream(log);
    assert.match(Buffer.concat(gateway.toClient).toString(), /plan: Index Cond/, 'elsewhere it is told as before');
  });
});

function transcriptOf(gateway: TestGateway, parts: Iterable<Uint8Array>): readonly string[] {
  for (const part of parts) gateway.client(part);
  return transcript(gateway.toClient.splice(0));
}
