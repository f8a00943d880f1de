import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import type { FaultCode } from '../../core/fault.ts';
import { SyntaxFault } from '../../sql/postgres/syntax-fault.ts';
import { decodeServer } from './decode.ts';
import { faultFields, faultMessage, notice } from './fault.ts';
import type { FaultPhase } from './fault.ts';

/** SQLSTATE by code: before login, for one operation, at the session's end. The type makes a new code fail to compile here too. */
const sqlStates: Record<FaultCode, readonly [startup: string, operation: string, end: string]> = {
  'authentication-failed': ['28P01', '28P01', '28P01'],
  'access-denied': ['28000', '42501', '42501'],
  'target-unknown': ['28000', '42501', '42501'],
  'policy-denied': ['42501', '42501', '42501'],
  'approval-denied': ['42501', '42501', '42501'],
  'approval-expired': ['42501', '42501', '42501'],
  'approval-cancelled': ['57014', '57014', '57014'],
  'approval-required': ['42501', '42501', '42501'],
  unclassified: ['42501', '42501', '42501'],
  'masking-refused': ['42501', '42501', '42501'],
  'protocol-violation': ['08P01', '08P01', '08P01'],
  unsupported: ['0A000', '0A000', '0A000'],
  'limit-exceeded': ['54000', '54000', '54000'],
  'too-many-sessions': ['53300', '53300', '53300'],
  'rate-exceeded': ['53400', '53400', '53400'],
  'statement-timeout': ['57014', '57014', '57014'],
  'reason-required': ['42501', '42501', '42501'],
  'read-only': ['25006', '25006', '25006'],
  'schema-changed': ['40001', '40001', '08006'],
  'encryption-required': ['28000', '28000', '28000'],
  'audit-unavailable': ['53000', '53000', '53000'],
  'policy-unavailable': ['42501', '42501', '42501'],
  'recording-unavailable': ['53000', '53000', '53000'],
  'upstream-unavailable': ['57P03', '08006', '08006'],
  'upstream-refused': ['08004', '08004', '08004'],
  'session-ended': ['57P01', '57P01', '57P01'],
  'shutting-down': ['57P03', '57P01', '57P01'],
  internal: ['XX000', 'XX000', 'XX000'],
};
const codes = Object.keys(sqlStates) as FaultCode[];
const phases: readonly FaultPhase[] = ['startup', 'operation', 'end'];

it('each fault has its SQLSTATE, its severity and all fields, in every phase', () => {
  for (const code of codes) {
    phases.forEach((phase, index) => {
      const fault = new GatewayFault(code, { publicMessage: `refused ${code}`, detail: 'private: host db7, password hunter2' });
      const fields = faultFields(fault, { phase, operationId: 'op-7' });
      assert.equal(fields.get('C'), sqlStates[code][index], `${code} ${phase}`);
      assert.equal(fields.get('S'), phase === 'operation' ? 'ERROR' : 'FATAL');
      assert.equal(fields.get('V'), fields.get('S'));
      assert.equal(fields.get('M'), `refused ${code} (operation op-7)`);
      assert.ok((fields.get('H') ?? '').length > 10, `${code} says what to do next`);
      assert.deepEqual([...fields.keys()].join('').replace('D', ''), 'SVCMH');
      assert.doesNotMatch([...fields.values()].join(' '), /private|hunter2|db7/);
    });
  }
});

it('the message decodes to those fields', () => {
  const fault = new GatewayFault('policy-denied', { publicMessage: 'DROP is not allowed by "no drops"', hint: 'Ask the DBA.' });
  const wire = faultMessage(fault, { phase: 'operation', operationId: 'op-1' });
  const decoded = decodeServer(wire[0]!, wire.subarray(5));
  assert.ok(decoded.kind === 'ErrorResponse');
  assert.deepEqual(decoded.fields, faultFields(fault, { phase: 'operation', operationId: 'op-1' }));
  assert.equal(decoded.fields.get('H'), 'Ask the DBA.');
  assert.equal(decoded.fields.get('D'), 'Nothing of this operation reached the target.');
});

it('nobody can tell an unknown target from a forbidden one before sign-in', () => {
  const worded = (['access-denied', 'target-unknown'] as const).map((code) =>
    faultMessage(new GatewayFault(code, { publicMessage: 'access denied' }), { phase: 'startup' }),
  );
  assert.deepEqual(worded[0], worded[1]);
});

