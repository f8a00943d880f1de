import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ensureDebian } from '../parts/debian.ts';
import { kubectlVersions } from '../parts/kubectl.ts';
import { matrixCases, surroundings, waysOf } from './matrix/part.ts';
import { differences, runCase, startHttpBehind, wrongControl } from './matrix/run.ts';
import { startKubernetesWorld, type KubernetesWorld } from './world.ts';

/** The short ones of `npm run conformance -- kubernetes`: what kubectl shows through the gateway is what it shows without. */
let world: KubernetesWorld;
let http: Awaited<ReturnType<typeof startHttpBehind>>;

before(async () => {
  ensureDebian(['python3-kubernetes']);
  http = await startHttpBehind();
  world = await startKubernetesWorld();
});
after(async () => {
  await world?.close();
  await http.close();
});

for (const version of kubectlVersions) {
  for (const [number, one] of matrixCases.entries()) {
    if (one.quick?.includes(version) !== true) continue;
    test(`kubectl ${version}: ${one.name}`, async () => {
      const around = surroundings(world, http.port, undefined);
      const [direct, behind] = waysOf(world);
      const id = number + 100 * kubectlVersions.indexOf(version);
      const control = await runCase(one, version, direct, id, around);
      assert.deepEqual(wrongControl(one, control), []);
      assert.deepEqual(differences(control, await runCase(one, version, behind, id, around)), []);
    });
  }
}
