import assert from 'node:assert/strict';
import { after, beforeEach, it } from 'node:test';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { goodEnvironment, Workspace } from './testing/workspace.ts';

const workspace = new Workspace();
after(() => workspace.remove());
beforeEach(() => workspace.edit());

const targets = `targets:
  aks:
    protocol: kubernetes
    upstream: { url: https://aks.internal, ca: file:tls/gw.crt, credential: { bearer: env:ORDERS_PASSWORD } }
    impersonate: { user: principal, groups: principal }
    forwards: [ { port: 5432, target: orders }, { port: 80, target: crm } ]
  crm:
    protocol: http
    upstream: { url: https://crm.internal, ca: file:tls/gw.crt }
`;

function edit(...more: readonly (readonly [string, string])[]): void {
  workspace.edit(['postgres: 5432', 'postgres: 5432, https: 8443'], ['targets:\n', targets], ...more);
}

const load = () => loadConfig(workspace.file, { env: goodEnvironment });

it('a Kubernetes target gives ports to PostgreSQL and HTTP targets, and says who asks', async () => {
  edit();
  const target = (await load()).targets.find(({ name }) => name === 'aks');
  assert.equal(target?.protocol, 'kubernetes');
  assert.deepEqual(target.forwards, [
    { port: 5432, target: 'orders' },
    { port: 80, target: 'crm' },
  ]);
  assert.deepEqual(target.impersonate, { user: '{issuer}:{subject}', groups: ['{group}'] });
});

it('the plugin of a target is told of the cluster where that is configured', async () => {
  for (const [more, cluster] of [
    ['', undefined],
    [', provide_cluster_info: true', { config: undefined }],
    [', provide_cluster_info: true, cluster_config: { audience: aks, list: [1, null] }', { config: { audience: 'aks', list: [1, null] } }],
  ] as const) {
    edit(['bearer: env:ORDERS_PASSWORD', `exec: { command: /bin/kubelogin, args: [get-token]${more} }`]);
    const target = (await load()).targets.find(({ name }) => name === 'aks');
    assert.equal(target?.protocol, 'kubernetes');
    assert.deepEqual(target.upstream.credential, { kind: 'exec', command: '/bin/kubelogin', args: ['get-token'], env: {}, cluster });
  }
});

for (const [what, change, expected] of [
  [
    'to a target that there is not',
    ['target: crm', 'target: other'],
    /forwards\[1\]\.target: expected the name of a PostgreSQL or an HTTP target/,
  ],
  [
    'to a target of another protocol',
    ['target: crm', 'target: aks'],
    /forwards\[1\]\.target: expected the name of a PostgreSQL or an HTTP target/,
  ],
  ['twice', ['port: 80', 'port: 5432'], /forwards\[1\]\.port: this port is given twice/],
] as const) {
  it(`no port is given ${what}`, async () => {
    edit(change);
    await assert.rejects(load(), (error: unknown) => error instanceof ConfigError && expected.test(error.message));
  });
}