it('a syntax error reads as the server’s own: its message, SQLSTATE and place, and the operation where only the curious look', () => {
  const fault = new SyntaxFault('syntax error at or near "FORM"', 15, 'select a, b, c FORM d');
  const fields = faultFields(fault, { phase: 'operation', operationId: 'op-7' });
  assert.deepEqual(Object.fromEntries(fields), {
    S: 'ERROR',
    V: 'ERROR',
    C: '42601',
    M: 'syntax error at or near "FORM"',
    P: '15',
    F: 'sallyport',
    L: '0',
    R: 'op-7',
  });
  assert.match(fault.publicMessage, /at character 15$/, 'where there is no field for the place, the text says it');
});

it('a syntax error without a place has none', () => {
  const fields = faultFields(new SyntaxFault('syntax error at end of input', 0, 'select'), { phase: 'operation' });
  assert.equal(fields.has('P'), false);
});

it('what PostgreSQL’s scanner and grammar say besides a message is said here too', () => {
  const cases: [message: string, text: string, position: number, sqlState: string, hint: string | undefined][] = [
    ['invalid Unicode escape', "select U&'é\\61'", 12, '22025', 'Unicode escapes must be \\XXXX or \\+XXXXXX.'],
    ['invalid Unicode escape', "select E'😀\\u61'", 11, '22025', 'Unicode escapes must be \\uXXXX or \\UXXXXXXXX.'],
    ['LIMIT #,# syntax is not supported at or near ","', 'select 1 limit 1, 2', 17, '42601', 'Use separate LIMIT and OFFSET clauses.'],
    ['CREATE ASSERTION is not yet implemented', 'create assertion a check (true)', 0, '0A000', undefined],
    ['frame start cannot be UNBOUNDED FOLLOWING', 'x', 1, '42P20', undefined],
    ['syntax error at or near "x"', 'x', 1, '42601', undefined],
  ];
  for (const [message, text, position, sqlState, hint] of cases) {
    const fields = faultFields(new SyntaxFault(message, position, text), { phase: 'operation' });
    assert.equal(fields.get('C'), sqlState, message);
    assert.equal(fields.get('H'), hint, message);
  }
});

it('a message that older servers send without a place has none in front of them', () => {
  const fault = new SyntaxFault('unrecognized partitioning strategy "magic"', 53, 'create table p (a int) partition by magic (a)');
  const place = (majorVersion: number | undefined) => faultFields(fault, { phase: 'operation', majorVersion }).get('P');
  assert.deepEqual([15, 18, undefined].map(place), [undefined, '53', '53']);
  const other = new SyntaxFault('syntax error at or near "x"', 3, 'x x');
  assert.equal(faultFields(other, { phase: 'operation', majorVersion: 15 }).get('P'), '3');
});

it('what a client wrote cannot end a field, steer a terminal or fill it', () => {
  const nasty = 'bad\0SFATAL\u001b[2Jname\u009b1m\r\nline two\ttab';
  const fields = faultFields(new GatewayFault('policy-denied', { publicMessage: nasty, hint: nasty }), { phase: 'operation' });
  for (const code of ['M', 'H']) {
    const text = fields.get(code) ?? '';
    assert.equal(text, 'bad\ufffdSFATAL\ufffd[2Jname\ufffd1m\ufffd\nline two\ttab');
  }
  const long = faultFields(new GatewayFault('policy-denied', { publicMessage: 'é'.repeat(100_000) }), {
    phase: 'operation',
    operationId: 'op-1',
  });
  assert.ok((long.get('M') ?? '').length < 5_000);
  assert.ok((long.get('M') ?? '').endsWith('(operation op-1)'), 'the id survives the cut');
});

it('a notice is a notice', () => {
  const wire = notice('waiting for approval by dba: https://gw.example/a/1\0');
  const decoded = decodeServer(wire[0]!, wire.subarray(5));
  assert.ok(decoded.kind === 'NoticeResponse');
  assert.deepEqual(
    [...decoded.fields],
    [
      ['S', 'NOTICE'],
      ['V', 'NOTICE'],
      ['C', '00000'],
      ['M', 'waiting for approval by dba: https://gw.example/a/1\ufffd'],
    ],
  );
});
