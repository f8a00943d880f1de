import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { status } from '@grpc/grpc-js';
import { eventually } from '../harness.ts';
import { startHouse, targetToken, type House } from './house.ts';
import { card, ssn, startBank, type Account, type Bank } from './peers/bank.ts';
import { Caller, everything } from './peers/caller.ts';
import { descriptorSet, loadProto } from './peers/protos.ts';

const definition = loadProto('bank.proto');
const policies = `@id("deployers use the ledger")
permit (principal in Group::"deployers", action, resource);
@id("fraud desk sees")
permit (principal in Group::"fraud", action in [Action::"connect", Action::"execute", Action::"reveal"], resource);
@id("nobody imports")
forbid (principal, action, resource == Method::"ledger/bank.v1.Ledger/Import");
@id("closing waits for a DBA")
@review("dba") @approvals("1") @expires("15m")
@message("Closing an account needs a DBA.")
forbid (principal, action, resource == Method::"ledger/bank.v1.Ledger/Shut");
@id("talks wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action, resource == Method::"ledger/bank.v1.Ledger/Talk");
@id("closing elsewhere waits for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action, resource == Method::"retrying/bank.v1.Ledger/Shut");
`;

let bank: Bank;
let house: House;
const callers: Caller[] = [];

before(async () => {
  house = await startHouse({
    policies,
    dataClasses: {
      ssn: { paths: ['ledger/bank.v1.Account#$.ssn'], mask: 'partial-last4' },
      'card-number': { detect: 'card-number', mask: 'partial-last4' },
    },
    async targets(certificate, folder) {
      bank = await startBank(definition, certificate);
      writeFileSync(join(folder, 'bank.binpb'), descriptorSet(definition));
      const schema = { descriptor_sets: ['file:bank.binpb'] };
      return {
        ledger: { port: bank.port, settings: { schema } },
        short: { port: bank.port, settings: { schema, limits: { rows: 3 }, max_message_bytes: 1000, hold: 'refuse-and-retry' } },
        retrying: { port: bank.port, settings: { schema, hold: 'refuse-and-retry' } },
        reading: { port: bank.port, settings: { schema, read_only: true } },
        unknown: { port: bank.port },
        down: { port: 1, settings: { schema } },
      };
    },
  });
});
after(async () => {
  for (const caller of callers) caller.close();
  await house.close();
  bank.close();
});

async function caller(target: string, as = 'pipeline', service = 'bank.v1.Ledger'): Promise<Caller> {
  const made = new Caller(definition, service, await house.way(target, as));
  callers.push(made);
  return made;
}

async function approval(how: 'approve' | 'deny'): Promise<string> {
  const erin = await house.api('dba-erin');
  const { id, text } = await eventually('the request for approval', async () => {
    const { approvals } = await erin.get<{ approvals: readonly { id: string; text: string }[] }>('/api/v1/approvals', { state: 'pending' });
    return approvals[0];
  });
  await erin.post(`/api/v1/approvals/${id}/${how}`, { reason: 'because' });
  return text;
}

