import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenSession } from '../../core/effect.ts';
import { GatewayFault } from '../../core/fault.ts';
import { compileJsonPath } from '../../masking/json-path.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { HeaderField, ReceivedRequest, RequestBody } from '../request.ts';
import { askHttp } from './ask.ts';
import { canonicalTarget } from './path.ts';
import { testEnvironment } from './testing/masks.ts';

const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;

interface Sent {
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body?: string | RequestBody;
  readonly trailers?: Readonly<Record<string, string>>;
}

function request(target: string, { method = 'GET', fields = {}, body, trailers = {} }: Sent = {}): ReceivedRequest {
  const canonical = canonicalTarget(target);
  assert.ok(!(canonical instanceof GatewayFault), target);
  const all: HeaderField[] = Object.entries(fields).map(([name, value]) => ({ name, value }));
  return {
    method,
    target: canonical,
    host: 'gw.bank.example',
    base: 'https://gw.bank.example/http/crm',
    upgrade: undefined,
    fields: all,
    forwardable: all.filter(({ name }) => !name.startsWith('sallyport-')),
    body: typeof body === 'string' ? { kind: 'whole', bytes: Buffer.from(body) } : (body ?? { kind: 'none' }),
    trailers: Object.entries(trailers).map(([name, value]) => ({ name, value })),
  };
}

const json = { 'content-type': 'application/json' };
const environment = testEnvironment(nodeCrypto, ['customers/*#$.ssn']);
const ask = (target: string, sent?: Sent, at = environment) => askHttp(request(target, sent), at);
const operation = (target: string, sent?: Sent) => ask(target, sent).operation(session);

describe('what policy is asked', () => {
  it('is the method on the path, with the paths above it', () => {
    const { acts, facts, pureRead } = operation('/a/b%20c/d?x=1&x=2&y', { fields: json });
    assert.deepEqual(acts, [
      {
        action: 'http:get',
        object: {
          type: 'Path',
          id: 'crm/a/b c/d',
          parents: [
            { type: 'Path', id: 'crm/a/b c' },
            { type: 'Path', id: 'crm/a' },
          ],
        },
      },
    ]);
    assert.deepEqual(facts, {
      method: 'GET',
      path: '/a/b c/d',
      host: 'gw.bank.example',
      query_parameters: ['x', 'y'],
      content_type: 'application/json',
    });
    assert.equal(pureRead, true);
  });

  it('of a path that ends in a slash stands in the path without it', () => {
    const [act] = operation('/admin/').acts;
    assert.deepEqual(act?.object, { type: 'Path', id: 'crm/admin/', parents: [{ type: 'Path', id: 'crm/admin' }] });
    assert.deepEqual(operation('/').acts[0]?.object, { type: 'Path', id: 'crm/', parents: [] });
  });

  it('of an unknown method is that it is unknown, and only safe methods are pure reads', () => {
    for (const [method, action, pureRead] of [
      ['QUERY', 'http:query', true],
      ['HEAD', 'http:head', true],
      ['OPTIONS', 'http:options', true],
      ['POST', 'http:post', false],
      ['DELETE', 'http:delete', false],
      ['PROPFIND', 'http:other', false],
      ['LINK', 'http:other', false],
    ] as const) {
      const asked = operation('/x', { method });
      assert.deepEqual([asked.acts[0]?.action, asked.pureRead], [action, pureRead]);
    }
  });

  it('has the stated reason, bounded, on one line, masked', () => {
    const { facts } = operation('/x', { fields: { 'sallyport-reason': `ssn 078-05-1120 ${'x'.repeat(400)}` } });
    assert.match(String(facts['reason']), /^ssn \*\*\*-\*\*-1120 x+…$/);
  });
});

