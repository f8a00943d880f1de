import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
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

test('nothing of the client’s own identity reaches the cluster', async () => {
  const token = await world.token('pipeline');
  const seen = world.cluster.audit.length;
  const answer = await fetch(`${world.server}/api/v1/namespaces/default/pods`, {
    headers: { authorization: `Bearer ${token}`, 'x-remote-user': 'admin', 'x-remote-group': 'system:masters', cookie: 'a=b' },
  });
  assert.ok([200, 400, 403].includes(answer.status), String(answer.status));
  for (const entry of world.cluster.audit.slice(seen)) {
    assert.equal(entry.user, 'gateway');
    assert.equal(entry.impersonator, undefined);
    assert.ok(!JSON.stringify(entry.headers).includes(token));
    assert.equal(entry.headers['x-remote-user'], undefined);
  }
});

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
