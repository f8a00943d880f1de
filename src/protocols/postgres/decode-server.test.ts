import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { createRowCells, decodeServer, rowsOf, walkDataRow } from './decode.ts';
import * as encode from './encode.ts';
import type { FieldDescription, ServerMessage } from './messages.ts';

/** Bytes written out by hand from the manual's "Message Formats"; text stands for itself. The length is filled in. */
function message(tag: string, ...parts: (string | number[])[]): Uint8Array {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = tag.charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, 4 + body.length);
  bytes.set(body, 5);
  return bytes;
}

const view = (text: string): Uint8Array => new TextEncoder().encode(text);

const field: FieldDescription = {
  name: 'ctid',
  tableOid: 0xffff_ffff,
  column: -1,
  typeOid: 27,
  typeSize: 6,
  typeModifier: -1,
  format: 1,
};
const report = new Map([
  ['S', 'FATAL'],
  ['C', '28000'],
  ['M', 'no'],
]);

const vectors: { wire: Uint8Array; message: ServerMessage; encoded?: Uint8Array }[] = [
  { wire: message('R', [0, 0, 0, 0]), message: { kind: 'AuthenticationOk' }, encoded: encode.authenticationOk() },
  { wire: message('R', [0, 0, 0, 2]), message: { kind: 'AuthenticationKerberosV5' } },
  {
    wire: message('R', [0, 0, 0, 3]),
    message: { kind: 'AuthenticationCleartextPassword' },
    encoded: encode.authenticationCleartextPassword(),
  },
  { wire: message('R', [0, 0, 0, 5], [1, 2, 3, 4]), message: { kind: 'AuthenticationMD5Password', salt: new Uint8Array([1, 2, 3, 4]) } },
  { wire: message('R', [0, 0, 0, 7]), message: { kind: 'AuthenticationGSS' } },
  { wire: message('R', [0, 0, 0, 9]), message: { kind: 'AuthenticationSSPI' } },
  {
    wire: message('R', [0, 0, 0, 10], 'SCRAM-SHA-256-PLUS', [0], 'SCRAM-SHA-256', [0], [0]),
    message: { kind: 'AuthenticationSASL', mechanisms: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] },
    encoded: encode.authenticationSASL(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']),
  },
  {
    wire: message('K', [0, 0, 1, 0], [9, 8, 7, 6]),
    message: { kind: 'BackendKeyData', processId: 256, secretKey: new Uint8Array([9, 8, 7, 6]) },
    encoded: encode.backendKeyData(256, new Uint8Array([9, 8, 7, 6])),
  },
  { wire: message('2'), message: { kind: 'BindComplete' }, encoded: encode.emptyServerMessage('BindComplete') },
  { wire: message('3'), message: { kind: 'CloseComplete' }, encoded: encode.emptyServerMessage('CloseComplete') },
  {
    wire: message('C', 'SELECT 3', [0]),
    message: { kind: 'CommandComplete', tag: 'SELECT 3' },
    encoded: encode.commandComplete('SELECT 3'),
  },
  {
    wire: message('G', [0], [0, 2, 0, 0, 0, 0]),
    message: { kind: 'CopyInResponse', format: 0, columnFormats: [0, 0] },
    encoded: encode.copyResponse('CopyInResponse', 0, [0, 0]),
  },
  {
    wire: message('H', [1], [0, 1, 0, 1]),
    message: { kind: 'CopyOutResponse', format: 1, columnFormats: [1] },
    encoded: encode.copyResponse('CopyOutResponse', 1, [1]),
  },
  {
    wire: message('W', [0], [0, 0]),
    message: { kind: 'CopyBothResponse', format: 0, columnFormats: [] },
    encoded: encode.copyResponse('CopyBothResponse', 0, []),
  },
  { wire: message('c'), message: { kind: 'CopyDone' }, encoded: encode.emptyServerMessage('CopyDone') },
  { wire: message('I'), message: { kind: 'EmptyQueryResponse' }, encoded: encode.emptyServerMessage('EmptyQueryResponse') },
  {
    wire: message('E', 'SFATAL', [0], 'C28000', [0], 'Mno', [0], [0]),
    message: { kind: 'ErrorResponse', fields: report },
    encoded: encode.errorResponse(report),
  },
  {
    wire: message('N', 'SFATAL', [0], 'C28000', [0], 'Mno', [0], [0]),
    message: { kind: 'NoticeResponse', fields: report },
    encoded: encode.noticeResponse(report),
  },
  { wire: message('V', [0, 0, 0, 1], [7]), message: { kind: 'FunctionCallResponse', value: new Uint8Array([7]) } },
  { wire: message('V', [0xff, 0xff, 0xff, 0xff]), message: { kind: 'FunctionCallResponse', value: null } },
  {
    wire: message('v', [0, 3, 0, 2], [0, 0, 0, 1], '_pq_.x', [0]),
    message: { kind: 'NegotiateProtocolVersion', major: 3, minor: 2, unsupportedOptions: ['_pq_.x'] },
    encoded: encode.negotiateProtocolVersion(2, ['_pq_.x']),
  },
  {
    wire: message('v', [0, 0, 0, 0], [0, 0, 0, 0]),
    message: { kind: 'NegotiateProtocolVersion', major: 3, minor: 0, unsupportedOptions: [] },
  },
  { wire: message('n'), message: { kind: 'NoData' }, encoded: encode.emptyServerMessage('NoData') },
  {
    wire: message('A', [0, 0, 0, 5], 'jobs', [0], 'done', [0]),
    message: { kind: 'NotificationResponse', processId: 5, channel: 'jobs', payload: 'done' },
    encoded: encode.notificationResponse(5, 'jobs', 'done'),
  },
  {
    wire: message('t', [0, 2], [0, 0, 0, 23], [0xff, 0xff, 0xff, 0xff]),
    message: { kind: 'ParameterDescription', types: [23, 0xffff_ffff] },
    encoded: encode.parameterDescription([23, 0xffff_ffff]),
  },
  {
    wire: message('S', 'client_encoding', [0], 'UTF8', [0]),
    message: { kind: 'ParameterStatus', name: 'client_encoding', value: 'UTF8' },
    encoded: encode.parameterStatus('client_encoding', 'UTF8'),
  },
  { wire: message('1'), message: { kind: 'ParseComplete' }, encoded: encode.emptyServerMessage('ParseComplete') },
  { wire: message('s'), message: { kind: 'PortalSuspended' }, encoded: encode.emptyServerMessage('PortalSuspended') },
  { wire: message('Z', 'T'), message: { kind: 'ReadyForQuery', status: 'T' }, encoded: encode.readyForQuery('T') },
  {
    wire: message(
      'T',
      [0, 1],
      'ctid',
      [0],
      [0xff, 0xff, 0xff, 0xff],
      [0xff, 0xff],
      [0, 0, 0, 27],
      [0, 6],
      [0xff, 0xff, 0xff, 0xff],
      [0, 1],
    ),
    message: { kind: 'RowDescription', fields: [field] },
    encoded: encode.rowDescription([field]),
  },
];
/** The rest of these is a field of any length, so that no cut of it is wrong. */
const open: typeof vectors = [
  { wire: message('R', [0, 0, 0, 8], 'gss'), message: { kind: 'AuthenticationGSSContinue', data: view('gss') } },
  {
    wire: message('R', [0, 0, 0, 11], 'r=x'),
    message: { kind: 'AuthenticationSASLContinue', data: view('r=x') },
    encoded: encode.authenticationSASLContinue(view('r=x')),
  },
  {
    wire: message('R', [0, 0, 0, 12], 'v=x'),
    message: { kind: 'AuthenticationSASLFinal', data: view('v=x') },
    encoded: encode.authenticationSASLFinal(view('v=x')),
  },
  {
    wire: message('d', [1, 2, 0]),
    message: { kind: 'CopyData', data: new Uint8Array([1, 2, 0]) },
    encoded: encode.copyData(new Uint8Array([1, 2, 0])),
  },
];

