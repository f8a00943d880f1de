import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { answers, bind, error, execute, joined, parse, ready, sync } from './fixture.test.ts';
import { canary } from './testing/bank.ts';
import type { TestGateway } from './testing/gateway.ts';

const column = { name: 'x', tableOid: 0, column: 0, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 } as const;
const row = encode.dataRow([Buffer.from(canary)]);
const messages: readonly (readonly [string, Uint8Array])[] = [
  ['ParseComplete', encode.emptyServerMessage('ParseComplete')],
  ['BindComplete', encode.emptyServerMessage('BindComplete')],
  ['CloseComplete', encode.emptyServerMessage('CloseComplete')],
  ['NoData', encode.emptyServerMessage('NoData')],
  ['ParameterDescription', encode.parameterDescription([])],
  ['RowDescription', encode.rowDescription([column])],
  ['DataRow', row],
  ['CommandComplete', encode.commandComplete('SELECT 1')],
  ['EmptyQueryResponse', encode.emptyServerMessage('EmptyQueryResponse')],
  ['PortalSuspended', encode.emptyServerMessage('PortalSuspended')],
  ['ReadyForQuery', encode.readyForQuery('I')],
  ['CopyInResponse', encode.copyResponse('CopyInResponse', 0, [])],
  ['CopyOutResponse', encode.copyResponse('CopyOutResponse', 0, [])],
  ['CopyBothResponse', encode.copyResponse('CopyBothResponse', 0, [])],
  ['CopyData', encode.copyData(Buffer.from(canary))],
  ['CopyDone', encode.emptyServerMessage('CopyDone')],
  ['AuthenticationOk', encode.authenticationOk()],
  ['BackendKeyData', encode.backendKeyData(1, new Uint8Array(4))],
  ['NegotiateProtocolVersion', encode.negotiateProtocolVersion(0, [])],
];

/** In each state, what the server may say. Anything else ends the session and reaches nobody. */
const states: readonly (readonly [string, readonly string[], (gateway: TestGateway) => void])[] = [
  ['nothing is asked', [], () => undefined],
  [
    'a query runs',
    ['RowDescription', 'CommandComplete', 'EmptyQueryResponse', 'ReadyForQuery'],
    (gateway) => gateway.client(encode.query('select 1')),
  ],
  [
    'a query has described its rows',
    ['RowDescription', 'DataRow', 'CommandComplete', 'EmptyQueryResponse', 'ReadyForQuery'],
    (gateway) => {
      gateway.client(encode.query('select 1'));
      gateway.upstream(encode.rowDescription([column]));
    },
  ],
  [
    'a query has completed a statement',
    ['RowDescription', 'CommandComplete', 'EmptyQueryResponse', 'ReadyForQuery'],
    (gateway) => {
      gateway.client(encode.query('select 1'));
      gateway.upstream(encode.rowDescription([column]), encode.commandComplete('SELECT 0'));
    },
  ],
  ['a Parse is to be answered', ['ParseComplete'], (gateway) => gateway.client(parse('select 1'))],
  [
    'a Bind is to be answered',
    ['BindComplete'],
    (gateway) => {
      gateway.client(parse('select 1'), bind());
      gateway.upstream(encode.emptyServerMessage('ParseComplete'));
    },
  ],
  [
    'a portal runs that returns no rows',
    ['CommandComplete', 'EmptyQueryResponse', 'PortalSuspended'],
    (gateway) => {
      gateway.client(parse('delete from orders'), bind(), encode.describe('P', ''), execute());
      gateway.upstream(
        encode.emptyServerMessage('ParseComplete'),
        encode.emptyServerMessage('BindComplete'),
        encode.emptyServerMessage('NoData'),
      );
    },
  ],
  [
    'a Describe of a statement is to be answered',
    ['ParameterDescription', 'RowDescription', 'NoData'],
    (gateway) => {
      gateway.client(parse('select 1'), encode.describe('S', ''));
      gateway.upstream(encode.emptyServerMessage('ParseComplete'));
    },
  ],
  [
    'a Close is to be answered',
    ['CloseComplete'],
    (gateway) => {
      gateway.client(encode.close('P', ''));
    },
  ],
  ['a Sync is to be answered', ['ReadyForQuery'], (gateway) => gateway.client(sync)],
  [
    'data is copied in',
    ['CommandComplete', 'EmptyQueryResponse', 'ReadyForQuery', 'RowDescription'],
    (gateway) => {
      gateway.client(encode.query('copy orders from stdin'));
      gateway.upstream(encode.copyResponse('CopyInResponse', 0, []));
    },
  ],
];

