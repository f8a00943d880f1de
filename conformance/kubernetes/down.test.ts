import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { kubectlVersions } from '../parts/kubectl.ts';
import { plainPod, startKubernetesWorld, type KubernetesWorld } from './world.ts';

let world: KubernetesWorld;

before(async () => {
  world = await startKubernetesWorld();
  world.cluster.create(plainPod('web-1'));
});
after(() => world?.close());

test('a cluster that goes down is told in an API server’s own words, and kubectl asks no second time', async () => {
  const clients = await Promise.all(kubectlVersions.map((version) => world.kubectl(version, 'pipeline')));
  // From then on kubectl knows what the cluster offers: it shows nobody’s words for what it is told when it asks for that.
  for (const client of clients) assert.equal((await client.run(['get', 'pods'])).status, 0);
  await world.cluster.close();
  for (const client of clients) {
    for (const parameters of [
      ['get', 'pods'],
      ['logs', 'web-1'],
      ['exec', 'web-1', '--', 'true'],
    ]) {
      const before = (await world.records(['operation.decided'])).length;
      const ran = await client.run(parameters);
      assert.equal(ran.status, 1);
      assert.match(
        ran.stderr,
        /^Error from server \(ServiceUnavailable\): the target cannot be reached: .* Try again in a moment\. \[operation ses_\S+\]\n$/,
      );
      assert.equal((await world.records(['operation.decided'])).length, before + 1, parameters.join(' '));
    }
    assert.match((await client.run(['get', 'pods', '-v=6'])).stderr, /\/pods\?\S+ 503 Service Unavailable in /);
  }
});
