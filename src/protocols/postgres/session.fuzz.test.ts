import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noLimits, type Limits } from '../../core/limits.ts';
import type { Operation } from '../../core/operation.ts';
import * as encode from './encode.ts';
import { bind, execute, flush, joined, parse, ready, sync } from './fixture.test.ts';
import { backwards, canary } from './testing/bank.ts';
import type { TestGateway } from './testing/gateway.ts';
import { transcript } from './testing/transcript.ts';

/**
 * Sessions made up at random, by seed. Whatever happens: nothing but a `GatewayFault` escapes (the test's driver throws anything else);
 * nothing runs without a decision (the driver checks every forward); `delete` never runs, because policy denies it; no sensitive value
 * reaches the client of an honest server; the client's stream stays well formed; and a session that is open still answers.
 */
describe('random sessions', () => {
  it('of messages in any order, against an honest server', () => {
    for (let seed = 1; seed <= 5_000; seed += 1) attempt(seed, (random) => honest(random, clientMessages, false));
  });

  it('about one name, given and forgotten by both protocols', () => {
    for (let seed = 1; seed <= 12_000; seed += 1) attempt(seed, (random) => honest(random, namingMessages, false));
  });

  it('of bytes that were changed, dropped and repeated on their way', () => {
    for (let seed = 1; seed <= 5_000; seed += 1) attempt(seed, (random) => honest(random, clientMessages, true));
  });

  it('whose answers and times are limited', () => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
      attempt(seed, (random) => {
        const limits = { rows: 1, ...(random.below(2) === 0 ? { statementTimeoutMs: 1_000 } : {}) };
        const gateway = honest(random, random.below(2) === 0 ? clientMessages : namingMessages, false, limits);
        const shown = transcript(gateway.toClient).filter((word) => word.startsWith('DataRow') || word.startsWith('CopyData')).length;
        const asked = gateway.operations.filter(({ naming, outcome }) => !naming && outcome !== 'refused').length;
        assert.ok(shown <= asked, `${shown} rows for ${asked} operations`);
        checkAnswers(gateway);
      });
    }
  });

  it('against a server that says anything', () => {
    for (let seed = 1; seed <= 5_000; seed += 1) attempt(seed, hostile);
  });
});

