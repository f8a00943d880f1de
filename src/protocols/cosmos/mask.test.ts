import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { answered, asked as askedAt, customers, environmentWith, query, type EnvironmentOptions, type Sent } from './testing/requests.ts';

const environmentFor = (options: EnvironmentOptions = {}) => environmentWith(nodeCrypto, options);
const asked = (sent: Sent, options: EnvironmentOptions = {}) => askedAt(sent, environmentFor(options));

/** Rows of a query as the client sees them, or why it is refused. */
function rows(text: string, documents: readonly unknown[], options: EnvironmentOptions = {}): string {
  const one = asked(query(text), options);
  if (one.refusal !== undefined) return `${one.refusal.code}: ${one.refusal.publicMessage}`;
  const shown = answered(one, { _rid: 'x', Documents: documents, _count: documents.length });
  return shown.startsWith('{') ? JSON.stringify((JSON.parse(shown) as { Documents: unknown }).Documents) : shown;
}

const docs = `${customers}/docs`;
const item = {
  id: '7',
  ssn: '078-05-1120',
  name: 'Ann',
  accounts: [{ number: '4455667788', kind: 'a' }],
  job: { title: 'x', salary: 900 },
  _etag: '"078-05-1120"',
};
const masked =
  '{"id":"7","ssn":"***-**-1120","name":"Ann","accounts":[{"number":"2912493226","kind":"a"}],"job":{"title":"x","salary":null},"_etag":"\\"078-05-1120\\""}';

describe('items', () => {
  const at = (sent: Sent, body: unknown): string => answered(asked(sent), body);
  const writes = { 'content-type': 'application/json' };
  test('are masked at their places, however they come', () => {
    assert.equal(at({ method: 'GET', path: `${docs}/7` }, item).replace(/"number":"\d{10}"/, '"number":"2912493226"'), masked);
    for (const [sent, wrap] of [
      [{ method: 'GET', path: docs }, (one: unknown) => ({ Documents: [one], _count: 1 })],
      [{ method: 'GET', path: docs, headers: { 'a-im': 'Incremental feed' } }, (one: unknown) => ({ Documents: [one] })],
      [
        { method: 'GET', path: docs, headers: { 'a-im': 'Full-Fidelity Feed' } },
        (one: unknown) => ({ Documents: [{ current: one, previous: one, metadata: { id: '7', partitionKey: { ssn: '078-05-1120' } } }] }),
      ],
      [{ method: 'POST', path: docs, headers: writes, body: { id: '8' } }, (one: unknown) => one],
      [{ method: 'PUT', path: `${docs}/7`, headers: writes, body: { id: '8' } }, (one: unknown) => one],
      [{ method: 'PATCH', path: `${docs}/7`, headers: writes, body: [{ op: 'set', path: '/a', value: 1 }] }, (one: unknown) => one],
      [
        {
          method: 'POST',
          path: docs,
          headers: { ...writes, 'x-ms-cosmos-is-batch-request': 'true' },
          body: [{ operationType: 'Read', id: '7' }],
        },
        (one: unknown) => [{ statusCode: 200, eTag: '"078-05-1120"', resourceBody: one }],
      ],
      [query('SELECT * FROM c'), (one: unknown) => ({ Documents: [one] })],
      [query('SELECT c AS payload, c._rid FROM c'), (one: unknown) => ({ Documents: [{ payload: one }] })],
    ] as const) {
      const shown = at(sent, wrap(item));
      assert.match(shown, /\*\*\*-\*\*-1120/, JSON.stringify(sent));
      assert.doesNotMatch(shown, /"ssn":"078-05-1120"|4455667788|900/, JSON.stringify(sent));
    }
  });

  test('are shown as they are to whoever may see', () => {
    const revealed = ['ssn', 'account-number', 'salary'];
    assert.equal(answered(asked({ method: 'GET', path: `${docs}/7` }, { revealed }), item), JSON.stringify(item));
    assert.equal(rows('SELECT UPPER(c.ssn) AS s FROM c ORDER BY c.ssn', [{ s: '078-05-1120' }], { revealed }), '[{"s":"078-05-1120"}]');
  });

  test('what no place names is still looked through', () => {
    assert.equal(at({ method: 'GET', path: `${docs}/7` }, { note: 'has 219-09-9999' }), '{"note":"has ***-**-9999"}');
    assert.equal(rows('SELECT VALUE c.note FROM c', ['has 219-09-9999']), '["has ***-**-9999"]');
  });
});

