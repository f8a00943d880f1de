import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { AnswerPlan, HeaderField } from '../request.ts';
import type { AskEnvironment } from './environment.ts';
import { answerPlan } from './mask.ts';
import { masksOf } from './masks.ts';
import { testEnvironment } from './testing/masks.ts';

interface Answer {
  readonly status?: number;
  readonly method?: string;
  readonly fields?: readonly (readonly [string, string])[];
}

/** At `/customers`, of which `$.ssn` is a place. */
function plan(type: string | undefined, { status = 200, method = 'GET', fields = [] }: Answer = {}, environment = hidden): AnswerPlan {
  const all: HeaderField[] = [...(type === undefined ? [] : [['content-type', type] as const]), ...fields].map(([name, value]) => ({
    name,
    value,
  }));
  return answerPlan({ status, fields: all }, method, environment, masksOf(environment, ['customers']));
}

const hidden = testEnvironment(nodeCrypto, ['customers#$.ssn']);
const detected = testEnvironment(nodeCrypto, []);
const open: AskEnvironment = { ...hidden, revealed: new Set(['ssn', 'card-number']) };
const strict = (documents: readonly string[]) => testEnvironment(nodeCrypto, documents, { masking: 'strict' });

/** What is shown of a body; undefined where nothing is. */
function shown(answer: AnswerPlan, body: string | Uint8Array): string | undefined {
  const bytes = Buffer.from(body);
  switch (answer.kind) {
    case 'refuse':
      return undefined;
    case 'head':
    case 'messages':
      return assert.fail('HTTP has no such answers');
    case 'pass':
      return bytes.toString();
    case 'pieces': {
      const masker = answer.masker();
      return Buffer.concat([...masker.push(bytes), ...masker.end()]).toString();
    }
    case 'whole': {
      if (bytes.length > answer.maxBytes) return undefined;
      const masked = answer.mask(bytes);
      return masked instanceof GatewayFault ? undefined : Buffer.from(masked.body).toString();
    }
    default:
      return answer satisfies never;
  }
}

const names = (answer: AnswerPlan): string[] => (answer.kind === 'pass' ? answer.fields.map(({ name }) => name) : assert.fail(answer.kind));