it('server messages decode to what the manual says, and encode to the same bytes', () => {
  for (const vector of [...vectors, ...open]) {
    assert.deepEqual(decodeServer(vector.wire[0]!, vector.wire.subarray(5)), vector.message);
    if (vector.encoded !== undefined) assert.deepEqual(vector.encoded, vector.wire, vector.message.kind);
  }
});

it('a server message that is cut or too long is a violation, at every byte', () => {
  for (const {
    wire,
    message: { kind },
  } of vectors) {
    for (let end = 5; end < wire.length; end += 1) {
      assert.throws(() => decodeServer(wire[0]!, wire.subarray(5, end)), isViolation, `${kind} cut at ${end}`);
    }
    if (kind === 'BackendKeyData') continue;
    const longer = new Uint8Array(wire.length + 1);
    longer.set(wire);
    assert.throws(() => decodeServer(wire[0]!, longer.subarray(5)), isViolation, `${kind} with a byte too many`);
  }
});

it('server messages that lie are violations', () => {
  const lies: [wire: Uint8Array, why: string][] = [
    [message('R', [0, 0, 0, 99]), 'an unknown kind of authentication'],
    [message('R', [0, 0, 0, 10], 'SCRAM', [0]), 'a mechanism list without end'],
    [message('K', [0, 0, 0, 1], [1, 2, 3]), 'a key of 3 bytes'],
    [
      message(
        'K',
        [0, 0, 0, 1],
        Array.from({ length: 257 }, () => 1),
      ),
      'a key of 257 bytes',
    ],
    [message('G', [2], [0, 0]), 'copy format 2'],
    [message('G', [0], [0, 1, 0, 2]), 'column format 2'],
    [message('Z', 'X'), 'an unknown transaction status'],
    [message('E', 'Sx', [0], 'Sy', [0], [0]), 'a field twice'],
    [message('E', 'Sx', [0]), 'no end of fields'],
    [message('E', 'M', [0xff, 0], [0]), 'text that is not UTF-8'],
    [message('T', [0xff, 0xff], [0]), '65,535 columns that did not come'],
    [message('t', [0xff, 0xff]), '65,535 types that did not come'],
    [message('v', [0, 3, 0, 0], [0xff, 0xff, 0xff, 0xff]), '2^32-1 options that did not come'],
    [message('V', [0xff, 0xff, 0xff, 0xfe]), 'a value of -2 bytes'],
    [message('D', [0, 0]), 'a row, which has its own walker'],
    [message('p'), 'an unknown tag'],
  ];
  for (const [wire, why] of lies) assert.throws(() => decodeServer(wire[0]!, wire.subarray(5)), isViolation, why);
});

