import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { decodeClient, decodePassword, decodeSASLInitialResponse, decodeStartup } from './decode.ts';
import * as encode from './encode.ts';
import type { ClientMessage, StartupPacket } from './messages.ts';

/** Bytes written out by hand from the manual's "Message Formats"; text stands for itself. */
const bytes = (...parts: (string | number[])[]): Uint8Array =>
  new Uint8Array(Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part)))));

/** A message with its tag; the length is filled in. */
const message = (tag: string, ...parts: (string | number[])[]): Uint8Array => {
  const wire = bytes(tag, [0, 0, 0, 0], ...parts);
  new DataView(wire.buffer).setUint32(1, wire.length - 1);
  return wire;
};

const view = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Both ways; `encoded` is absent for what only clients send. */
const vectors: { wire: Uint8Array; message: ClientMessage; encoded?: Uint8Array }[] = [
  {
    wire: message('Q', 'SELECT 1', [0]),
    message: { kind: 'Query', query: 'SELECT 1' },
    encoded: encode.query('SELECT 1'),
  },
  {
    wire: message('Q', [0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0]),
    message: { kind: 'Query', query: '\ufeffé' },
    encoded: encode.query('\ufeffé'),
  },
  {
    wire: message('P', 's1', [0], 'SELECT $1', [0], [0, 1], [0xff, 0xff, 0xff, 0xfe]),
    message: { kind: 'Parse', name: 's1', query: 'SELECT $1', parameterTypes: [0xffff_fffe] },
    encoded: encode.parse({ name: 's1', query: 'SELECT $1', parameterTypes: [0xffff_fffe] }),
  },
  {
    wire: message('B', 'p', [0], 's', [0], [0, 2, 0, 0, 0, 1], [0, 2], [0, 0, 0, 2], 'ab', [0xff, 0xff, 0xff, 0xff], [0, 2, 0, 1, 0, 0]),
    message: {
      kind: 'Bind',
      portal: 'p',
      statement: 's',
      parameterFormats: [0, 1],
      parameters: [view('ab'), null],
      resultFormats: [1, 0],
    },
    encoded: encode.bind({ portal: 'p', statement: 's', parameterFormats: [0, 1], parameters: [view('ab'), null], resultFormats: [1, 0] }),
  },
  {
    wire: message('B', [0, 0], [0, 0, 0, 0, 0, 0]),
    message: { kind: 'Bind', portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [] },
    encoded: encode.bind({ portal: '', statement: '', parameterFormats: [], parameters: [], resultFormats: [] }),
  },
  {
    wire: message('D', 'S', 'x', [0]),
    message: { kind: 'Describe', what: 'S', name: 'x' },
    encoded: encode.describe('S', 'x'),
  },
  { wire: message('C', 'P', [0]), message: { kind: 'Close', what: 'P', name: '' }, encoded: encode.close('P', '') },
  {
    wire: message('E', 'p', [0], [0, 0, 1, 0]),
    message: { kind: 'Execute', portal: 'p', maxRows: 256 },
    encoded: encode.execute('p', 256),
  },
  {
    wire: message('E', [0], [0xff, 0xff, 0xff, 0xff]),
    message: { kind: 'Execute', portal: '', maxRows: -1 },
    encoded: encode.execute('', -1),
  },
  { wire: message('d', [0, 255]), message: { kind: 'CopyData', data: new Uint8Array([0, 255]) } },
  { wire: message('c'), message: { kind: 'CopyDone' }, encoded: encode.emptyClientMessage('CopyDone') },
  { wire: message('f', 'no', [0]), message: { kind: 'CopyFail', reason: 'no' }, encoded: encode.copyFail('no') },
  { wire: message('H'), message: { kind: 'Flush' }, encoded: encode.emptyClientMessage('Flush') },
  { wire: message('S'), message: { kind: 'Sync' }, encoded: encode.emptyClientMessage('Sync') },
  { wire: message('X'), message: { kind: 'Terminate' }, encoded: encode.emptyClientMessage('Terminate') },
  {
    wire: message('F', [0, 0, 4, 210], [0, 1, 0, 1], [0, 1], [0, 0, 0, 1], [7], [0, 1]),
    message: { kind: 'FunctionCall', functionOid: 1234, argumentFormats: [1], arguments: [new Uint8Array([7])], resultFormat: 1 },
  },
];

