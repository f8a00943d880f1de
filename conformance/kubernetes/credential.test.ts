import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testClientCertificate, type TestClientCertificate } from '../../src/identity/testing/client-certificate.ts';
import { eventually } from '../harness.ts';
import { Site } from '../parts/site.ts';
import { clusterToken, plainPod, startKubernetesWorld, type KubernetesWorld } from './world.ts';

/** A plugin process that brings client certificates, and an API server that asks for them. */
describe('a credential plugin that answers with a client certificate', () => {
  const site = new Site('plugin');
  const [answer, told] = [join(site.folder, 'answer'), join(site.folder, 'told')];
  let world: KubernetesWorld;
  let first: TestClientCertificate;
  let second: TestClientCertificate;
  const give = (status: Readonly<Record<string, unknown>>): void =>
    writeFileSync(answer, JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }));
  const of = ({ certificate, key }: TestClientCertificate) => ({ clientCertificateData: certificate, clientKeyData: key });
  const runs = (): readonly string[] => readFileSync(told, 'utf8').split('\n').slice(0, -1);
  const list = async (): Promise<{ readonly status: number; readonly text: string }> => {
    const headers = { authorization: `Bearer ${await world.token('pipeline')}` };
    const listed = await fetch(`${world.server}/api/v1/namespaces/default/pods`, { headers });
    return { status: listed.status, text: await listed.text() };
  };
  const lastUser = () => world.cluster.audit.findLast(({ resource }) => resource === 'pods')?.user;

  before(async () => {
    first = await testClientCertificate('CN=first, O=system:masters');
    second = await testClientCertificate('CN=second, O=system:masters');
    const ended = await testClientCertificate('CN=ended, O=system:masters', new Date(Date.now() - 1_000));
    give(of(ended));
    world = await startKubernetesWorld({
      clientAuthority: [first, second, ended].map(({ certificate }) => certificate).join('\n'),
      adjust(config) {
        const { upstream } = config['targets']!['aks'] as { upstream: Record<string, unknown> };
        upstream['credential'] = {
          exec: {
            command: process.execPath,
            args: [fileURLToPath(new URL('credential-plugin.mjs', import.meta.url)), answer, told],
            provide_cluster_info: true,
            cluster_config: { audience: 'aks' },
          },
        };
      },
    });
    world.cluster.create(plainPod('web-1'));
  });
  after(async () => {
    await world?.close();
    await site.close();
  });

  it('that has ended: the client is told, and nothing is sent', async () => {
    const before = world.cluster.audit.length;
    const { status, text } = await list();
    assert.equal(status, 503);
    assert.match(text, /the gateway has no credential for the target now/);
    assert.doesNotMatch(text, /PRIVATE|plugin/);
    assert.equal(world.cluster.audit.length, before);
  });

  it('is the user of every request and every stream, and no token of a client goes with it', async () => {
    give(of(first));
    await eventually('a credential', async () => ((await list()).status === 200 ? true : undefined));
    const count = runs().length;
    const kubectl = await world.kubectl('1.32', 'pipeline');
    assert.equal((await kubectl.run(['get', 'pods', '-o', 'name'])).stdout, 'pod/web-1\n');
    const ran = await kubectl.run(['exec', 'web-1', '--', 'echo', 'hello']);
    assert.equal(ran.stdout, 'hello\n', ran.stderr);
    for (const { user, headers } of world.cluster.audit.filter(({ resource }) => resource === 'pods'))
      assert.deepEqual([user, headers['authorization']], ['first', undefined]);
    assert.equal(runs().length, count, 'it is kept');
    const [info] = runs().map((line) => JSON.parse(line) as { spec: { cluster: Record<string, unknown> } });
    const { cluster } = info!.spec;
    assert.equal(cluster['server'], world.directServer);
    assert.match(Buffer.from(String(cluster['certificate-authority-data']), 'base64').toString(), /^-----BEGIN CERTIFICATE-----/);
    assert.deepEqual(cluster['config'], { audience: 'aks' });
  });

  it('that the API server takes no longer is asked for anew, and its connections are used no more', async () => {
    world.cluster.refuse('first');
    give({ ...of(second), expirationTimestamp: new Date(Date.now() + 12_000) });
    await eventually('another certificate', async () => ((await list()).status === 200 ? true : undefined));
    assert.equal(lastUser(), 'second');
  });

  it('ends when it says so; then a token may come in its place', async () => {
    give({ token: clusterToken });
    await eventually('the end of it', async () => {
      assert.equal((await list()).status, 200);
      return lastUser() === 'gateway' ? true : undefined;
    });
  });
});
