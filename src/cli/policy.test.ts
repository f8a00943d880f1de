import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { concatenated } from '../core/bytes.ts';
import { encodedRecord } from '../protobuf/wire.ts';
import { newSshKeyPair } from '../identity/ssh-key-format.ts';
import { emptyHome, run } from './testing/run.ts';
import type { Ran } from './testing/run.ts';

let folder: string;
let config: string;

beforeEach(() => {
  folder = emptyHome();
  config = join(folder, 'sallyport.yaml');
  writeFileSync(config, configuration(1));
  mkdirSync(join(folder, 'policies'));
  writeFileSync(join(folder, 'policies', 'rules.cedar'), policies);
});

const cli = async (...args: readonly string[]): Promise<Ran> => await run(args);

describe('policy test', () => {
  it('passes: acts, and statements understood from their text', async () => {
    writeFileSync(join(folder, 'cases.yaml'), cases);
    const { code, stdout, stderr } = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.equal(stderr, '');
    assert.equal(stdout, 'ok    deployers may read\nok    a drop waits\nok    strangers may not read\n3 of 3 cases passed\n');
    assert.equal(code, 0);
  });

  it('fails: 1, with what differs', async () => {
    writeFileSync(join(folder, 'cases.yaml'), cases.replace('expect: hold', 'expect: allow'));
    const { code, stdout, stderr } = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.equal(code, 1);
    assert.match(stdout, /FAIL {2}a drop waits\n {8}expected decision allow, got hold/);
    assert.match(stderr, /^sallyport: 1 case failed\nhint: /);
    const json = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config, '--json');
    assert.deepEqual(
      (JSON.parse(json.stdout) as { passed: boolean }[]).map(({ passed }) => passed),
      [true, false, true],
    );
  });

  it('names the place in a file that is no YAML, and the case that tests nothing', async () => {
    writeFileSync(join(folder, 'cases.yaml'), 'cases:\n  - name: [x\n');
    const broken = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /cases\.yaml:\d+:\d+: /);
    writeFileSync(join(folder, 'cases.yaml'), 'cases:\n  - name: empty\n    expect: allow\n');
    const empty = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.equal(empty.code, 2);
    assert.match(empty.stderr, /cases\.yaml: cases\[0\]/);
  });
});

it('policy explain: which policies say it', async () => {
  const { code, stdout } = await cli(
    'policy',
    'explain',
    '-c',
    config,
    '--target',
    'orders',
    '--group',
    'deployers',
    '--statement',
    'drop table t',
  );
  assert.equal(code, 0);
  assert.match(stdout, /^hold: .*\n {2}waits for 1 of dba \(drops wait\)\n\nsql:drop-table on Relation::"orders\/public\.t": hold\n/);
  assert.match(stdout, /applies +review by dba {2}drops wait \(rules\.cedar:4\)/);
  const act = ['--action', 'sql:select', '--object', 'Relation::"orders/public.t"'];
  const denied = await cli('policy', 'explain', '-c', config, '--target', 'orders', ...act, '--json');
  assert.equal((JSON.parse(denied.stdout) as { decision: string }).decision, 'deny');
  assert.equal((await cli('policy', 'explain', '-c', config, '--target', 'orders')).code, 2);
});

