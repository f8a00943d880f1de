import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { bankResult } from './testing/bank.ts';
import { answers, bind, decisions, execute, joined, parse, ready, run, sync } from './fixture.test.ts';

const strict = { masking: 'strict' } as const;
const bare = 'select ssn from customers';
const computed = 'select reverse(ssn) from customers';
const condition = 'select id from customers where ssn is null';

describe('masking: strict, simple protocol', () => {
  it('asks the server for the columns before anything runs; the client sees nothing of it', () => {
    const gateway = ready(strict);
    gateway.client(encode.query(bare));
    assert.deepEqual(answers(gateway), ['RowDescription(ssn)', 'DataRow(***-**-1120)', 'DataRow(NULL)', 'Complete(SELECT 2)', 'Ready(I)']);
    assert.deepEqual(
      gateway.server.messages.map(({ kind }) => kind),
      ['Parse', 'Describe', 'Close', 'Sync', 'Query'],
    );
  });

  it('refuses what computes with the column, or compares it, and runs nothing of it', () => {
    const gateway = ready(strict);
    gateway.client(encode.query(computed), encode.query(condition));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('refuses a condition on a column that it shows as well', () => {
    const both = 'select ssn from customers where ssn is null';
    const gateway = ready({ ...strict, results: () => bankResult(bare) });
    gateway.client(encode.query(both), joined([parse(both), bind(), execute(), sync]), encode.query('select distinct ssn from customers'));
    assert.deepEqual(
      answers(gateway).filter((word) => !word.startsWith('Ready')),
      ['Error(42501)', 'ParseComplete', 'Error(42501)', 'Error(42501)'],
    );
    assert.deepEqual(gateway.server.ran, []);
  });

  it('asks nothing where nothing sensitive is in reach', () => {
    const gateway = ready(strict);
    gateway.client(encode.query('select id from orders'));
    assert.deepEqual(
      gateway.server.messages.map(({ kind }) => kind),
      ['Query'],
    );
  });

  it('keeps pipelined statements in order while it asks', () => {
    const gateway = ready({ ...strict, slowServer: true });
    gateway.client(joined([encode.query('select 1'), encode.query(bare), encode.query('select 1')]));
    gateway.serve();
    gateway.serve();
    const words = answers(gateway);
    assert.deepEqual(
      words.filter((word) => word.startsWith('Complete')),
      ['Complete(SELECT 1)', 'Complete(SELECT 2)', 'Complete(SELECT 1)'],
    );
  });

  it('goes on where the server cannot describe the statement', () => {
    const gateway = ready({ ...strict, results: () => ({ tag: '', error: '42P01' }) });
    gateway.client(encode.query('select * from customers'));
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
    gateway.client(encode.query('select 1'));
    assert.equal(gateway.ended, undefined);
  });

  it('refuses several statements whose columns cannot be asked for', () => {
    const gateway = ready(strict);
    gateway.client(encode.query('select 1; select * from customers'), encode.query(`select 1; ${bare}`));
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('does not end an open cycle with the question’s Sync: what went before would be committed by it', () => {
    const gateway = ready(strict);
    gateway.client(...run('insert into orders values (1, 2)'), encode.query('select * from customers'));
    assert.deepEqual(gateway.server.messages.map(({ kind }) => kind).includes('Sync'), false);
    assert.deepEqual(decisions(gateway), ['granted insert into orders values (1, 2)', 'refused select * from customers']);
  });
});

describe('masking: strict, extended protocol', () => {
  it('asks for the columns before it binds; the client sees nothing of it', () => {
    const gateway = ready(strict);
    gateway.client(joined([parse(bare), bind(), execute(), sync]));
    assert.deepEqual(answers(gateway), [
      'ParseComplete',
      'BindComplete',
      'DataRow(***-**-1120)',
      'DataRow(NULL)',
      'Complete(SELECT 2)',
      'Ready(I)',
    ]);
  });

  it('refuses what computes with the column', () => {
    const gateway = ready(strict);
    gateway.client(joined([parse(computed), bind(), execute(), sync, ...run('select 1'), sync]));
    assert.deepEqual(answers(gateway).slice(0, 3), ['ParseComplete', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, ['select 1']);
  });

  it('drops what waits for an answer that an error of the cycle made impossible, and nothing of the next cycle', () => {
    const gateway = ready({ ...strict, slowServer: true });
    gateway.client(
      joined([
        ...run('update orders set amount = 0 where id = 1'),
        parse(bare),
        bind(),
        execute(),
        sync,
        parse(bare),
        bind(),
        execute(),
        sync,
      ]),
    );
    for (let round = 0; round < 4; round += 1) gateway.serve();
    const words = answers(gateway);
    assert.deepEqual(
      words.filter((word) => /^(?:Error|Ready)/.test(word)),
      ['Error(40001)', 'Ready(I)', 'Ready(I)'],
    );
    assert.equal(words.includes('DataRow(***-**-1120)'), true);
  });

  it('judges a portal anew where a class was hidden since its Bind', () => {
    const revealed: string[] = ['ssn'];
    const gateway = ready({ ...strict, revealed });
    gateway.client(encode.query('begin'), parse(computed), bind('', 'p'), encode.describe('P', 'p'), sync);
    revealed.length = 0;
    gateway.policyVersion = 'v2';
    gateway.client(execute('p'), sync);
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(E)']);
  });
});
