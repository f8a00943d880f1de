import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SessionLimits } from '../../core/limits.ts';
import { compileDataClasses } from '../../masking/classes.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { RequestBody } from '../request.ts';
import { askGrpc } from './ask.ts';
import type { GrpcEnvironment } from './environment.ts';
import { compressedFlag, encodeFrame } from './frame.ts';

const environment: GrpcEnvironment = {
  target: {
    name: 'ledger',
    masking: 'taint',
    readOnly: false,
    credentialNames: ['authorization'],
    reflection: false,
    unsafeAdmin: false,
    maxMessageBytes: 1_000,
  },
  classes: compileDataClasses([], nodeCrypto, new Uint8Array(32)),
  revealed: new Set(),
  schema: undefined,
  closed: undefined,
  inflate: (_coding, bytes) => bytes,
  limits: {} as SessionLimits,
};
const session = { id: 's', nextOperationId: () => 's-1' };

interface Made {
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

const message = (text: string, flags = 0): Uint8Array => encodeFrame(flags, Buffer.from(text));
const whole = (...messages: readonly Uint8Array[]): RequestBody => ({ kind: 'whole', bytes: Buffer.concat(messages) });

function exact({ path = '/bank.v1.Ledger/Transfer', fields = {}, body = whole(message('to ann')) }: Made): string {
  const given = { te: 'trailers', 'content-type': 'application/grpc', 'x-branch': 'bern', 'x-key-bin': 'AAEC', ...fields };
  const all = Object.entries(given).map(([name, value]) => ({ name, value }));
  const target = { path, query: undefined, decodedPath: path, parameters: [] };
  const request = { method: 'POST', target, host: '', base: '', upgrade: undefined, fields: all, forwardable: all, body };
  const asked = askGrpc(request, environment);
  assert.equal(asked.refusal, undefined);
  return Buffer.from(asked.operation(session).exact()).toString('hex');
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