it('client messages decode to what the manual says, and encode to the same bytes', () => {
  for (const { wire, message, encoded } of vectors) {
    const decoded = decodeClient(wire[0]!, wire.subarray(5));
    assert.deepEqual(decoded, message);
    if (encoded !== undefined) assert.deepEqual(encoded, wire, message.kind);
  }
  assert.deepEqual(encode.copyData(new Uint8Array([0, 255])), vectors.find(({ message }) => message.kind === 'CopyData')?.wire);
});

it('a client message that is cut or too long is a violation, at every byte', () => {
  for (const { wire, message } of vectors) {
    if (message.kind === 'CopyData') continue;
    for (let end = 5; end < wire.length; end += 1) {
      assert.throws(() => decodeClient(wire[0]!, wire.subarray(5, end)), isViolation, `${message.kind} cut at ${end}`);
    }
    assert.throws(
      () => decodeClient(wire[0]!, bytes(Array.from(wire.subarray(5)), [0])),
      isViolation,
      `${message.kind} with a byte too many`,
    );
  }
});

it('byte fields are views of what was decoded', () => {
  const wire = encode.bind({ portal: '', statement: '', parameterFormats: [], parameters: [view('abc')], resultFormats: [] });
  const decoded = decodeClient(wire[0]!, wire.subarray(5));
  assert.ok(decoded.kind === 'Bind' && decoded.parameters[0]?.buffer === wire.buffer);
});

it('client messages that lie are violations', () => {
  const lies: [tag: string, body: Uint8Array, why: string][] = [
    ['Q', bytes('SELECT 1'), 'no NUL'],
    ['Q', bytes('SELECT 1', [0], 'DROP', [0]), 'a NUL inside'],
    ['Q', bytes([0xff, 0]), 'not UTF-8'],
    ['Q', bytes([0xc0, 0x80, 0]), 'an overlong NUL'],
    ['Q', bytes([0xed, 0xa0, 0x80, 0]), 'a surrogate'],
    ['P', bytes([0], [0], [0xff, 0xff]), 'types that did not come'],
    ['B', bytes([0, 0], [0, 1, 0, 2], [0, 0], [0, 0]), 'format code 2'],
    ['B', bytes([0, 0], [0, 2, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0]), 'two formats for one value'],
    ['B', bytes([0, 0], [0, 0], [0, 1], [0x7f, 0xff, 0xff, 0xff], [0, 0]), 'a value of 2^31-1 bytes'],
    ['B', bytes([0, 0], [0, 0], [0, 1], [0x80, 0, 0, 0], [0, 0]), 'a value of -2^31 bytes'],
    ['B', bytes([0, 0], [0, 0], [0, 1], [0xff, 0xff, 0xff, 0xfe], [0, 0]), 'a value of -2 bytes'],
    ['B', bytes([0, 0], [0, 0], [0xff, 0xff], [0, 0, 0, 0]), '65,535 values that did not come'],
    ['D', bytes('X', [0]), 'neither statement nor portal'],
    ['C', bytes([0], [0]), 'neither statement nor portal'],
    ['S', bytes([0]), 'a body where there is none'],
    ['p', bytes('secret', [0]), 'tag p, which only the state can name'],
    ['?', bytes(), 'an unknown tag'],
  ];
  for (const [tag, body, why] of lies) assert.throws(() => decodeClient(tag.charCodeAt(0), body), isViolation, why);
});

const packets: { wire: Uint8Array; packet: StartupPacket; encoded?: Uint8Array }[] = [
  {
    wire: bytes([0, 0, 0, 36], [0, 3, 0, 0], 'user', [0], 'alice', [0], 'database', [0], 'orders', [0], [0]),
    packet: {
      kind: 'StartupMessage',
      major: 3,
      minor: 0,
      parameters: [
        { name: 'user', value: 'alice' },
        { name: 'database', value: 'orders' },
      ],
    },
    encoded: encode.startupMessage(0, [
      { name: 'user', value: 'alice' },
      { name: 'database', value: 'orders' },
    ]),
  },
  {
    wire: bytes([0, 0, 0, 9], [0, 3, 0, 2], [0]),
    packet: { kind: 'StartupMessage', major: 3, minor: 2, parameters: [] },
    encoded: encode.startupMessage(2, []),
  },
  {
    wire: bytes([0, 0, 0, 9], [0, 3, 0x0f, 0x9f], [0]),
    packet: { kind: 'StartupMessage', major: 3, minor: 3999, parameters: [] },
  },
  { wire: bytes([0, 0, 0, 8], [4, 210, 22, 47]), packet: { kind: 'SSLRequest' }, encoded: encode.sslRequest() },
  { wire: bytes([0, 0, 0, 8], [4, 210, 22, 48]), packet: { kind: 'GSSENCRequest' } },
  {
    wire: bytes([0, 0, 0, 16], [4, 210, 22, 46], [0, 0, 0, 9], [1, 2, 3, 4]),
    packet: { kind: 'CancelRequest', processId: 9, secretKey: new Uint8Array([1, 2, 3, 4]) },
    encoded: encode.cancelRequest({ processId: 9, secretKey: new Uint8Array([1, 2, 3, 4]) }),
  },
  {
    wire: bytes(
      [0, 0, 1, 12],
      [4, 210, 22, 46],
      [0xff, 0xff, 0xff, 0xff],
      Array.from({ length: 256 }, () => 5),
    ),
    packet: { kind: 'CancelRequest', processId: -1, secretKey: new Uint8Array(256).fill(5) },
    encoded: encode.cancelRequest({ processId: -1, secretKey: new Uint8Array(256).fill(5) }),
  },
];

