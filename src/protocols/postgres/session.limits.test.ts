import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, outcomes, ready, when } from './fixture.test.ts';
import { bankResult } from './testing/bank.ts';
import { transcript } from './testing/transcript.ts';

const rows = 'select id from orders';
const returning = 'delete from orders returning id';
const description = ['RowDescription(id)', 'DataRow(1)', 'DataRow(2)'];

/** The fake server is never hit by a cancel: it has ended before. Where one hits, the test says what the server says then. */
describe('an answer with more rows than it may have', () => {
  it('is cut, cancelled and failed, though the statement ended', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query(rows));
    assert.deepEqual(answers(gateway), [...description, 'Error(54000)', 'Ready(I)']);
    assert.equal(gateway.cancels.length, 1);
    assert.deepEqual(
      gateway.completions.map(({ outcome, errorCode, rows: shown, reason }) => [outcome, errorCode, shown, reason]),
      [['failed', '54000', 2, 'rows (2) of target orders is exceeded: the answer was stopped, and what came of it is not all']],
    );
  });

  it('is left alone with as many as it may have', () => {
    const gateway = ready({ limits: { rows: 3, bytes: 1_000, rowsPerMinute: 3 } });
    gateway.rowsLeft = 3;
    gateway.client(encode.query(rows));
    assert.deepEqual(answers(gateway), [...description, 'DataRow(3)', 'Complete(SELECT 3)', 'Ready(I)']);
    assert.deepEqual(gateway.cancels, []);
    assert.equal(gateway.rowsLeft, 0);
  });

  it('ends in the gateway’s error where the cancel hits', () => {
    const gateway = ready({ limits: { rows: 2 }, slowServer: true });
    gateway.client(encode.query(rows));
    gateway.upstream(encode.rowDescription([field]), ...['1', '2', '3'].map(row));
    assert.equal(gateway.cancels.length, 1);
    gateway.upstream(row('4'), cancelled, encode.readyForQuery('I'));
    assert.deepEqual(answers(gateway), [...description, 'Error(54000)', 'Ready(I)']);
    assert.deepEqual(outcomes(gateway), ['failed']);
  });

  it('fails its transaction', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query('begin'), encode.query(rows));
    assert.deepEqual(answers(gateway), ['Complete(BEGIN)', 'Ready(T)', ...description, 'Error(54000)', 'Ready(E)']);
    gateway.notify({ kind: 'cancel-delivered' });
    gateway.client(encode.query('select 1'), encode.query('rollback'));
    assert.deepEqual(answers(gateway), ['Error(25P02)', 'Ready(E)', 'Complete(ROLLBACK)', 'Ready(I)']);
  });

  it('takes what follows in the same text with it', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query(`${rows}; select 1; copy orders to stdout`));
    assert.deepEqual(answers(gateway), [...description, 'Error(54000)', 'Ready(I)']);
  });

  it('counts all the results of one text', () => {
    const gateway = ready({ limits: { rows: 4 } });
    gateway.client(encode.query(`${rows}; ${rows}`));
    const first = [...description, 'DataRow(3)', 'Complete(SELECT 3)'];
    assert.deepEqual(answers(gateway), [...first, 'RowDescription(id)', 'DataRow(1)', 'Error(54000)', 'Ready(I)']);
  });

  it('counts bytes as the client gets them, masked', () => {
    const one = encode.dataRow([new TextEncoder().encode('***-**-1120')]).length;
    for (const [bytes, expected] of [
      [one, ['DataRow(***-**-1120)', 'Error(54000)']],
      [one - 1, ['Error(54000)']],
    ] as const) {
      const gateway = ready({ limits: { bytes } });
      gateway.client(encode.query('select ssn from customers'));
      assert.deepEqual(answers(gateway), ['RowDescription(ssn)', ...expected, 'Ready(I)']);
    }
  });

  it('stops at the principal’s rows of this minute', () => {
    const gateway = ready({ limits: { rowsPerMinute: 100 } });
    gateway.rowsLeft = 1;
    gateway.client(encode.query(rows));
    assert.deepEqual(answers(gateway), ['RowDescription(id)', 'DataRow(1)', 'Error(54000)', 'Ready(I)']);
    assert.match(gateway.completions[0]?.reason ?? '', /^rows_per_minute \(100\) of target orders is reached/);
    assert.equal(gateway.rowsLeft, 0);
  });

  it('is cut at a whole row wherever the bytes are cut', () => {
    const bytes = joined([encode.rowDescription([field]), ...['1', '2', '3', '4'].map(row), cancelled, encode.readyForQuery('I')]);
    for (let at = 1; at < bytes.length; at += 1) {
      const gateway = ready({ limits: { rows: 2 }, slowServer: true });
      gateway.client(encode.query(rows));
      gateway.upstream(bytes.slice(0, at), bytes.slice(at));
      assert.deepEqual(answers(gateway), [...description, 'Error(54000)', 'Ready(I)'], `cut at ${at}`);
    }
  });

  it('passes a row that began before the limit, however long, and not the next', () => {
    const long = 'x'.repeat(40_000);
    const bytes = joined([encode.rowDescription([field]), ...['1', '2', '3', long, long].map(row), cancelled, encode.readyForQuery('I')]);
    for (let at = 100; at < bytes.length; at += 997) {
      const gateway = ready({ limits: { rows: 4 }, slowServer: true });
      gateway.client(encode.query(rows));
      gateway.upstream(bytes.slice(0, at), bytes.slice(at));
      const shown = transcript(gateway.toClient);
      assert.deepEqual(shown.slice(-2), ['Error(54000)', 'Ready(I)']);
      assert.equal(shown.filter((word) => word.startsWith('DataRow')).length, 4, `cut at ${at}`);
    }
  });
});

