import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import type { HeaderField } from '../request.ts';
import { formatTimeout, parseTimeout } from './deadline.ts';
import { callFault } from './fault.ts';
import { callHead, headOf, type CallHead } from './head.ts';
import { methodOf } from './method-name.ts';
import { decodeMessage, encodeMessage, statusOf } from './status.ts';

const well = { te: 'trailers', 'content-type': 'application/grpc' };

function head(given: Readonly<Record<string, string>>, method = 'POST'): CallHead | GatewayFault {
  const fields: HeaderField[] = Object.entries(given).map(([name, value]) => ({ name, value }));
  return callHead(method, fields, fields, ['authorization']);
}

function code(read: unknown): string {
  return read instanceof GatewayFault ? read.code : 'ok';
}

describe('the path of a call', () => {
  it('names a method exactly', () => {
    assert.deepEqual(methodOf('/bank.v1.Ledger/Get'), { service: 'bank.v1.Ledger', rpc: 'Get', full: 'bank.v1.Ledger/Get' });
    assert.deepEqual(methodOf('/Ledger/_get2'), { service: 'Ledger', rpc: '_get2', full: 'Ledger/_get2' });
  });

  it('or is refused: nothing that a server could read in another way', () => {
    for (const path of [
      '',
      '/',
      'bank.v1.Ledger/Get',
      '//bank.v1.Ledger/Get',
      '/bank.v1.Ledger/Get/',
      '/bank.v1.Ledger/Get?x',
      '/bank.v1.Ledger//Get',
      '/bank.v1.Ledger/%47et',
      '/bank.v1.Ledger/../Ledger/Get',
      '/bank..Ledger/Get',
      '/.bank.Ledger/Get',
      '/bank.Ledger./Get',
      '/bank.1Ledger/Get',
      '/bank.Ledger/Ge t',
      '/bank.Ledger/Gét',
      '/bank.Ledger/Get\n',
      `/${'a'.repeat(600)}/Get`,
    ]) {
      assert.equal(code(methodOf(path)), 'unsupported', path);
    }
  });
});

