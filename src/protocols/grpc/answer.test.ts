import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { inflate } from '../../net/message-inflate.ts';
import { schemaOf } from '../../protobuf/schema.ts';
import { describe as describeTypes, fieldOption } from '../../protobuf/testing/describe.ts';
import type { AnswerPlan, StreamedAnswer } from '../request.ts';
import { describedBy } from './described.ts';
import { compressedFlag, encodeFrame } from './frame.ts';
import { accounts, asked, environmentWith, joined, textField, type EnvironmentOptions, type Made } from './testing/calls.ts';

const ssn = '536-90-4399';
const card = '4111111111111111';
const cardMasked = '************1111';
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
/** Not shown whole, in whatever form a client could read it. */
const isIn = (value: string, text: string): boolean => text.includes(value) || Buffer.from(text, 'base64').includes(value);

const grpc = { 'content-type': 'application/grpc' };

function plan(fields: Readonly<Record<string, string>>, options: EnvironmentOptions = {}, made: Made = {}, status = 200): AnswerPlan {
  const list = Object.entries(fields).map(([name, value]) => ({ name, value }));
  return asked(environmentWith(nodeCrypto, inflate, options), made).answer({ status, fields: list });
}

/** Fields of an answer that has messages, by name. */
function shownHead(fields: Readonly<Record<string, string>>, options?: EnvironmentOptions): Readonly<Record<string, string>> {
  const found = plan({ ...grpc, ...fields }, options);
  assert.equal(found.kind, 'messages');
  return Object.fromEntries(found.fields.map(({ name, value }) => [name, value]));
}

/** How a call ended that is nothing but a head. */
function ended(fields: Readonly<Record<string, string>>, options?: EnvironmentOptions, made?: Made, status?: number) {
  const found = plan({ ...grpc, ...fields }, options, made, status);
  assert.equal(found.kind, 'head');
  const { fields: shown, outcome } = found;
  return { ...Object.fromEntries(shown.map(({ name, value }) => [name, value])), outcome: outcome.outcome } as Readonly<
    Record<string, string>
  >;
}

function streamed(options: EnvironmentOptions = {}, made: Made = {}, fields: Readonly<Record<string, string>> = {}): StreamedAnswer {
  const found = plan({ ...grpc, ...fields }, options, made);
  assert.equal(found.kind, 'messages');
  return found.answer;
}

const account = (number: string, note = 'none'): Uint8Array => joined([textField(1, number), textField(2, ssn), textField(3, note)]);
const pushed = (answer: StreamedAnswer, ...pieces: readonly Uint8Array[]): string =>
  Buffer.concat(pieces.flatMap((piece) => [...answer.push(piece)])).toString('latin1');

function code(act: () => unknown): string {
  try {
    act();
    return 'ok';
  } catch (error) {
    assert.ok(error instanceof GatewayFault, String(error));
    return error.code;
  }
}

describe('metadata of a target', () => {
  it('is the client’s, without what is the connection’s, the gateway’s or gRPC’s own', () => {
    const passed = { 'x-custom': 'kept', date: 'today', 'grpc-retry-pushback-ms': '5' };
    const left = {
      'set-cookie': 'a=b',
      'www-authenticate': 'Basic',
      'alt-svc': 'h3=":443"',
      'proxy-status': 'x',
      'sallyport-masked': 'ssn=0',
      'access-control-allow-origin': '*',
      'grpc-accept-encoding': 'gzip',
      'grpc-anything': 'x',
      'content-encoding': 'br',
    };
    assert.deepEqual(shownHead({ ...passed, ...left }), { 'content-type': 'application/grpc', ...passed });
  });

  it('is masked by the detectors, its octets too where they are text', () => {
    const open = { places: 'open' } as const;
    assert.deepEqual(shownHead({ 'x-card': `paid by ${card}`, 'x-card-bin': base64(card), 'x-other-bin': base64('kept') }, open), {
      'content-type': 'application/grpc',
      'x-card': `paid by ${cardMasked}`,
      'x-card-bin': base64(cardMasked),
      'x-other-bin': base64('kept'),
    });
    assert.equal(shownHead({ 'x-card': card }, { ...open, revealed: ['card'] })['x-card'], card);
  });

  it('has no octets that nobody can tell the meaning of', () => {
    const octets = { 'x-a-bin': base64('kept') };
    assert.equal(shownHead(octets)['x-a-bin'], undefined, 'places of the target are hidden');
    assert.equal(shownHead(octets, { places: 'open', masking: 'strict' })['x-a-bin'], undefined, 'strict');
    assert.equal(shownHead({ 'x-a-bin': '!' }, { places: 'open' })['x-a-bin'], undefined, 'no base64');
    assert.equal(shownHead(octets, { revealed: ['ssn', 'card'] })['x-a-bin'], octets['x-a-bin'], 'nothing is hidden');
  });
});