describe('what is hidden', () => {
  it('is masked in messages of every kind of call, and the client is told how much', async () => {
    const client = await caller('ledger');
    const { message, trailers } = await client.unary<Account>('Get', { number: '7' });
    assert.deepEqual(message, { number: '7', owner: 'Ada', ssn: '***-**-4399', note: 'paid by ************1111' });
    assert.match(String(trailers.get('sallyport-masked')), /ssn=1, card-number=2/);
    const { messages } = await everything<Account>(client.output('List', { count: 3 }));
    assert.deepEqual(
      messages.map((one) => one.ssn),
      Array(3).fill('***-**-4399'),
    );
  });

  it('is seen by who may see it', async () => {
    const { message, details } = await (await caller('ledger', 'fraud-omar')).unary<Account>('Get', { number: '7' });
    assert.deepEqual([details, message?.ssn, message?.note], ['', ssn, `paid by ${card}`]);
  });

  it('does not get out by trailers, errors and their details', async () => {
    const client = await caller('ledger');
    const { trailers } = await client.unary('Get', { number: '7' });
    assert.deepEqual(trailers.get('x-last-card'), ['************1111']);
    const failed = await client.unary('Fail', {});
    assert.equal(failed.code, status.NOT_FOUND);
    const everythingShown = [
      failed.details,
      JSON.stringify(failed.trailers.toJSON()),
      String(failed.trailers.get('grpc-status-details-bin')),
    ].join('\n');
    assert.ok(!everythingShown.includes(ssn) && !everythingShown.includes(card), everythingShown);
    assert.match(failed.details, /is not shown/);
  });

  it('is in no record', async () => {
    const text = JSON.stringify(await house.records());
    assert.ok(text.includes('bank.v1.Ledger/Get'));
    assert.ok(!text.includes(ssn) && !text.includes(card) && !text.includes(targetToken));
  });

  it('keeps calls from a target that nobody has described', async () => {
    const { code, details } = await (await caller('unknown')).unary('Get', { number: '7' });
    assert.deepEqual([status[code], bank.seen.length > 0], ['PERMISSION_DENIED', true]);
    assert.match(details, /nobody has described/);
  });
});