describe('a message that the server may not send here ends the session and reaches nobody', () => {
  for (const [state, allowed, enter] of states) {
    it(state, () => {
      for (const [kind, bytes] of messages) {
        const gateway = ready({ results: () => ({ tag: 'OK' }), slowServer: true });
        enter(gateway);
        assert.equal(gateway.ended, undefined, state);
        gateway.toClient.length = 0;
        gateway.upstream(bytes);
        if (allowed.includes(kind)) assert.equal(gateway.ended, undefined, `${kind} while ${state}`);
        else {
          assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'protocol-violation', `${kind} while ${state}`);
          assert.deepEqual(answers(gateway), ['Error(08P01)'], kind);
        }
      }
    });
  }
});

it('what came before the unexpected message goes out whole, and the client’s stream stays well formed', () => {
  const gateway = ready({ slowServer: true });
  gateway.client(encode.query('select id from orders'));
  const long = encode.dataRow([new Uint8Array(20_000).fill(0x61)]);
  const sampled = encode.dataRow([null]);
  gateway.upstream(joined([encode.rowDescription([column]), sampled, sampled, sampled, long.subarray(0, 12_000)]));
  gateway.upstream(joined([long.subarray(12_000), encode.authenticationOk()]));
  const words = answers(gateway);
  assert.equal(words.length, 6);
  assert.equal(words.at(-1), 'Error(08P01)');
});

it('a session that ends in the middle of a message only closes', () => {
  const gateway = ready({ slowServer: true });
  gateway.client(encode.query('select id from orders'));
  const long = encode.dataRow([new Uint8Array(20_000).fill(0x61)]);
  const sampled = encode.dataRow([null]);
  gateway.upstream(joined([encode.rowDescription([column]), sampled, sampled, sampled, long.subarray(0, 12_000)]));
  gateway.notify({ kind: 'closed', side: 'upstream', fault: undefined });
  assert.throws(() => answers(gateway), /cut short/);
  assert.notEqual(gateway.ended, undefined);
});

describe('settings that change how statements are read', () => {
  for (const [name, value] of [
    ['client_encoding', 'SJIS'],
    ['standard_conforming_strings', 'off'],
  ] as const) {
    it(`${name} end the session when the server reports them`, () => {
      const gateway = ready();
      gateway.upstream(encode.parameterStatus(name, value));
      assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'upstream-refused');
    });
  }

  it('are refused when the client sets them', () => {
    const gateway = ready();
    for (const text of [
      "set client_encoding to 'SJIS'",
      'set standard_conforming_strings to off',
      "select set_config('client_encoding', 'SJIS', false)",
    ]) {
      gateway.client(encode.query(text));
      assert.match(answers(gateway)[0] ?? '', /^Error/, text);
    }
    assert.deepEqual(gateway.server.ran, []);
  });
});

describe('errors and notices', () => {
  it('lose the values that they repeat', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(encode.query('select ssn::int from customers'));
    gateway.upstream(error('22P02', `invalid input syntax for type integer: "${canary}"`), encode.readyForQuery('I'));
    assert.equal(Buffer.concat(gateway.toClient).includes(canary), false);
    assert.deepEqual(answers(gateway), ['Error(22P02)', 'Ready(I)']);
  });

  it('of the server’s own end pass to the client', () => {
    const gateway = ready();
    gateway.upstream(error('57P01', 'terminating connection due to administrator command'));
    gateway.notify({ kind: 'closed', side: 'upstream', fault: undefined });
    assert.deepEqual(answers(gateway), ['Error(57P01)', 'Error(08006)']);
  });
});

describe('definitions', () => {
  it('are for the whole gateway once the transaction is over', () => {
    const gateway = ready();
    gateway.client(encode.query('begin'), encode.query('create table t (a int)'));
    assert.deepEqual(gateway.staleMarks, []);
    gateway.client(encode.query('commit'));
    assert.deepEqual(gateway.staleMarks, ['relations']);
    gateway.client(encode.query('create function f() returns int language sql as $$select 1$$'));
    assert.deepEqual(gateway.staleMarks, ['relations', 'code']);
  });

  it('in the extended protocol count as well, and so do those of a transaction that is rolled back', () => {
    const gateway = ready();
    gateway.client(parse('create table t (a int)'), bind(), execute(), sync);
    assert.deepEqual(gateway.staleMarks, ['relations']);
    gateway.client(encode.query('begin'), encode.query('drop table t'), encode.query('rollback'));
    assert.deepEqual(gateway.staleMarks, ['relations', 'relations']);
  });

  it('that are on their way already make what is pipelined behind them uncertain', () => {
    const gateway = ready({ slowServer: true });
    gateway.client(encode.query('select lower(name) from customers'));
    assert.equal(gateway.operations.at(-1)?.facts['opaque'], false);
    gateway.client(encode.query('create function lower(varchar) returns text language sql as $$select ssn from customers$$'));
    gateway.client(encode.query('select lower(name) from customers'));
    assert.equal(gateway.operations.at(-1)?.facts['opaque'], true);
  });
});