describe('a target', () => {
  const environment = environmentWith(nodeCrypto, inflate, { places: 'open', revealed: ['card'] });
  const answer = (given: typeof environment, fields: Readonly<Record<string, string>> = {}) => {
    const head = Object.entries({ ...grpc, ...fields }).map(([name, value]) => ({ name, value }));
    const found = asked(given).answer({ status: 200, fields: head });
    assert.ok(found.kind === 'messages');
    return found;
  };

  it('that only its schema says hides something is one of which something is hidden', () => {
    const types = { Wanted: ['string number = 1'], Account: ['string number = 1', 'string ssn = 2 [tax-id]'] };
    const schema = describedBy(schemaOf([describeTypes(types, ['Get(Wanted) returns (Account)']).set], { fieldOption }), 'drop');
    const found = answer({ ...environment, schema }, { 'x-a-bin': base64('kept') });
    assert.ok(!found.fields.some(({ name }) => name === 'x-a-bin'));
    assert.ok(!pushed(found.answer, encodeFrame(0, account('7'))).includes(ssn));
  });

  it('whose masking changes is not masked as before', () => {
    const open = environmentWith(nodeCrypto, inflate);
    const unsafe = { ...open, target: { ...open.target, masking: 'unsafe_origin' as const } };
    const frame = encodeFrame(0, account('7', card));
    for (const [given, isShown] of [
      [open, false],
      [unsafe, true],
      [open, false],
    ] as const)
      assert.equal(pushed(answer(given).answer, frame).includes(card), isShown);
  });
});

