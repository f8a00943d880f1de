import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, bind, decisions, execute, flush, joined, outcomes, parse, ready, run, sync, when } from './fixture.test.ts';

const oneRow = ['ParseComplete', 'BindComplete', 'RowDescription(?column?)', 'DataRow(1)', 'Complete(SELECT 1)'];

describe('an extended cycle', () => {
  it('passes as it came, its sensitive column masked', () => {
    const gateway = ready();
    const messages = [...run('select ssn from customers'), sync];
    gateway.client(...messages);
    assert.deepEqual(answers(gateway), [
      'ParseComplete',
      'BindComplete',
      'RowDescription(ssn)',
      'DataRow(***-**-1120)',
      'DataRow(NULL)',
      'Complete(SELECT 2)',
      'Ready(I)',
    ]);
    assert.deepEqual(joined(gateway.toServer), joined(messages));
    assert.deepEqual(outcomes(gateway), ['succeeded']);
    assert.equal(gateway.living, 0);
  });

  it('without Describe is masked all the same, and the client sees no description that it did not ask for', () => {
    const gateway = ready();
    gateway.client(joined([parse('select ssn from customers'), bind(), execute(), sync]));
    assert.deepEqual(answers(gateway), [
      'ParseComplete',
      'BindComplete',
      'DataRow(***-**-1120)',
      'DataRow(NULL)',
      'Complete(SELECT 2)',
      'Ready(I)',
    ]);
  });

  it('asks once for what is bound and executed, and names cost no operation', () => {
    const gateway = ready();
    gateway.client(parse('select 1', 's'), encode.describe('S', 's'), sync, bind('s'), execute(), sync, bind('s'), execute(), sync);
    assert.deepEqual(decisions(gateway), ['granted select 1', 'granted select 1']);
    assert.deepEqual(outcomes(gateway), ['succeeded', 'succeeded']);
  });

  it('that is refused in the middle of a pipeline is refused in its place, and the rest up to Sync is passed over', () => {
    const gateway = ready({ policy: when('delete', 'deny'), slowServer: true });
    gateway.client(
      joined([...run('select 1'), ...run('delete from orders'), ...run('select id from orders'), sync, ...run('select 1'), sync]),
    );
    assert.deepEqual(answers(gateway), []);
    gateway.serve();
    assert.deepEqual(answers(gateway), [...oneRow, 'Error(42501)', 'Ready(I)', ...oneRow, 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, ['select 1', 'select 1']);
  });

  it('is refused when it is prepared already, so that nobody waits for the Execute', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(parse('delete from orders', 'd'), flush);
    assert.deepEqual(answers(gateway), ['Error(42501)']);
    gateway.client(sync);
    assert.deepEqual(answers(gateway), ['Ready(I)']);
    assert.deepEqual([...gateway.server.statements.keys()], []);
  });

  it('that is refused inside a transaction fails it', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('begin'));
    answers(gateway);
    gateway.client(...run('delete from orders'), sync, ...run('select 1'), sync, ...run('rollback'), sync);
    assert.deepEqual(
      answers(gateway).filter((word) => /^(?:Error|Ready)/.test(word)),
      ['Error(42501)', 'Ready(E)', 'Error(25P02)', 'Ready(E)', 'Ready(I)'],
    );
  });

  it('that fails at the server ends what was granted for it', () => {
    const gateway = ready();
    gateway.client(joined([...run('update orders set amount = 0 where id = 1'), ...run('select 1'), sync]));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(40001)', 'Ready(I)']);
    assert.deepEqual(outcomes(gateway), ['failed', 'cancelled']);
    assert.equal(gateway.living, 0);
  });

  it('that fails while the next statement is held does not send that one', () => {
    const gateway = ready({ policy: when('delete', 'hold'), slowServer: true });
    gateway.client(...run('update orders set amount = 0 where id = 1'), ...run('delete from orders'), sync);
    gateway.serve();
    assert.equal(gateway.held.length, 1);
    gateway.answer(true);
    gateway.serve();
    assert.deepEqual(answers(gateway).slice(-2), ['Error(40001)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, ['update orders set amount = 0 where id = 1']);
    assert.equal(gateway.ended, undefined);
    gateway.client(encode.query('select 1'));
    gateway.serve();
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('that fails before a Query does not run the Query either', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(bind('unknown at the server'), sync);
    gateway.serve();
    answers(gateway);
    gateway.client(...run('update orders set amount = 0 where id = 1'), encode.query('delete from orders'), sync);
    gateway.serve();
    assert.deepEqual(answers(gateway).slice(-2), ['Error(40001)', 'Ready(I)']);
    assert.deepEqual(outcomes(gateway), ['failed', 'cancelled']);
    assert.equal(gateway.living, 0);
  });

  it('ends what was bound and never executed', () => {
    const gateway = ready();
    gateway.client(parse('delete from orders'), bind(), bind(), encode.close('P', ''), bind(), sync);
    assert.deepEqual(outcomes(gateway), ['cancelled', 'cancelled', 'cancelled']);
    assert.equal(gateway.living, 0);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('holds at Bind, with the parameters for the reviewer, and what is pipelined behind waits', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    const text = 'delete from orders where id = $1';
    gateway.client(joined([parse(text), bind('', '', ['7']), execute(), sync, ...run('select 1'), sync]));
    assert.deepEqual(gateway.held[0]?.unmasked(), { text, runs: [], parameters: ['7'] });
    assert.deepEqual(answers(gateway), ['Notice(waiting for approval)']);
    gateway.answer(true);
    assert.deepEqual(gateway.server.ran, [text, 'select 1']);
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('knows what it may not know of a held statement that is refused in the end', () => {
    const gateway = ready({ policy: when('delete', 'hold') });
    gateway.client(joined([...run('delete from orders'), sync, ...run('select 1'), sync]));
    gateway.answer(false);
    assert.deepEqual(answers(gateway), [
      'Notice(waiting for approval)',
      'ParseComplete',
      'Error(42501)',
      'Ready(I)',
      ...oneRow,
      'Ready(I)',
    ]);
    assert.deepEqual(gateway.server.ran, ['select 1']);
  });
});

describe('deciding at execution', () => {
  it('a statement prepared before a change of policy is refused after it', () => {
    const gateway = ready();
    gateway.client(parse('delete from orders', 'd'), sync);
    gateway.policy = when('delete', 'deny');
    gateway.policyVersion = 'v2';
    gateway.client(bind('d'), execute(), sync);
    assert.deepEqual(answers(gateway), ['ParseComplete', 'Ready(I)', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('a portal bound in one cycle is decided anew in the next', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), parse('delete from orders'), bind('', 'p'), sync);
    gateway.policy = when('delete', 'deny');
    gateway.client(execute('p'), sync);
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(E)']);
    assert.deepEqual(gateway.server.ran, ['begin']);
  });

  it('a suspended portal asks for every piece, with the parameters of its Bind', () => {
    const gateway = ready();
    const text = 'select id from orders';
    gateway.client(encode.query('begin'), parse(text), bind('', 'p', ['5']), execute('p', 2), sync);
    assert.deepEqual(answers(gateway).slice(-4), ['DataRow(1)', 'DataRow(2)', 'PortalSuspended', 'Ready(T)']);
    gateway.policy = when('orders', 'hold');
    gateway.client(execute('p', 2), sync);
    assert.deepEqual(gateway.held[0]?.unmasked(), { text, runs: [], parameters: ['5'] });
    gateway.answer(true);
    assert.deepEqual(answers(gateway), ['Notice(waiting for approval)', 'DataRow(3)', 'Complete(SELECT 3)', 'Ready(T)']);
    assert.deepEqual(outcomes(gateway), ['succeeded', 'succeeded', 'succeeded']);
  });

  it('a portal executed again in its own cycle asks again', () => {
    const gateway = ready();
    gateway.client(parse('select id from orders'), bind('', 'p'), execute('p', 1), execute('p', 1), sync);
    assert.deepEqual(decisions(gateway), ['granted select id from orders', 'granted select id from orders']);
  });
});

it('a session that hoards names ends', () => {
  const gateway = ready();
  for (let name = 0; name < 30_000 && gateway.ended === undefined; name += 1) gateway.client(parse('select 1', `s${name}`), sync);
  assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'limit-exceeded');
});