describe('a limited answer in the extended protocol', () => {
  const cycle = (text: string, maxRows = 0): Uint8Array[] => [
    encode.parse({ name: '', query: text, parameterTypes: [] }),
    encode.bind({ portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [] }),
    encode.describe('P', ''),
    encode.execute('', maxRows),
  ];
  const sync = encode.emptyClientMessage('Sync');
  const begun = ['ParseComplete', 'BindComplete'];

  it('is cut, and the cycle fails', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(...cycle(rows), sync);
    assert.deepEqual(answers(gateway), [...begun, ...description, 'Error(54000)', 'Ready(I)']);
  });

  it('fails its transaction, and what was sent behind the Sync waits for that', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query('begin'));
    answers(gateway);
    gateway.client(joined([...cycle(rows), sync, ...cycle('insert into orders values (1, 2)'), sync]));
    assert.deepEqual(answers(gateway), [...begun, ...description, 'Error(54000)', 'Ready(E)']);
    assert.equal(gateway.server.ran.includes('insert into orders values (1, 2)'), false);
    gateway.notify({ kind: 'cancel-delivered' });
    assert.deepEqual(answers(gateway), ['ParseComplete', 'Error(25P02)', 'Ready(E)']);
  });

  it('lets nothing that changes something run behind it in its cycle', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(joined([...cycle(rows), ...cycle('delete from orders'), sync]));
    gateway.notify({ kind: 'cancel-delivered' });
    assert.equal(answers(gateway).filter((word) => word === 'Error(54000)').length, 1);
    assert.equal(gateway.server.ran.includes('delete from orders'), false);
    assert.equal(gateway.server.status, 'I');
  });

  it('that has ended by then is asked for its end, which the server keeps back', () => {
    const gateway = ready({ limits: { rows: 2 }, slowServer: true });
    gateway.client(...cycle(rows));
    gateway.upstream(encode.emptyServerMessage('ParseComplete'), encode.emptyServerMessage('BindComplete'), encode.rowDescription([field]));
    gateway.upstream(...['1', '2', '3'].map(row));
    assert.equal(gateway.server.messages.at(-1)?.kind, 'Flush');
    assert.equal(gateway.cancels.length, 1);
  });

  it('commits nothing of a statement that changed something and showed too much', () => {
    const gateway = ready({
      limits: { rows: 2 },
      results: (text) => (text === returning ? { ...bankResult(rows), tag: 'DELETE 3' } : bankResult(text)),
    });
    gateway.client(joined([...cycle(returning), sync]));
    gateway.notify({ kind: 'cancel-delivered' });
    assert.deepEqual(answers(gateway), [...begun, ...description, 'Error(54000)', 'Ready(I)']);
    const kinds = gateway.server.messages.map(({ kind }) => kind);
    assert.equal(kinds.lastIndexOf('Sync'), kinds.length - 1);
    assert.ok(kinds.lastIndexOf('Parse') > kinds.indexOf('Execute'), 'what must fail came before the Sync');
  });

  it('says so where it could not be undone any more', () => {
    const gateway = ready({
      limits: { rows: 2 },
      results: (text) => (text === returning ? { ...bankResult(rows), tag: 'DELETE 3' } : bankResult(text)),
    });
    gateway.client(encode.query(returning));
    assert.deepEqual(answers(gateway), [...description, 'Error(54000)', 'Ready(I)']);
    assert.match(gateway.completions[0]?.reason ?? '', /had run to its end by then, and what it changed stands$/);
    gateway.notify({ kind: 'cancel-delivered' });
    gateway.client(encode.query('begin'), encode.query(returning));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(54000)', 'Ready(E)']);
    assert.doesNotMatch(gateway.completions.at(-1)?.reason ?? '', /stands/);
  });

  it('lets what changes something run when the answer before it was complete', () => {
    const gateway = ready({ limits: { rows: 3 } });
    gateway.client(joined([...cycle(rows), ...cycle('insert into orders values (1, 2)'), sync]));
    assert.deepEqual(answers(gateway).slice(-2), ['Complete(INSERT 0 1)', 'Ready(I)']);
  });

  it('shows nothing of reads behind it, which are on record as cancelled', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(joined([...cycle(rows), ...cycle('select 1'), sync]));
    const shown = answers(gateway);
    assert.deepEqual(shown.slice(-2), ['Error(54000)', 'Ready(I)']);
    assert.equal(shown.includes('RowDescription(?column?)'), false);
    assert.deepEqual(outcomes(gateway), ['failed', 'cancelled']);
  });

  it('is the sum of all a portal’s Executes', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query('begin'));
    answers(gateway);
    gateway.client(...cycle(rows, 2), encode.emptyClientMessage('Flush'));
    assert.deepEqual(answers(gateway), [...begun, ...description, 'PortalSuspended']);
    gateway.client(encode.execute('', 2), encode.emptyClientMessage('Flush'));
    gateway.notify({ kind: 'cancel-delivered' });
    gateway.client(sync);
    assert.deepEqual(answers(gateway), ['Error(54000)', 'Ready(E)']);
  });
});