describe('how a call ended', () => {
  it('is not known without a status', () => {
    const { trailers, outcome } = streamed().end([]);
    assert.deepEqual([fieldOf(trailers, 'grpc-status'), outcome.outcome], ['2', 'failed']);
    assert.equal(ended({ 'grpc-status': '99' })['grpc-status'], '2');
  });

  it('is told without what messages of the method hide, and with the rest masked', () => {
    const hidden = ended({ 'grpc-status': '5', 'grpc-message': `no ${ssn}` });
    assert.match(hidden['grpc-message']!, /is not shown: answers of this method hold ssn/);
    assert.deepEqual([hidden['sallyport-masked'], hidden['outcome']], ['ssn=1', 'failed']);
    const masked = ended({ 'grpc-status': '5', 'grpc-message': `no ${card}%21` }, { places: 'open' });
    assert.deepEqual([masked['grpc-message'], masked['sallyport-masked']], [`no ${cardMasked}!`, 'card=1']);
    const seen = ended({ 'grpc-status': '5', 'grpc-message': `no ${ssn}` }, { revealed: ['ssn', 'card'] });
    assert.equal(seen['grpc-message'], `no ${ssn}`);
  });

  it('has details as messages have them, or none', () => {
    const status = joined([Uint8Array.of(8, 5), textField(2, `card ${card}`)]);
    const details = (value: string, options?: EnvironmentOptions, made?: Made): string | undefined =>
      ended({ 'grpc-status': '5', 'grpc-status-details-bin': value }, options, made)['grpc-status-details-bin'];
    const octets = (value: Uint8Array): string => Buffer.from(details(base64(value))!, 'base64').toString('latin1');
    assert.match(octets(status), /card \*{12}1111/);
    assert.ok(!octets(joined([status, textField(15, 'beside')])).includes('beside'), 'what no Status has');
    const detail = textField(3, joined([textField(1, 'type.googleapis.com/acme.v1.Unheard'), textField(2, textField(1, 'beside'))]));
    assert.ok(!octets(joined([status, detail])).includes('beside'), 'a detail of a type that nobody knows');
    for (const unreadable of ['!', base64(Uint8Array.of(0x12, 0x7f))]) assert.equal(details(unreadable), undefined, unreadable);
    const reflection = { path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' };
    assert.equal(details(base64('x'), { reflection: true }, reflection), undefined, 'of a method that nobody describes');
    const plain = base64(joined([Uint8Array.of(8, 5), textField(2, 'kept')]));
    assert.equal(details(plain), plain);
  });
});

describe('what answers and is no server of gRPC', () => {
  it('is told apart, and the gateway’s own credential is not the client’s fault', () => {
    assert.deepEqual(ended({}, {}, {}, 401)['grpc-status'], '13');
    assert.deepEqual(ended({}, {}, {}, 503)['grpc-status'], '14');
    assert.deepEqual(ended({ 'grpc-status': '0' }, {}, {}, 404)['grpc-status'], '12', 'whatever status it says');
    assert.deepEqual(ended({ 'content-type': 'text/html', 'grpc-status': '0' })['grpc-status'], '2');
    assert.deepEqual(ended({ 'content-type': 'application/grpc-web', 'grpc-status': '0' })['grpc-status'], '2');
  });
});

describe('messages of an answer', () => {
  it('are masked, compressed ones too, and the client is told', () => {
    const answer = streamed();
    assert.ok(!pushed(answer, encodeFrame(0, account('7', card))).includes(ssn));
    assert.deepEqual(
      [answer.messages, fieldOf(answer.end([{ name: 'grpc-status', value: '0' }]).trailers, 'sallyport-masked')],
      [1, 'ssn=1, card=1'],
    );
    const zipped = [...streamed({}, {}, { 'grpc-encoding': 'gzip' }).push(encodeFrame(compressedFlag, gzipSync(account('7'))))];
    assert.equal(zipped[0]![0], 0, 'it goes on uncompressed, and says so');
    assert.ok(Buffer.from(zipped[0]!).includes('4399') && !Buffer.from(zipped[0]!).includes(ssn));
    const seen = encodeFrame(0, account('7'));
    assert.equal(pushed(streamed({ revealed: ['ssn', 'card'] }), seen), Buffer.from(seen).toString('latin1'));
  });

  it('that cannot be masked are not shown', () => {
    const brotli = { 'grpc-encoding': 'br' };
    assert.equal(
      code(() => pushed(streamed(), encodeFrame(0, Uint8Array.of(0x0a, 0x7f)))),
      'masking-refused',
    );
    assert.equal(
      code(() => pushed(streamed({}, {}, brotli), encodeFrame(compressedFlag, account('7')))),
      'masking-refused',
    );
    assert.equal(
      code(() => pushed(streamed(), encodeFrame(compressedFlag, account('7')))),
      'protocol-violation',
      'compressed, nobody says how',
    );
    assert.equal(
      code(() => pushed(streamed({}, {}, brotli), encodeFrame(0, account('7')))),
      'ok',
      'an encoding that is not used',
    );
  });

  it('end between two of them', () => {
    for (const options of [{}, { isDescribed: false, revealed: ['ssn', 'card'] }]) {
      const answer = streamed(options);
      pushed(answer, encodeFrame(0, account('7')).subarray(0, 9));
      assert.equal(
        code(() => answer.end([{ name: 'grpc-status', value: '0' }])),
        'upstream-unavailable',
      );
    }
  });

  it('are rows, for the limits of the target', () => {
    const one = encodeFrame(0, account('7'));
    let counted = 0;
    const few = streamed({ limits: { inForce: { rows: 2 }, countRows: (rows) => (counted += rows) } });
    pushed(few, one, one);
    assert.deepEqual([code(() => pushed(few, one)), few.messages, counted], ['limit-exceeded', 2, 2]);
    assert.equal(
      code(() => pushed(streamed({ limits: { inForce: { rowsPerMinute: 5 }, rowsLeft: () => 0 } }), one)),
      'rate-exceeded',
    );
    const undescribed = { isDescribed: false, revealed: ['ssn', 'card'] };
    const blind = streamed({ ...undescribed, limits: { inForce: { rows: 1 } } });
    assert.equal(
      code(() => pushed(blind, one, one)),
      'limit-exceeded',
      'also where nobody looks into them',
    );
  });

  it('of health checks are a state and nothing else', () => {
    const health = { path: '/grpc.health.v1.Health/Check' };
    assert.equal(
      code(() => pushed(streamed({}, health), encodeFrame(0, Uint8Array.of(8, 1)))),
      'ok',
    );
    for (const more of [textField(2, card), Uint8Array.of(8, 9), joined([Uint8Array.of(8, 1), textField(1, card)])]) {
      assert.equal(
        code(() => pushed(streamed({}, health), encodeFrame(0, more))),
        'masking-refused',
      );
    }
  });

  it('of gRPC-Web have their trailers behind them', () => {
    for (const type of ['application/grpc-web', 'application/grpc-web-text']) {
      const answer = streamed({}, { fields: { 'content-type': type } });
      const { pieces, trailers } = answer.end([{ name: 'grpc-status', value: '0' }]);
      const body = Buffer.concat(pieces).toString();
      assert.deepEqual([trailers, isIn('grpc-status:0', type.endsWith('text') ? body : base64(body))], [[], true], type);
    }
    assert.deepEqual(streamed().end([{ name: 'grpc-status', value: '0' }]).pieces, []);
  });
});

describe('the recording', () => {
  it('has first messages with everything masked, also what its principal saw', () => {
    const environment = environmentWith(nodeCrypto, inflate, { revealed: ['ssn', 'card'] });
    const one = asked(environment, { path: `/${accounts}/List` });
    const head = { status: 200, fields: [{ name: 'content-type', value: 'application/grpc' }] };
    const answering = one.answer(head);
    assert.ok(answering.kind === 'messages');
    pushed(answering.answer, ...[card, 'b', 'c', 'd'].map((note) => encodeFrame(0, account('7', note))));
    const { columns, row } = one.sample(head, { bytes: new Uint8Array(0), isWhole: true, isCoded: false });
    assert.deepEqual([columns.length, row[0]], [4, '4']);
    assert.match(row[1]!, /"ssn": "\*\*\*-\*\*-4399".*\*{12}1111/s);
    assert.ok(!row.join('').includes(ssn) && !row.join('').includes(card));
  });
});

function fieldOf(fields: readonly { readonly name: string; readonly value: string }[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}
