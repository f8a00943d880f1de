import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, bind, decisions, error, execute, joined, outcomes, parse, ready, run, sync, when } from './fixture.test.ts';

const data = (text: string): Uint8Array => encode.copyData(Buffer.from(text));
const done = encode.emptyClientMessage('CopyDone');
const copyIn = encode.query('copy orders from stdin');

describe('COPY FROM STDIN', () => {
  it('in the simple protocol', () => {
    const gateway = ready();
    gateway.client(copyIn, data('1\t2\n'), data('3\t4\n'), done);
    assert.deepEqual(answers(gateway), ['CopyInResponse', 'Complete(COPY 2)', 'Ready(I)']);
    assert.deepEqual(outcomes(gateway), ['succeeded']);
    assert.equal(gateway.completions[0]?.rows, 2);
  });

  it('in the extended protocol, whose first Sync the server ignores', () => {
    const gateway = ready();
    gateway.client(parse('copy orders from stdin'), bind(), execute(), sync, data('1\t2\n'), done, sync);
    assert.deepEqual(answers(gateway), ['ParseComplete', 'BindComplete', 'CopyInResponse', 'Complete(COPY 1)', 'Ready(I)']);
    assert.equal(gateway.living, 0);
  });

  it('with a Sync between the data, ignored as well', () => {
    const gateway = ready();
    gateway.client(
      parse('copy orders from stdin'),
      bind(),
      execute(),
      encode.emptyClientMessage('Flush'),
      data('1\t2\n'),
      sync,
      done,
      sync,
    );
    assert.deepEqual(answers(gateway).slice(-2), ['Complete(COPY 1)', 'Ready(I)']);
  });

  it('that the client gives up', () => {
    const gateway = ready();
    gateway.client(copyIn, data('1\t2\n'), encode.copyFail('changed my mind'));
    assert.deepEqual(answers(gateway), ['CopyInResponse', 'Error(57014)', 'Ready(I)']);
    assert.deepEqual(outcomes(gateway), ['failed']);
  });

  it('that fails: what was still on its way is no copy data any more, and a Query behind it is asked for like any other', () => {
    const gateway = ready({ policy: when('delete', 'deny') });
    gateway.client(joined([copyIn, data('bad\n')]), data('1\t2\n'), done, encode.query('delete from orders'));
    assert.deepEqual(answers(gateway), ['CopyInResponse', 'Error(22P04)', 'Ready(I)', 'Error(42501)', 'Ready(I)']);
    assert.deepEqual(gateway.server.ran, ['copy orders from stdin']);
    assert.deepEqual(decisions(gateway), ['granted copy orders from stdin', 'refused delete from orders']);
  });

  it('that fails in the middle of one long message: its rest goes on to its end, and nothing else', () => {
    const gateway = ready();
    const long = data('x'.repeat(50_000));
    gateway.client(copyIn, data('bad\n').subarray(0, 0), long.subarray(0, 20_000));
    gateway.upstream(error('22P04', 'no'), encode.readyForQuery('I'));
    gateway.client(long.subarray(20_000), encode.query('select 1'));
    assert.equal(gateway.ended, undefined);
    assert.deepEqual(gateway.server.messages.map(({ kind }) => kind).slice(-2), ['CopyData', 'Query']);
  });

  it('that fails in the extended protocol is passed over up to Sync', () => {
    const gateway = ready();
    gateway.client(
      parse('copy orders from stdin'),
      bind(),
      execute(),
      encode.emptyClientMessage('Flush'),
      data('bad\n'),
      data('1\t2\n'),
      done,
      sync,
    );
    assert.deepEqual(answers(gateway).slice(-2), ['Error(22P04)', 'Ready(I)']);
    gateway.client(...run('select 1'), sync);
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('whose Sync the server answers after all, because the copy had failed by then', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(parse('copy orders from stdin'), bind(), execute(), encode.emptyClientMessage('Flush'));
    gateway.serve();
    gateway.client(data('bad\n'), sync);
    gateway.serve();
    assert.deepEqual(answers(gateway).slice(-2), ['Error(22P04)', 'Ready(I)']);
    gateway.client(done, sync, encode.query('select 1'));
    gateway.serve();
    assert.equal(gateway.ended, undefined);
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });

  it('whose data comes ahead of the server’s word waits for it', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(joined([copyIn, data('1\t2\n'), done]));
    gateway.serve();
    gateway.serve();
    assert.deepEqual(answers(gateway), ['CopyInResponse', 'Complete(COPY 1)', 'Ready(I)']);
  });

  it('does not let anything else in', () => {
    for (const message of [
      encode.query('delete from orders'),
      parse('select 1'),
      bind(),
      execute(),
      encode.describe('S', ''),
      encode.close('S', ''),
    ]) {
      const gateway = ready();
      gateway.client(copyIn, message);
      assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'protocol-violation');
      assert.deepEqual(
        gateway.server.messages.map(({ kind }) => kind),
        ['Query'],
      );
    }
  });

  it('that is refused never begins', () => {
    const gateway = ready({ policy: when('copy', 'deny') });
    gateway.client(copyIn, data('1\t2\n'), done);
    assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)']);
    assert.deepEqual(
      gateway.server.messages.filter(({ kind }) => kind === 'CopyData'),
      [],
    );
  });

  it('stops with the client: nothing is put into a message that is not complete', () => {
    const gateway = ready();
    const long = data('x'.repeat(50_000));
    gateway.client(copyIn, long.subarray(0, 49_999));
    const before = gateway.toServer.length;
    gateway.notify({ kind: 'closed', side: 'client', fault: undefined });
    assert.equal(gateway.toServer.length, before);
  });
});

describe('stray copy messages', () => {
  it('outside a copy are dropped', () => {
    const gateway = ready();
    gateway.client(data('1\t2\n'), done, encode.copyFail('no'), encode.query('select 1'));
    assert.deepEqual(
      gateway.server.messages.map(({ kind }) => kind),
      ['Query'],
    );
    assert.equal(answers(gateway).at(-1), 'Ready(I)');
  });
});

describe('COPY TO STDOUT', () => {
  it('passes line by line', () => {
    const gateway = ready();
    gateway.client(encode.query('copy orders to stdout'));
    assert.deepEqual(answers(gateway), [
      'CopyOutResponse',
      'CopyData(1\t10)',
      'CopyData(2\t20)',
      'CopyDone',
      'Complete(COPY 2)',
      'Ready(I)',
    ]);
    assert.equal(gateway.completions[0]?.rows, 2);
  });

  it('of a sensitive column is refused', () => {
    const gateway = ready();
    for (const text of ['copy customers to stdout', 'copy customers (ssn) to stdout', 'copy (select ssn from customers) to stdout']) {
      gateway.client(encode.query(text));
      assert.deepEqual(answers(gateway), ['Error(42501)', 'Ready(I)']);
    }
    gateway.client(encode.query('copy customers (id) to stdout'));
    assert.deepEqual(gateway.server.ran, ['copy customers (id) to stdout']);
  });
});
