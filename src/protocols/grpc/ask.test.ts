import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { inflate } from '../../net/message-inflate.ts';
import { compressedFlag, encodeFrame } from './frame.ts';
import {
  accounts,
  asked,
  environmentWith,
  joined,
  sent,
  session,
  textField,
  whole,
  type EnvironmentOptions,
  type Made,
} from './testing/calls.ts';

const ssn = '536-90-4399';
const card = '4111111111111111';
const undescribed = { isDescribed: false, revealed: ['ssn', 'card'] };
const environmentFor = (options: EnvironmentOptions = {}) => environmentWith(nodeCrypto, inflate, options);
const operation = (made: Made = {}, options?: EnvironmentOptions) => asked(environmentFor(options), made).operation(session);
const message = (text: string, flags = 0): Uint8Array => encodeFrame(flags, Buffer.from(text));

function exact({ path = '/bank.v1.Ledger/Transfer', fields = {}, body = whole(message('to ann')) }: Made): string {
  const environment = { ...environmentFor(undescribed), inflate: (_coding: unknown, bytes: Uint8Array) => bytes };
  const one = asked(environment, { path, body, fields: { 'x-branch': 'bern', 'x-key-bin': 'AAEC', ...fields } });
  assert.equal(one.refusal, undefined);
  return Buffer.from(one.operation(session).exact()).toString('hex');
}

describe('what an approval binds of a call', () => {
  const approved = exact({});
  const others: readonly (readonly [string, Made])[] = [
    ['another method', { path: '/bank.v1.Ledger/Shut' }],
    ['another service', { path: '/bank.v2.Ledger/Transfer' }],
    ['other bytes in the message', { body: whole(message('to bob')) }],
    ['a message more', { body: whole(message('to ann'), message('to bob')) }],
    ['an empty message more', { body: whole(message('to ann'), message('')) }],
    ['no message', { body: { kind: 'none' } }],
    ['the same bytes in two messages', { body: whole(message('to'), message(' ann')) }],
    ['the same bytes, said to be compressed', { fields: { 'grpc-encoding': 'gzip' }, body: whole(message('to ann', compressedFlag)) }],
    ['another coding of its messages', { fields: { 'grpc-encoding': 'gzip' } }],
    ['another form of its messages', { fields: { 'content-type': 'application/grpc+proto' } }],
    ['messages that nobody has seen', { body: { kind: 'streamed', octets: 11 } }],
    ['another value of its metadata', { fields: { 'x-branch': 'basel' } }],
    ['other octets in its metadata', { fields: { 'x-key-bin': 'AAED' } }],
    ['more metadata', { fields: { 'x-amount': '1000000' } }],
  ];
  for (const [what, made] of others) it(`${what} is another call`, () => assert.notEqual(exact(made), approved));

  it('no messages are not messages that nobody has seen; compressed ones are not the same bytes as they are', () => {
    assert.notEqual(exact({ body: { kind: 'none' } }), exact({ body: { kind: 'streamed', octets: undefined } }));
    const fields = { 'grpc-encoding': 'gzip' };
    assert.notEqual(exact({ fields, body: whole(message('a')) }), exact({ fields, body: whole(message('a', compressedFlag)) }));
  });

  it('is neither what tells one try from the next, nor how it is carried', () => {
    for (const fields of [
      { 'grpc-timeout': '5S' },
      { 'grpc-previous-rpc-attempts': '2' },
      { 'grpc-accept-encoding': 'gzip' },
      { traceparent: '00-1-2-03' },
      { 'content-type': 'application/grpc-web' },
    ] as const) {
      assert.equal(exact({ fields }), approved, JSON.stringify(fields));
    }
  });
});