it('startup packets decode to what the manual says, and encode to the same bytes', () => {
  for (const { wire, packet, encoded } of packets) {
    assert.deepEqual(decodeStartup(wire.subarray(4)), packet);
    if (encoded !== undefined) assert.deepEqual(encoded, wire);
  }
});

it('startup packets that lie are violations', () => {
  const lies: [body: Uint8Array, why: string][] = [
    [bytes([0, 3, 0]), 'half a version'],
    [bytes([0, 3, 0, 0]), 'no end'],
    [bytes([0, 3, 0, 0], 'user', [0], 'a', [0]), 'no closing NUL'],
    [bytes([0, 3, 0, 0], 'user', [0]), 'a name without a value'],
    [bytes([0, 3, 0, 0], [0], 'user', [0], 'a', [0]), 'bytes after the end'],
    [bytes([0, 3, 0, 0], 'user', [0], 'a', [0], 'user', [0], 'b', [0], [0]), 'a name twice: the server takes the last'],
    [bytes([0, 2, 0, 0], [0]), 'protocol 2.0'],
    [bytes([0, 4, 0, 0], [0]), 'protocol 4.0'],
    [bytes([4, 210, 22, 47], [0]), 'SSLRequest with a body'],
    [bytes([4, 210, 22, 46], [0, 0, 0, 1], [1, 2, 3]), 'a key of 3 bytes'],
    [
      bytes(
        [4, 210, 22, 46],
        [0, 0, 0, 1],
        Array.from({ length: 257 }, () => 1),
      ),
      'a key of 257 bytes',
    ],
  ];
  for (const [body, why] of lies) assert.throws(() => decodeStartup(body), isViolation, why);
});

it('what stands under tag p is decoded by what was asked', () => {
  assert.equal(decodePassword(encode.passwordMessage('gehêim').subarray(5)), 'gehêim');
  assert.equal(decodePassword(bytes([0])), '');
  assert.throws(() => decodePassword(bytes('a')), isViolation);
  assert.throws(() => decodePassword(bytes('a', [0], 'b', [0])), isViolation);

  const initial = encode.saslInitialResponse('SCRAM-SHA-256', view('n,,n=,r=x'));
  assert.deepEqual(decodeSASLInitialResponse(initial.subarray(5)), {
    kind: 'SASLInitialResponse',
    mechanism: 'SCRAM-SHA-256',
    response: view('n,,n=,r=x'),
  });
  const silent = encode.saslInitialResponse('OAUTHBEARER', undefined);
  assert.equal(decodeSASLInitialResponse(silent.subarray(5)).response, undefined);
  assert.throws(() => decodeSASLInitialResponse(bytes('X', [0], [0, 0, 0, 2], 'a')), isViolation);
  assert.throws(() => decodeSASLInitialResponse(bytes('X', [0], [0, 0, 0, 1], 'ab')), isViolation);
  assert.deepEqual(encode.saslResponse(view('c=biws')), message('p', 'c=biws'));
});

it('what cannot be encoded is a defect of ours, not bytes on the wire', () => {
  assert.throws(() => encode.query('SELECT 1\0; DROP TABLE x'), isInternal);
  assert.throws(
    () =>
      encode.bind({
        portal: '',
        statement: '',
        parameterFormats: [],
        parameters: Array.from({ length: 65_536 }, () => null),
        resultFormats: [],
      }),
    isInternal,
  );
  assert.equal(encode.query('x'.repeat(100_000)).length, 100_006);
});

function isInternal(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'internal';
}

function isViolation(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'protocol-violation';
}
