import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, startBank, type Bank, type Ran } from '../harness.ts';
import { connected, sallyport } from './child.ts';

let bank: Bank;
before(async () => {
  bank = await startBank();
  // Nobody's own sign-ins.
  process.env['XDG_CONFIG_HOME'] = bank.folder;
});
after(async () => {
  await bank.close();
});

/** Runs the command line as this person, and expects this exit code. */
async function as(person: string, code: number, ...words: readonly string[]): Promise<Ran> {
  const ran = await sallyport(bank, await bank.issuer.mint(person), ...words);
  assert.equal(ran.status, code, `sallyport ${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
  return ran;
}

describe('approvals', () => {
  it('list, show, approve: the held command runs, and another answer is refused', async () => {
    const client = await connected(await bank.client('pipeline'));
    await client.query('begin');
    const deleted = client.query('delete from cards');
    const id = await held();
    assert.match((await as('dba-erin', 0, 'approvals', 'list')).stdout, new RegExp(`${id} .*delete from cards`));
    const { stdout } = await as('dba-erin', 0, 'approvals', 'show', id);
    assert.match(stdout, /delete from cards/);
    assert.match(stdout, /repository=bank\/orders/);
    assert.match((await as('fraud-omar', 1, 'approvals', 'approve', id)).stderr, /^sallyport: .*\n/);
    assert.match((await as('dba-erin', 0, 'approvals', 'approve', id, '--reason', 'ticket OPS-114')).stdout, /approved/);
    assert.equal((await deleted).rowCount, 6000);
    await client.query('rollback');
    await as('dba-erin', 1, 'approvals', 'approve', id);
    await as('dba-frank', 1, 'approvals', 'deny', id, '--reason', 'too late');
    assert.match((await as('dba-erin', 0, 'approvals', 'list', '--state', 'used', '--json')).stdout, new RegExp(id));
    await client.end();
  });

  it('deny: the client is told the reason', async () => {
    const client = await connected(await bank.client('pipeline'));
    const refused = client.query('delete from cards').catch((error: unknown) => String(error));
    const id = await held();
    await as('dba-erin', 2, 'approvals', 'deny', id);
    await as('dba-erin', 0, 'approvals', 'deny', id, '--reason', 'outside the change window');
    assert.match((await refused) as string, /outside the change window/);
    await client.end();
  });
});

describe('sessions', () => {
  it('list, show, replay, kill', async () => {
    const client = await connected(await bank.client('pipeline'));
    await client.query('select name, ssn from customers where id = 3');
    const { stdout } = await as('dba-erin', 0, 'sessions', 'list', '--state', 'live', '--json');
    const id = (JSON.parse(stdout) as { id: string }[])[0]?.id as string;
    assert.match((await as('dba-erin', 0, 'sessions', 'show', id)).stdout, /select name, ssn from customers/);
    await as('pipeline', 1, 'sessions', 'kill', id, '--reason', 'not a person');
    await as('auditor-uma', 1, 'sessions', 'kill', id, '--reason', 'no operator');
    await as('dba-erin', 0, 'sessions', 'kill', id, '--reason', 'runaway job');
    assert.match(String(await eventually('the end', () => client.fatal())), /runaway job/);
    await as('dba-erin', 1, 'sessions', 'kill', id, '--reason', 'twice');
    const ssn = (await bank.direct('select ssn from customers where id = 3')).rows[0].ssn as string;
    const closed = ['audit', 'query', '--type', 'session.closed', '--session', id, '--json'];
    await eventually('the sealed recording', async () =>
      /sha256/.test((await as('auditor-uma', 0, ...closed)).stdout) ? true : undefined,
    );
    const { stdout: replayed } = await as('auditor-uma', 0, 'sessions', 'replay', id);
    assert.match(replayed, /select name, ssn from customers/);
    assert.ok(replayed.includes(`***-**-${ssn.slice(-4)}`) && !replayed.includes(ssn), replayed);
  });
});

describe('audit', () => {
  it('query for auditors only; a query is itself on record', async () => {
    await as('dba-erin', 1, 'audit', 'query');
    const { stdout } = await as('auditor-uma', 0, 'audit', 'query', '--type', 'operation.decided', '--json', '--limit', '5000');
    assert.match(stdout, /delete from cards/);
    assert.match((await as('auditor-uma', 0, 'audit', 'query', '--type', 'evidence.read', '--order', 'newest')).stdout, /audit\.records/);
  });

  it('verify: 0 for the log at work and for a copy of it, 1 for one changed byte, without a gateway or a token', async () => {
    const log = join(bank.folder, 'data', 'audit');
    const key = bank.gateway.auditVerifierKey;
    const { stdout } = await sallyport(bank, undefined, 'audit', 'verify', log, '--public-key', key);
    assert.match(stdout, /^complete, unaltered/);
    await bank.api('auditor-uma', '/api/v1/audit/checkpoint');
    const copy = join(bank.folder, 'copy');
    mkdirSync(copy);
    cpSync(log, copy, { recursive: true });
    assert.equal((await sallyport(bank, undefined, 'audit', 'verify', copy, '--public-key', key)).status, 0);
    const journal = join(copy, 'journal', '0000000000000000.journal');
    const bytes = readFileSync(journal);
    const at = bytes.indexOf('delete from cards');
    bytes.write('select from cards', at);
    writeFileSync(journal, bytes);
    const found = await sallyport(bank, undefined, 'audit', 'verify', copy, '--public-key', key);
    assert.equal(found.status, 1, found.stdout);
    assert.equal((await sallyport(bank, undefined, 'audit', 'verify', join(copy, 'nowhere'))).status, 1);
  });
});

describe('policy and configuration', () => {
  it('policy explain asks the gateway, which knows the real catalogue', async () => {
    const ask = (statement: string): Promise<Ran> =>
      as('dba-erin', 0, 'policy', 'explain', '--target', 'orders', '--group', 'deployers', '--statement', statement);
    assert.match((await ask('select reference from customer_contacts')).stdout, /^allow[^]*masked: ssn/);
    assert.match((await ask('drop table cards')).stdout, /^deny/);
    assert.match((await ask('delete from cards')).stdout, /^hold[^]*waits for 1 of dba/);
    await as('dba-erin', 1, 'policy', 'explain', '--target', 'nowhere', '--statement', 'select 1');
  });

  it('policy test and check read the very files that the gateway runs with', async () => {
    const cases = join(bank.folder, 'cases.yaml');
    const write = (expect: string): void =>
      writeFileSync(
        cases,
        `cases:\n  - name: dropping\n    principal: { kind: agent, groups: [deployers] }\n    target: orders\n    statement: drop table cards\n    expect: ${expect}\n`,
      );
    write('deny');
    const test = ['policy', 'test', cases, '-c', bank.configFile];
    assert.equal((await sallyport(bank, undefined, ...test)).status, 0);
    write('allow');
    assert.equal((await sallyport(bank, undefined, ...test)).status, 1);
    const checked = await sallyport(bank, undefined, 'check', '-c', bank.configFile);
    assert.equal(checked.status, 0, checked.stderr);
    assert.match(checked.stdout, /reached/);
    assert.ok(!checked.stdout.includes(readFileSync(join(bank.folder, 'orders.password'), 'utf8')));
  });

  it('serve: 1 while another gateway has the log', async () => {
    const { status, stderr } = await sallyport(bank, undefined, 'serve', '-c', bank.configFile);
    assert.equal(status, 1);
    assert.match(stderr, /audit/);
  });
});

async function held(): Promise<string> {
  return eventually('the hold', async () => {
    const { approvals } = (await bank.api('dba-erin', '/api/v1/approvals?state=pending')) as { approvals: { id: string }[] };
    return approvals[0]?.id;
  });
}