describe('a call', () => {
  it('that policy forbids is PERMISSION_DENIED, with policy, operation and a reason for programs', async () => {
    const client = await caller('ledger');
    const answer = await new Promise<{ code: number; details: string; metadata: { get(name: string): unknown[] } }>((resolve) => {
      const call = client.input('Import', (error) => resolve(error as never));
      call.write({ number: '1' });
      call.on('error', () => {});
    });
    assert.equal(answer.code, status.PERMISSION_DENIED);
    assert.match(answer.details, /nobody imports.*Operation ses_/);
    assert.match(String(answer.metadata.get('grpc-status-details-bin')[0]), /google\.rpc\.ErrorInfo.*POLICY_DENIED.*sallyport.*operation/s);
    assert.ok(!bank.seen.some(({ method }) => method === 'Import'));
  });

  it('takes the gateway’s own credential with it, never the client’s', async () => {
    await (await caller('ledger')).unary('Get', { number: '7' }, { 'x-custom': 'kept' });
    const { metadata } = bank.seen.at(-1)!;
    assert.deepEqual([metadata.get('authorization'), metadata.get('x-custom')], [[`Bearer ${targetToken}`], ['kept']]);
  });

  it('without a token is UNAUTHENTICATED; of a stranger, and to no target, PERMISSION_DENIED', async () => {
    const way = await house.way('ledger', 'pipeline');
    const nobody = new Caller(definition, 'bank.v1.Ledger', { ...way, token: undefined });
    callers.push(nobody);
    assert.equal((await nobody.unary('Get', {})).code, status.UNAUTHENTICATED);
    assert.equal((await (await caller('ledger', 'stranger')).unary('Get', {})).code, status.PERMISSION_DENIED);
  });

  it('that must be approved waits, and goes on with exactly what was approved', async () => {
    const client = await caller('ledger');
    const calling = client.unary<{ number: string }>('Shut', { number: '77' });
    assert.match(await approval('approve'), /\/bank\.v1\.Ledger\/Shut\n\n.*77/s);
    const { code, message } = await calling;
    assert.deepEqual([code, message?.number], [0, '77']);
    const refused = client.unary('Shut', { number: '78' });
    await approval('deny');
    assert.equal((await refused).code, status.PERMISSION_DENIED);
    assert.equal(bank.seen.filter(({ method }) => method === 'Shut').length, 1);
  });

  it('of a client that streams is approved as a call, and the reviewer is told', async () => {
    const call = (await caller('ledger')).duplex<Account>('Talk');
    const over = everything(call);
    call.write({ number: '5' });
    assert.match(await approval('approve'), /not known here/);
    call.end();
    const { messages, code } = await over;
    assert.deepEqual([messages[0]?.number, messages[0]?.ssn, code], ['5', '***-**-4399', 0]);
  });

  it('whose client gives up while it is held asks for nothing any more', async () => {
    const { code } = await (await caller('ledger')).unary('Shut', { number: '79' }, {}, 1_000);
    assert.equal(code, status.DEADLINE_EXCEEDED);
    const erin = await house.api('dba-erin');
    await eventually('no request for approval', async () => {
      const { approvals } = await erin.get<{ approvals: readonly unknown[] }>('/api/v1/approvals', { state: 'pending' });
      return approvals.length === 0 ? true : undefined;
    });
  });

  it('that is to be made again once it is approved is held anew with any other message or metadata', async () => {
    const client = await caller('retrying');
    const shut = async (number: string, fields: Readonly<Record<string, string>> = {}): Promise<string> => {
      const { code, details } = await client.unary('Shut', { number }, { 'x-branch': 'bern', ...fields });
      return code === 0 ? 'done' : `${status[code]} ${/Approval (\S+):/.exec(details)?.[1]}`;
    };
    const asked = await shut('80');
    assert.match(asked, /^FAILED_PRECONDITION \w/);
    assert.match(await approval('approve'), /80/);
    const others = [await shut('81'), await shut('800'), await shut('80', { 'x-branch': 'basel' }), await shut('80', { 'x-more': '1' })];
    for (const other of others) assert.match(other, /^FAILED_PRECONDITION \w/);
    assert.equal(new Set([asked, ...others]).size, 5, 'each asks for an approval of its own');
    assert.equal(await shut('80'), 'done');
    assert.match(await shut('80'), /^FAILED_PRECONDITION/, 'an approval is used up');
    assert.deepEqual(
      bank.seen.filter(({ metadata }) => metadata.get('x-branch').length > 0).map(({ metadata }) => metadata.get('x-branch')),
      [['bern']],
    );
  });

  it('has a deadline that the target learns of, less what has passed', async () => {
    await (await caller('ledger')).unary('Get', { number: '7' }, {}, 20_000);
    const left = String(bank.seen.at(-1)!.metadata.get('grpc-timeout'));
    assert.equal(left, '', 'grpc-js takes it out of the metadata');
    // Long enough to get there on a busy machine.
    const late = await (await caller('ledger')).unary('Sleep', { count: 60 }, {}, 3_000);
    assert.equal(late.code, status.DEADLINE_EXCEEDED);
    await eventually('the target is told that nobody waits any more', () => (bank.cancelled.includes('Sleep') ? true : undefined));
  });

  it('beyond the limits of its target is RESOURCE_EXHAUSTED, with all messages up to there', async () => {
    const client = await caller('short');
    const { messages, code, details } = await everything(client.output('List', { count: 5 }));
    assert.deepEqual([messages.length, status[code]], [3, 'RESOURCE_EXHAUSTED']);
    assert.match(details, /rows \(3 messages\)/);
    const long = await client.unary('Get', { number: 'x'.repeat(2_000) });
    assert.equal(status[long.code], 'RESOURCE_EXHAUSTED', long.details);
  });

  it('that may write does not reach a target for reading', async () => {
    const client = await caller('reading');
    assert.equal((await client.unary('Get', { number: '1' })).code, 0);
    assert.equal(status[(await client.unary('Fail', {})).code], 'PERMISSION_DENIED');
  });

  it('to a target that is down is UNAVAILABLE', async () => {
    assert.equal(status[(await (await caller('down')).unary('Get', {})).code], 'UNAVAILABLE');
  });

  it('that is open ends with its session, and the client is told', async () => {
    const call = (await caller('ledger')).output<Account>('List', { count: 0 });
    const over = everything(call);
    await new Promise((resolve) => {
      call.once('data', resolve);
    });
    const pia = await house.api('platform-pia');
    const { sessions } = await pia.get<{ sessions: readonly { id: string; target: string }[] }>('/api/v1/sessions');
    for (const { id } of sessions.filter(({ target }) => target === 'ledger'))
      await pia.delete(`/api/v1/sessions/${id}`, { reason: 'enough' });
    const { code, details, messages } = await over;
    assert.deepEqual([status[code], messages.length], ['UNAUTHENTICATED', 1]);
    assert.match(details, /session ended/);
  });
});