describe('the head of a call', () => {
  it('is one of gRPC or gRPC-Web, with messages of protobuf', () => {
    for (const [type, carriage] of [
      ['application/grpc', 'grpc'],
      ['application/grpc+proto', 'grpc'],
      ['application/grpc-web+proto', 'web'],
      ['application/grpc-web-text', 'web-text'],
      ['Application/gRPC; charset=utf-8', 'grpc'],
    ] as const) {
      const read = head({ ...well, 'content-type': type });
      assert.equal((read as CallHead).carriage, carriage, type);
    }
    for (const type of ['application/json', 'application/grpcx', 'application/grpc+json', 'text/application/grpc', '']) {
      assert.equal(code(head({ ...well, 'content-type': type })), 'unsupported', type);
    }
    assert.equal(code(head(well, 'GET')), 'unsupported');
    assert.equal(code(head({ 'content-type': 'application/grpc' })), 'protocol-violation', 'without te');
    assert.equal(code(head({ 'content-type': 'application/grpc-web' })), 'ok', 'gRPC-Web has none');
  });

  it('names codings that can be decoded', () => {
    for (const coding of ['identity', 'gzip', 'deflate']) assert.equal(code(head({ ...well, 'grpc-encoding': coding })), 'ok');
    for (const coding of ['br', 'snappy', 'gzip, gzip', ''])
      assert.equal(code(head({ ...well, 'grpc-encoding': coding })), 'unsupported', coding);
    const { upstream } = head({ ...well, 'grpc-accept-encoding': 'br, gzip,deflate,identity' }) as CallHead;
    assert.equal(upstream.find(({ name }) => name === 'grpc-accept-encoding')?.value, 'identity,gzip,deflate');
  });

  it('is read once where it comes again, but anew for another credential of the target', () => {
    const fields: readonly HeaderField[] = Object.entries({ ...well, 'x-key': '1', 'x-mine': '2' }).map(([name, value]) => ({
      name,
      value,
    }));
    const target = { path: '/a.B/C', query: undefined, decodedPath: '/a.B/C', parameters: [] };
    const request = (isRepeated: boolean) =>
      ({
        method: 'POST',
        target,
        host: '',
        base: '',
        upgrade: undefined,
        fields,
        forwardable: fields,
        isRepeated,
        body: { kind: 'none' },
      }) as const;
    const [none, own]: (readonly string[])[] = [[], ['x-key']];
    const first = headOf(request(true), none!) as CallHead;
    assert.equal((headOf(request(true), none!) as CallHead).metadata, first.metadata);
    assert.notEqual((headOf(request(false), none!) as CallHead).metadata, first.metadata);
    const within = (timeout: string) => headOf({ ...request(true), fields: [...fields, { name: 'grpc-timeout', value: timeout }] }, none!);
    const [soon, later, malformed] = ['250m', '1S', '1x'].map(within) as [CallHead, CallHead, GatewayFault];
    assert.deepEqual(
      [soon.timeoutMs, later.timeoutMs, later.metadata === first.metadata, malformed.code],
      [250, 1_000, true, 'protocol-violation'],
    );
    assert.equal((headOf(request(true), none!) as CallHead).timeoutMs, undefined);
    assert.deepEqual(
      (headOf(request(true), own!) as CallHead).metadata.map(({ name }) => name).filter((name) => name.startsWith('x-')),
      ['x-mine'],
    );
  });

  it('passes metadata on, but nothing that gRPC or the gateway’s own credential owns', () => {
    const sent = {
      ...well,
      authorization: 'x',
      'x-mine': '1',
      'a-bin': 'AQ',
      'grpc-status': '0',
      'grpc-internal-encoding-request': 'x',
      'grpc-trace-bin': 'AQ',
    };
    assert.deepEqual(
      (head(sent) as CallHead).metadata.map(({ name }) => name).filter((name) => name !== 'te'),
      ['x-mine', 'a-bin', 'grpc-trace-bin'],
    );
  });

  it('has a deadline of at most eight digits', () => {
    for (const [text, ms] of [
      ['1S', 1_000],
      ['250m', 250],
      ['1n', 0.000_001],
      ['500u', 0.5],
      ['2M', 120_000],
      ['99999999H', 0x7fffffff],
    ] as const) {
      assert.equal(parseTimeout(text), ms, text);
    }
    for (const text of ['', '1', 'S', '-1S', '1.5S', '123456789S', '1s', '1S ', '0x1S']) {
      assert.equal(code(head({ ...well, 'grpc-timeout': text })), 'protocol-violation', text);
    }
  });

  it('what is left of a deadline is never more than there was', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0x7fffffff, noNaN: true }), (ms) => {
        const left = parseTimeout(formatTimeout(ms));
        assert.ok(left !== undefined && left <= Math.max(ms, 0.000_001), `${ms} ${formatTimeout(ms)}`);
      }),
    );
  });
});

describe('a status', () => {
  it('is a number of the list', () => {
    assert.deepEqual(['0', '5', '16'].map(statusOf), ['OK', 'NOT_FOUND', 'UNAUTHENTICATED']);
    assert.deepEqual(['', '00', '17', '-1', '1 ', '0x1', undefined].map(statusOf), Array(7).fill(undefined));
  });

  it('has a message that comes back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const sent = encodeMessage(text);
        assert.match(sent, /^[\x20-\x7e]*$/);
        assert.equal(decodeMessage(sent), Buffer.from(text).toString());
      }),
    );
    assert.equal(decodeMessage('100% %zz %4'), '100% %zz %4');
  });

  it('words every fault for the kind of client that asked, and nothing private', () => {
    const fault = new GatewayFault('policy-denied', { publicMessage: 'forbidden by "x"\u202e', detail: 'db.internal refused' });
    const { status, fields, body } = callFault(fault, { contentType: 'application/grpc-web+proto', operationId: 'op-1' });
    const text = decodeMessage(fields.find(({ name }) => name === 'grpc-message')!.value);
    assert.deepEqual([status, body.length, fields[0]!.value, fields[1]!.value], [200, 0, 'application/grpc-web+proto', '7']);
    assert.match(text, /forbidden by "x"\\u\{202e\}\..*Operation op-1\./);
    const details = Buffer.from(fields.find(({ name }) => name === 'grpc-status-details-bin')!.value, 'base64').toString('latin1');
    assert.match(details, /google\.rpc\.ErrorInfo.*POLICY_DENIED/s);
    assert.ok(!JSON.stringify(fields).includes('internal') && !details.includes('internal'));
    assert.equal(callFault(new GatewayFault('unsupported', { publicMessage: 'x' }), { contentType: 'text/plain' }).status, 415);
  });
});
