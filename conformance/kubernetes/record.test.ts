import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { kubectlVersions } from '../parts/kubectl.ts';
import type { AuditEntry } from './api-server/index.ts';
import { settings } from './matrix/manifests.ts';
import { plainPod, startKubernetesWorld, type KubernetesWorld } from './world.ts';

/**
 * Two readings of the same requests, by code that has nothing in common: what the gateway has put on record, and what the API server has
 * understood. Every request that reached the server is on record as what it was there, once, and nothing else is.
 */
let world: KubernetesWorld;

before(async () => {
  world = await startKubernetesWorld();
  world.cluster.create(plainPod('web-1'));
});
after(() => world?.close());

for (const version of kubectlVersions) {
  test(`kubectl ${version}: what is on record is what the cluster understood`, async () => {
    const client = await world.kubectl(version, 'pipeline');
    const manifest = join(world.folder, `settings-${version}.yaml`);
    writeFileSync(manifest, settings(1).replace('name: settings', `name: settings-${version.replace('.', '-')}`));
    const [begun, seen] = [(await world.records(['operation.decided'])).length, world.cluster.audit.length];
    for (const parameters of [
      ['apply', '-f', manifest],
      ['apply', '--server-side', '--force-conflicts', '-f', manifest],
      ['get', 'pods', '-A'],
      ['get', 'deployments.apps', '-n', 'kube-system'],
      ['label', '-f', manifest, 'a=b'],
      ['create', 'secret', 'generic', `door-${version.replace('.', '-')}`, '--from-literal=word=opensesame'],
      ['exec', 'web-1', '-c', 'main', '--', 'sh', '-c', 'echo "a  b" && echo \'c\'; true', '--', 'ü +%2f&command=id'],
      ['logs', 'web-1', '--tail=1'],
      ['auth', 'can-i', 'create', 'pods/exec'],
      ['delete', '-f', manifest],
      ['get', 'widgets.example.com'],
    ]) {
      const ran = await client.run(parameters);
      assert.equal(ran.status, 0, `${parameters.join(' ')}: ${ran.stderr}`);
    }
    const recorded = (await world.records(['operation.decided'])).slice(begun).map(asRecorded).filter(isObject);
    // What the gateway itself looks up before it decides names no client.
    const understood = world.cluster.audit
      .slice(seen)
      .filter(({ headers }) => headers['user-agent']?.startsWith('kubectl'))
      .map(asUnderstood)
      .filter(isObject);
    assert.ok(understood.length > 15, `${understood.length} requests`);
    assert.deepEqual(recorded.sort(), understood.sort());
    const exec = world.cluster.audit.findLast(({ subresource }) => subresource === 'exec')!;
    assert.deepEqual(exec.argv.slice(-2), ['--', 'ü +%2f&command=id']);
  });
}

test('the cluster knows the gateway alone: nothing by which a client says who it is reaches it', async () => {
  const token = await world.token('pipeline');
  const claims = {
    'x-remote-user': 'admin',
    'x-remote-group': 'system:masters',
    'x-remote-extra-scopes': 'all',
    x_remote_user: 'admin',
    cookie: 'a=b',
    'proxy-authorization': `Bearer ${token}`,
    'x-forwarded-user': 'admin',
  };
  for (const claimed of Object.entries(claims)) {
    const seen = world.cluster.audit.length;
    const path = `/api/v1/namespaces/default/pods?limit=${seen}`;
    const status = await statusOf(path, { authorization: `Bearer ${token}`, [claimed[0]]: claimed[1] });
    const entries = world.cluster.audit.slice(seen);
    assert.deepEqual([status, entries.map(({ url }) => url)], [200, [path]], claimed[0]);
    const [{ user, groups, impersonator, headers }] = entries as [AuditEntry];
    assert.deepEqual([user, groups.includes('system:masters'), impersonator], ['gateway', true, undefined], claimed[0]);
    assert.deepEqual(
      Object.keys(headers).filter((name) => /remote|impersonate|cookie|authorization|forwarded/.test(name)),
      [],
      claimed[0],
    );
    assert.ok(!JSON.stringify(headers).includes(token), claimed[0]);
  }
  for (const [name, value] of [
    ['impersonate-user', 'admin'],
    ['impersonate-group', 'system:masters'],
    ['impersonate-uid', '0'],
    ['impersonate-extra-scopes', 'all'],
    ['impersonate_user', 'admin'],
  ] as const) {
    const seen = world.cluster.audit.length;
    const status = await statusOf('/api/v1/namespaces/default/pods', { authorization: `Bearer ${token}`, [name]: value });
    assert.deepEqual([status, world.cluster.audit.length], [403, seen], name);
  }
});

/** By `node:http`, which sends every header that it is given. */
function statusOf(path: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(`${world.server}${path}`, { headers, ca: readFileSync(world.authorityFile) }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** One line for each: sorted, since answers to requests that are under way at once come in any order. */
function asUnderstood({ verb, group, resource, subresource, namespace, name, argv }: AuditEntry): string {
  return JSON.stringify([verb, group, resource, subresource, namespace, name, argv]);
}

function asRecorded(record: Readonly<Record<string, unknown>>): string {
  const facts = record['facts'] as Readonly<Record<string, unknown>>;
  const text = (name: string): string => (facts[name] as string | undefined) ?? '';
  const argv = (facts['argv'] as readonly string[] | undefined) ?? [];
  return JSON.stringify([text('verb'), text('api_group'), text('resource'), text('subresource'), text('namespace'), text('name'), argv]);
}

/** Discovery and other paths are no objects. */
function isObject(line: string): boolean {
  return !/^\["\w*","","","","","",\[\]\]$/.test(line);
}