it('policy test and explain read what SSH clients ask for', async () => {
  writeFileSync(
    config,
    requestTargets.replace('targets:\n', `targets:\n${sshTarget(folder)}`).replace('{ https', '{ ssh: 127.0.0.1:2222, https'),
  );
  writeFileSync(join(folder, 'ledger.binpb'), ledger);
  writeFileSync(join(folder, 'account.key'), 'a2V5');
  writeFileSync(
    join(folder, 'policies', 'rules.cedar'),
    '@id("listed") permit (principal in Group::"deployers", action == Action::"ssh:exec", resource) when { context has exact_command && context.exact_command };',
  );
  const explained = (statement: string): Promise<Ran> =>
    cli('policy', 'explain', '-c', config, '--target', 'web-1', '--group', 'deployers', '--statement', statement);
  assert.match(
    (await explained('exec systemctl  restart "app"')).stdout,
    /^allow\n\nssh:exec on Command::"web-1\/systemctl restart app": allow/,
  );
  assert.match((await explained('exec systemctl restart app; id')).stdout, /^deny/);
  assert.match((await explained('-l root exec systemctl restart app')).stdout, /^deny: [\s\S]*ssh:log-in-as on Role::"web-1\/root": deny/);
  writeFileSync(
    join(folder, 'cases.yaml'),
    'cases:\n' +
      ['exec systemctl restart app', '-t exec systemctl restart app', 'shell', 'exec echo "', 'forward 127.0.0.1:22']
        .map(
          (statement, index) =>
            `  - { name: n${index}, principal: { groups: [deployers] }, target: web-1, statement: ${JSON.stringify(statement)}, expect: ${index < 2 ? 'allow' : 'deny'} }\n`,
        )
        .join(''),
  );
  const tested = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
  assert.match(tested.stdout, /5 of 5 cases passed/, tested.stderr);
});