function attempt(seed: number, session: (random: Random) => void): void {
  try {
    session(new Random(seed));
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function honest(random: Random, messages: readonly Uint8Array[], mutated: boolean, limits: Limits = noLimits): TestGateway {
  const gateway = open(random, limits);
  const count = 2 + random.below(20);
  let bytes = joined(Array.from({ length: count }, () => random.pick(messages)));
  if (mutated) bytes = damaged(random, bytes);
  send(random, bytes, (chunk) => {
    gateway.receive('client', chunk);
    settle(random, gateway, false);
  });
  settle(random, gateway, true);
  checkStream(gateway);
  const seen = Buffer.concat(gateway.toClient).toString('latin1');
  assert.equal(seen.includes(canary), false, 'a sensitive value reached the client');
  assert.equal(seen.includes(backwards), false, 'a sensitive value reached the client, computed');
  if (!mutated && limits === noLimits) checkAnswers(gateway);
  return gateway;
}

/** An open session answers. */
function checkAnswers(gateway: TestGateway): void {
  if (gateway.ended !== undefined || gateway.server.killed) return;
  gateway.toClient.length = 0;
  gateway.client(encode.copyFail('enough'), sync);
  settle(undefined, gateway, true);
  if (gateway.ended === undefined) assert.match(transcript(gateway.toClient).at(-1) ?? 'nothing', /^Ready/);
}

function hostile(random: Random): void {
  const gateway = open(random, random.below(2) === 0 ? noLimits : { rows: 1, statementTimeoutMs: 1_000 });
  for (let round = 2 + random.below(12); round > 0 && gateway.ended === undefined; round -= 1) {
    const what = random.below(9);
    if (what < 6) gateway.receive('client', random.pick(clientMessages));
    else if (what < 8) gateway.upstream(random.pick(serverMessages));
    else {
      const bytes = damaged(random, joined([random.pick(serverMessages), random.pick(serverMessages)]));
      send(random, bytes, (chunk) => gateway.receive('upstream', chunk));
    }
    settle(random, gateway, false);
  }
  checkStream(gateway);
}

/** Whole messages, but for one that was passing when the session ended. */
function checkStream(gateway: TestGateway): void {
  try {
    transcript(gateway.toClient);
  } catch (error) {
    if (!(error instanceof Error && error.message.includes('cut short'))) throw error;
  }
  assert.deepEqual(
    gateway.server.meant.filter((text) => text.startsWith('delete')),
    [],
    'what policy denies ran',
  );
}

function open(random: Random, limits: Limits): TestGateway {
  const answers = ['allow', 'allow', 'allow', 'allow', 'allow', 'allow', 'allow', 'hold', 'deny'] as const;
  const policy = (operation: Operation): 'allow' | 'deny' | 'hold' => {
    const deletes = operation.acts.some(({ action }) => action === 'sql:delete');
    return deletes ? 'deny' : operation.naming ? 'allow' : random.pick(answers);
  };
  return ready({ policy, slowServer: true, limits, masking: random.below(4) === 0 ? 'strict' : 'taint' });
}

function settle(random: Random | undefined, gateway: TestGateway, all: boolean): void {
  for (let round = 0; round < 50; round += 1) {
    if (gateway.held.length > 0 && (all || random === undefined || random.below(2) === 0))
      gateway.answer(random === undefined || random.below(2) === 0);
    if (gateway.deadlineMs !== undefined && random?.below(8) === 0) gateway.notify({ kind: 'deadline' });
    if (all || random === undefined || random.below(4) === 0) gateway.serve();
    if (all || random === undefined || random.below(2) === 0)
      for (const _ of gateway.cancels.splice(0)) gateway.notify({ kind: 'cancel-delivered' });
    if (!all || (gateway.held.length === 0 && !gateway.hasUnserved && gateway.cancels.length === 0)) return;
  }
}

function send(random: Random, bytes: Uint8Array, receive: (chunk: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length;) {
    const to = Math.min(bytes.length, at + 1 + random.below(random.below(4) === 0 ? 4 : 120));
    receive(bytes.slice(at, to));
    at = to;
  }
}

function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  let out: Uint8Array = bytes.slice();
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const at = random.below(out.length + 1);
    switch (random.below(4)) {
      case 0:
        if (at < out.length) out[at] = random.below(256);
        break;
      case 1:
        out = joined([out.slice(0, at), out.slice(at + 1 + random.below(6))]);
        break;
      case 2:
        out = joined([out.slice(0, at), random.pick(clientMessages), out.slice(at)]);
        break;
      default:
        out = joined([out.slice(0, at), out.slice(Math.max(0, at - random.below(40)))]);
    }
  }
  return out;
}

