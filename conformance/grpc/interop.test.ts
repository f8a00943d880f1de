import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startHouse, type House } from './house.ts';
import { caseNames, runCases } from './peers/cases.ts';
import { loadProto } from './peers/protos.ts';
import { startInteropServer, type RunningServer } from './peers/server.ts';

const definition = loadProto('interop.proto');

describe('the interoperability tests of gRPC, through the gateway', () => {
  let server: RunningServer;
  let house: House;
  before(async () => {
    house = await startHouse({
      async targets(certificate) {
        server = await startInteropServer(definition, certificate);
        return { interop: { port: server.port } };
      },
    });
  });
  after(async () => {
    await house.close();
    server.close();
  });

  it('grpc-js as client and server', async () => {
    assert.deepEqual(
      await runCases(definition, await house.way('interop', 'pipeline')),
      Object.fromEntries(caseNames.map((name) => [name, 'ok'])),
    );
  });
});