describe('queries', () => {
  test('what stands for itself is masked as in an item, under whatever name', () => {
    assert.equal(
      rows('SELECT c.ssn, c.ssn AS harmless FROM c', [{ ssn: '1', harmless: '078051120' }]),
      '[{"ssn":"*","harmless":"*****1120"}]',
    );
    assert.equal(rows('SELECT VALUE c["ssn"] FROM c', ['078051120', 7, null]), '["*****1120",null,null]');
    assert.equal(rows('SELECT VALUE {a: [c.name, c.ssn]} FROM c', [{ a: ['Ann', '078051120'] }]), '[{"a":["***","*****1120"]}]');
    assert.match(
      rows('SELECT a.number AS n, a.kind FROM c JOIN a IN c.accounts', [{ n: '4455667788', kind: 'x' }]),
      /^\[\{"n":"(?!4455667788)\d{10}","kind":"x"\}\]$/,
    );
    assert.match(rows('SELECT VALUE c.accounts FROM c', [[{ number: '4455667788' }]]), /^\[\[\{"number":"(?!4455667788)\d{10}"\}\]\]$/);
    assert.equal(
      rows('SELECT c.job FROM c', [{ job: { salary: 'high', title: 'x' } }]),
      '[{"job":{"salary":"[redacted:salary]","title":"x"}}]',
    );
    assert.equal(rows('SELECT c.job.title, c.name FROM c', [{ title: 'x', name: 'y' }]), '[{"title":"x","name":"y"}]');
    assert.equal(rows('SELECT ARRAY(SELECT VALUE a.kind FROM a IN c.accounts) AS k FROM c', [{ k: ['x'] }]), '[{"k":["x"]}]');
  });

  test('what is computed shows nothing, not even its type', () => {
    for (const text of [
      'UPPER(c.ssn)',
      'c.ssn = "1"',
      'c.ssn ?? 1',
      '(c.ssn = "1" ? "yes" : 2)',
      'ToString(c)',
      'c[@p]',
      'EXISTS(SELECT VALUE a FROM a IN c.accounts WHERE a.number = "1")',
      '(SELECT VALUE COUNT(1) FROM a IN c.accounts WHERE STARTSWITH(a.number, "4"))',
      'ARRAY(SELECT VALUE a.kind FROM a IN c.accounts WHERE a.number = "1")',
      'udf.mine(c.job)',
      'MAX(c.ssn)',
    ])
      for (const value of ['078051120', 1, true, null, ['x'], {}]) {
        const shown = rows(`SELECT VALUE ${text} FROM c`, [value]);
        assert.match(shown, /^\["\[redacted:(?:ssn|salary|account-number)\]"\]$|^\[(?:null|"(?:\*+1120|\*+)")\]$/, `${text} ${shown}`);
        if (text !== 'c[@p]') assert.match(shown, /redacted/, text);
      }
  });

  test('what is not reached is left alone', () => {
    assert.equal(rows('SELECT VALUE COUNT(1) FROM c', [5]), '[5]');
    assert.equal(rows('SELECT UPPER(c.name) FROM c', [{ $1: 'ANN' }]), '[{"$1":"ANN"}]');
    assert.equal(rows('SELECT c.name, MAX(c.age) AS most FROM c GROUP BY c.name', [{ name: 'x', most: 5 }]), '[{"name":"x","most":5}]');
  });

  test('what SDKs are given to sort and group by is followed', () => {
    const sorted = 'SELECT c._rid, [{"item": c.name}] AS orderByItems, c AS payload FROM c WHERE true ORDER BY c.name';
    assert.match(rows(sorted, [{ _rid: 'r', orderByItems: [{ item: 'Ann' }], payload: item }]), /"item":"Ann".*"ssn":"\*\*\*-\*\*-1120"/);
    const least = 'SELECT VALUE [{"item": {"min": MIN(c.ssn), "count": COUNT(c.ssn)}}] FROM c';
    assert.equal(rows(least, [[{ item: { min: '078051120', count: 3 } }]]), '[[{"item":{"min":"[redacted:ssn]","count":3}}]]');
  });

  test('what would get out beside the rows is refused', () => {
    for (const [text, why] of [
      ['SELECT c.id FROM c ORDER BY c.ssn', /continuation tokens/],
      ['SELECT c._rid, [{"item": c.ssn}] AS orderByItems, c AS payload FROM c ORDER BY c.ssn', /continuation tokens/],
      ['SELECT DISTINCT c.job FROM c', /continuation tokens/],
      ['SELECT COUNT(1) AS n FROM c GROUP BY c.ssn', /continuation tokens/],
      ['SELECT VALUE SUM(c.job.salary) FROM c', /adds up salary/],
      ['SELECT VALUE [{"item": {"sum": SUM(c.job.salary), "count": COUNT(c.job.salary)}}] FROM c', /adds up salary/],
      ['SELECT VALUE x FROM c JOIN x IN (SELECT VALUE ["0", "1"]) WHERE STARTSWITH(c.ssn, x)', /rows of its own making/],
      ['SELECT VALUE COUNT(1) FROM c JOIN x IN (SELECT VALUE StringSplit(c.ssn, "1"))', /rows of its own making/],
      ['SELECT UPPER(c.ssn) FROM c', /give it one with AS/],
    ] as const)
      assert.match(rows(text, []), why, text);
  });

  test('strict lets hidden places stand for themselves and nowhere else', () => {
    const strict = { masking: 'strict' } as const;
    assert.equal(rows('SELECT c.ssn FROM c', [{ ssn: '078051120' }], strict), '[{"ssn":"*****1120"}]');
    assert.match(rows('SELECT UPPER(c.ssn) AS s FROM c', [], strict), /masking is strict/);
    assert.match(rows('SELECT c.name FROM c WHERE c.ssn = "1"', [], strict), /masking is strict/);
    assert.match(rows('SELECT VALUE COUNT(c.ssn) FROM c', [], strict), /masking is strict/);
    const patch: Sent = {
      method: 'PATCH',
      path: `${docs}/7`,
      headers: { 'content-type': 'application/json' },
      body: { condition: 'FROM c WHERE c.ssn = "1"', operations: [] },
    };
    assert.match(asked(patch, strict).refusal?.publicMessage ?? '', /masking is strict/);
  });

  test('unsafe_origin masks what stands for itself alone', () => {
    const origin = { masking: 'unsafe_origin' } as const;
    assert.equal(
      rows('SELECT c.ssn AS s, UPPER(c.ssn) AS t FROM c ORDER BY c.ssn', [{ s: '078051120', t: '078051120' }], origin),
      '[{"s":"*****1120","t":"078051120"}]',
    );
  });
});

