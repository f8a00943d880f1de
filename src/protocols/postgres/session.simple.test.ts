import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, decisions, joined, outcomes, ready, when } from './fixture.test.ts';

describe('a simple query', () => {
  it('passes as it came, its sensitive column masked', () => {
    const gateway = ready();
    gateway.client(encode.query('select ssn from customers'));
    assert.deepEqual(answers(gateway), ['RowDescription(ssn)', 'DataRow(***-**-1120)', 'DataRow(NULL)', 'Complete(SELECT 2)', 'Ready(I)']);
    assert.deepEqual(gateway.toServer, [encode.query('select ssn from customers')]);
    assert.deepEqual(outcomes(gateway), ['succeeded']);
    assert.deepEqual(gateway.completions[0]?.masked, { ssn: 1 });
    assert.equal(gateway.living, 0);
  });

  it('is masked whole where the server names no origin', () => {
    const gateway = ready();
    gateway.client(encode.query('select reverse(ssn) from customers'));
    assert.deepEqual(answers(gateway)[1], 'DataRow([redacted:ssn])');
  });

  it('of nothing gets the empty answer', () => {
    const gateway = ready();
    gateway.client(encode.query(''));
    assert.deepEqual(answers(gateway), ['EmptyQueryResponse', 'Ready(I)']);
  });

  it('that fails tells why, without the value', () => {
    const gateway = ready({ results: () => ({ tag: '', error: '22P02' }) });
    gateway.client(encode.query('select ssn::int from customers'));
    assert.deepEqual(answers(gateway), ['Error(22P02)', 'Ready(I)']);
    assert.deepEqual(
      gateway.completions.map(({ outcome, errorCode }) => [outcome, errorCode]),
      [['failed', '22P02']],
    );
  });

  it('that is refused never reaches the server, whose own word ends it', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('delete from orders'));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
    assert.deepEqual(outcomes(gateway), []);
  });

  it('by the function call message is refused in its place, and the session goes on', () => {
    const gateway = ready();
    const call = Buffer.from([0x46, 0, 0, 0, 14, 0, 0, 6, 0xbe, 0, 0, 0, 0, 0, 0]);
    gateway.client(call, encode.query('select 1'));
    assert.deepEqual(answers(gateway), [
      'Error(0A000)',
      'Ready(I)',
      'RowDescription(?column?)',
      'DataRow(1)',
      'Complete(SELECT 1)',
      'Ready(I)',
    ]);
    assert.deepEqual(gateway.server.ran, ['select 1']);
  });

  it('that is refused inside a transaction fails the transaction, on both sides', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('begin'), encode.query('delete from orders'), encode.query('select 1'), encode.query('rollback'));
    assert.deepEqual(answers(gateway), [
      'Complete(BEGIN)',
      'Ready(T)',
      'Error(42501)',
      'Ready(E)',
      'Error(25P02)',
      'Ready(E)',
      'Complete(ROLLBACK)',
      'Ready(I)',
    ]);
  });

  it('that is refused inside a failed transaction leaves it failed', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('begin'), encode.query('update orders set amount = 0 where id = 1'));
    answers(gateway);
    gateway.client(encode.query('delete from orders'));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(E)']);
  });

  it('with one refused part is refused whole', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('insert into orders values (1, 2); delete from orders; select 1'));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('of several statements answers each', () => {
    const gateway = ready();
    gateway.client(encode.query('begin; select ssn from customers; select reverse(ssn) from customers; commit'));
    assert.deepEqual(answers(gateway), [
      'Complete(BEGIN)',
      'RowDescription(ssn)',
      'DataRow(***-**-1120)',
      'DataRow(NULL)',
      'Complete(SELECT 2)',
      'RowDescription(reverse)',
      'DataRow([redacted:ssn])',
      'Complete(SELECT 1)',
      'Complete(COMMIT)',
      'Ready(I)',
    ]);
    assert.equal(gateway.completions[0]?.rows, 3);
  });

  it('that cannot be read is refused as a syntax error, with its place', () => {
    const gateway = ready();
    gateway.client(encode.query('selec 1'));
    assert.deepEqual(answers(gateway), ['Error(42601)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
    assert.deepEqual(decisions(gateway), ['refused selec 1']);
  });
});

