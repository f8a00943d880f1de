import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, bind, decisions, execute, joined, parse, ready, run, sync, when } from './fixture.test.ts';

/**
 * One name, two meanings: every case here once made the gateway judge another statement than the server ran. `select reverse(ssn)` is the
 * probe: judged as `select 1`, its computed column would pass unmasked.
 */
const secret = 'select reverse(ssn) from customers';
const masked = 'DataRow([redacted:ssn])';

describe('names of statements', () => {
  it('by PREPARE go on record without the constants that may be values, like the statement by itself', () => {
    const secret = "select id from customers where ssn = '078-05-1120'";
    const gateway = ready();
    gateway.client(
      encode.query(`prepare s as ${secret}`),
      encode.query(`select 1; prepare t as ${secret}`),
      encode.query("prepare u as select '7'"),
    );
    assert.deepEqual(
      gateway.operations.map(({ text }) => text),
      [
        "prepare s as select id from customers where ssn = '…'",
        "select …; prepare t as select id from customers where ssn = '…'",
        "prepare u as select '7'",
      ],
    );
  });

  it('by PREPARE can be bound, and mean what was prepared', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(encode.query('prepare d as delete from orders'), bind('d'), execute(), sync);
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)', 'Error(26000)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });

  it('by Parse can be executed by SQL, masked', () => {
    const gateway = ready();
    gateway.client(parse(secret, 's'), sync, encode.query('execute s'));
    assert.equal(answers(gateway).includes(masked), true);
  });

  it('that nobody gave are refused', () => {
    const gateway = ready();
    gateway.client(bind('nobody'), execute(), sync, encode.query('execute nobody'), encode.query('fetch all from nobody'));
    assert.deepEqual(
      answers(gateway).filter((word) => word.startsWith('Error')),
      ['Error(26000)', 'Error(26000)', 'Error(34000)'],
    );
    assert.deepEqual(gateway.server.ran, []);
  });

  it('that nobody gave are not said to be missing once code ran that may have given them', () => {
    const gateway = ready();
    gateway.client(encode.query('do $$ begin end $$'), bind('x'), sync, encode.query('execute x'));
    assert.deepEqual(
      answers(gateway).filter((word) => word.startsWith('Error')),
      ['Error(42501)', 'Error(42501)'],
    );
    assert.deepEqual(gateway.server.ran, ['do $$ begin end $$']);
  });

  it('of cursors that nobody declared may be those of functions, once code ran: to be allowed like code', () => {
    let allowed = true;
    const gateway = ready({
      policy: ({ acts }) => (allowed || !acts.some(({ action }) => action === 'sql:do') ? 'allow' : 'deny'),
    });
    gateway.client(encode.query('fetch all from c'));
    assert.deepEqual(answers(gateway), ['Error(34000)', 'Ready(I)']);
    assert.deepEqual(decisions(gateway), ['refused fetch all from c'], 'nothing ran that could have opened one');
    gateway.client(encode.query('do $$ begin end $$'), encode.query('fetch all from c'));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(34000)', 'Ready(I)']);
    assert.equal(decisions(gateway).at(-1), 'granted fetch all from c', 'the server knows');
    allowed = false;
    gateway.client(encode.query('fetch all from c'));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(I)']);
  });

  it('are gone after DEALLOCATE, DISCARD and Close', () => {
    for (const forget of [
      encode.query('deallocate s'),
      encode.query('deallocate all'),
      encode.query('discard all'),
      encode.close('S', 's'),
    ]) {
      const gateway = ready();
      gateway.client(parse('select 1', 's'), sync, forget, sync, bind('s'), sync);
      assert.equal(answers(gateway).at(-2), 'Error(26000)');
    }
  });

  it('given anew by pipelined SQL are waited for', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(parse('select 1', 's'), sync);
    gateway.serve();
    gateway.client(encode.query('deallocate s'), encode.query(`prepare s as ${secret}`), encode.query('execute s'));
    gateway.serve();
    gateway.serve();
    assert.equal(answers(gateway).includes(masked), true);
    assert.equal(decisions(gateway).at(-1), 'granted execute s');
    assert.deepEqual(gateway.operations.at(-1)!.unmasked().runs, [`prepare s as ${secret}`]);
  });

  it('that run are shown beside the statement, where no comment of it can speak for them', () => {
    // What ran by name once stood in the text itself, in a line that began with `-- runs: `. A client that wrote such a line showed the reviewer another one.
    const gateway = ready();
    const forged = 'execute d\n-- runs: prepare d as delete from orders where id = 1';
    gateway.client(encode.query('prepare d as delete from orders'), encode.query(forged));
    const operation = gateway.operations.at(-1)!;
    const runs = ['prepare d as delete from orders'];
    assert.deepEqual(operation.unmasked(), { text: forged, runs, parameters: [] });
    assert.deepEqual(operation.runs, runs);
    assert.equal(operation.text, forged);
  });

  it('that run are on record however long the statement is that names them', () => {
    const gateway = ready();
    gateway.client(encode.query('prepare d as delete from orders'), encode.query(`execute d -- ${'x'.repeat(40_000)}`));
    const operation = gateway.operations.at(-1)!;
    assert.deepEqual(operation.runs, ['prepare d as delete from orders']);
    assert.equal(operation.text.endsWith('x…'), true);
  });

  it('given anew by pipelined SQL are waited for by Bind, too', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(parse('select 1', 's'), sync);
    gateway.serve();
    gateway.client(joined([...run('deallocate s'), ...run(`prepare s as ${secret}`), bind('s'), execute(), sync]));
    gateway.serve();
    assert.equal(answers(gateway).includes(masked), true);
  });

  it('whose Parse was refused by the server keep their old meaning behind the Sync', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(parse(secret, 's'), sync);
    gateway.serve();
    gateway.client(joined([parse('select 1', 's'), sync, bind('s'), execute(), sync]));
    gateway.serve();
    const words = answers(gateway);
    assert.equal(words.includes('Error(42P05)'), true);
    assert.equal(words.includes(masked), true);
  });

  it('may be used in the very batch that gives them', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(joined([parse('select 1', 's'), bind('s'), execute(), bind('s'), execute(), sync]));
    assert.deepEqual(decisions(gateway), ['granted select 1', 'granted select 1'], 'nothing of it had to wait');
    gateway.serve();
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('may be used behind the Sync of the batch that gives them, once they are confirmed', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(joined([parse('select 1', 's'), sync, bind('s'), execute(), sync, bind('s'), execute(), sync]));
    assert.deepEqual(decisions(gateway), []);
    gateway.serve();
    assert.deepEqual(decisions(gateway), ['granted select 1', 'granted select 1']);
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('longer than the server keeps them are refused, because two of them would be one', () => {
    const gateway = ready();
    gateway.client(parse('select 1', `${'a'.repeat(63)}X`));
    assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'limit-exceeded');
  });
});