describe('what policy is asked', () => {
  const acts = (path: string, options?: EnvironmentOptions): readonly string[] =>
    operation({ path }, options).acts.map(({ action, object }) => `${action} ${object.type} ${object.id} in ${object.parents?.[0]?.id}`);

  it('is the method, in its service: a call, a stream where either side streams, both where nobody knows', () => {
    const at = (method: string): string => `Method ledger/${accounts}/${method} in ledger/${accounts}`;
    assert.deepEqual(acts(`/${accounts}/Get`), [`grpc:call ${at('Get')}`]);
    for (const method of ['List', 'Import']) assert.deepEqual(acts(`/${accounts}/${method}`), [`grpc:stream ${at(method)}`]);
    assert.deepEqual(acts(`/${accounts}/Get`, undescribed), [`grpc:call ${at('Get')}`, `grpc:stream ${at('Get')}`]);
  });

  it('of services about the server is what they are for', () => {
    assert.match(acts('/grpc.health.v1.Health/Check').join(), /^grpc:health /);
    assert.match(acts('/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo').join(), /^grpc:reflect /);
  });

  it('has a reason on one line, with nothing sensitive in it', () => {
    const { facts } = operation({ fields: { 'sallyport-reason': ` for ${card} ` } });
    assert.equal(facts['reason'], 'for ************1111');
    assert.equal(operation().facts['reason'], undefined);
  });
});

describe('what the protocol refuses, whatever policy says', () => {
  const refusal = (made: Made = {}, options?: EnvironmentOptions): string | undefined => asked(environmentFor(options), made).refusal?.code;
  const reflection = { path: '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo' };

  it('services about the server, unless its target opens them', () => {
    assert.deepEqual([refusal(reflection), refusal(reflection, { reflection: true })], ['policy-denied', undefined]);
    for (const service of ['grpc.channelz.v1.Channelz', 'grpc.admin.v1.Admin', 'envoy.admin.v2.Admin', 'envoy.service.discovery.v3.X']) {
      const made = { path: `/${service}/Get` };
      assert.equal(refusal(made), 'policy-denied', service);
      assert.equal(refusal(made, { ...undescribed, unsafeAdmin: true }), undefined, service);
    }
    assert.equal(refusal({ path: '/grpc.health.v1.Health/Check', body: whole(sent('')) }), undefined);
  });

  it('methods that the schema has not, and any that nobody describes where something is hidden', () => {
    assert.equal(refusal({ path: `/${accounts}/Other` }), 'unsupported');
    assert.equal(refusal({}, { isDescribed: false }), 'masking-refused');
    assert.equal(refusal({}, undescribed), undefined);
  });

  it('what may write at a target for reading', () => {
    assert.equal(refusal({}, { readOnly: true }), 'read-only');
    assert.equal(refusal({ path: '/grpc.health.v1.Health/Check', body: whole(sent('')) }, { readOnly: true }), undefined);
  });

  it('a method whose name would put something sensitive on record', () => {
    assert.equal(refusal({ path: `/bank.Ledger/_${card}` }, undescribed), 'unsupported');
  });

  it('bodies that are not one message: several, half of one, a bomb, one that is not what it says', () => {
    assert.equal(refusal({ body: whole(sent('a'), sent('b')) }), 'unsupported');
    assert.equal(refusal({ path: `/${accounts}/Import`, body: whole(sent('a'), sent('b')) }), undefined, 'a client that streams');
    assert.equal(refusal({ body: whole(sent('abc').subarray(0, 7)) }), 'protocol-violation');
    assert.equal(refusal({ body: whole(sent('a', 0x02)) }), 'protocol-violation');
    assert.equal(refusal({ body: whole(sent('a', compressedFlag)) }), 'protocol-violation', 'compressed, and the head does not say how');
    assert.equal(refusal({ body: whole(sent('a', compressedFlag)), fields: { 'grpc-encoding': 'gzip' } }), 'protocol-violation');
    assert.equal(refusal({ body: whole(encodeFrame(0, new Uint8Array(1_001))) }), 'limit-exceeded');
  });

  it('bodies that pass as they come are looked at in the same way', () => {
    const inspected = (made: Made, ...pieces: readonly Uint8Array[]): string => {
      const inspector = asked(environmentFor(), { ...made, body: { kind: 'streamed', octets: undefined } }).inspector!();
      try {
        const passed = pieces.map((piece) => Buffer.from(inspector.push(piece)).toString('latin1')).join('');
        inspector.end();
        return passed === Buffer.from(joined(pieces)).toString('latin1') ? 'as it came' : 'otherwise';
      } catch (error) {
        assert.ok(error instanceof GatewayFault, String(error));
        return error.code;
      }
    };
    const importing = { path: `/${accounts}/Import` };
    assert.equal(inspected(importing, sent('a'), sent('b')), 'as it came');
    assert.equal(inspected({}, sent('a')), 'as it came');
    assert.equal(inspected({}, sent('a'), sent('b')), 'unsupported');
    assert.equal(inspected(importing, encodeFrame(0, new Uint8Array(1_001))), 'limit-exceeded');
    assert.equal(inspected(importing, sent('abc').subarray(0, 7)), 'protocol-violation');
  });
});

