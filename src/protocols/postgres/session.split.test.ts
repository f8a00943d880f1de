import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everySplit } from '../../core/testing/every-split.ts';
import * as encode from './encode.ts';
import { bind, error, execute, joined, parse, ready, run, sync, when } from './fixture.test.ts';
import type { TestGateway } from './testing/gateway.ts';

const data = encode.copyData(Buffer.from('1\t2\n'));
const done = encode.emptyClientMessage('CopyDone');

/** Whole conversations of a client, every message that there is among them. */
const conversations: Readonly<Record<string, readonly Uint8Array[]>> = {
  simple: ['begin', 'delete from orders', 'rollback', 'select ssn from customers', ''].map((text) => encode.query(text)),
  extended: [
    ...run('select ssn from customers'),
    ...run('delete from orders'),
    ...run('select 1'),
    sync,
    parse('select id from orders', 's'),
    encode.describe('S', 's'),
    encode.emptyClientMessage('Flush'),
    bind('s', 'p', ['1', '']),
    execute('p', 1),
    execute('p', 0),
    encode.close('P', 'p'),
    encode.close('S', 's'),
    sync,
    bind('s'),
    sync,
  ],
  copy: [
    encode.query('copy orders from stdin'),
    data,
    data,
    done,
    encode.query('copy orders to stdout'),
    parse('copy orders from stdin'),
    bind(),
    execute(),
    sync,
    data,
    encode.copyFail('no'),
    sync,
    encode.query('select 1'),
  ],
  names: [
    encode.query('prepare a as select reverse(ssn) from customers'),
    encode.query('execute a'),
    bind('a'),
    execute(),
    sync,
    encode.query('deallocate a'),
    encode.query('execute a'),
    encode.query('select id from orders'),
    encode.query('select id from customers where ssn is null'),
  ],
};

describe('cut anywhere, the client’s bytes have the same effects', () => {
  for (const [name, messages] of Object.entries(conversations)) {
    for (const masking of name === 'simple' ? (['taint'] as const) : (['taint', 'strict'] as const)) {
      it(`${name}, ${masking}`, () => {
        const bytes = joined(messages);
        const start = (): TestGateway => ready({ policy: when('delete', 'deny'), masking });
        const whole = start();
        for (const message of messages) whole.client(message);
        const expected = effects(whole);
        everySplit(bytes, (chunks) => {
          const gateway = start();
          for (const chunk of chunks) gateway.client(chunk);
          assert.deepEqual(effects(gateway), expected);
        });
      });
    }
  }
});

describe('cut anywhere, the server’s bytes have the same effects', () => {
  const column = { name: 'ssn', tableOid: 20_001, column: 3, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 } as const;
  const row = encode.dataRow([Buffer.from('078-05-1120')]);
  const asked = [
    encode.query('select ssn from customers'),
    ...run('select ssn from customers'),
    encode.describe('S', ''),
    ...run('delete from orders'),
    sync,
    encode.query('copy orders to stdout'),
  ];
  const answered = [
    encode.noticeResponse(
      new Map([
        ['S', 'NOTICE'],
        ['C', '00000'],
        ['M', 'hello'],
      ]),
    ),
    encode.rowDescription([column]),
    row,
    row,
    row,
    row,
    row,
    encode.notificationResponse(1, 'channel', 'payload'),
    encode.commandComplete('SELECT 5'),
    encode.readyForQuery('I'),
    encode.emptyServerMessage('ParseComplete'),
    encode.emptyServerMessage('BindComplete'),
    encode.rowDescription([column]),
    row,
    encode.emptyServerMessage('PortalSuspended'),
    encode.parameterDescription([25]),
    encode.rowDescription([column]),
    encode.parameterStatus('TimeZone', 'UTC'),
    error('42601', 'syntax error'),
    encode.readyForQuery('I'),
    encode.copyResponse('CopyOutResponse', 0, [0]),
    encode.copyData(Buffer.from('1\t2\n')),
    encode.emptyServerMessage('CopyDone'),
    encode.commandComplete('COPY 1'),
    encode.readyForQuery('I'),
  ];

  const start = (): TestGateway => {
    const gateway = ready({ policy: when('delete', 'deny'), slowServer: true });
    gateway.client(joined(asked));
    return gateway;
  };

  it('a conversation with every kind of answer', () => {
    const whole = start();
    whole.upstream(...answered);
    const expected = effects(whole);
    assert.equal(whole.ended, undefined);
    assert.equal(whole.living, 0);
    everySplit(joined(answered), (chunks) => {
      const gateway = start();
      for (const chunk of chunks) gateway.upstream(chunk);
      assert.deepEqual(effects(gateway), expected);
    });
  });
});

/** All that can be seen from outside. A Flush of the gateway's own depends on what has arrived by then and changes nothing. */
function effects(gateway: TestGateway): unknown {
  return {
    toClient: Buffer.concat(gateway.toClient).toString('latin1'),
    toServer: gateway.server.messages.filter(({ kind }) => kind !== 'Flush').map(shown),
    ran: gateway.server.ran,
    operations: gateway.operations.map(({ id, text, outcome }) => `${id} ${outcome} ${text}`),
    completions: gateway.completions,
    ended: gateway.ended,
  };
}

function shown(message: object): string {
  return JSON.stringify(message, (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value));
}
