import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { allOk, clients, servers, startInterop, type Interop } from './interop.ts';

for (const describes of [false, true]) {
  describe(`the interoperability tests of gRPC, through a gateway that ${describes ? 'has' : 'does not have'} the servers’ schema`, () => {
    let interop: Interop;
    before(async () => {
      interop = await startInterop(describes);
    });
    after(() => interop.close());

    for (const client of clients) {
      for (const server of servers) {
        it(`${client} to ${server}`, async () => {
          assert.deepEqual(await interop.run(client, server, 'gateway'), allOk);
        });
      }
    }
  });
}