describe('the record of a call', () => {
  const wanted = encodeFrame(0, joined([textField(1, `pay ${card}`), textField(2, 'hunter2')]));
  const made = { fields: { 'x-note': `of ${card}`, 'x-api-key': 'hunter3', 'x-octets-bin': 'AAEC' }, body: whole(wanted) };

  it('has method, metadata and message, nothing sensitive and no credential in them, also what its principal may see', () => {
    const { text, textIsExact } = operation(made, { revealed: ['ssn', 'card'] });
    assert.ok(!textIsExact);
    assert.match(text, /^\/acme\.v1\.Accounts\/Get\nx-note: of \*{12}1111\nx-api-key: \[redacted\]\nx-octets-bin: \(binary\)\n\n/);
    assert.match(text, /"number": "pay \*{12}1111"/);
    assert.doesNotMatch(text, /hunter|4111|AAEC/);
  });

  it('is shown to who decides on it as it will run', () => {
    const { text } = operation(made).unmasked();
    for (const shown of [`x-note: of ${card}`, 'x-api-key: hunter3', 'x-octets-bin: AAEC', `pay ${card}`, 'hunter2'])
      assert.ok(text.includes(shown), shown);
  });

  it('says what is not known', () => {
    const unseen = { kind: 'streamed', octets: undefined } as const;
    assert.match(operation({ body: unseen, path: `/${accounts}/Import` }).text, /an approval does not bind them/);
    assert.match(operation({ body: unseen }).text, /too long to be shown/);
    assert.match(operation({ body: whole(sent('a'), sent('b')) }).text, /a body that cannot be read/);
    assert.equal(asked(environmentFor(), { body: unseen }).isApprovableUnseen, false);
    assert.equal(asked(environmentFor(), { body: unseen, path: `/${accounts}/Import` }).isApprovableUnseen, true);
  });

  it('names what answers hide', () => {
    assert.deepEqual([operation().dataClasses, operation({}, { revealed: ['ssn'] }).dataClasses], [['ssn'], []]);
    assert.doesNotMatch(operation().text, new RegExp(ssn));
  });
});

describe('upstream', () => {
  it('goes what the application sent, under heads made anew, with the deadline that is left', () => {
    const { upstream, deadlineMs } = asked(environmentFor(), {
      fields: {
        authorization: 'Bearer x',
        'grpc-timeout': '5S',
        'grpc-encoding': 'gzip',
        'grpc-accept-encoding': 'br, gzip',
        'content-type': 'application/grpc-web+proto',
        'x-a': 'b',
      },
    });
    assert.deepEqual(
      upstream.fields.map(({ name, value }) => `${name}: ${value}`),
      ['te: trailers', 'content-type: application/grpc+proto', 'grpc-encoding: gzip', 'grpc-accept-encoding: identity,gzip', 'x-a: b'],
    );
    assert.deepEqual(
      [upstream.method, upstream.target, deadlineMs, upstream.timeLeft?.(1_500)],
      ['POST', `/${accounts}/Get`, 5_000, { name: 'grpc-timeout', value: '1500m' }],
    );
    assert.equal(asked(environmentFor()).upstream.timeLeft, undefined);
  });

  it('the base64 of gRPC-Web is taken off', () => {
    const fields = { 'content-type': 'application/grpc-web-text' };
    const base64 = Buffer.from(Buffer.from(sent('to ann')).toString('base64'));
    const { upstream, refusal } = asked(environmentFor(), { fields, body: whole(base64) });
    assert.deepEqual([refusal, Buffer.from(upstream.body!)], [undefined, Buffer.from(sent('to ann'))]);
    assert.equal(asked(environmentFor(), { fields, body: whole(base64.subarray(0, 5)) }).refusal?.code, 'protocol-violation');
  });
});