describe('writes', () => {
  const refusal = (sent: Sent): string | undefined => asked(sent).refusal?.publicMessage;
  const json = { 'content-type': 'application/json' };
  const put = (body: unknown): string | undefined => refusal({ method: 'PUT', path: `${docs}/7`, headers: json, body });
  const create = (body: unknown): string | undefined => refusal({ method: 'POST', path: docs, headers: json, body });
  const patch = (...operations: readonly unknown[]): string | undefined =>
    refusal({ method: 'PATCH', path: `${docs}/7`, headers: json, body: { operations } });

  test('do not put masks in place of values', () => {
    assert.match(put({ id: '7', ssn: '***-**-1120' }) ?? '', /masked ssn/);
    assert.match(put({ id: '7', job: { salary: null } }) ?? '', /null is what a hidden number is shown as/);
    assert.match(put({ id: '7', accounts: [{ number: '2912493226' }] }) ?? '', /pseudonym cannot be told/);
    assert.match(put({ id: '7', note: 'of ***-**-1120' }) ?? '', /a text in it has a mask/);
    assert.match(put({ id: '7', note: 'was [redacted:salary]' }) ?? '', /a text in it has a mask/);
    assert.match(create({ id: '7', ssn: '***-**-1120' }) ?? '', /masked ssn/);
    assert.match(patch({ op: 'set', path: '/ssn', value: '***-**-1120' }) ?? '', /masked ssn/);
    assert.match(patch({ op: 'add', path: '/job', value: { salary: '[redacted:salary]' } }) ?? '', /masked salary/);
    const batch = [{ operationType: 'Replace', id: '7', resourceBody: { id: '7', ssn: '***-**-1120' } }];
    assert.match(
      refusal({ method: 'POST', path: docs, headers: { ...json, 'x-ms-cosmos-is-batch-request': 'true' }, body: batch }) ?? '',
      /masked ssn/,
    );
  });

  test('pass with values of their own', () => {
    assert.equal(put({ id: '7', ssn: '219-09-9999', note: '**bold** text' }), undefined);
    assert.equal(put({ id: '7', name: 'Ann' }), undefined);
    assert.equal(create({ id: '7', accounts: [{ number: '4455667788' }], job: { salary: null } }), undefined);
    assert.equal(
      patch(
        { op: 'set', path: '/ssn', value: '219-09-9999' },
        { op: 'incr', path: '/job/salary', value: 1 },
        { op: 'remove', path: '/ssn' },
      ),
      undefined,
    );
  });

  test('do not carry hidden values to other places', () => {
    assert.match(patch({ op: 'move', from: '/ssn', path: '/note' }) ?? '', /moves ssn/);
    assert.match(patch({ op: 'move', from: '/job', path: '/work' }) ?? '', /moves salary/);
    assert.match(patch({ op: 'move', from: '/accounts/0', path: '/first' }) ?? '', /moves account-number/);
    assert.equal(patch({ op: 'move', from: '/name', path: '/title' }), undefined);
    const computed = { id: 'customers', computedProperties: [{ name: 'x', query: 'SELECT VALUE LOWER(c.ssn) FROM c' }] };
    assert.match(refusal({ method: 'PUT', path: customers, headers: json, body: computed }) ?? '', /computed property would show ssn/);
    assert.equal(
      refusal({
        method: 'PUT',
        path: customers,
        headers: json,
        body: { ...computed, computedProperties: [{ name: 'x', query: 'SELECT VALUE LOWER(c.name) FROM c' }] },
      }),
      undefined,
    );
  });

  test('code that could give anything back is not run where something is hidden', () => {
    assert.match(refusal({ method: 'POST', path: `${customers}/sprocs/x`, headers: json, body: [] }) ?? '', /stored procedure/);
    assert.equal(refusal({ method: 'POST', path: '/dbs/shop/colls/orders/sprocs/x', headers: json, body: [] }), undefined);
    assert.match(refusal({ method: 'GET', path: `${customers}/conflicts` }) ?? '', /conflicts/);
  });
});