describe('what the recording keeps of an answer', () => {
  const text = '{"ssn":"078-05-1120","n":"4111111111111111","password":"swordfish"}';
  const head = { status: 200, fields: [{ name: 'content-type', value: 'application/json' }] };
  const kept = (at: typeof environment, isShown: boolean): string | null | undefined => {
    const asked = ask('/customers/7', {}, at);
    const bytes = Buffer.from(text);
    const plan = asked.answer(head);
    if (isShown && plan.kind === 'whole') plan.mask(bytes);
    return asked.sample(head, { bytes, isWhole: true, isCoded: false }).row[2];
  };
  const expected = '{"ssn":"***-**-1120","n":"************1111","password":"[redacted]"}';

  it('is masked and has no credentials, whether it was masked for its principal before or not', () => {
    assert.equal(kept(environment, true), expected);
    assert.equal(kept(environment, false), expected);
  });

  it('is masked also where its principal sees it', () => {
    assert.equal(kept({ ...environment, revealed: new Set(['ssn']) }, true), expected);
    assert.equal(kept({ ...environment, revealed: new Set(['ssn', 'card-number']) }, true), expected);
    assert.equal(kept({ ...environment, target: { ...environment.target, masking: 'unsafe_origin' } }, true), expected);
  });
});

describe('what goes on record', () => {
  const text = (target: string, sent?: Sent): string => operation(target, sent).text;

  it('has everything sensitive masked: path, query, fields, body', () => {
    assert.equal(
      text('/customers/078-05-1120?card=4111111111111111', {
        method: 'PUT',
        fields: { ...json, 'x-note': '078-05-1120', accept: '*/*' },
        body: '{"ssn":"x","n":"4111111111111111"}',
      }),
      'PUT /customers/***-**-1120?card=************1111\ncontent-type: application/json\nx-note: ***-**-1120\n\n{"ssn":"*","n":"************1111"}',
    );
  });

  it('is one line for the target, whatever a parameter means: it cannot pass for the lines that follow', () => {
    assert.equal(text('/a?x=%0Aif-match%3A%201&y=1%202'), 'GET /a?x=%0Aif-match%3A%201&y=1%202');
    assert.equal(text('/a?x=%0Aif-match%3A%20078-05-1120&z'), 'GET /a?x=%0Aif-match:%20***-**-1120&z');
  });

  it('has each parameter in its place, also behind an empty one, and never the next one as it is', () => {
    assert.equal(text('/a?&card=4111111111111111&token=bdfghjk&&y=1'), 'GET /a?card=************1111&token=[redacted]&y=1');
  });

  it('has no credential, whatever its name looks like', () => {
    for (const [target, sent] of [
      ['/login?access_token=bdfghjk', {}],
      [
        '/login',
        {
          method: 'POST',
          fields: json,
          body: '{"user":"u","pass\\u0077ord":"bdfghjk","password":["bdfghjk"],"a":{"client_secret":{"x":"bdfghjk"}}}',
        },
      ],
      ['/login', { method: 'POST', fields: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'user=u&pass%77ord=bdfghjk' }],
      ['/login', { fields: { 'x-session-id': 'bdfghjk' } }],
      ['/login', { method: 'POST', fields: { 'content-type': 'text/plain' }, body: 'token: bdfghjk' }],
    ] as const) {
      const recorded = text(target, sent);
      assert.ok(!recorded.includes('bdfghjk'), recorded);
    }
  });

  it('says what a body was that cannot be shown', () => {
    assert.match(
      text('/x', { method: 'POST', fields: { 'content-type': 'image/png' }, body: 'abc' }),
      /\(a body of 3 bytes, image\/png, not shown\)$/,
    );
    assert.match(text('/x', { method: 'POST', body: { kind: 'streamed', octets: 9 } }), /\(a body of 9 bytes, .* passed as it came\)$/);
    assert.match(text('/customers/7', { method: 'POST', fields: json, body: '{"ssn":' }), /not shown\)$/);
  });

  it('policy is asked about the real path besides, where the recorded one is masked', () => {
    const asked = ask('/customers/078-05-1120');
    assert.equal(asked.operation(session).acts[0]?.object.id, 'crm/customers/***-**-1120');
    assert.equal(asked.unmasked?.acts[0]?.object.id, 'crm/customers/078-05-1120');
    assert.equal(ask('/customers/7').unmasked, undefined);
  });
});

