import { readFileSync } from 'node:fs';
import { Server, ServerCredentials, type handleServerStreamingCall, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { loadProto } from '../../conformance/grpc/peers/protos.ts';

/** The target of the benchmark, in a process of its own: `server.ts PLAIN_PORT TLS_PORT CERTIFICATE KEY`. */
const [plainPort = '', tlsPort = '', certificate = '', key = ''] = process.argv.slice(2);
const account = { number: '7', owner: 'Ada Lovelace', ssn: '536-90-4399', note: 'opened in 1843' };

const Get: handleUnaryCall<object, object> = (_call, reply) => reply(null, account);
const List: handleServerStreamingCall<{ readonly count: number }, object> = (call) => {
  for (let index = 0; index < call.request.count; index += 1) call.write(account);
  call.end();
};
const nothing = (): void => {};

const server = new Server();
server.addService(loadProto('bank.proto')['bank.v1.Ledger'] as ServiceDefinition, {
  Get,
  List,
  Import: nothing,
  Talk: nothing,
  Shut: nothing,
  Fail: nothing,
  Sleep: nothing,
});
const tls = ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(certificate), private_key: readFileSync(key) }]);
await bind(`127.0.0.1:${tlsPort}`, tls);
await bind(`127.0.0.1:${plainPort}`, ServerCredentials.createInsecure());

function bind(address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}
