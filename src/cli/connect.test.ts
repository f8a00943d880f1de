import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { startApi } from '../api/server.ts';
import type { ApiServer } from '../api/server.ts';
import { TestContext } from '../api/testing/context.ts';
import { run, start } from './testing/run.ts';

let server: ApiServer;
let variables: Record<string, string>;

const context = new TestContext();
before(async () => {
  server = await startApi(context, { host: '127.0.0.1', port: 0 });
  variables = { SALLYPORT_URL: `http://127.0.0.1:${server.port}`, SALLYPORT_TOKEN: 'reviewer' };
});
after(async () => await server.close());

const node = (script: string): string[] => ['--', process.execPath, '-e', script];

it('sets what libpq reads, and nothing that would lead elsewhere', async () => {
  const elsewhere = { PGHOSTADDR: '10.0.0.1', PGSERVICE: 'other', PGSSLMODE: 'disable', PGPASSWORD: 'old', PGUSER: 'ci' };
  const script =
    'const { env } = process; console.log(JSON.stringify(Object.entries(env).filter(([name]) => name.startsWith("PG")).sort()))';
  const { code, stdout, stderr } = await run(['connect', 'orders', '--ca', '/etc/ca.pem', ...node(script)], { ...variables, ...elsewhere });
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(Object.fromEntries(JSON.parse(stdout) as [string, string][]), {
    PGDATABASE: 'orders',
    PGGSSENCMODE: 'disable',
    PGHOST: '127.0.0.1',
    PGPASSWORD: 'spt_secret-handle',
    PGPORT: '5432',
    PGSSLMODE: 'verify-full',
    PGSSLROOTCERT: '/etc/ca.pem',
    PGUSER: 'ci',
  });
});

it('gives HTTP clients an address and a token', async () => {
  const postgres = context.connectionOf;
  context.connectionOf = { protocol: 'http', host: 'gw.example', port: 8443, name: 'orders', path: '/http/orders' };
  try {
    const script = 'const { env } = process; console.log(env.SALLYPORT_TARGET_URL, env.SALLYPORT_TARGET_TOKEN, env.CURL_CA_BUNDLE)';
    const { stdout } = await run(['connect', 'orders', '--ca', '/etc/ca.pem', ...node(script)], variables);
    assert.equal(stdout, 'https://gw.example:8443/http/orders spt_secret-handle /etc/ca.pem\n');
    assert.equal((await run(['connect', 'orders'], variables)).stdout, 'https://gw.example:8443/http/orders\n');
  } finally {
    context.connectionOf = postgres;
  }
});

it('gives gRPC clients what they dial, a token, and the authorities where they look for them', async () => {
  const postgres = context.connectionOf;
  context.connectionOf = { protocol: 'grpc', host: 'orders.gw.example', port: 8443, name: 'orders', path: '' };
  try {
    const names = [
      'SALLYPORT_TARGET_ADDRESS',
      'SALLYPORT_TARGET_TOKEN',
      'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
      'SSL_CERT_FILE',
      'NODE_EXTRA_CA_CERTS',
    ];
    const script = `console.log(${JSON.stringify(names)}.map((name) => process.env[name]).join(' '))`;
    const { stdout } = await run(['connect', 'orders', '--ca', '/etc/ca.pem', ...node(script)], variables);
    assert.equal(stdout, 'orders.gw.example:8443 spt_secret-handle /etc/ca.pem /etc/ca.pem /etc/ca.pem\n');
    assert.equal((await run(['connect', 'orders'], variables)).stdout, 'orders.gw.example:8443\n');
  } finally {
    context.connectionOf = postgres;
  }
});