describe('what an approval binds', () => {
  const exact = (target: string, sent?: Sent): string => Buffer.from(operation(target, sent).exact()).toString('hex');

  it('differs with method, path, query, fields and body, and with nothing that tells one try from another', () => {
    const fields = { ...json, 'if-match': '"1"' };
    const one = exact('/a/b?c', { method: 'PUT', fields, body: '{}' });
    const others = [
      exact('/a/b?c', { method: 'POST', fields, body: '{}' }),
      exact('/a/c?c', { method: 'PUT', fields, body: '{}' }),
      exact('/a/b', { method: 'PUT', fields, body: '{}' }),
      exact('/a/b?', { method: 'PUT', fields, body: '{}' }),
      exact('/a/b?c', { method: 'PUT', fields: { ...json, 'if-match': '"2"' }, body: '{}' }),
      exact('/a/b?c', { method: 'PUT', fields: json, body: '{}' }),
      exact('/a/b?c', { method: 'PUT', fields, body: '{} ' }),
      exact('/a/b?c', { method: 'PUT', fields }),
      exact('/a/b?c', { method: 'PUT', fields, body: { kind: 'streamed', octets: 2 } }),
      exact('/a/b?c', { method: 'PUT', fields, body: '{}', trailers: { 'x-sum': '1' } }),
      exact('/a/b?c', { method: 'PUT', fields, body: '{}', trailers: { 'x-sum': '2' } }),
    ];
    assert.equal(new Set([one, ...others]).size, others.length + 1);
    assert.equal(exact('/a/b?c', { method: 'PUT', fields: { ...fields, traceparent: 'x', 'x-request-id': 'y' }, body: '{}' }), one);
    assert.equal(exact('/%61/b?c', { method: 'PUT', fields, body: '{}' }), one, 'another spelling of the same path');
  });

  it('is shown to the reviewer as it is', () => {
    const { text } = operation('/customers/078-05-1120', { method: 'DELETE', fields: json, body: '{"ssn":"078-05-1120"}' }).unmasked();
    assert.equal(text, 'DELETE /customers/078-05-1120\ncontent-type: application/json\n\n{"ssn":"078-05-1120"}');
  });
});

describe('what goes upstream', () => {
  const sent = {
    fields: { accept: '*/*', cookie: 'a=1', range: 'bytes=0-1', 'if-none-match': '"x"', 'accept-encoding': 'gzip', 'x-key': 'mine' },
  };
  const names = (at: typeof environment): string[] => ask('/x', sent, at).upstream.fields.map(({ name, value }) => `${name}: ${value}`);

  it('has nothing of the client’s that could be taken for the credential of the gateway, however it is spelled', () => {
    const at = testEnvironment(nodeCrypto, [], { basePath: '/v2', credentialNames: ['x_key'] });
    assert.deepEqual(names(at), ['accept: */*', 'accept-encoding: identity']);
    assert.equal(ask('/x?y=1', sent, at).upstream.target, '/v2/x?y=1');
  });

  it('is asked for whole bodies in no coding where something is hidden, and as the client asked where nothing is', () => {
    assert.deepEqual(names(environment), ['accept: */*', 'x-key: mine', 'accept-encoding: identity']);
    const open = { ...environment, revealed: new Set(['ssn', 'card-number']) };
    assert.deepEqual(names(open), ['accept: */*', 'range: bytes=0-1', 'if-none-match: "x"', 'accept-encoding: gzip', 'x-key: mine']);
  });

  it('has cookies only where the target is configured so', () => {
    assert.ok(names(testEnvironment(nodeCrypto, [], { cookies: true })).includes('cookie: a=1'));
  });
});

