import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import {
  createRowCells,
  decodeClient,
  decodePassword,
  decodeSASLInitialResponse,
  decodeServer,
  decodeStartup,
  walkDataRow,
} from './decode.ts';
import * as encode from './encode.ts';
import { CLIENT_TAG, SERVER_TAG } from './messages.ts';
import { bearerToken } from './oauth.ts';

/** Each decoder meets this many inputs: noise, and good messages with a few bytes changed, cut off or put in. */
const RUNS = 10_000;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const report = new Map([
  ['S', 'ERROR'],
  ['C', '42501'],
  ['M', 'no'],
]);
const values = [text('abc'), null, text('')];

const clientSeeds = [
  encode.query('SELECT 1'),
  encode.parse({ name: 's', query: 'SELECT $1', parameterTypes: [23, 25] }),
  encode.bind({ portal: 'p', statement: 's', parameterFormats: [0, 1, 0], parameters: values, resultFormats: [1] }),
  encode.describe('S', 's'),
  encode.close('P', 'p'),
  encode.execute('p', 10),
  encode.copyFail('why'),
  encode.emptyClientMessage('Sync'),
  new Uint8Array([CLIENT_TAG.FunctionCall, 0, 0, 0, 21, 0, 0, 4, 210, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 7, 0, 1]),
];
const serverSeeds = [
  encode.authenticationOk(),
  encode.authenticationSASL(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']),
  encode.authenticationSASLFinal(text('v=x')),
  encode.backendKeyData(1, new Uint8Array(32)),
  encode.commandComplete('SELECT 3'),
  encode.copyResponse('CopyInResponse', 0, [0, 0]),
  encode.errorResponse(report),
  encode.negotiateProtocolVersion(2, ['_pq_.a', '_pq_.b']),
  encode.notificationResponse(5, 'channel', 'payload'),
  encode.parameterDescription([23, 25]),
  encode.parameterStatus('client_encoding', 'UTF8'),
  encode.readyForQuery('I'),
  encode.rowDescription([{ name: 'a', tableOid: 1, column: 1, typeOid: 25, typeSize: -1, typeModifier: -1, format: 0 }]),
];

it('fuzz: client messages', () => {
  for (const seed of clientSeeds) onlyViolations(seed.subarray(5), (body) => decodeClient(seed[0]!, body));
});

it('fuzz: client messages of any tag', () => {
  onlyViolations(encode.query('SELECT 1'), (bytes) => decodeClient(bytes[0] ?? 0, bytes.subarray(1)));
});

it('fuzz: server messages', () => {
  for (const seed of serverSeeds) onlyViolations(seed.subarray(5), (body) => decodeServer(seed[0]!, body));
});

it('fuzz: server messages of any tag', () => {
  onlyViolations(encode.readyForQuery('I'), (bytes) => decodeServer(bytes[0] ?? 0, bytes.subarray(1)));
});

it('fuzz: startup packets', () => {
  const hello = encode.startupMessage(2, [
    { name: 'user', value: 'alice' },
    { name: 'options', value: '-c x=y' },
  ]);
  onlyViolations(hello.subarray(4), decodeStartup);
  onlyViolations(encode.cancelRequest({ processId: 7, secretKey: new Uint8Array(32) }).subarray(4), decodeStartup);
});

it('fuzz: passwords and SASL', () => {
  onlyViolations(encode.passwordMessage('token').subarray(5), decodePassword);
  const initial = encode.saslInitialResponse('OAUTHBEARER', text('n,,\u0001auth=Bearer abc.def\u0001\u0001')).subarray(5);
  onlyViolations(initial, decodeSASLInitialResponse);
  onlyViolations(initial, (body) => bearerToken(decodeSASLInitialResponse(body)));
});

it('fuzz: rows, whose cells never leave them', () => {
  const cells = createRowCells();
  onlyViolations(encode.dataRow(values).subarray(5), (body) => {
    const frame = new Uint8Array(5 + body.length);
    frame[0] = SERVER_TAG.DataRow;
    frame.set(body, 5);
    walkDataRow(frame, 0, frame.length, cells);
    let end = 7;
    for (let cell = 0; cell < cells.count; cell += 1) {
      assert.equal(cells.offsets[cell], end + 4);
      end = cells.offsets[cell]! + Math.max(0, cells.lengths[cell]!);
    }
    assert.equal(end, frame.length);
  });
});

/** `decode` may fault with `protocol-violation` and with nothing else. */
function onlyViolations(seed: Uint8Array, decode: (body: Uint8Array) => unknown): void {
  const damage = fc.record({ at: fc.nat(seed.length), remove: fc.nat(4), put: fc.uint8Array({ maxLength: 4 }) });
  const damaged = fc.array(damage, { maxLength: 3 }).map((steps) => steps.reduce(apply, seed));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), damaged), (body) => {
      try {
        decode(body);
      } catch (error) {
        if (!(error instanceof GatewayFault) || error.code !== 'protocol-violation') throw error;
      }
    }),
    { numRuns: RUNS },
  );
}

function apply(bytes: Uint8Array, step: { at: number; remove: number; put: Uint8Array }): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, step.at), ...step.put, ...bytes.subarray(step.at + step.remove)]);
}