describe('what stands around', () => {
  test('the account document leads nowhere but to the gateway', () => {
    const account = {
      id: 'acct',
      _rid: 'acct.documents.azure.com',
      writableLocations: [{ name: 'East US', databaseAccountEndpoint: 'https://acct-eastus.documents.azure.com:443/' }],
      readableLocations: [
        { name: 'East US', databaseAccountEndpoint: 'https://acct-eastus.documents.azure.com:443/' },
        { name: 'West US', databaseAccountEndpoint: 'https://acct-westus.documents.azure.com:443/' },
      ],
      thinClientReadableLocations: [{ databaseAccountEndpoint: 'https://acct.documents.azure.com:10250/' }],
      enableMultipleWriteLocations: true,
      userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
    };
    const location = { name: 'East US', databaseAccountEndpoint: 'https://gw.example:8443/cosmos/bank/' };
    assert.deepEqual(JSON.parse(answered(asked({ method: 'GET', path: '/' }), account)), {
      id: 'acct',
      writableLocations: [location],
      readableLocations: [location],
      enableMultipleWriteLocations: false,
      userConsistencyPolicy: { defaultConsistencyLevel: 'Session' },
    });
  });

  test('resource tokens are not shown', () => {
    const permission = { id: 'p', _token: 'type=resource&ver=1&sig=abc' };
    assert.match(
      answered(asked({ method: 'GET', path: '/dbs/shop/users/ann/permissions/p' }), permission),
      /"_token":"\[redacted:resource-token\]"/,
    );
    assert.match(
      answered(asked({ method: 'GET', path: '/dbs/shop/users/ann/permissions' }), { Permissions: [permission] }),
      /"_token":"\[redacted:resource-token\]"/,
    );
  });

  test('headers that are not documented do not pass, and a token with a value in it ends the answer', () => {
    const field = (name: string, value: string) => ({ name, value });
    const fields = [
      field('content-type', 'application/json'),
      field('x-ms-request-charge', '2'),
      field('x-ms-internal', 'x'),
      field('server', 'x'),
      field('x-ms-cosmos-index-utilization', 'x'),
    ];
    const plan = asked(query('SELECT * FROM c')).answer({ status: 200, fields });
    assert.deepEqual(
      plan.kind === 'whole' && (plan.mask(new TextEncoder().encode('{"Documents":[]}')) as { fields: unknown }).fields,
      fields.slice(0, 2),
    );
    assert.match(
      answered(asked(query('SELECT * FROM c')), {}, { fields: [...fields, field('x-ms-continuation', '[{"item":"078-05-1120"}]')] }),
      /^masking-refused/,
    );
  });

  test('errors keep their words, but for what detectors find and what code says', () => {
    const error = { code: 'BadRequest', message: 'about 078-05-1120' };
    assert.equal(answered(asked(query('SELECT * FROM c')), error, { status: 400 }), '{"code":"BadRequest","message":"about ***-**-1120"}');
    assert.doesNotMatch(
      answered(asked(query('SELECT VALUE udf.f(c.ssn) FROM c')), { code: 'BadRequest', message: 'canary' }, { status: 400 }),
      /canary/,
    );
    assert.match(answered(asked(query('SELECT * FROM c')), {}, { status: 401 }), /^upstream-refused/);
  });

  /** With the constant masked, azure-cosmos 3.1 for Python asked every partition for people of this number: `***-**-1120`. It found nobody, and said so. */
  test('the plan of a query in the error that brings it is the client’s own query, constants and all', () => {
    const plan = {
      partitionedQueryExecutionInfoVersion: 2,
      queryInfo: { rewrittenQuery: "… WHERE c.ssn = '078-05-1120'" },
      queryRanges: [],
    };
    const error = (additionalErrorInfo: unknown) => ({ code: 'BadRequest', message: 'of 219-09-9999', additionalErrorInfo });
    const at = (info: unknown, sent: Sent = query('SELECT * FROM c')): string => answered(asked(sent), error(info), { status: 400 });
    assert.deepEqual(JSON.parse(at(JSON.stringify(plan))), { ...error(JSON.stringify(plan)), message: 'of ***-**-9999' });
    for (const other of [{ ...plan, Documents: [item] }, { ...plan, queryRanges: undefined }, [plan], 'of 078-05-1120'])
      assert.doesNotMatch(at(JSON.stringify(other)), /078-05-1120/);
    assert.doesNotMatch(at(plan), /078-05-1120/);
    assert.doesNotMatch(at(JSON.stringify(plan), { method: 'GET', path: `${docs}/7` }), /078-05-1120/);
    assert.doesNotMatch(at(JSON.stringify(plan), query('SELECT VALUE udf.f(c.ssn) FROM c')), /078-05-1120/);
  });

  test('an answer in another form than the documented one is not shown: places would not be where they are looked for', () => {
    const plan: Sent = {
      ...query('SELECT * FROM c'),
      headers: { 'content-type': 'application/query+json', 'x-ms-cosmos-is-query-plan-request': 'True' },
    };
    for (const [sent, body] of [
      [query('SELECT * FROM c'), { Items: [item] }],
      [query('SELECT * FROM c'), { Documents: [], _count: 0, More: [item] }],
      [query('SELECT * FROM c'), [item]],
      [plan, { Documents: [item] }],
      [plan, { queryRanges: [], Documents: [item] }],
      [{ method: 'GET', path: `${customers}/pkranges` }, { Documents: [item] }],
      [{ method: 'GET', path: `${docs}/7` }, [item]],
    ] as const)
      assert.match(answered(asked(sent), body), /^masking-refused/, JSON.stringify(body));
    assert.match(answered(asked(plan), { partitionedQueryExecutionInfoVersion: 2, queryInfo: {}, queryRanges: [] }), /queryRanges/);
  });

  test('what is no JSON is not shown', () => {
    assert.match(answered(asked(query('SELECT * FROM c')), '\u0080binary'), /^masking-refused/);
  });
});

