import { after, before, describe, it } from 'node:test';
import { startTwoBanks, type TwoBanks } from './bank.ts';
import { driverClients, runClient } from './clients.ts';
import { assertSame } from './compare.ts';

let banks: TwoBanks;
before(async () => {
  banks = await startTwoBanks();
});
after(async () => {
  await banks.close();
});

for (const server of [0, 1]) {
  describe(server === 0 ? 'PostgreSQL 18' : 'PostgreSQL 15', () => {
    for (const client of driverClients) {
      it(`${client.name} works through the gateway as without`, async (test) => {
        const { direct, gateway } = banks.servers[server]!;
        const wanted = await runClient(client, await direct());
        const got = await runClient(client, await gateway());
        for (const [capability, given] of wanted) {
          await test.test(capability, () => assertSame(capability, given, got.get(capability)));
        }
      });
    }
  });
}