describe('a limited COPY to the client', () => {
  it('is cut by rows and ends in the gateway’s error', () => {
    const gateway = ready({ limits: { rows: 1 } });
    gateway.client(encode.query('copy orders to stdout'));
    assert.deepEqual(answers(gateway), ['CopyOutResponse', 'CopyData(1\t10)', 'Error(54000)', 'Ready(I)']);
    assert.deepEqual(
      gateway.completions.map(({ outcome, rows: shown }) => [outcome, shown]),
      [['failed', 1]],
    );
  });

  it('is counted once where it is complete', () => {
    const gateway = ready({ limits: { rows: 2 } });
    gateway.client(encode.query('copy orders to stdout'));
    assert.deepEqual(answers(gateway).slice(-2), ['Complete(COPY 2)', 'Ready(I)']);
    assert.equal(gateway.completions[0]?.rows, 2);
  });
});

describe('a statement that takes too long', () => {
  const limits = { statementTimeoutMs: 30_000 };

  it('has its deadline while the target works on it, and no longer', () => {
    const gateway = ready({ limits, slowServer: true });
    assert.equal(gateway.deadlineMs, undefined);
    gateway.client(encode.query(rows));
    assert.equal(gateway.deadlineMs, 30_000);
    gateway.serve();
    assert.equal(gateway.deadlineMs, undefined);
  });

  it('has none while it waits for people', () => {
    const gateway = ready({ limits, policy: when('delete', 'hold') });
    gateway.client(encode.query('delete from orders'));
    assert.equal(gateway.deadlineMs, undefined);
    assert.equal(gateway.held.length, 1);
  });

  it('is cancelled and told so in the gateway’s words', () => {
    const gateway = ready({ limits, slowServer: true });
    gateway.client(encode.query(rows));
    gateway.notify({ kind: 'deadline' });
    assert.equal(gateway.cancels.length, 1);
    gateway.upstream(cancelled, encode.readyForQuery('I'));
    assert.deepEqual(answers(gateway), ['Error(57014)', 'Ready(I)']);
    assert.match(gateway.completions[0]?.reason ?? '', /^statement_timeout \(30 s\) of target orders is exceeded/);
  });

  it('may end in time after all: then it has ended, and the next waits for the cancel to have come to nothing', () => {
    const gateway = ready({ limits, slowServer: true });
    gateway.client(encode.query(rows));
    gateway.notify({ kind: 'deadline' });
    gateway.serve();
    assert.deepEqual(answers(gateway).slice(-2), ['Complete(SELECT 3)', 'Ready(I)']);
    gateway.client(encode.query('select 1'));
    assert.equal(gateway.hasUnserved, false, 'nothing more was forwarded');
    gateway.notify({ kind: 'cancel-delivered' });
    gateway.serve();
    assert.deepEqual(answers(gateway), ['RowDescription(?column?)', 'DataRow(1)', 'Complete(SELECT 1)', 'Ready(I)']);
  });

  it('ends the session where the target does not react', () => {
    const gateway = ready({ limits, slowServer: true });
    gateway.client(encode.query(rows));
    gateway.notify({ kind: 'deadline' });
    assert.equal(gateway.deadlineMs, 30_000);
    gateway.notify({ kind: 'deadline' });
    assert.deepEqual(answers(gateway), ['Error(57014)']);
    assert.notEqual(gateway.ended, undefined);
  });

  it('is first asked whether it has only kept its answers back', () => {
    const gateway = ready({ limits, slowServer: true });
    gateway.client(encode.parse({ name: '', query: 'select 1', parameterTypes: [] }));
    assert.equal(gateway.deadlineMs, 30_000);
    gateway.notify({ kind: 'deadline' });
    assert.deepEqual(gateway.cancels, []);
    gateway.serve();
    assert.deepEqual(answers(gateway), ['ParseComplete']);
    assert.equal(gateway.deadlineMs, undefined);
  });

  it('lets go of a copy from a client that sends nothing', () => {
    const gateway = ready({ limits });
    gateway.client(encode.query('copy orders from stdin'));
    assert.deepEqual(answers(gateway), ['CopyInResponse']);
    gateway.notify({ kind: 'deadline' });
    gateway.notify({ kind: 'cancel-delivered' });
    assert.deepEqual(answers(gateway), ['Error(57014)', 'Ready(I)']);
    gateway.client(encode.copyData(new Uint8Array([1])), encode.emptyClientMessage('CopyDone'), encode.query('select 1'));
    assert.deepEqual(answers(gateway).slice(-2), ['Complete(SELECT 1)', 'Ready(I)']);
  });
});

const field = { name: 'id', tableOid: 20_002, column: 1, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 } as const;

function row(text: string): Uint8Array {
  return encode.dataRow([new TextEncoder().encode(text)]);
}

const cancelled = encode.errorResponse(
  new Map([
    ['S', 'ERROR'],
    ['V', 'ERROR'],
    ['C', '57014'],
    ['M', 'canceling statement due to user request'],
  ]),
);

function joined(messages: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(messages));
}