describe('beside the items', () => {
  const at = (head: Readonly<Record<string, string>>, options: EnvironmentOptions = {}, sent: Sent = query('SELECT * FROM c')): string => {
    const fields = Object.entries({ 'content-type': 'application/json', ...head }).map(([name, value]) => ({ name, value }));
    return answered(asked(sent, options), { Documents: [] }, { fields });
  };

  test('a continuation token that holds a hidden value is not shown, nor what comes with it', () => {
    assert.match(at({ 'x-ms-continuation': '{"orderBy":"078-05-1120"}' }), /^masking-refused: the continuation token/);
    assert.match(at({ 'x-ms-continuation': 'next' }), /^\{/);
    assert.match(at({ 'x-ms-continuation': '078-05-1120' }, { revealed: ['ssn', 'salary', 'account-number'] }), /^\{/);
  });

  test('nor one that holds it in another form, which detectors read as if it stood there', () => {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const token = `-RID:~x#RT:1#RTD:${base64('["219-09-9999"]')}#ISV:2`;
    for (const one of [token, JSON.stringify({ token, range: { min: '', max: 'FF' } }), base64(encodeURIComponent(token))]) {
      assert.match(at({ 'x-ms-continuation': one }), /^masking-refused: the continuation token/, one);
      assert.match(at({ 'x-ms-continuation': one }, { revealed: ['ssn'] }), /^\{/, one);
      assert.match(at({ 'x-ms-continuation': one }, { masking: 'unsafe_origin' }), /^\{/, one);
      const head = { status: 304, fields: [{ name: 'x-ms-continuation', value: one }] };
      assert.match(answered(asked({ method: 'GET', path: docs }), '', head), /^masking-refused/, one);
    }
    const twice = ['next', token].map((value) => ({ name: 'x-ms-continuation', value }));
    assert.match(answered(asked(query('SELECT * FROM c')), { Documents: [] }, { fields: twice }), /^masking-refused/);
    assert.match(at({ 'x-ms-continuation': `#RTD:${base64('["ordinary text 12"]')}` }), /^\{/);
  });

  test('nor one that holds a value which is hidden in the answer, though no detector knows it there', () => {
    const shown = (token: unknown, documents: readonly unknown[], options: EnvironmentOptions = {}): string => {
      const value = `#RTD:${Buffer.from(JSON.stringify(token)).toString('base64url')}`;
      const fields = [
        { name: 'content-type', value: 'application/json' },
        { name: 'x-ms-continuation', value },
      ];
      return answered(asked({ method: 'GET', path: docs }, options), { Documents: documents }, { fields });
    };
    const refused = /^masking-refused: the continuation token/;
    assert.match(shown(['4455667788'], [item]), refused);
    assert.match(shown([4455667788], [{ accounts: [{ number: 4455667788 }] }]), refused);
    assert.match(shown(['deep down'], [{ job: { salary: { list: [{ is: 'deep down' }] } } }]), refused);
    assert.match(shown(['high'], [{ job: { salary: 'high' } }]), refused);
    // Nine digits are a number of this kind by the name of their place alone.
    assert.match(shown(['219099999'], [{ other: { ssn: '219099999' } }]), refused);
    assert.match(shown(['219099999'], [{ other: { ssn: 219099999 } }]), refused);
    for (const revealed of [['ssn', 'salary', 'account-number'], ['account-number']])
      assert.match(shown(['4455667788'], [item], { revealed }), /^\{/);
    // Where sorting by a hidden place is allowed, its values stand in tokens.
    assert.match(shown(['4455667788'], [item], { masking: 'unsafe_origin' }), /^\{/);
    // Short numbers stand in any token.
    assert.match(shown([900], [item]), /^\{/);
    assert.match(shown(['another'], [item]), /^\{/);
  });

  test('nor is an answer in a coding that cannot be decoded', () => {
    assert.match(at({ 'content-encoding': 'compress' }), /^masking-refused: the content coding/);
  });

  test('what code has logged is shown to nobody: it may be of anything', () => {
    const logs = { 'x-ms-documentdb-script-log-results': 'of 4455667788', 'x-ms-request-charge': '1' };
    const sent: Sent = {
      method: 'POST',
      path: '/dbs/shop/colls/orders/sprocs/tidy',
      body: [],
      headers: { 'content-type': 'application/json' },
    };
    const one = asked(sent, { revealed: ['ssn', 'salary', 'account-number'] });
    const plan = one.answer({ status: 204, fields: Object.entries(logs).map(([name, value]) => ({ name, value })) });
    assert.ok(plan.kind === 'pass');
    assert.deepEqual(
      plan.fields.map(({ name }) => name),
      ['x-ms-request-charge'],
    );
  });

  test('a part of a hidden value is hidden', () => {
    assert.equal(
      rows('SELECT c.ssn[0] AS x, c.ssn.first AS y FROM c', [{ x: '0', y: '7' }]),
      '[{"x":"[redacted:ssn]","y":"[redacted:ssn]"}]',
    );
  });

  test('a partial update in a batch carries nothing hidden away', () => {
    const operations = [{ operationType: 'Patch', id: '1', resourceBody: [{ op: 'move', from: '/ssn', path: '/note' }] }];
    const sent: Sent = {
      method: 'POST',
      path: docs,
      headers: { 'content-type': 'application/json', 'x-ms-cosmos-is-batch-request': 'true' },
      body: operations,
    };
    assert.match(asked(sent).refusal?.publicMessage ?? '', /moves ssn to another place/);
    assert.equal(asked(sent, { revealed: ['ssn'] }).refusal, undefined);
  });
});