describe('requests, as docs/reference/policy.md has them', () => {
  const reference = readFileSync(new URL('../../docs/reference/policy.md', import.meta.url), 'utf8');
  const block = (name: string): string => new RegExp(`<!-- tested: ${name} -->\\s+\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``).exec(reference)![1]!;
  beforeEach(() => {
    writeFileSync(config, requestTargets);
    writeFileSync(join(folder, 'ledger.binpb'), ledger);
    writeFileSync(join(folder, 'account.key'), 'a2V5');
    writeFileSync(join(folder, 'policies', 'rules.cedar'), requestPolicies);
  });
  const explained = (target: string, ...words: readonly string[]): Promise<Ran> =>
    cli('policy', 'explain', '-c', config, '--target', target, '--group', 'deployers', ...words);

  it('are read in cases', async () => {
    writeFileSync(join(folder, 'cases.yaml'), block('cases'));
    const { code, stdout, stderr } = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    assert.match(stdout, /7 of 7 cases passed/);
  });

  it('are explained', async () => {
    const lines = block('commands').replaceAll('\\\n', '').trim().split('\n');
    const expected = [
      /^deny: /,
      /^deny: .*\n\nkubernetes:delete on Resource::"aks\/prod\/pods\/web-1": deny/,
      /^hold: .*\n.*two-eyes[\s\S]*\ngrpc:call on Method::"ledger\/bank\.v1\.Ledger\/Transfer": hold/,
      /^allow\n\ncosmos:upsert on Relation::"accounts\/bank\/accounts": allow/,
      /^deny: .*\n\nhttp:websocket on Path::"crm\/feed": deny/,
    ];
    assert.equal(lines.length, expected.length);
    for (const [index, line] of lines.entries()) {
      const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain!);
      const { stdout, stderr } = await cli(...words.slice(1).map((word) => (word === 'sallyport.yaml' ? config : word)));
      assert.equal(stderr, '', line);
      assert.match(stdout, expected[index]!, line);
    }
  });

  it('take header fields and a body, also from a file', async () => {
    const pod = join(folder, 'pod.json');
    writeFileSync(pod, JSON.stringify({ spec: { containers: [{ image: 'x', securityContext: { privileged: true } }] } }));
    const { stdout } = await explained('aks', 'POST /api/v1/namespaces/prod/pods', '--body', `@${pod}`);
    assert.match(stdout, /applies +forbid +no privileged pods/);
    const query = ['--header', 'content-type: application/query+json', '--header', 'x-ms-documentdb-isquery: True'];
    const all = await explained('accounts', 'POST /dbs/bank/colls/accounts/docs', ...query, '--body', '{"query":"SELECT * FROM c"}');
    assert.match(all.stdout, /^deny[\s\S]*cosmos:query on[\s\S]*no scans/);
  });

  it('have the values that the target is configured to have asked about', async () => {
    const tenant = (number: string): Promise<Ran> => explained('crm', 'GET /orders?export=all', '--header', `X-Tenant: ${number}`);
    assert.match((await tenant('7')).stdout, /^allow/);
    assert.match((await tenant('8')).stdout, /^deny[\s\S]*no exports of tenant 8/);
    const twice = await explained('crm', 'GET /orders?export=all&export=none');
    assert.match(twice.stdout + twice.stderr, /export is given twice/);
    const facts = (number: string): string => `facts: { query: [export=all], headers: [x-tenant=${number}] }`;
    const asked = 'principal: { groups: [deployers] }, target: crm';
    const act = `acts: [{ action: 'http:get', object: 'Path::"crm/orders"' }]`;
    writeFileSync(
      join(folder, 'cases.yaml'),
      `cases:\n  - { name: a, ${asked}, ${act}, ${facts('7')}, expect: allow }\n  - { name: b, ${asked}, ${act}, ${facts('8')}, expect: deny }\n`,
    );
    assert.match((await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config)).stdout, /2 of 2 cases passed/);
  });

  it('that would be refused before policy is asked, and texts that are none, are told apart', async () => {
    const refused = await explained('aks', 'GET /api/v1/namespaces/../pods');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /refused before policy is asked: /);
    for (const [target, words, expected] of [
      ['aks', 'kubectl delete pod web-1', /expected a method and a path, such as DELETE \/api\/v1/],
      ['ledger', 'Transfer', /expected the path of a method, such as \/bank/],
      ['ledger', '/bank.v1.Ledger/Transfer {to}', /the message behind the path is not JSON/],
      ['accounts', 'SELECT * FROM c', /expected a method and a path, such as GET \/dbs/],
    ] as const) {
      const none = await explained(target, words);
      assert.deepEqual([none.code, expected.test(none.stderr)], [2, true], none.stderr);
    }
    assert.equal((await explained('aks', '--body', '{}')).code, 2);
    assert.equal((await explained('aks', 'GET /a', '--statement', 'GET /b')).code, 2);
  });

  it('of a target that is none of the configuration cannot be read', async () => {
    writeFileSync(
      join(folder, 'cases.yaml'),
      'cases: [{ name: x, target: { name: y, protocol: grpc }, principal: {}, statement: /a.B/C, expect: deny }]',
    );
    const { code, stderr } = await cli('policy', 'test', join(folder, 'cases.yaml'), '-c', config);
    assert.equal(code, 2);
    assert.match(stderr, /case "x": what a request of grpc means is told by the target's configuration/);
  });
});

describe('descriptor sets', () => {
  it('that are none, lack something, or hold nothing of what is to be hidden: line, file and what is wrong', async () => {
    const checked = async (bytes: Uint8Array | string, text = requestTargets): Promise<string> => {
      writeFileSync(config, text);
      writeFileSync(join(folder, 'ledger.binpb'), bytes);
      writeFileSync(join(folder, 'account.key'), 'a2V5');
      const { code, stderr } = await cli('check', '--offline', '-c', config);
      assert.equal(code, 1, stderr);
      return stderr;
    };
    const line = requestTargets.split('\n').findIndex((one) => one.includes('descriptor_sets')) + 1;
    const set0 = new RegExp(`sallyport\\.yaml:${line}:\\d+: targets\\.ledger\\.schema\\.descriptor_sets\\[0\\]: file:ledger\\.binpb: (.*)`);
    assert.match(
      await checked('syntax = "proto3"; message Wanted {}'),
      new RegExp(`${set0.source.replace('(.*)', '')}expected a FileDescriptorSet`),
    );
    assert.match(await checked(ledger.subarray(0, ledger.length - 3)), set0);
    const hidden = `${requestTargets}data_classes: { ssn: { paths: ['ledger/bank.v1.Nothing#$.ssn'], mask: redact } }\n`;
    assert.match(
      await checked(ledger, hidden),
      /sallyport\.yaml:\d+:\d+: data_classes\.ssn\.paths\[0\]: ledger\/bank\.v1\.Nothing#\$\.ssn names nothing in the descriptors of ledger/,
    );
  });
});

describe('check', () => {
  it('shows what results, and says what cannot be reached: 1', async () => {
    const { code, stdout, stderr } = await cli('check', '-c', config);
    assert.equal(code, 1);
    assert.match(stdout, /\n2 policies, version [0-9a-f]{12}; configuration [0-9a-f]{12}\n/);
    assert.match(stdout, /issuer dev: \S/);
    assert.match(stdout, /target orders: .*ECONNREFUSED/);
    assert.match(stderr, /sallyport: cannot reach issuer dev, target orders\n/);
    assert.match(stderr, /warning: unsafe: gateway\.unsafe_plaintext/);
  });

  it('reaches a target that listens; --offline asks nobody', async () => {
    const target = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    writeFileSync(config, configuration((target.address() as AddressInfo).port));
    assert.match((await cli('check', '-c', config)).stdout, /\ntarget orders: reached\n/);
    target.close();
    const offline = await cli('check', '-c', config, '--offline', '--json');
    assert.equal(offline.code, 0);
    assert.deepEqual((JSON.parse(offline.stdout) as { reached: unknown[] }).reached, []);
  });

  it('says what holds at a target besides policy', async () => {
    const limits =
      'limits: { rows: 100, bytes: 5000, statement_timeout: 30s, operations_per_minute: 600, rows_per_minute: 7, concurrent_sessions: 2 }';
    const target = configuration(1).replace(
      'protocol: postgres',
      `protocol: postgres\n    ${limits}\n    require_reason: true\n    read_only: true`,
    );
    writeFileSync(config, target);
    const { stdout } = await cli('check', '-c', config, '--offline');
    const lines = stdout.split('\n').filter((line) => line.startsWith('target orders: '));
    assert.deepEqual(
      lines.map((line) => line.slice('target orders: '.length)),
      [
        'for reading only',
        'operations must state a reason',
        'at most 100 rows of an operation',
        'at most 5000 bytes of an operation',
        'at most 30 seconds for a statement',
        'at most 600 operations a minute for a principal',
        'at most 7 rows a minute for a principal',
        'at most 2 sessions at a time for a principal',
      ],
    );
  });

  it('a wrong configuration or policy: file, line and column', async () => {
    writeFileSync(config, configuration(1).replace('protocol: postgres', 'protocol: postgress'));
    const wrong = await cli('check', '-c', config);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /sallyport\.yaml:\d+:\d+: targets\.orders\.protocol: /);
    assert.match(wrong.stderr, /\nsallyport: 1 problem in the configuration\n/);
    writeFileSync(config, configuration(1));
    const file = join(folder, 'policies', 'rules.cedar');
    writeFileSync(file, readFileSync(file, 'utf8').replace('@review', '@revue'));
    const unknown = await cli('check', '-c', config);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /rules\.cedar:\d+:\d+: /);
  });
});

it('serve with a wrong configuration: 1, file, line and column', async () => {
  writeFileSync(config, 'gateway: {}\n');
  const { code, stderr } = await cli('serve', '-c', config);
  assert.equal(code, 1);
  assert.match(stderr, /sallyport\.yaml:1:\d+: /);
  assert.match(stderr, /\nsallyport: \d+ problems in the configuration\n$/);
});

function configuration(port: number): string {
  return `gateway:
  name: gw
  host: localhost
  data: data
  unsafe_plaintext: true
listeners: { postgres: 127.0.0.1:5432 }
issuers:
  - { name: dev, issuer: 'https://127.0.0.1:1', audience: 'https://gw.example', kind: agent, private_network: true }
targets:
  orders:
    protocol: postgres
    upstream: { host: 127.0.0.1, port: ${port}, database: orders, user: gw, unsafe_password: x, tls: unsafe_disable }
    labels: { env: production }
policies: policies/
`;
}

const policies = `@id("deployers may do all")
permit (principal in Group::"deployers", action, resource in Target::"orders");

@id("drops wait")
@review("dba") @approvals("1") @expires("15m")
@message("Drops need a DBA.")
forbid (principal, action == Action::"sql:drop-table", resource);
`;

const cases = `cases:
  - name: deployers may read
    principal: { groups: [deployers] }
    target: orders
    acts: [ { action: sql:select, object: 'Relation::"orders/public.t"' } ]
    expect: allow
  - name: a drop waits
    principal: { groups: [deployers] }
    target: orders
    statement: drop table t
    expect: hold
    reviewers: [dba]
  - name: strangers may not read
    principal: {}
    target: orders
    statement: select * from t
    expect: deny
`;

const requestTargets = `gateway:
  name: gw
  host: localhost
  data: data
  unsafe_plaintext: true
listeners: { https: 127.0.0.1:8443, postgres: 127.0.0.1:5432 }
issuers:
  - { name: dev, issuer: 'https://127.0.0.1:1', audience: 'https://gw.example', kind: agent, private_network: true }
targets:
  orders:
    protocol: postgres
    upstream: { host: 127.0.0.1, port: 1, database: orders, user: gw, unsafe_password: x, tls: unsafe_disable }
  aks: { protocol: kubernetes, upstream: { url: https://127.0.0.1:1 } }
  crm: { protocol: http, upstream: { url: https://127.0.0.1:1 }, query_facts: [export], header_facts: [X-Tenant] }
  accounts: { protocol: cosmos, upstream: { url: https://127.0.0.1:1, account_key: file:account.key } }
  ledger:
    protocol: grpc
    upstream: { url: https://127.0.0.1:1 }
    schema:
      descriptor_sets: [file:ledger.binpb]
policies: policies/
`;

function sshTarget(into: string): string {
  writeFileSync(join(into, 'web-1.key'), newSshKeyPair('test').privateKey);
  const upstream = `{ host: 127.0.0.1, user: deploy, host_key: 'SHA256:${'A'.repeat(43)}', key: file:web-1.key }`;
  return `  web-1: { protocol: ssh, upstream: ${upstream}, exact_commands: ['systemctl restart app'] }\n`;
}

const requestPolicies = `@id("deployers may do all")
permit (principal in Group::"deployers", action, resource);
@id("rows stay")
forbid (principal, action == Action::"sql:delete", resource);
@id("no pods by hand")
forbid (principal, action == Action::"kubernetes:delete", resource in Namespace::"aks/prod");
@id("no privileged pods")
forbid (principal, action == Action::"kubernetes:create", resource) when { context has privileged && context.privileged };
@id("shells wait")
@review("dba")
forbid (principal, action == Action::"kubernetes:exec", resource);
@id("two-eyes")
@review("dba")
forbid (principal, action, resource == Method::"ledger/bank.v1.Ledger/Transfer");
@id("no scans")
forbid (principal, action == Action::"cosmos:query", resource) when { context has cross_partition && context.cross_partition };
@id("no exports of tenant 8")
forbid (principal, action == Action::"http:get", resource)
when { context has query && context.query.contains("export=all") && context has headers && context.headers.contains("x-tenant=8") };
@id("no sockets")
forbid (principal, action == Action::"http:websocket", resource);
`;

const record = (number: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array =>
  encodedRecord(number, concatenated(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))));
/** What protoc would write of a file with `service Ledger { rpc Transfer(Wanted) returns (Wanted); }`. */
const ledger = record(
  1,
  record(1, 'ledger.proto'),
  record(2, 'bank.v1'),
  record(4, record(1, 'Wanted')),
  record(6, record(1, 'Ledger'), record(2, record(1, 'Transfer'), record(2, '.bank.v1.Wanted'), record(3, '.bank.v1.Wanted'))),
  record(12, 'proto3'),
);