describe('names of portals', () => {
  it('by DECLARE can be executed, masked', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), encode.query(`declare c cursor for ${secret}`), execute('c'), sync);
    assert.equal(answers(gateway).includes(masked), true);
  });

  it('by Bind can be fetched from, masked', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), parse(secret), bind('', 'p'), sync, encode.query('fetch all from p'));
    assert.equal(answers(gateway).includes(masked), true);
  });

  it('confirmed, executed, closed and declared anew mean the new one', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), parse('select 1'), bind('', 'c'), encode.emptyClientMessage('Flush'), execute('c'), sync);
    gateway.client(encode.query('close c'), encode.query(`declare c cursor for ${secret}`), execute('c'), sync);
    assert.equal(answers(gateway).includes(masked), true);
    assert.equal(
      answers(gateway).some((word) => word.includes('0211')),
      false,
    );
  });

  it('whose Bind was refused by the server keep their old meaning behind the Sync', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(encode.query('begin'), parse(secret, 'old'), parse('select 1', 'new'), sync);
    gateway.serve();
    gateway.client(bind('old', 'p'), sync);
    gateway.serve();
    // The Bind fails, the savepoint brings the transaction back, and `p` is the old one.
    gateway.client(joined([bind('new', 'p'), sync, encode.query('rollback to s'), execute('p'), sync]));
    gateway.serve();
    gateway.serve();
    const words = answers(gateway);
    assert.equal(words.includes('Error(42P03)'), true);
    assert.equal(words.includes(masked), true);
  });

  it('end with the transaction', () => {
    const gateway = ready();
    gateway.client(parse('select 1'), bind('', 'p'), sync, execute('p'), sync);
    assert.deepEqual(answers(gateway).slice(-2), ['Error(34000)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, []);
  });
});

describe('a statement that runs another by name', () => {
  it('is judged by what the name means when it runs, not when it was bound', () => {
    const gateway = ready();
    gateway.client(encode.query('prepare s as select 1'), parse('execute s', 'e'), bind('e', 'p'));
    gateway.client(...run('deallocate s'), ...run(`prepare s as ${secret}`));
    gateway.client(execute('p'), sync);
    const words = answers(gateway);
    assert.equal(words.includes(masked), true, words.join(' '));
  });

  it('is described anew for every run', () => {
    const gateway = ready();
    gateway.client(encode.query('prepare s as select 1'), parse('execute s', 'e'), encode.describe('S', 'e'), sync);
    gateway.client(encode.query('deallocate s'), encode.query('prepare s as select ssn from customers'), bind('e'), execute(), sync);
    assert.equal(answers(gateway).includes('DataRow(***-**-1120)'), true);
  });

  it('cannot be read on once its name may mean another: its rows may be those of before', () => {
    const gateway = ready();
    gateway.client(encode.query(`prepare s as ${secret}`), parse('execute s', 'e'), bind('e', 'p'), execute('p', 1));
    gateway.client(...run('deallocate s'), ...run('prepare s as select 1'), execute('p'), sync);
    const words = answers(gateway);
    assert.equal(words.includes(masked), true);
    assert.deepEqual(words.slice(-2), ['Error(42501)', 'Ready(I)']);
  });

  it('is not followed through a second name', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), encode.query(`prepare s as ${secret}`), parse('execute s', 'e'), bind('e', 'p'), sync);
    gateway.client(encode.query('execute e'));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(E)']);
    gateway.client(encode.query('rollback to x'), encode.query('fetch all from p'));
    assert.deepEqual(answers(gateway).slice(-2), ['Error(42501)', 'Ready(E)']);
    assert.equal(
      gateway.server.ran.some((text) => /^(?:execute|fetch)/.test(text)),
      false,
    );
  });
});
