import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { goodEnvironment, Workspace } from './testing/workspace.ts';

const workspace = new Workspace();
after(() => workspace.remove());
beforeEach(() => workspace.edit());

const crm = `targets:
  crm:
    protocol: http
    upstream: { url: https://crm.internal:8443/v2, ca: file:tls/gw.crt, credential: { bearer: env:ORDERS_PASSWORD } }
    labels: { env: production }
`;
const httpListener = ['postgres: 5432', 'postgres: 5432, https: 8443'] as const;

function edit(target: string, ...more: readonly (readonly [string, string])[]): void {
  workspace.edit(httpListener, ['targets:\n', target], ...more);
}

const load = () => loadConfig(workspace.file, { env: goodEnvironment });

async function problems(): Promise<string> {
  const error = await load().then(
    () => assert.fail('the file was accepted'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ConfigError);
  return error.message.replaceAll(`${workspace.file}:`, '');
}

it('an HTTP target is read with its listener, its address, its credential and its defaults', async () => {
  edit(crm);
  const { listeners, targets } = await load();
  assert.deepEqual(listeners.https, { host: undefined, port: 8443 });
  const target = targets.find(({ name }) => name === 'crm');
  assert.equal(target?.protocol, 'http');
  const { host, port, basePath, tls, credential } = target.upstream;
  assert.deepEqual([host, port, basePath, tls], ['crm.internal', 8443, '/v2', 'verify-full']);
  assert.equal(credential?.kind === 'bearer' && credential.token.text(), 'correct horse');
  assert.deepEqual([target.cookies, target.readOnly, target.hold, target.unmaskedMediaTypes], [false, false, 'wait', []]);
});

it('an HTTP target names what policy asks about, headers in any case', async () => {
  edit(`${crm}    query_facts: [Status, "filter[state]", $top]\n    header_facts: [X-Tenant, x_region]\n`);
  const target = (await load()).targets.find(({ name }) => name === 'crm');
  assert.ok(target?.protocol === 'http');
  assert.deepEqual(target.queryFacts, ['Status', 'filter[state]', '$top']);
  assert.deepEqual(target.headerFacts, ['x-tenant', 'x_region']);
});

it('an HTTP target is spoken to in HTTP/1.1 unless it is said to be HTTP/2; targets of other protocols know their own', async () => {
  edit(crm);
  const versionOf = async (): Promise<unknown> => {
    const target = (await load()).targets.find(({ name }) => name === 'crm');
    return target?.protocol === 'http' && target.upstream.httpVersion;
  };
  assert.equal(await versionOf(), 1.1);
  edit(crm.replace('ca: file', 'http_version: 2, ca: file'));
  assert.equal(await versionOf(), 2);
  edit(crm.replace('ca: file', 'http_version: 3, ca: file'));
  assert.match(await problems(), /targets\.crm\.upstream\.http_version: expected 1\.1 or 2/);
  edit(crm.replace('/v2,', ', http_version: 2,').replace('protocol: http', 'protocol: grpc'));
  assert.match(await problems(), /http_version/);
});

it('an HTTP target with a port of its own needs no other', async () => {
  workspace.edit(['targets:\n', `${crm}    listen: 127.0.0.1:9443\n`]);
  const { listeners, targets } = await load();
  assert.equal(listeners.https, undefined);
  assert.deepEqual(targets.find(({ name }) => name === 'crm')?.listen, { host: '127.0.0.1', port: 9443 });
});

it('places in the answers of an HTTP target are taken apart', async () => {
  edit(crm, [
    'paths: [ "orders/public.customers.profile#$.ssn" ]',
    'paths: [ "orders/public.customers.profile#$.ssn", "crm/customers/*#$.customer.ssn", "crm/**#$.ssn", "crm/#$.a" ]',
  ]);
  const [ssn] = (await load()).dataClasses;
  assert.deepEqual(ssn?.documents, [
    { target: 'crm', segments: ['customers', '*'], path: '$.customer.ssn' },
    { target: 'crm', segments: ['**'], path: '$.ssn' },
    { target: 'crm', segments: [], path: '$.a' },
  ]);
  assert.equal(ssn.paths.length, 1);
});

it('what is unsafe of it is listed', async () => {
  edit(
    crm
      .replace('url: https://crm.internal:8443/v2, ca: file:tls/gw.crt,', 'url: "http://crm.internal", tls: unsafe_disable,')
      .concat('    unsafe_unmasked_media_types: [ application/zip ]\n'),
  );
  assert.deepEqual((await load()).unsafe, [
    'targets.crm.unsafe_unmasked_media_types: application/zip',
    'targets.crm.upstream.tls: unsafe_disable',
  ]);
});

describe('what is wrong with it is said at the very place', () => {
  const bad: readonly (readonly [name: string, target: string, expected: string])[] = [
    [
      'http without unsafe_disable',
      crm.replace('https://crm', 'http://crm'),
      'targets.crm.upstream.url: expected an https:// URL of plain segments',
    ],
    [
      'a password in the URL',
      crm.replace('https://crm', 'https://u:p@crm'),
      'expected an https:// URL of plain segments, without query, fragment or password',
    ],
    ['a query in the URL', crm.replace('/v2,', '/v2?a=b,'), 'expected an https:// URL of plain segments'],
    ['dots in the URL', crm.replace('/v2,', '/../v2,'), 'expected an https:// URL of plain segments'],
    ['limits of rows', `${crm}    limits: { rows: 5 }\n`, 'targets.crm.limits.rows: answers of an HTTP target have no rows'],
    [
      'what PostgreSQL has',
      `${crm}    client_auth: password\n`,
      'targets.crm.client_auth: unknown key; expected protocol, upstream, listen, labels',
    ],
    [
      'a parameter that may be a credential',
      `${crm}    query_facts: [status, access_token]\n`,
      'query_facts[1]: expected a parameter that policy can go by: this one may carry a credential',
    ],
    ['a parameter that is a list', `${crm}    query_facts: ["status[]"]\n`, 'query_facts[0]: expected names of query parameters'],
    [
      'two parameters that are one to some servers',
      `${crm}    query_facts: [filter, "Filter[state]"]\n`,
      'query_facts[1]: expected another parameter than filter',
    ],
    [
      'a parameter with its value',
      `${crm}    query_facts: [status=open]\n`,
      'query_facts[0]: expected names of query parameters, such as [status]',
    ],
    [
      'values instead of names',
      `${crm}    query_facts: { status: open }\n`,
      'query_facts: expected a list of query parameters, such as [status]',
    ],
    [
      'a header that is no name',
      `${crm}    header_facts: ["x tenant"]\n`,
      'header_facts[0]: expected names of header fields, such as [X-Tenant]',
    ],
    [
      'two headers that are one to some servers',
      `${crm}    header_facts: [X-Tenant, x_tenant]\n`,
      'header_facts[1]: expected another header than X-Tenant',
    ],
    ...(
      [
        ['Authorization', 'may carry a credential'],
        ['Cookie', 'may carry a credential'],
        ['X_API_Key', 'may carry a credential'],
        ['Sec-WebSocket-Protocol', 'may carry a credential'],
        ['X-Forwarded-For', 'never reaches the target'],
        ['Host', 'never reaches the target'],
        ['Sallyport-Reason', 'never reaches the target'],
        ['Range', 'does not reach the target where something is hidden'],
        ['If-Match', 'does not reach the target where something is hidden'],
        ['X-Request-Id', 'is another one in each try, so that no approval binds it'],
      ] as const
    ).map(
      ([header, why]) =>
        [
          `the value of ${header}`,
          `${crm}    header_facts: [X-Tenant, ${header}]\n`,
          `targets.crm.header_facts[1]: expected a header that policy can go by: this one ${why}`,
        ] as const,
    ),
    [
      'the value of the gateway’s own header',
      `${crm.replace('bearer: env:ORDERS_PASSWORD', 'header: { name: X-Tenant, value: env:ORDERS_PASSWORD }')}    header_facts: [x_tenant]\n`,
      'header_facts[0]: expected a header that policy can go by: this one is the gateway’s own credential',
    ],
    [
      'the value of what a signature sets',
      `${crm.replace('bearer: env:ORDERS_PASSWORD', 'aws: { region: us-east-1, service: s3, access_key_id: env:ORDERS_PASSWORD, secret_access_key: env:ORDERS_PASSWORD }')}    header_facts: [x-amz-date]\n`,
      'header_facts[0]: expected a header that policy can go by: this one is the gateway’s own credential',
    ],
    ['a document that is none', `${crm}    openapi: file:tls/gw.crt\n`, 'targets.crm.openapi: expected '],
    ['what a document does not list, without one', `${crm}    openapi_unlisted: deny\n`, 'targets.crm.openapi_unlisted: expected openapi'],
    [
      'a secret and a key for a token',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'oauth: { token_url: https://x/token, client_id: gw }'),
      'credential.oauth: expected client_secret or private_key, and not both',
    ],
    [
      'a token without TLS',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'oauth: { token_url: http://x/token, client_id: gw, client_secret: env:ORDERS_PASSWORD }'),
      'credential.oauth.token_url: expected an https:// URL',
    ],
    [
      'a key that is none',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'oauth: { token_url: https://x/token, client_id: gw, private_key: env:ORDERS_PASSWORD }'),
      'credential.oauth.private_key: expected a PEM private key',
    ],
    [
      'an application of Entra ID without its secret',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'azure: { resource: api://x, identity: client-secret, tenant: t, client_id: c }'),
      'credential.azure: required with identity: client-secret: client_secret',
    ],
    [
      'what a plugin is told of a cluster, where it is told nothing',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'exec: { command: /bin/x, cluster_config: { a: 1 } }'),
      'credential.exec.cluster_config: expected provide_cluster_info: true',
    ],
    [
      'a client certificate without its key',
      crm.replace('ca:', 'certificate: file:tls/gw.crt, ca:'),
      'upstream.certificate: expected both certificate and key',
    ],
    ['a misspelt key', `${crm}    cookie: true\n`, 'targets.crm.cookie: unknown key; did you mean cookies?'],
    [
      'two credentials',
      crm.replace('{ bearer:', '{ header: { name: X-Key, value: env:ORDERS_PASSWORD }, bearer:'),
      'expected one of bearer, basic, header, oauth, azure, aws',
    ],
    ['a secret as it is', crm.replace('bearer: env:ORDERS_PASSWORD', 'bearer: hunter2'), 'credential.bearer: expected where the secret is'],
    [
      'framing as a credential',
      crm.replace('bearer: env:ORDERS_PASSWORD', 'header: { name: Host, value: env:ORDERS_PASSWORD }'),
      'expected a header that carries a credential',
    ],
  ];
  for (const [name, target, expected] of bad) {
    it(name, async () => {
      edit(target);
      const message = await problems();
      assert.ok(message.includes(expected), message);
    });
  }

  it('a protocol that is not served', async () => {
    edit(crm.replace('protocol: http', 'protocol: tds'));
    assert.match(await problems(), /targets\.crm\.protocol: expected postgres.* \(other protocols are not in this release\)/);
  });

  it('a protocol that nobody knows', async () => {
    edit(crm.replace('protocol: http', 'protocol: gopher'));
    assert.match(await problems(), /targets\.crm\.protocol: expected postgres/);
  });

  it('no listener', async () => {
    workspace.edit(['targets:\n', crm]);
    assert.match(await problems(), /targets\.crm: required: listeners\.https/);
  });

  for (const [path, expected] of [
    ['crm/customers/*', 'expected target/path/\\*#\\$\\.path'],
    ['crm/**/x#$.ssn', 'expected \\*\\* only at the end'],
    ['crm/cust*#$.ssn', 'expected segments as they are'],
    ['crm/a/../b#$.ssn', 'expected segments as they are'],
    ['crm/a//b#$.ssn', 'expected no empty segment'],
  ]) {
    it(`a path ${path}`, async () => {
      edit(crm, ['"orders/public.customers.profile#$.ssn"', `"${path}"`]);
      assert.match(await problems(), new RegExp(`data_classes\\.ssn\\.paths\\[0\\]: ${expected}`));
    });
  }

  it('a column of it', async () => {
    edit(crm, ['"orders/public.customers.ssn"', '"crm/public.customers.ssn"']);
    assert.match(await problems(), /columns\[0\]: expected a target that has columns/);
  });
});

it('a value in a body that may be a credential is none that policy goes by: it would stand on record', async () => {
  edit(`${crm}    body_facts: { key: $.apiKey, currency: $.currency }\n`);
  assert.match(await problems(), /targets\.crm\.body_facts\.key: expected a value that policy can go by: this one may carry a credential/);
  edit(`${crm}    body_facts: { otp: $.x }\n`);
  assert.match(await problems(), /body_facts\.otp: expected a value/);
});