describe('a cluster', () => {
  const script =
    'const { readFileSync, statSync } = require("node:fs"); const file = process.env.KUBECONFIG; const config = readFileSync(file, "utf8");' +
    'const token = /tokenFile: (\\S+)/.exec(config)[1];' +
    'console.log(JSON.stringify({ file, config, token: readFileSync(token, "utf8"), modes: [file, token].map((one) => (statSync(one).mode & 0o777).toString(8)) }))';
  let postgres: typeof context.connectionOf;
  let authority: string;

  before(() => {
    postgres = context.connectionOf;
    context.connectionOf = { protocol: 'kubernetes', host: 'gw.example', port: 8443, name: 'orders', path: '/k8s/orders' };
    authority = join(mkdtempSync(join(tmpdir(), 'sallyport-connect-')), 'ca.pem');
    writeFileSync(authority, 'PEM');
  });
  after(() => void (context.connectionOf = postgres));

  it('is given to clients by a kubeconfig that nobody else can read and that is gone afterwards', async () => {
    const { code, stdout, stderr } = await run(['connect', 'orders', '--ca', authority, ...node(script)], variables);
    assert.deepEqual([code, stderr], [0, '']);
    const seen = JSON.parse(stdout) as { file: string; config: string; token: string; modes: string[] };
    assert.equal(seen.token, 'spt_secret-handle');
    assert.deepEqual(seen.modes, ['600', '600']);
    assert.ok(!existsSync(seen.file) && !existsSync(dirname(seen.file)));
    const config = parse(seen.config) as { clusters: { cluster: Record<string, string> }[] };
    assert.deepEqual(config.clusters[0]!.cluster, {
      server: 'https://gw.example:8443/k8s/orders',
      'certificate-authority-data': Buffer.from('PEM').toString('base64'),
    });
  });

  it('is gone too when the client fails', async () => {
    const { code, stdout } = await run(['connect', 'orders', ...node('console.log(process.env.KUBECONFIG); process.exit(3)')], variables);
    assert.equal(code, 3);
    assert.ok(!existsSync(stdout.trim()));
  });

  it('without a command: a kubeconfig that asks for tokens, and holds none', async () => {
    const { code, stdout } = await run(['connect', 'orders', '--ca', authority], variables);
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /spt_/);
    const { users } = parse(stdout) as { users: { user: { exec: { args: string[]; command: string; apiVersion: string } } }[] };
    const { exec } = users[0]!.user;
    assert.deepEqual([exec.command, exec.args], ['sallyport', ['token', '--kube', '--target', 'orders']]);
    for (const apiVersion of ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']) {
      const info = { KUBERNETES_EXEC_INFO: JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false } }) };
      const credential = JSON.parse((await run(exec.args, { ...variables, ...info })).stdout) as Record<string, Record<string, string>>;
      assert.deepEqual([credential['apiVersion'], credential['kind']], [apiVersion, 'ExecCredential']);
      assert.equal(credential['status']!['token'], 'spt_secret-handle');
      assert.ok(Date.parse(credential['status']!['expirationTimestamp']!) > Date.now());
    }
  });
});

it('passes everything after -- to the client, and its exit code back', async () => {
  const { code, stdout } = await run(
    ['connect', 'orders', ...node('console.log(process.argv[1]); process.exit(42)'), '--', '--json'],
    variables,
  );
  assert.deepEqual([code, stdout], [42, '--json\n']);
});

it('passes signals on, and says how the client died', async () => {
  const running = start(
    ['connect', 'orders', ...node('process.on("SIGTERM", () => process.exit(7)); console.log("up"); setInterval(() => {}, 1000)')],
    variables,
  );
  await running.says('up');
  running.child.kill('SIGTERM');
  assert.equal((await running.ended).code, 7);
  const killed = await run(['connect', 'orders', ...node('process.kill(process.pid, "SIGKILL")')], variables);
  assert.equal(killed.code, 137);
});

it('a client that is not there: 1 and a hint', async () => {
  const { code, stderr } = await run(['connect', 'orders', '--', 'no-such-client'], variables);
  assert.equal(code, 1);
  assert.match(stderr, /^sallyport: cannot run no-such-client: .*ENOENT\nhint: is it installed/);
});

it('an unknown target: 1 and a hint, and nothing runs', async () => {
  const { code, stdout, stderr } = await run(['connect', 'other', ...node('console.log("ran")')], variables);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /no token for other \(your sign-in\): there is no such target\nhint: is the name right/);
});