it('a row is walked in place, wherever it lies', () => {
  const row = encode.dataRow([view('one'), null, view(''), view('four')]);
  const around = new Uint8Array(row.length + 20).fill(0xff);
  around.set(row, 10);
  const cells = createRowCells();
  walkDataRow(around, 10, 10 + row.length, cells);
  assert.equal(cells.count, 4);
  assert.deepEqual([...cells.lengths.subarray(0, 4)], [3, -1, 0, 4]);
  const texts = [...cells.offsets.subarray(0, 4)].map((offset, index) =>
    Buffer.from(around.subarray(offset, offset + Math.max(0, cells.lengths[index]!))).toString(),
  );
  assert.deepEqual(texts, ['one', '', '', 'four']);

  walkDataRow(encode.dataRow([]), 0, 7, cells);
  assert.equal(cells.count, 0);
  const wide = encode.dataRow(Array.from({ length: 65_535 }, () => null));
  walkDataRow(wide, 0, wide.length, cells);
  assert.equal(cells.count, 65_535);
});

it('a row that is cut, too long or impossible is a violation', () => {
  const row = encode.dataRow([view('one'), null, view('three')]);
  const cells = createRowCells();
  for (let end = 5; end < row.length; end += 1) {
    assert.throws(() => walkDataRow(row, 0, end, cells), isViolation, `cut at ${end}`);
  }
  const longer = message('D', Array.from(row.subarray(5)), [0]);
  assert.throws(() => walkDataRow(longer, 0, longer.length, cells), isViolation);
  for (const length of [-2, -0x8000_0000, 0x7fff_ffff, 4]) {
    const lie = encode.dataRow([view('one')]);
    new DataView(lie.buffer).setInt32(7, length);
    assert.throws(() => walkDataRow(lie, 0, lie.length, cells), isViolation, `length ${length}`);
  }
});

it('rows are counted from the tags that count', () => {
  const counts: [tag: string, rows: number][] = [
    ['SELECT 12', 12],
    ['INSERT 0 5', 5],
    ['UPDATE 0', 0],
    ['DELETE 7', 7],
    ['MERGE 1', 1],
    ['FETCH 3', 3],
    ['MOVE 2', 2],
    ['COPY 1000000', 1_000_000],
    ['COPY', 0],
    ['CREATE TABLE', 0],
    ['LISTEN 5', 0],
    ['SELECT -1', 0],
    ['SELECT 1e9', 0],
    ['', 0],
    ['SELECT 99999999999999999999', 0],
  ];
  for (const [tag, rows] of counts) assert.equal(rowsOf(tag), rows, tag);
});

function isViolation(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'protocol-violation';
}