describe('values that policy asks about', () => {
  const at = testEnvironment(nodeCrypto, [], {
    queryFacts: ['status', 'card'],
    headerFacts: ['x-tenant', 'x-key'],
    credentialNames: ['x_key'],
  });
  const factsOf = (target: string, sent?: Sent) => ask(target, sent, at).operation(session).facts;

  it('are facts beside the names, and empty where there are none', () => {
    const { query, headers, body, query_parameters } = factsOf('/x?status=open&page=1', { fields: { 'x-tenant': '7', 'x-other': '8' } });
    assert.deepEqual([query, headers, body, query_parameters], [['status=open'], ['x-tenant=7'], undefined, ['status', 'page']]);
    assert.deepEqual([factsOf('/x')['query'], factsOf('/x')['headers']], [[], []]);
    assert.deepEqual([operation('/x?status=open').facts['query'], operation('/x').facts['headers']], [undefined, undefined]);
  });

  it('make another question of a session, and the same one the same', () => {
    const keyOf = (target: string, fields: Sent['fields'] = {}) => ask(target, { fields }, at).operation(session).cacheKey;
    const asked = [keyOf('/x?status=open'), keyOf('/x?status=closed'), keyOf('/x?status=open', { 'x-tenant': '7' })];
    assert.equal(new Set([...asked, keyOf('/x?status=open', { 'x-tenant': '8' })]).size, 4);
    assert.equal(keyOf('/x?%73tatus=open'), asked[0]);
  });

  it('are none that the target does not get: a credential of the gateway takes its place, and behind the body there is none', () => {
    assert.deepEqual(factsOf('/x', { fields: { 'x-key': 'mine' } })['headers'], []);
    const { trailers } = ask('/x', {}, at).upstream;
    assert.deepEqual(
      trailers?.([
        { name: 'x_tenant', value: '8' },
        { name: 'x-sum', value: '1' },
      ]),
      [{ name: 'x-sum', value: '1' }],
    );
  });

  it('that cannot be told refuse the request', () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal(ask('/x', { method: 'POST', fields: form, body: 'status=closed' }, at).refusal, undefined);
    for (const [target, sent] of [
      ['/x?status=open&status=closed', {}],
      ['/x', { fields: { x_tenant: '8' } }],
      ['/x?status=open', { method: 'POST', fields: form, body: 'a=1&%73tatus%5B%5D=closed' }],
    ] as const) {
      assert.equal(ask(target, sent, at).refusal?.code, 'unclassified', target);
    }
  });

  it('are masked on record, and decided as they are', () => {
    const asked = ask('/x?card=4111111111111111', { fields: { 'x-tenant': '078-05-1120' } }, at);
    const { query, headers } = asked.operation(session).facts;
    assert.deepEqual([query, headers], [['card=************1111'], ['x-tenant=***-**-1120']]);
    assert.deepEqual(
      [asked.unmasked?.facts['query'], asked.unmasked?.facts['headers']],
      [['card=4111111111111111'], ['x-tenant=078-05-1120']],
    );
  });
});

describe('values in bodies that policy asks about', () => {
  const at = testEnvironment(nodeCrypto, ['customers/*#$.ssn', 'customers/*#$.owner'], {
    bodyFacts: [
      { name: 'ssn', path: compileJsonPath('$.ssn') },
      { name: 'plan', path: compileJsonPath('$.plan') },
    ],
  });
  const sent = (text: string): Sent => ({ method: 'POST', fields: { 'content-type': 'application/json' }, body: text });

  it('are masked on record where their place is hidden, and decided as they are', () => {
    const asked = ask('/customers/7', sent('{"ssn":"hidden-by-place","plan":"gold","owner":{"a":1}}'), at);
    const recorded = asked.operation(session).facts['body'] as readonly string[];
    assert.deepEqual(
      recorded.filter((fact) => fact.startsWith('plan=')),
      ['plan=gold'],
    );
    assert.ok(recorded.length === 2 && !recorded.join().includes('hidden-by-place'), recorded.join());
    assert.deepEqual(asked.unmasked?.facts['body'], ['plan=gold', 'ssn=hidden-by-place']);
  });

  it('are the same in both where nothing of the path is hidden', () => {
    const asked = ask('/orders/7', sent('{"ssn":"shown","plan":"gold"}'), at);
    assert.deepEqual([asked.operation(session).facts['body'], asked.unmasked], [['plan=gold', 'ssn=shown'], undefined]);
  });
});

describe('what the protocol refuses itself', () => {
  it('is what may write where a target is for reading only', () => {
    const at = testEnvironment(nodeCrypto, [], { readOnly: true });
    assert.equal(ask('/x', { method: 'POST' }, at).refusal?.code, 'read-only');
    assert.equal(ask('/x', { method: 'QUERY' }, at).refusal, undefined);
  });

  it('is a form that names another method', () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const body of ['_method=DELETE', 'a=1&%5fmethod=x', '_METHOD=PUT']) {
      assert.equal(ask('/x', { method: 'POST', fields: form, body }).refusal?.code, 'unsupported', body);
    }
    const multipart = { 'content-type': 'multipart/form-data; boundary=x' };
    const body = '--x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--';
    assert.equal(ask('/x', { method: 'POST', fields: multipart, body }).refusal?.code, 'unsupported');
    assert.equal(ask('/x', { method: 'POST', fields: form, body: 'method=DELETE' }).refusal, undefined);
  });
});