/** Mulberry32: small, and the same everywhere. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e37_79b1);
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const texts = [
  'select 1',
  'select id from orders',
  'select ssn from customers',
  'select reverse(ssn) from customers',
  'select id from customers where ssn is null',
  'delete from orders',
  'insert into orders values (1, 2)',
  'update orders set amount = 0 where id = 1',
  'begin',
  'commit',
  'rollback',
  'rollback to s',
  'prepare a as select 1',
  'prepare a as select reverse(ssn) from customers',
  'prepare b as delete from orders',
  'prepare b as select ssn from customers',
  'execute a',
  'execute b',
  'deallocate a',
  'deallocate b',
  'deallocate all',
  'discard all',
  'declare a cursor for select reverse(ssn) from customers',
  'declare a cursor with hold for select 1',
  'fetch all from a',
  'close a',
  'copy orders from stdin',
  'copy orders to stdout',
  'not sql at all',
  '',
];
const names = ['', '', 'a', 'b'];
const clientMessages: readonly Uint8Array[] = [
  ...texts.map((text) => encode.query(text)),
  ...texts.flatMap((text) => ['', 'a', 'b'].map((name) => parse(text, name))),
  ...names.flatMap((statement) =>
    names.flatMap((portal) => [bind(statement, portal), bind(statement, portal), bind(statement, portal, ['1'])]),
  ),
  ...names.flatMap((portal) => [execute(portal), execute(portal), execute(portal), execute(portal, 1)]),
  ...names.flatMap((name) => [encode.describe('S', name), encode.describe('P', name), encode.close('S', name), encode.close('P', name)]),
  ...Array.from({ length: 24 }, () => sync),
  ...Array.from({ length: 4 }, () => flush),
  encode.query('select 1; delete from orders'),
  encode.query('begin; prepare a as select reverse(ssn) from customers; commit'),
  encode.copyData(Buffer.from('1\t2\n')),
  encode.copyData(Buffer.from('bad\n')),
  encode.copyData(new Uint8Array(9_000)),
  encode.emptyClientMessage('CopyDone'),
  encode.emptyClientMessage('CopyDone'),
  encode.copyFail('no'),
];
/** Few enough for every order of three or four to come up. `rollback to s` brings a failed transaction back, as if a savepoint were there. */
const namingTexts = [
  'begin',
  'commit',
  'rollback to s',
  'rollback to s',
  'deallocate a',
  'close a',
  'discard all',
  'execute a',
  'execute a',
  'fetch all from a',
];
const secretly = 'select reverse(ssn) from customers';
const namingMessages: readonly Uint8Array[] = [
  ...namingTexts.map((text) => encode.query(text)),
  ...['select 1', secretly].flatMap((text) => [encode.query(`prepare a as ${text}`), encode.query(`declare a cursor for ${text}`)]),
  ...['select 1', secretly, 'execute a', 'deallocate a', `prepare a as ${secretly}`].flatMap((text) => [
    parse(text, 'a'),
    joined([parse(text), bind(), execute()]),
    joined([parse(text), bind('', 'a')]),
  ]),
  bind('a', 'a'),
  joined([bind('a'), execute()]),
  joined([bind('a'), execute(), sync]),
  joined([bind('a', 'a'), execute('a')]),
  execute('a'),
  execute('a'),
  joined([execute('a'), sync]),
  encode.close('S', 'a'),
  encode.close('P', 'a'),
  encode.describe('S', 'a'),
  encode.describe('P', 'a'),
  sync,
  sync,
  sync,
  sync,
  flush,
];
const column = { name: 'x', tableOid: 0, column: 0, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 } as const;
const serverMessages: readonly Uint8Array[] = [
  ...(['BindComplete', 'CloseComplete', 'CopyDone', 'EmptyQueryResponse', 'NoData', 'ParseComplete', 'PortalSuspended'] as const).map(
    (kind) => encode.emptyServerMessage(kind),
  ),
  encode.rowDescription([column]),
  encode.rowDescription([column, { ...column, tableOid: 20_001, column: 3 }]),
  encode.rowDescription([]),
  encode.dataRow([Buffer.from('1')]),
  encode.dataRow([null, Buffer.from('2')]),
  encode.dataRow([new Uint8Array(12_000)]),
  encode.parameterDescription([25]),
  encode.commandComplete('SELECT 1'),
  encode.commandComplete('x'),
  encode.readyForQuery('I'),
  encode.readyForQuery('T'),
  encode.readyForQuery('E'),
  encode.copyResponse('CopyInResponse', 0, [0]),
  encode.copyResponse('CopyOutResponse', 1, [1]),
  encode.copyResponse('CopyBothResponse', 0, []),
  encode.copyData(Buffer.from('1\n')),
  encode.parameterStatus('TimeZone', 'UTC'),
  encode.parameterStatus('client_encoding', 'UTF8'),
  encode.notificationResponse(1, 'a', 'b'),
  encode.errorResponse(new Map([['C', '57P01']])),
  encode.noticeResponse(new Map([['M', 'notice']])),
  encode.authenticationOk(),
];

it('the oracle is no blind one: a gateway that forwards what nobody decided on is found out', () => {
  const gateway = ready();
  assert.equal(gateway.ended, undefined);
  assert.throws(() => gateway.check(encode.query('delete from orders')), /nobody decided/);
  assert.throws(() => gateway.check(execute()), /nobody decided/);
  assert.doesNotThrow(() => gateway.check(sync));
});