describe('a body', () => {
  const document = '{"ssn":"078-05-1120","other":1}';
  const masked = '{"ssn":"***-**-1120","other":1}';

  it('passes as it comes where nothing is hidden, whatever it is', () => {
    for (const type of ['application/json', 'application/zip', undefined]) assert.equal(plan(type, {}, open).kind, 'pass');
    assert.equal(plan('application/json', { status: 206 }, open).kind, 'pass');
  });

  it('is masked by places and detectors', () => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'application/hal+json',
      'APPLICATION/JSON;charset="UTF-8"',
    ]) {
      assert.equal(shown(plan(type), document), masked, type);
    }
  });

  it('that says that it is JSON and is none is masked like any other text where no places are hidden', () => {
    const cases = [
      ['no JSON 078-05-1120', 'no JSON ***-**-1120'],
      ['{"a":"078-05-1120"', '{"a":"***-**-1120"'],
      ['{"a":"078-05-112\\u0030"}', '{"a":"***-**-1120"}'],
      ['no JSON 078-05-112\\u0030', 'no JSON 078-05-112\\u0030'],
      ['"078-05-1120\\u0031"', '"078-05-1120\\u0031"'],
      ['no JSON 078-05-1120\\u0031', 'no JSON ***-**-1120\\u0031'],
    ] as const;
    for (const [body, expected] of cases) assert.equal(shown(plan('application/json', {}, detected), body), expected);
    for (const body of ['no JSON', '{"a":1,}', '', ' ']) assert.equal(shown(plan('application/json'), body), body === '' ? '' : undefined);
  });

  it('is shown in the mode of its target only', () => {
    const cases = [
      ['application/json', document, masked, masked],
      ['text/plain', '078-05-1120', undefined, undefined],
      ['image/png', 'x', undefined, undefined],
    ] as const;
    for (const [type, body, taint, inStrict] of cases) {
      assert.equal(shown(plan(type), body), taint, type);
      assert.equal(shown(plan(type, {}, strict(['customers#$.ssn'])), body), inStrict, type);
    }
    assert.equal(shown(plan('text/plain', {}, detected), '078-05-1120'), '***-**-1120');
    assert.equal(shown(plan('text/plain', {}, strict([])), '078-05-1120'), undefined);
    assert.equal(shown(plan('image/png', {}, detected), 'x'), 'x');
    assert.equal(shown(plan('image/png', {}, strict([])), 'x'), undefined);
    const origin = testEnvironment(nodeCrypto, ['customers#$.ssn'], { masking: 'unsafe_origin' });
    assert.equal(
      shown(plan('application/json', {}, origin), '{"ssn":"078-05-1120","n":"078-05-1120"}'),
      '{"ssn":"***-**-1120","n":"078-05-1120"}',
    );
  });

  it('that nobody can look into is not shown, unless its type is let through by name', () => {
    for (const type of [
      'application/zip',
      'application/pdf',
      'application/x-protobuf',
      'application/octet-stream',
      'multipart/mixed',
      'nonsense',
      undefined,
    ]) {
      assert.equal(shown(plan(type, {}, detected), 'x'), undefined, type);
      assert.equal(shown(plan(type, {}, detected), ''), '', 'nothing hides in nothing');
    }
    const through = testEnvironment(nodeCrypto, ['customers#$.ssn'], { unmaskedMediaTypes: ['application/zip'] });
    assert.equal(shown(plan('application/zip', {}, through), 'x'), 'x');
    assert.equal(shown(plan('application/pdf', {}, through), 'x'), undefined);
  });

  it('of XML and HTML is masked behind character references too, its tags as they were', () => {
    for (const type of ['text/html', 'application/xml', 'application/soap+xml']) {
      assert.equal(shown(plan(type, {}, detected), '<a b="&#x30;78-05-112&#48;">&amp;</a>'), '<a b="***-**-1120">&amp;</a>', type);
      assert.equal(shown(plan(type, {}, detected), '<a>&#x30;&#0;&#xffffffff; &#;</a>'), '<a>&#x30;&#0;&#xffffffff; &#;</a>', type);
    }
    assert.equal(shown(plan('text/csv', {}, detected), '1;"078-05-1120"\r\n'), '1;"***-**-1120"\r\n');
  });

  it('of parts is masked part by part, or not shown', () => {
    const part = (type: string, content: string, more = ''): string => `--b\r\nContent-Type: ${type}\r\n${more}\r\n${content}\r\n`;
    const mixed = 'multipart/mixed; boundary=b';
    const body = `${part('application/json', '{"n":"078-05-1120"}')}${part('text/csv', '1;2')}${part('image/png', '078-05-1120')}--b--\r\n`;
    assert.equal(shown(plan(mixed, {}, detected), body), body.replace('"078-05-1120"', '"***-**-1120"'));
    assert.equal(shown(plan(mixed, {}, hidden), `${part('application/json', document)}--b--`), `${part('application/json', masked)}--b--`);
    for (const bad of [
      `${part('application/pdf', 'x')}--b--`,
      `${part('text/plain', 'MDc4', 'Content-Transfer-Encoding: base64\r\n')}--b--`,
      `${part('text/plain; charset=utf-16', 'x')}--b--`,
      `${part('text/plain', 'x', 'X-Note: 078-05-1120\r\n')}--b--`,
      `${part('text/plain', 'x')}--b`,
    ]) {
      assert.equal(shown(plan(mixed, {}, detected), bad), undefined, bad);
    }
    assert.equal(shown(plan(mixed, {}, hidden), `${part('text/plain', 'x')}--b--`), undefined);
  });

  it('in another charset, another coding, a part, or two types is not shown', () => {
    for (const [type, fields, status] of [
      ['application/json; charset=utf-16', [], 200],
      ['text/plain; charset=iso-8859-1', [], 200],
      ['application/json', [['content-encoding', 'gzip, br']], 200],
      ['application/json', [['content-encoding', 'compress']], 200],
      ['application/json', [], 206],
      ['application/json', [['content-type', 'image/png']], 200],
    ] as const) {
      assert.equal(shown(plan(type, { fields, status }), document), undefined, `${type} ${JSON.stringify(fields)} ${status}`);
    }
    for (const bytes of [Uint8Array.of(0xff), Buffer.from(document, 'utf16le')])
      assert.equal(shown(plan('application/json'), bytes), undefined);
  });

  it('says how it is coded', () => {
    for (const [coding, expected] of [
      ['gzip', 'gzip'],
      ['x-gzip', 'gzip'],
      ['br', 'br'],
      ['ZSTD', 'zstd'],
      ['identity', undefined],
    ] as const) {
      const answer = plan('application/json', { fields: [['content-encoding', coding]] });
      assert.equal(answer.kind === 'whole' ? answer.coding : 'none', expected);
    }
  });
});

