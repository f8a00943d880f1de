import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ensureDebian } from '../parts/debian.ts';
import { normalAccount } from '../parts/sshd.ts';
import { compareSshCase, sshCases, startMatrixWorld } from './matrix/part.ts';
import type { SshWorld } from './world.ts';

// As a normal user of the machine, where that can be: `npm run conformance -- ssh` has both, and all cases.
const quick = sshCases.filter((one) => one.quick);
let world: SshWorld;

before(async () => {
  ensureDebian([...new Set(quick.flatMap(({ packages = [] }) => packages))]);
  world = await startMatrixWorld(normalAccount());
});
after(async () => await world.close());

for (const one of quick) {
  it(`${one.name}: as without the gateway`, async () => {
    const rows = await compareSshCase(one, world);
    assert.ok(rows.length > 0);
    assert.deepEqual(
      rows.filter(({ verdict }) => verdict !== 'same' && verdict !== 'exception'),
      [],
    );
  });
}
