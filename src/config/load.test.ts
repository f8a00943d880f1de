import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import type { PostgresTargetConfig } from './postgres-target.ts';
import type { Config } from './types.ts';
import { goodEnvironment, goodFile, Workspace } from './testing/workspace.ts';

const workspace = new Workspace();
after(() => workspace.remove());
beforeEach(() => workspace.edit());

function load() {
  return loadConfig(workspace.file, { env: goodEnvironment });
}

function postgresTarget({ targets: [target] }: Config): PostgresTargetConfig {
  assert.equal(target?.protocol, 'postgres');
  return target;
}

/** The problems as `line:column: path: message`. */
async function problems(): Promise<string[]> {
  const error = await load().then(
    () => assert.fail('the file was accepted'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ConfigError, inspect(error));
  return error.message.split('\n').map((line) => line.replace(`${workspace.file}:`, '').replaceAll(workspace.folder, '…'));
}

it('a good file is read with defaults filled in, absolute paths and milliseconds', async () => {
  const config = await load();
  assert.equal(config.gateway.data, `${workspace.folder}/data`);
  assert.equal(config.gateway.apiUrl, 'https://gw.bank.example:8080');
  assert.equal(config.gateway.unsafePlaintext, false);
  assert.deepEqual(config.listeners, {
    postgres: { host: undefined, port: 5432 },
    ssh: undefined,
    https: undefined,
    api: { host: '127.0.0.1', port: 8080 },
  });
  assert.equal(config.issuers[1]?.max_lifetime, 5400);
  assert.equal(config.issuers[1]?.kind, undefined);
  const orders = postgresTarget(config);
  assert.equal(orders.upstream.password?.text(), 'correct horse');
  assert.deepEqual(
    [orders.upstream.port, orders.upstream.tls, orders.masking, orders.hold, orders.clientAuth],
    [5432, 'verify-full', 'taint', 'wait', 'password'],
  );
  assert.deepEqual(config.audit, { durability: 'disk', retainMs: 7 * 366 * 86_400_000 });
  assert.deepEqual(config.roles, { admin: [], reviewer: ['dba'], auditor: [], operator: [] });
  assert.deepEqual([config.session.maxLifetimeMs, config.credentials.maxLifetimeMs], [8 * 3_600_000, 900_000]);
  assert.deepEqual(config.unsafe, []);
  assert.deepEqual(config.policies.files, [{ name: 'base.cedar', text: 'permit (principal, action, resource);\n' }]);
});

it('data classes are taken apart: target, database, schema, relation, column; a mask of null is a mask', async () => {
  const [ssn, card] = (await load()).dataClasses;
  const column = { target: 'orders', database: undefined, schema: 'public', relation: 'customers', column: 'ssn' };
  assert.deepEqual(ssn, {
    name: 'ssn',
    columns: [column],
    paths: [{ column: { ...column, column: 'profile' }, path: '$.ssn' }],
    documents: [],
    detect: [
      { kind: 'recogniser', name: 'us-ssn' },
      { kind: 'pattern', pattern: '\\d{3}-\\d{2}-\\d{4}' },
    ],
    mask: 'partial-last4',
  });
  assert.deepEqual(card?.columns, [{ target: 'orders', database: 'archive', schema: 'public', relation: 'Payments', column: 'pan' }]);
  assert.deepEqual([card?.mask, card?.detect], ['null', [{ kind: 'recogniser', name: 'card-number' }]]);
});

it('an IPv6 listener stands in brackets', async () => {
  workspace.edit(['postgres: 5432', 'postgres: "[::1]:5432"']);
  assert.deepEqual((await load()).listeners.postgres, { host: '::1', port: 5432 });
});

it('everything unsafe that is in force is listed, and nothing else', async () => {
  workspace.edit(
    ['  data: data', '  data: data\n  unsafe_plaintext: true'],
    ['    audience: api://sallyport', '    audience: api://sallyport\n    unsafe_http: true'],
    ['password: env:ORDERS_PASSWORD', 'unsafe_password: hunter2, tls: unsafe_disable'],
    ['    listen: 6432', '    listen: 6432\n    masking: unsafe_origin'],
  );
  const config = await load();
  assert.deepEqual(config.unsafe, [
    'gateway.unsafe_plaintext',
    'issuers[1].unsafe_http',
    'targets.orders.upstream.unsafe_password',
    'targets.orders.upstream.tls: unsafe_disable',
    'targets.orders.masking: unsafe_origin',
  ]);
  assert.equal(postgresTarget(config).upstream.password?.text(), 'hunter2');
});

it('no secret’s value is in what can be printed of a configuration', async () => {
  workspace.edit(['password: env:ORDERS_PASSWORD', 'unsafe_password: hunter2']);
  const literal = await load();
  workspace.edit();
  const reference = await load();
  for (const text of [inspect(literal, { depth: 9 }), JSON.stringify(literal), String(postgresTarget(literal).upstream.password)]) {
    assert.ok(!text.includes('hunter2'), text);
  }
  for (const text of [inspect(reference, { depth: 9 }), JSON.stringify(reference)]) assert.ok(!text.includes('correct horse'), text);
  assert.match(JSON.stringify(reference.resolved), /"password":"env:ORDERS_PASSWORD"/);
});

it('the digest follows what is in force: settings, certificates and policies; not comments, not secrets', async () => {
  const { digest } = await load();
  assert.match(digest, /^[0-9a-f]{64}$/);
  workspace.write('sallyport.yaml', `# a comment\n${goodFile}`);
  assert.equal((await load()).digest, digest);
  assert.equal((await loadConfig(workspace.file, { env: { ORDERS_PASSWORD: 'another' } })).digest, digest);
  workspace.write('tls/gw.key', 'another key\n');
  assert.equal((await load()).digest, digest);

  const digests = new Set([digest]);
  workspace.edit(['6432', '6433']);
  digests.add((await load()).digest);
  workspace.edit();
  workspace.write('policies/base.cedar', 'forbid (principal, action, resource);\n');
  digests.add((await load()).digest);
  workspace.write('tls/gw.crt', 'another certificate\n');
  digests.add((await load()).digest);
  assert.equal(digests.size, 4);
});

describe('a bad file is refused at the very place, with what was expected', () => {
  const bad: readonly (readonly [name: string, edits: readonly (readonly [string, string])[], expected: string])[] = [
    // YAML itself
    ['a tab', [['  name: gw-eastus-1', '\tname: gw-eastus-1']], '2:1: expected spaces, not tabs, for indentation'],
    ['a key twice', [['  data: data', '  data: data\n  data: other']], '6:3: expected each key once'],
    ['a quote left open', [['name: gw-eastus-1', 'name: "gw-eastus-1']], 'expected a closing quote, bracket, comma or colon'],
    ['a bracket left open', [['[ dba ] }', '[ dba ]']], '36:1: expected consistent indentation, or a closing bracket before this line'],
    ['an alias', [['data: data', 'data: *there']], '5:9: expected a value: aliases (*name) are not supported'],
    ['an anchor', [['data: data', 'data: &here data']], '5:15: expected a value: anchors (&name) are not supported'],
    ['a tag', [['data: data', 'data: !secret data']], '5:9: expected a value without a tag (text that starts with ! needs quotes)'],
    ['two documents', [['policies: policies/', '---\npolicies: policies/']], 'expected one document'],
    [
      'a reserved key',
      [['labels: { env: production', 'labels: { __proto__: production']],
      '25:15: expected another key: __proto__ cannot be used',
    ],
    [
      'a list as key',
      [['labels: { env: production', 'labels: { [ a ]: production']],
      '25:15: expected a key that is text; put it in quotes',
    ],
    // Keys
    ['an unknown key', [['  host: gw', '  hostt: gw']], '3:3: gateway.hostt: unknown key; did you mean host?'],
    [
      'an unknown key like none',
      [['  data: data', '  data: data\n  colour: red']],
      '6:3: gateway.colour: unknown key; expected name, host, tls, data, workers, unsafe_plaintext',
    ],
    ['an unknown key at the top', [['policies: policies/', 'polices: policies/']], '33:1: polices: unknown key; did you mean policies?'],
    [
      'an unknown key in a list',
      [['    audience: api://sallyport', '    audiences: api://sallyport']],
      '17:5: issuers[1].audiences: unknown key; did you mean audience?',
    ],
    [
      'an unknown key in a target',
      [['    listen: 6432', '    listn: 6432']],
      '24:5: targets.orders.listn: unknown key; did you mean listen?',
    ],
    ['an unknown key of an upstream', [['user: gw', 'usr: gw']], '23:58: targets.orders.upstream.usr: unknown key; did you mean user?'],
    ['a missing key', [['  data: data\n', '']], '2:3: gateway.data: required: expected text'],
    ['a missing section', [['gateway:', 'audit2:']], '1:1: gateway: required: expected name, host, tls, data, workers, unsafe_plaintext'],
    ['no worker', [['  data: data', '  data: data\n  workers: 0']], '6:12: gateway.workers: expected a whole number from 1 to 64'],
    ['half a worker', [['  data: data', '  data: data\n  workers: 1.5']], '6:12: gateway.workers: expected a whole number from 1 to 64'],
    [
      'an empty section',
      [['listeners: { postgres: 5432, api: 127.0.0.1:8080 }', 'listeners:']],
      '6:1: listeners: expected postgres, ssh, https, api',
    ],
    [
      'limits',
      [['    listen: 6432', '    limits: { operations_per_minute: 0 }']],
      '24:38: targets.orders.limits.operations_per_minute: expected a whole number of operations, at least 1',
    ],
    ['tds', [['postgres: 5432,', 'postgres: 5432, tds: 1433,']], '6:30: listeners.tds: not in this release'],
    ['a shared state', [['  data: data', '  data: data\n  state: postgres://x']], '6:3: gateway.state: not in this release'],
    ['stores', [['audit: { retain: 7y', 'audit: { stores: [], retain: 7y']], '34:10: audit.stores: not in this release'],
    ['sinks', [['audit: { retain: 7y', 'audit: { sinks: [], retain: 7y']], '34:10: audit.sinks: not in this release'],
    ['witnesses', [['audit: { retain: 7y', 'audit: { witnesses: [], retain: 7y']], '34:10: audit.witnesses: not in this release'],
    // Values
    ['a port too high', [['postgres: 5432', 'postgres: 65536']], '6:24: listeners.postgres: expected a port from 1 to 65535'],
    [
      'a port that is text',
      [['postgres: 5432', 'postgres: any']],
      '6:24: listeners.postgres: expected a port from 1 to 65535, or "host:port"',
    ],
    ['an address whose port is too high', [['127.0.0.1:8080', '127.0.0.1:99999']], '6:35: listeners.api: expected a port from 1 to 65535'],
    ['a duration without unit', [['retain: 7y', 'retain: 7']], '34:18: audit.retain: expected a duration such as 30s, 15m, 8h or 7y'],
    [
      'a duration with a wrong unit',
      [['max_lifetime: 90m', 'max_lifetime: 90 min']],
      '19:19: issuers[1].max_lifetime: expected a duration',
    ],
    [
      'true as text',
      [['  data: data', '  data: data\n  unsafe_plaintext: "true"']],
      '6:21: gateway.unsafe_plaintext: expected true or false',
    ],
    [
      'a number as audience',
      [['audience: api://sallyport', 'audience: 1203']],
      '17:15: issuers[1].audience: expected the audience that tokens carry',
    ],
    [
      'a claim that is a list',
      [['repository_owner_id: "1203"', 'repository_owner_id: [ "1203" ]']],
      '12:37: issuers[0].require.repository_owner_id: expected one exact value',
    ],
    ['a wrong kind', [['kind: agent', 'kind: robot']], '11:11: issuers[0].kind: expected agent or user'],
    ['a symmetric algorithm', [['    kind: agent', '    algorithms: [ HS256 ]']], '11:19: issuers[0].algorithms[0]: expected RS256'],
    ['another protocol', [['protocol: postgres', 'protocol: mysql']], '22:15: targets.orders.protocol: expected postgres'],
    ['a target name with capitals', [['  orders:', '  Orders:']], '21:3: targets.Orders: expected a name of lower-case letters'],
    [
      'a weak tls without its name',
      [['database: orders,', 'database: orders, tls: require,']],
      '23:63: targets.orders.upstream.tls: expected verify-full, verify-ca, unsafe_require or unsafe_disable',
    ],
    [
      'a wrong masking',
      [['    listen: 6432', '    masking: origin']],
      '24:14: targets.orders.masking: expected taint, strict or unsafe_origin',
    ],
    ['a wrong hold', [['    listen: 6432', '    hold: retry']], '24:11: targets.orders.hold: expected wait or refuse-and-retry'],
    ['a label that is no text', [['env: production, data', 'env: 7, data']], '25:20: targets.orders.labels.env: expected text'],
    ['a label with an equals sign', [['labels: { env:', 'labels: { "a=b":']], '25:15: targets.orders.labels.a=b: expected a label'],
    [
      'a URL as host',
      [['host: gw.bank.example', 'host: https://gw.bank.example']],
      '3:9: gateway.host: expected a host name or address, without scheme or port',
    ],
    [
      'an unknown recogniser',
      [['detect: card-number', 'detect: credit-card']],
      '32:79: data_classes.card-number.detect: expected card-number, us-ssn',
    ],
    [
      'an unknown mask',
      [['mask: partial-last4', 'mask: last4']],
      '31:11: data_classes.ssn.mask: expected redact, partial-last4, hash, pseudonym or null',
    ],
    [
      'a look-up by what cannot be turned back',
      [['mask: partial-last4', 'mask: partial-last4\n    lookup: true']],
      '32:13: data_classes.ssn.lookup: expected mask: pseudonym: nothing else can be turned back',
    ],
    [
      'a look-up without columns',
      [
        ['    columns: [ "orders/public.customers.ssn" ]\n', ''],
        ['mask: partial-last4', 'mask: pseudonym\n    lookup: true'],
      ],
      '31:13: data_classes.ssn.lookup: expected columns: only what stands in one can be looked up',
    ],
    ['a role with one name for a list', [['reviewer: [ dba ]', 'reviewer: dba']], '35:20: roles.reviewer: expected a list of groups'],
    [
      'no issuer',
      [[goodFile.slice(goodFile.indexOf('issuers:'), goodFile.indexOf('targets:')), 'issuers: []\n']],
      '7:10: issuers: expected at least one issuer',
    ],
    // What one value means for another
    [
      'no TLS',
      [['  tls: { certificate: file:tls/gw.crt, key: file:tls/gw.key }\n', '']],
      '2:3: gateway: required: tls, with certificate and key (or unsafe_plaintext: true)',
    ],
    [
      'no listener',
      [
        ['{ postgres: 5432, api: 127.0.0.1:8080 }', '{}'],
        ['    listen: 6432\n', ''],
      ],
      '6:12: listeners: expected at least one of postgres, ssh, https and api',
    ],
    [
      'a port twice',
      [['listen: 6432', 'listen: 5432']],
      '24:13: targets.orders.listen: expected a port of its own: listeners.postgres has 5432 already',
    ],
    ['an issuer’s name twice', [['- name: entra', '- name: github']], '15:11: issuers[1].name: expected a name that no other issuer has'],
    [
      'an issuer twice',
      [
        ['https://login.microsoftonline.com/tenant/v2.0', 'https://token.actions.githubusercontent.com'],
        ['    max_lifetime: 90m', '    require: { a: b }'],
      ],
      '16:13: issuers[1].issuer: expected each issuer once',
    ],
    ['an issuer over http', [['https://login', 'http://login']], '16:13: issuers[1].issuer: expected an https:// URL'],
    ['an issuer with a query', [['tenant/v2.0', 'tenant/v2.0?x=1']], '16:13: issuers[1].issuer: expected an https:// URL'],
    [
      'keys over http',
      [['    groups_claim: groups', '    jwks_uri: http://keys.example']],
      '18:15: issuers[1].jwks_uri: expected an https:// URL',
    ],
    [
      'everyone’s issuer without a claim',
      [['    require: { repository_owner_id: "1203" }\n', '']],
      '8:5: issuers[0]: required: require, with a claim that names your organisation',
    ],
    [
      'a group for everyone',
      [['when: { repository_id: "7741", environment: production }', 'when: {}']],
      '14:35: issuers[0].groups[0].when: expected at least one claim',
    ],
    [
      'two passwords',
      [['user: gw,', 'user: gw, unsafe_password: x,']],
      '23:85: targets.orders.upstream.unsafe_password: expected only one of password and unsafe_password',
    ],
    [
      'a client certificate without key',
      [['user: gw,', 'user: gw, certificate: file:tls/gw.crt,']],
      '23:81: targets.orders.upstream.certificate: expected both certificate and key, or neither',
    ],
    [
      'authorities for nothing',
      [['user: gw,', 'user: gw, tls: unsafe_require, ca: file:tls/gw.crt,']],
      '23:93: targets.orders.upstream.ca: expected no ca',
    ],
    [
      'a class that no schema of a target names and that protects nothing',
      [
        ['    columns: [ "orders/public.customers.ssn" ]\n    paths: [ "orders/public.customers.profile#$.ssn" ]\n', ''],
        [`    detect: [ us-ssn, { pattern: '\\d{3}-\\d{2}-\\d{4}' } ]\n`, ''],
      ],
      '28:5: data_classes.ssn: expected columns, paths or detect',
    ],
    [
      'a column of no target',
      [['"orders/public.customers.ssn"', '"order/public.customers.ssn"']],
      '28:16: data_classes.ssn.columns[0]: expected a target of this file first: orders',
    ],
    [
      'a column without schema',
      [['"orders/public.customers.ssn"', '"orders/customers.ssn"']],
      '28:16: data_classes.ssn.columns[0]: expected target/schema.relation.column',
    ],
    [
      'a column with unquoted capitals',
      [['"orders/public.customers.ssn"', '"orders/public.Customers.ssn"']],
      '28:16: data_classes.ssn.columns[0]: expected lower case (PostgreSQL folds unquoted names), or the name in double quotes',
    ],
    [
      'a column with an open quote',
      [['"orders/public.customers.ssn"', `'orders/public."customers.ssn'`]],
      '28:16: data_classes.ssn.columns[0]: expected a closing double quote',
    ],
    [
      'a name that PostgreSQL would cut',
      [['customers.ssn', `customers.${'s'.repeat(64)}`]],
      '28:16: data_classes.ssn.columns[0]: expected names of at most 63 bytes',
    ],
    [
      'a path without $',
      [['profile#$.ssn', 'profile#ssn']],
      '29:14: data_classes.ssn.paths[0]: expected target/schema.relation.column#$.path',
    ],
    [
      'a pattern with a look-ahead',
      [[String.raw`'\d{3}-\d{2}-\d{4}'`, "'(?=a)b'"]],
      '30:34: data_classes.ssn.detect[1].pattern: expected a pattern in RE2 syntax',
    ],
    // Secrets and files
    ['a literal secret', [['env:ORDERS_PASSWORD', 'hunter2']], '23:78: targets.orders.upstream.password: expected where the secret is'],
    [
      'an unset variable',
      [['env:ORDERS_PASSWORD', 'env:NO_SUCH']],
      '23:78: targets.orders.upstream.password: expected the environment variable NO_SUCH to be set',
    ],
    [
      'a missing key file',
      [['file:tls/gw.key', 'file:tls/none.key']],
      '4:45: gateway.tls.key: expected a readable file: …/tls/none.key (ENOENT)',
    ],
    [
      'a missing policies folder',
      [['policies: policies/', 'policies: none/']],
      '33:11: policies: expected a readable folder of .cedar files: …/none (ENOENT)',
    ],
    [
      'a policies folder without policies',
      [['policies: policies/', 'policies: tls/']],
      '33:11: policies: expected at least one .cedar file in …/tls',
    ],
  ];

  for (const [name, edits, expected] of bad) {
    it(name, async () => {
      workspace.edit(...edits);
      const found = await problems();
      assert.ok(
        found.some((line) => line.includes(expected)),
        `expected ${expected}\n   found ${found.join('\n         ')}`,
      );
    });
  }

  it('there are at least forty of them', () => assert.ok(bad.length >= 40));
});

it('all problems of a file are reported together, in the order of its lines', async () => {
  workspace.edit(['postgres: 5432', 'postgres: 0'], ['  data: data', '  dta: data'], ['kind: agent', 'kind: robot']);
  const lines = (await problems()).map((line) => Number(line.split(':')[0]));
  assert.deepEqual(lines, [2, 5, 6, 11]);
});

it('no message repeats a value, which may be a secret in the wrong place', async () => {
  let refused = 0;
  for (const from of [
    'name: gw-eastus-1',
    'postgres: 5432',
    'protocol: postgres',
    'password: env:ORDERS_PASSWORD',
    'retain: 7y',
    'mask: partial-last4',
  ]) {
    for (const value of ['S3CRETvalue!', '*S3CRET', '!S3CRET x', '"S3CRET', '@S3CRET', '{ S3CRET: 1']) {
      workspace.edit([from, `${from.split(':')[0]}: ${value}`]);
      const error = await load().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (error === undefined) continue;
      assert.ok(error instanceof ConfigError);
      refused += 1;
      const found = error.problems.map(({ message }) => message);
      assert.ok(!found.join('\n').includes('S3CRET'), found.join('\n'));
    }
  }
  assert.ok(refused >= 30);
});

it('a file that is not there, not text or too large is refused', async () => {
  await assert.rejects(loadConfig(`${workspace.folder}/none.yaml`), /none.yaml:1:1: expected a readable file \(ENOENT\)/);
  workspace.write('sallyport.yaml', Uint8Array.of(0xff, 0xfe, 0x41));
  assert.match((await problems())[0]!, /expected a readable file/);
  workspace.write('sallyport.yaml', '#'.repeat(1024 * 1024 + 1));
  assert.match((await problems())[0]!, /too large/);
  workspace.write('sallyport.yaml', 'just text');
  assert.match((await problems())[0]!, /1:1: expected keys and values/);
  workspace.write('sallyport.yaml', '');
  assert.match((await problems())[0]!, /1:1: expected keys and values/);
});

describe('a data class that only the schema of a gRPC target may name', () => {
  const ledger = (schema: string): readonly [string, string] => [
    'targets:\n',
    `targets:\n  ledger:\n    protocol: grpc\n    upstream: { url: https://ledger.internal }\n    schema: { reflection: 10m, ${schema} }\n`,
  ];
  const ssnInSchema = [
    ['postgres: 5432', 'postgres: 5432, https: 8443'],
    ['    columns: [ "orders/public.customers.ssn" ]\n    paths: [ "orders/public.customers.profile#$.ssn" ]\n', ''],
    [`    detect: [ us-ssn, { pattern: '\\d{3}-\\d{2}-\\d{4}' } ]\n`, ''],
  ] as const;

  for (const [schema, isTaken] of [
    ['field_option: bank.options.data_class', true],
    ['debug_redact: ssn', true],
    ['debug_redact: other', false],
  ] as const) {
    it(`${isTaken ? 'needs' : 'needs more than'} its mask with ${schema}`, async () => {
      workspace.edit(...ssnInSchema, ledger(schema));
      const loaded = loadConfig(workspace.file, { env: goodEnvironment });
      if (isTaken) assert.deepEqual((await loaded).dataClasses.find(({ name }) => name === 'ssn')?.detect, []);
      else await assert.rejects(loaded, /data_classes\.ssn: expected columns, paths or detect/);
    });
  }
});