describe('the head', () => {
  it('has no fields of the connection, of the gateway’s credential, or around the gateway; no cookies unless configured', () => {
    const fields = [
      ['connection', 'close, x-own'],
      ['x-own', '1'],
      ['keep-alive', '1'],
      ['transfer-encoding', 'chunked'],
      ['alt-svc', 'h3=":443"'],
      ['www-authenticate', 'Basic'],
      ['proxy-authenticate', 'Basic'],
      ['sallyport-masked', 'ssn=0'],
      ['set-cookie', 'a=1'],
      ['x-kept', '1'],
    ] as const;
    assert.deepEqual(names(plan('text/plain', { fields }, open)), ['content-type', 'x-kept']);
    const cookies = { ...open, target: { ...open.target, cookies: true } };
    assert.deepEqual(names(plan('text/plain', { fields }, cookies)), ['content-type', 'set-cookie', 'x-kept']);
  });

  it('has nothing by which a hidden body could be guessed, in the answer to HEAD either', () => {
    const fields = [
      ['content-length', '7'],
      ['etag', '"1"'],
      ['content-digest', 'x'],
      ['last-modified', 'x'],
    ] as const;
    assert.deepEqual(names(plan('application/json', { method: 'HEAD', fields })), ['content-type', 'last-modified']);
    assert.deepEqual(names(plan('application/json', { method: 'HEAD', fields }, open)).length, 5);
  });

  it('is masked, and says so', () => {
    const answer = plan('text/plain', { status: 204, fields: [['x-note', 'ssn 078-05-1120']] });
    assert.deepEqual(answer.kind === 'pass' && answer.fields.slice(1), [
      { name: 'x-note', value: 'ssn ***-**-1120' },
      { name: 'sallyport-masked', value: 'ssn=1' },
    ]);
  });

  it('keeps validators of a body in which nothing was masked, and loses them where something was', () => {
    const fieldsOf = (body: string, fields: readonly (readonly [string, string])[] = [['etag', '"1"']]): string[] => {
      const answer = plan('application/json', { fields });
      const result = answer.kind === 'whole' ? answer.mask(Buffer.from(body)) : assert.fail();
      return result instanceof GatewayFault ? [] : result.fields.map(({ name }) => name);
    };
    assert.deepEqual(fieldsOf('{"a":1}'), ['content-type', 'etag']);
    assert.deepEqual(fieldsOf('{"ssn":"078-05-1120"}'), ['content-type', 'sallyport-masked']);
    assert.deepEqual(
      fieldsOf('{"a":1}', [
        ['etag', '"1"'],
        ['content-encoding', 'gzip'],
      ]),
      ['content-type'],
      'what was decoded is another body',
    );
  });
});

it('a target that does not accept the gateway’s own credential refuses the gateway, not its client', () => {
  const withCredential = { ...hidden, target: { ...hidden.target, credentialNames: ['authorization'] } };
  const answer = plan('application/json', { status: 401 }, withCredential);
  assert.equal(answer.kind === 'refuse' && answer.fault.code, 'upstream-refused');
  assert.notEqual(plan('application/json', { status: 401 }).kind, 'refuse');
});