describe('pipelined simple queries', () => {
  it('are answered in their order, the refusal in its place', () => {
    const gateway = ready({ policy: when('delete', 'deny'), slowServer: true });
    gateway.client(joined(['select 1', 'delete from orders', 'select id from orders'].map((text) => encode.query(text))));
    assert.deepEqual(answers(gateway), [], 'a refusal must not overtake what came before it');
    gateway.serve();
    assert.deepEqual(answers(gateway), [
      'RowDescription(?column?)',
      'DataRow(1)',
      'Complete(SELECT 1)',
      'Ready(I)',
      'Error(42501)',
      'Ready(I)',
      'RowDescription(id)',
      'DataRow(1)',
      'DataRow(2)',
      'DataRow(3)',
      'Complete(SELECT 3)',
      'Ready(I)',
    ]);
    assert.deepEqual(gateway.server.ran, ['select 1', 'select id from orders']);
  });

  it('behind Terminate are not looked at', () => {
    const gateway = ready();
    gateway.client(joined([encode.emptyClientMessage('Terminate'), encode.query('delete from orders')]));
    assert.equal(gateway.ended, 'closed');
    assert.deepEqual(decisions(gateway), []);
  });
});

describe('a held query', () => {
  it('tells the client, keeps what is pipelined behind it unread, and runs once it is approved', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    gateway.client(joined([encode.query('delete from orders'), encode.query('select 1')]));
    assert.deepEqual(answers(gateway), ['Notice(waiting for approval)']);
    assert.deepEqual(decisions(gateway), ['held delete from orders']);
    gateway.answer(true);
    assert.deepEqual(gateway.server.ran, ['delete from orders', 'select 1']);
    assert.deepEqual(answers(gateway), [
      'Complete(DELETE 3)',
      'Ready(I)',
      'RowDescription(?column?)',
      'DataRow(1)',
      'Complete(SELECT 1)',
      'Ready(I)',
    ]);
  });

  it('that is refused in the end is refused as any other', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    gateway.client(encode.query('delete from orders'));
    gateway.answer(false);
    assert.deepEqual(answers(gateway), ['Notice(waiting for approval)', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('lets notifications, notices and settings of the server through', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    gateway.client(encode.query('delete from orders'));
    gateway.upstream(
      encode.notificationResponse(1, 'jobs', 'done'),
      encode.noticeResponse(
        new Map([
          ['S', 'NOTICE'],
          ['C', '00000'],
          ['M', 'hello'],
        ]),
      ),
      encode.parameterStatus('TimeZone', 'UTC'),
    );
    assert.deepEqual(answers(gateway), [
      'Notice(waiting for approval)',
      'Notification(jobs,[withheld by masking])',
      'Notice(message withheld by masking (SQLSTATE 00000))',
      'ParameterStatus(TimeZone=UTC)',
    ]);
  });

  it('puts its notice behind a message that is only half through', () => {
    const gateway = ready({ policy: when('delete', 'hold'), slowServer: true });
    gateway.client(encode.query('select 1'));
    const row = encode.dataRow([new Uint8Array(20_000).fill(0x61)]);
    const sampled = encode.dataRow([null]);
    gateway.upstream(joined([described(), sampled, sampled, sampled, row.subarray(0, 12_000)]));
    gateway.client(encode.query('delete from orders'));
    gateway.upstream(row.subarray(12_000), encode.commandComplete('SELECT 1'), encode.readyForQuery('I'));
    const words = answers(gateway);
    assert.equal(words[4]?.length, 20_009);
    assert.equal(words[5], 'Notice(waiting for approval)');
  });

  it('ends with the session', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    gateway.client(encode.query('delete from orders'));
    gateway.notify({ kind: 'closed', side: 'upstream', fault: undefined });
    assert.deepEqual(answers(gateway), ['Notice(waiting for approval)', 'Error(08006)']);
    gateway.answer(true);
    assert.deepEqual(gateway.server.ran, []);
  });
});

describe('a cancel', () => {
  it('goes to the target under its own key, only while something runs', () => {
    const gateway = ready({ slowServer: true });
    gateway.notify({ kind: 'cancel-requested' });
    assert.deepEqual(gateway.cancels, []);
    gateway.client(encode.query('select 1'));
    gateway.notify({ kind: 'cancel-requested' });
    assert.deepEqual(gateway.cancels, [encode.cancelRequest({ processId: 4_711, secretKey: new Uint8Array([1, 2, 3, 4]) })]);
    assert.deepEqual(gateway.notes, ['cancel']);
  });
});

function described(): Uint8Array {
  return encode.rowDescription([{ name: 'x', tableOid: 0, column: 0, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 }]);
}
