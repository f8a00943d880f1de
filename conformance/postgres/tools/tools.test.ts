import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { compare, toolCases } from './part.ts';
import { startToolWorld, type ToolWorld } from './world.ts';

let world: ToolWorld;
before(async () => {
  world = await startToolWorld();
});
after(async () => {
  await world.close();
});

/** The whole matrix is `npm run conformance -- postgres tools`. */
for (const index of [0, 1]) {
  describe(`tools of Debian’s PostgreSQL on PostgreSQL ${index === 0 ? 18 : 15}, where everything is allowed`, () => {
    for (const one of toolCases.filter(({ quick }) => quick === true)) {
      if (one.only !== undefined && one.only.version !== (index === 0 ? 18 : 15)) continue;
      it(`${one.name} shows through the gateway what it shows without`, async () => {
        const rows = await compare(world, world.servers[index]!, one);
        assert.ok(rows.length > 0);
        assert.deepEqual(
          rows.filter(({ verdict }) => verdict !== 'same'),
          [],
        );
      });
    }
  });
}
