import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, status, type handleServerStreamingCall, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { startHouse, type House } from './house.ts';
import { Caller, everything } from './peers/caller.ts';
import { loadProto } from './peers/protos.ts';
import { startServer, type RunningServer } from './peers/server.ts';

interface Question {
  readonly service: string;
}

interface Health {
  readonly status: string;
}

const definition = loadProto('health.proto');
const service = 'grpc.health.v1.Health';
const asked: string[] = [];
let server: RunningServer;
let house: House;
const callers: Caller[] = [];

before(async () => {
  const Check: handleUnaryCall<Question, Health> = ({ request }, reply) => {
    asked.push(request.service);
    if (request.service === 'bank.v1.Gone') reply({ code: status.NOT_FOUND });
    else reply(null, { status: request.service === '' ? 'SERVING' : 'NOT_SERVING' });
  };
  const Watch: handleServerStreamingCall<Question, Health> = (call) => {
    asked.push(call.request.service);
    for (const one of ['NOT_SERVING', 'SERVING']) call.write({ status: one });
    call.end();
  };
  house = await startHouse({
    policies: `@id("deployers come in")
permit (principal in Group::"deployers", action in Action::"connect", resource);
@id("nobody asks how the vault is")
forbid (principal, action == Action::"grpc:health", resource in Target::"vault");`,
    // Something is hidden: of methods that nobody has described, these alone are let through.
    dataClasses: { ssn: { detect: 'us-ssn', mask: 'partial-last4' } },
    async targets(certificate) {
      const made = new Server();
      made.addService(definition[service] as ServiceDefinition, { Check, Watch });
      server = await startServer(made, certificate);
      return { ledger: { port: server.port }, vault: { port: server.port } };
    },
  });
});
after(async () => {
  for (const caller of callers) caller.close();
  await house?.close();
  server?.close();
});

async function caller(target: string, as = 'pipeline'): Promise<Caller> {
  const made = new Caller(definition, service, await house.way(target, as));
  callers.push(made);
  return made;
}

test('the health of a target that nobody has described is told to who may connect', async () => {
  const client = await caller('ledger');
  const check = async (of: string): Promise<unknown> => {
    const { code, message } = await client.unary<Health>('Check', { service: of });
    return message?.status ?? status[code];
  };
  assert.deepEqual([await check(''), await check('bank.v1.Ledger'), await check('bank.v1.Gone')], ['SERVING', 'NOT_SERVING', 'NOT_FOUND']);
  const { messages, code } = await everything<Health>(client.output('Watch', { service: 'bank.v1.Ledger' }));
  assert.deepEqual([messages.map((one) => one.status), code], [['NOT_SERVING', 'SERVING'], 0]);
});

test('and to nobody else: the target is not asked', async () => {
  asked.length = 0;
  const forbidden = await (await caller('vault')).unary('Check', { service: '' });
  assert.equal(status[forbidden.code], 'PERMISSION_DENIED');
  assert.match(forbidden.details, /nobody asks how the vault is.*Operation ses_/);
  const watching = await everything((await caller('vault')).output('Watch', { service: '' }));
  assert.deepEqual([status[watching.code], watching.messages], ['PERMISSION_DENIED', []]);
  const stranger = await (await caller('ledger', 'stranger')).unary('Check', { service: '' });
  assert.equal(status[stranger.code], 'PERMISSION_DENIED');
  assert.deepEqual(asked, []);
});
