import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHouse, type House } from './house.ts';
import { caseNames, runCases, type CaseName, type Way } from './peers/cases.ts';
import { descriptorSet, loadProto } from './peers/protos.ts';
import { runPythonCases, startPythonServer } from './peers/python.ts';
import { startInteropServer, type RunningServer } from './peers/server.ts';

export const clients = ['grpc-js', 'grpcio'] as const;
export const servers = ['grpc-js', 'grpcio'] as const;
export type PeerName = (typeof clients)[number];
export type Outcomes = Readonly<Record<CaseName, string>>;

/** gRPC's interoperability tests between all peers, directly and through a gateway. */
export interface Interop {
  readonly house: House;
  run(client: PeerName, server: PeerName, way: 'direct' | 'gateway'): Promise<Outcomes>;
  close(): Promise<void>;
}

/** `describes`: the gateway has the servers' schema, and so knows which calls are unary. */
export async function startInterop(describes: boolean): Promise<Interop> {
  const definition = loadProto('interop.proto');
  const running: RunningServer[] = [];
  const ports = new Map<PeerName, number>();
  let set = '';
  const closeServers = (): void => running.forEach((server) => server.close());
  const house = await startHouse({
    async targets(certificate, folder) {
      set = join(folder, 'interop.binpb');
      const files = { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') };
      writeFileSync(set, descriptorSet(definition));
      writeFileSync(files.cert, certificate.cert);
      writeFileSync(files.key, certificate.key, { mode: 0o600 });
      running.push(await startInteropServer(definition, certificate));
      running.push(await startPythonServer(set, files));
      ports.set('grpc-js', running[0]!.port).set('grpcio', running[1]!.port);
      const settings = describes ? { schema: { descriptor_sets: ['file:interop.binpb'] } } : {};
      return Object.fromEntries([...ports].map(([name, port]) => [name, { port, settings }]));
    },
  }).catch((error: unknown) => {
    closeServers();
    throw error;
  });
  return {
    house,
    async run(client, server, way) {
      const direct: Way = { address: `localhost:${ports.get(server)}`, authority: undefined, ca: house.authority, token: undefined };
      const taken = way === 'direct' ? direct : await house.way(server, 'pipeline');
      return client === 'grpc-js' ? runCases(definition, taken) : runPythonCases(set, taken);
    },
    async close() {
      await house.close();
      closeServers();
    },
  };
}

export const allOk: Outcomes = Object.fromEntries(caseNames.map((name) => [name, 'ok'])) as Record<CaseName, string>;
