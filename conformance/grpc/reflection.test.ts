import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status, type ServiceDefinition } from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { describe as descriptors } from '../../src/protobuf/testing/describe.ts';
import { startHouse, type House } from './house.ts';
import { Caller, everything } from './peers/caller.ts';
import type { Way } from './peers/cases.ts';
import {
  definitionOf,
  reflectionService,
  startSelfDescribing,
  type Deployment,
  type ReflectionVersion,
  type SelfDescribing,
} from './peers/reflection.ts';

const canary = '536-90-4399';
const masked = '***-**-4399';
const remark = 'pays on Fridays';
const bothVersions: readonly ReflectionVersion[] = ['v1', 'v1alpha'];

/** The service with such fields of an owner, whose answers have these values in them. */
function deployment(fields: readonly string[], owner: Readonly<Record<string, string>>): Deployment {
  const types = { Wanted: ['string number = 1'], Account: ['string number = 1', 'Owner owner = 2'], Owner: fields };
  return { set: descriptors(types, ['Get(Wanted) returns (Account)']).set, answer: { number: '7', owner } };
}

const first = deployment(['string name = 1', 'string ssn = 2', 'string remark = 3'], { name: 'Ada', ssn: canary, remark });

interface Behind {
  readonly versions?: readonly ReflectionVersion[];
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Each by a server of its own, whose deployments change. */
const targets: Readonly<Record<string, Behind>> = {
  newer: {},
  older: { versions: ['v1alpha'] },
  open: { settings: { reflection: true } },
  renamed: {},
  moved: {},
  both: {},
  traded: {},
  slow: { settings: { schema: { reflection: '1h' } } },
  faltering: {},
  without: { versions: [] },
  failing: {},
  secretive: {},
};

let house: House;
const servers: Record<string, SelfDescribing> = {};
const callers: Caller[] = [];

before(async () => {
  house = await startHouse({
    dataClasses: {
      ssn: { paths: Object.keys(targets).map((name) => `${name}/acme.v1.Accounts/Get#$.owner.ssn`), mask: 'partial-last4' },
    },
    async targets(certificate) {
      for (const [name, { versions = bothVersions }] of Object.entries(targets)) {
        servers[name] = await startSelfDescribing(first, { certificate, versions });
      }
      return Object.fromEntries(
        Object.entries(targets).map(([name, { settings = {} }]) => [
          name,
          { port: servers[name]!.port, settings: { schema: { reflection: '1s' }, ...settings } },
        ]),
      );
    },
  });
});
after(async () => {
  for (const caller of callers) caller.close();
  for (const server of Object.values(servers)) server.close();
  await house.close();
});

interface Got {
  readonly code: string | undefined;
  readonly details: string;
  readonly owner: Readonly<Record<string, string>> | undefined;
  /** Whatever the client has received, fields that it does not know as well. */
  readonly received: string;
}

/** `Get`, by a client that has the descriptors of this deployment. */
async function get(target: string, { set }: Deployment = first): Promise<Got> {
  const caller = await callerOf(withBytes(definitionOf(set)), target);
  const { code, details, message, trailers } = await caller.unary<Received>('Get', { number: '7' });
  const bytes = message?.bytes.toString('latin1') ?? '';
  return { code: status[code], details, owner: message?.value.owner, received: `${bytes} ${details} ${JSON.stringify(trailers.toJSON())}` };
}

interface Received {
  readonly bytes: Buffer;
  readonly value: { readonly owner: Readonly<Record<string, string>> };
}

function withBytes(definition: PackageDefinition): ServiceDefinition {
  const { Get } = definition['acme.v1.Accounts'] as ServiceDefinition;
  return { Get: { ...Get!, responseDeserialize: (bytes: Buffer) => ({ bytes, value: Get!.responseDeserialize(bytes) }) } };
}

async function callerOf(service: ServiceDefinition, target: string): Promise<Caller> {
  return callerBy(service, await house.way(target, 'pipeline'));
}

function callerBy(service: ServiceDefinition, way: Way): Caller {
  const made = new Caller({ service } as unknown as PackageDefinition, 'service', way);
  callers.push(made);
  return made;
}

/** What a server says of itself to a client of the gateway. */
async function reflected(version: ReflectionVersion, target: string): Promise<Awaited<ReturnType<typeof everything>>> {
  const call = (await callerOf(reflectionService(version), target)).duplex('ServerReflectionInfo');
  const all = everything(call);
  call.write({ list_services: '' });
  call.end();
  return await all;
}

/** Lets what the gateway has read of a target become older than it may be. */
async function outdate(): Promise<void> {
  await sleep(1_100);
}

async function changesOnRecord(target: string): Promise<readonly string[]> {
  const notes = await house.records(['session.note']);
  return notes
    .filter(({ event }) => event === 'schema-changed')
    .map(({ detail }) => detail as Readonly<Record<string, string>>)
    .filter((detail) => detail['target'] === target)
    .map(({ changes }) => changes!);
}

describe('a schema that is known by reflection alone', () => {
  it('tells where a field is that is to be hidden', async () => {
    const { code, owner, received } = await get('newer');
    assert.deepEqual([code, owner], ['OK', { name: 'Ada', ssn: masked, remark }]);
    assert.ok(!received.includes(canary), received);
    assert.deepEqual([servers['newer']!.asked(), servers['newer']!.readings], [1, ['v1']]);
  });

  it('is read by v1alpha where the target has no v1', async () => {
    const { port } = servers['older']!;
    const direct = callerBy(reflectionService('v1'), {
      address: `localhost:${port}`,
      authority: undefined,
      ca: house.authority,
      token: undefined,
    });
    const { code } = await everything(direct.duplex('ServerReflectionInfo'));
    assert.equal(status[code], 'UNIMPLEMENTED');
    const { owner, details } = await get('older');
    assert.deepEqual([details, owner], ['', { name: 'Ada', ssn: masked, remark }]);
    assert.deepEqual(servers['older']!.readings, ['v1alpha']);
  });

  it('is the gateway’s: clients are not told it, but where the target is open to them', async () => {
    await get('slow');
    const { readings } = servers['slow']!;
    const before = readings.length;
    for (const version of bothVersions) {
      const { code, details, messages } = await reflected(version, 'slow');
      assert.deepEqual([status[code], messages], ['PERMISSION_DENIED', []]);
      assert.match(details, /reflection is off for this target/);
      assert.deepEqual([status[(await reflected(version, 'open')).code]], ['OK']);
    }
    assert.equal(readings.length, before);
  });
});

describe('a target whose sensitive field', { concurrency: true }, () => {
  it('gets another name is masked by what was known of it, and the change is on record', async () => {
    await get('renamed');
    const next = deployment(['string name = 1', 'string tax_id = 2', 'string remark = 3'], { name: 'Ada', tax_id: canary, remark });
    servers['renamed']!.deploy(next);
    await outdate();
    const { owner, received } = await get('renamed', next);
    assert.deepEqual(owner, { name: 'Ada', tax_id: masked, remark });
    assert.ok(!received.includes(canary), received);
    assert.deepEqual(await changesOnRecord('renamed'), ['- acme.v1.Owner.2: string ssn; + acme.v1.Owner.2: string tax_id taxId']);
  });

  it('gets another number is masked there; until that is known, it is left out', async () => {
    const next = deployment(['string name = 1', 'string remark = 3', 'string ssn = 5'], { name: 'Ada', ssn: canary, remark });
    for (const target of ['slow', 'moved']) {
      await get(target);
      servers[target]!.deploy(next);
    }
    const early = await get('slow', next);
    assert.deepEqual(early.owner, { name: 'Ada', ssn: '', remark });
    assert.ok(!early.received.includes(canary), early.received);
    await outdate();
    const { owner, received } = await get('moved', next);
    assert.deepEqual(owner, { name: 'Ada', ssn: masked, remark });
    assert.ok(!received.includes(canary), received);
  });

  it('gets another name and another number is closed, and the change is on record', async () => {
    await get('both');
    const next = deployment(['string name = 1', 'string remark = 3', 'string tax_id = 5'], { name: 'Ada', tax_id: canary, remark });
    servers['both']!.deploy(next);
    await outdate();
    const asked = servers['both']!.asked();
    const { code, details, received } = await get('both', next);
    assert.equal(code, 'PERMISSION_DENIED');
    assert.match(details, /acme\.v1\.accounts\/Get#\$\.owner\.ssn.*names nothing in the schema/i);
    assert.ok(!received.includes(canary), received);
    assert.equal(servers['both']!.asked(), asked);
    assert.deepEqual(await changesOnRecord('both'), ['- acme.v1.Owner.2: string ssn; + acme.v1.Owner.5: string tax_id taxId']);
  });

  it('trades its number with another is hidden in the first call after the reading has become too old', async () => {
    await get('traded');
    const next = deployment(['string name = 1', 'string remark = 2', 'string ssn = 3'], { name: 'Ada', ssn: canary, remark });
    servers['traded']!.deploy(next);
    await outdate();
    const { code, owner, received } = await get('traded', next);
    assert.deepEqual([code, owner?.['ssn']], ['OK', masked]);
    assert.ok(!received.includes(canary), received);
  });
});

describe('a target that does not describe itself', { concurrency: true }, () => {
  for (const [target, said, code] of [
    ['without', /does not offer reflection/, 'UNAVAILABLE'],
    ['failing', /does not describe itself/, 'UNAVAILABLE'],
    ['secretive', /names nothing in the schema/, 'PERMISSION_DENIED'],
  ] as const) {
    it(`is not called at all: ${target}`, async () => {
      const server = servers[target]!;
      if (target !== 'without') server.openness = target;
      const got = await get(target);
      assert.equal(got.code, code, got.details);
      assert.match(got.details, said);
      assert.ok(!got.received.includes(canary), got.received);
      assert.equal(server.asked(), 0);
    });
  }

  it('any more is masked by what it has said of itself', async () => {
    await get('faltering');
    const server = servers['faltering']!;
    server.openness = 'failing';
    await outdate();
    const readings = server.readings.length;
    const { owner, received } = await get('faltering');
    assert.deepEqual(owner, { name: 'Ada', ssn: masked, remark });
    assert.ok(!received.includes(canary), received);
    assert.ok(server.readings.length > readings, 'it was not asked again');
  });
});

it('the canary is in no record', async () => {
  const text = JSON.stringify(await house.records());
  assert.ok(text.includes('acme.v1.Accounts/Get'));
  assert.ok(!text.includes(canary));
});
