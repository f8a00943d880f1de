import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
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
