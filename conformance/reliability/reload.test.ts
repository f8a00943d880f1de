import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { parse, stringify } from 'yaml';
import { createDemoAuthority, type DemoAuthority } from '../../src/cli/demo/certificates.ts';
import { demoPolicies } from '../../src/cli/demo/policies.ts';
import type { DemoConfig } from '../../src/cli/demo/world.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { eventually, startBank, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, serve, type ServingProcess, type Site } from './child.ts';

let bank: Bank;
let site: Site;
let served: ServingProcess;
let second: DevelopmentIssuer;
let original: string;
before(async () => {
  bank = await startBank();
  await bank.gateway.close();
  second = await startDevelopmentIssuer({
    audience,
    people: [],
    pipelines: [{ clientId: 'pipeline', clientSecret: 'x', subject: 'second', claims }],
  });
  site = await newSite(bank, 'reload', (config) => {
    const issuers = config['issuers'] as unknown as Record<string, unknown>[];
    issuers.push({ ...issuers[0], name: 'second', issuer: second.issuer, sign_in: undefined });
    config['policies'] = 'policies-reload/' as unknown as Record<string, unknown>;
    config['gateway'] = { ...config['gateway'], tls: { certificate: 'file:reload.crt', key: 'file:reload.key' } };
  });
  mkdirSync(join(bank.folder, 'policies-reload'));
  for (const name of ['gateway.crt', 'gateway.key'])
    write(name.replace('gateway', 'reload'), readFileSync(join(bank.folder, name), 'utf8'));
  original = readFileSync(site.configFile, 'utf8');
  writePolicies();
  served = await serve(site);
});
afterEach(async () => {
  write('reload.yaml', original);
  await reloaded(() => {
    writePolicies();
    served.signal('SIGHUP');
  });
});
after(async () => {
  killLeftovers();
  await second.close();
  await bank.close();
});

describe('policy that changes under open sessions', () => {
  it('decides the next operation, also of a statement prepared before, with no signal at all', async () => {
    const client = await connected(await site.client('pipeline'));
    const prepared = { name: 'count', text: 'select count(*)::int as n from cards' };
    assert.deepEqual((await client.query(prepared)).rows, [{ n: 6000 }]);
    await reloaded(() => write('policies-reload/40-new.cedar', noCards));
    await assert.rejects(client.query(prepared), /nobody reads cards today/);
    await assert.rejects(client.query('select 1 from cards'), /nobody reads cards today/);
    assert.deepEqual((await client.query('select 1 as one from accounts limit 1')).rows, [{ one: 1 }]);
    await reloaded(() => rmSync(join(bank.folder, 'policies-reload/40-new.cedar')));
    assert.deepEqual((await client.query(prepared)).rows, [{ n: 6000 }]);
    await client.end();
  });

  it('decides each execution of a cursor and of PREPARE’s EXECUTE', async () => {
    const client = await connected(await site.client('pipeline'));
    await client.query('prepare stored as select count(*)::int as n from cards');
    assert.deepEqual((await client.query('execute stored')).rows, [{ n: 6000 }]);
    await client.query('begin; declare c cursor for select id from cards');
    assert.equal((await client.query('fetch 1 from c')).rows.length, 1);
    await reloaded(() => {
      write('policies-reload/40-new.cedar', noCards);
      served.signal('SIGHUP');
    });
    await assert.rejects(client.query('fetch 1 from c'), /nobody reads cards today/);
    await client.query('rollback');
    await assert.rejects(client.query('execute stored'), /nobody reads cards today/);
    await client.end();
  });

  it('cancels what waits for an approval under the old one, and says why', async () => {
    const client = await connected(await site.client('pipeline'));
    const held = client.query('delete from accounts').then(
      () => 'it went through',
      (error: unknown) => String(error),
    );
    const reviewer = await site.api('dba-erin');
    const id = await eventually('the hold', async () => (await approvals(site, 'pending'))[0]?.id);
    await reloaded(() => {
      write('policies-reload/40-new.cedar', noCards);
      served.signal('SIGHUP');
    });
    assert.match(await held, /policy changed meanwhile; run it again/);
    const approval = await reviewer.get<{ state: string; end_reason: string }>(`/api/v1/approvals/${id}`);
    assert.deepEqual([approval.state, approval.end_reason], ['cancelled', 'policy changed meanwhile; run it again']);
    await assert.rejects(reviewer.post(`/api/v1/approvals/${id}/approve`, { reason: 'late' }), /policy changed|cancelled|ended/);
    assert.equal((await client.query('select count(*)::int as n from accounts')).rows[0].n, 8000);
    await client.end();
  });
});

describe('a change that is wrong', () => {
  const wrong: readonly (readonly [string, string, () => string, RegExp])[] = [
    ['a policy that does not parse', 'policies-reload/40-new.cedar', () => '// one\n// two\npermit (principal,,);\n', /40-new\.cedar:3/],
    [
      'a policy that the schema does not know',
      'policies-reload/40-new.cedar',
      () => '\nforbid (principal, action == Action::"sql:selct", resource);\n',
      /40-new\.cedar:2/,
    ],
    ['a key that does not exist', 'reload.yaml', () => `${original}colour: blue\n`, /reload\.yaml:\d+:1: colour/],
    ['a port that needs a restart', 'reload.yaml', () => original.replace(String(site.postgresPort), '1'), /restart/],
    ['a certificate that is none', 'reload.crt', () => 'not a certificate', /configuration not reloaded/],
  ];
  for (const [what, file, text, said] of wrong) {
    it(`changes nothing and says where: ${what}`, async () => {
      const client = await connected(await site.client('pipeline'));
      const before = served.log().length;
      const good = readFileSync(join(bank.folder, file), { encoding: 'utf8', flag: 'a+' });
      write(file, text());
      served.signal('SIGHUP');
      const line = await eventually('the refusal', () => /.*not reloaded.*\n/.exec(served.log().slice(before))?.[0]);
      assert.match(line, said);
      assert.equal((await client.query('select count(*)::int as n from cards')).rows[0].n, 6000);
      await (await connected(await site.client('pipeline'))).end();
      assert.equal((await fetch(`${site.apiUrl}/readyz`)).status, 200);
      await client.end();
      if (file.endsWith('.crt')) write(file, good);
    });
  }
});

describe('what else is replaced while it runs', () => {
  it('an issuer that is removed: its sessions end, nobody else’s', async () => {
    const [of, other] = [await site.client('pipeline'), { ...(await site.client('pipeline')), password: await second.mint('pipeline') }];
    const [stays, goes] = [await connected(of), await connected(other)];
    assert.deepEqual((await goes.query('select 1 as one')).rows, [{ one: 1 }]);
    const config = parse(original) as DemoConfig;
    await reloaded(() => {
      write('reload.yaml', stringify({ ...config, issuers: (config['issuers'] as unknown as object[]).slice(0, 1) }));
      served.signal('SIGHUP');
    });
    assert.match(String(await eventually('the end', () => goes.fatal())), /no longer valid/);
    await assert.rejects(connected(other), /not accepted|authentication/i);
    assert.deepEqual((await stays.query('select 1 as one')).rows, [{ one: 1 }]);
    await stays.end();
  });

  it('a data class: what is sensitive now is masked for everyone, so sessions that began before end', async () => {
    const client = await connected(await site.client('pipeline'));
    const { rows: before } = await client.query('select name from customers where id = 1');
    assert.doesNotMatch(before[0].name, /redacted/);
    const config = parse(original) as DemoConfig;
    const names = { columns: ['orders/public.customers.name'], mask: 'redact' };
    await reloaded(() => {
      write('reload.yaml', stringify({ ...config, data_classes: { ...config['data_classes'], names } }));
      served.signal('SIGHUP');
    });
    assert.match(String(await eventually('the end', () => client.fatal())), /data classes were changed/);
    const again = await connected(await site.client('pipeline'));
    assert.deepEqual((await again.query('select name from customers where id = 1')).rows, [{ name: '[redacted:names]' }]);
    await again.end();
    await reloaded(() => {
      write('reload.yaml', original);
      served.signal('SIGHUP');
    });
  });

  it('the TLS certificate: new connections get the new one, open ones go on', async () => {
    const client = await connected(await site.client('pipeline'));
    const ports = [site.postgresPort, Number(new URL(site.apiUrl).port)];
    const before = await Promise.all(ports.map(certificateAt));
    assert.equal(before[0], before[1]);
    const authority: DemoAuthority = await createDemoAuthority();
    const { certificate, key } = await authority.issue(['localhost']);
    const [oldCertificate, oldKey] = ['reload.crt', 'reload.key'].map((name) => readFileSync(join(bank.folder, name), 'utf8'));
    const log = served.log().length;
    write('reload.crt', certificate);
    write('reload.key', key);
    await eventually('the new certificate', () => (served.log().slice(log).includes('configuration reloaded') ? true : undefined));
    for (const port of ports) assert.notEqual(await certificateAt(port), before[0]);
    assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    await assert.rejects(connected(await site.client('pipeline')), /certificate|self-signed|issuer/);
    const config = await site.client('pipeline');
    await (await connected({ ...config, ssl: { ca: authority.certificate } })).end();
    await client.end();
    write('reload.crt', oldCertificate as string);
    write('reload.key', oldKey as string);
  });

  it('every change is on record', async () => {
    const records = await recordsFrom(site, 0, ['policy.changed', 'config.changed']);
    const policies = records.filter(({ record }) => record.type === 'policy.changed');
    assert.ok(policies.length > 4 && records.length > policies.length);
    for (const [index, { record }] of policies.entries()) {
      if (index > 0) assert.equal(record['previous'], policies[index - 1]?.record['policy_digest'], 'a change is missing');
    }
  });
});

/** Makes a change and waits until the gateway says that it is in force. */
async function reloaded(change: () => void): Promise<void> {
  const before = served.log().length;
  change();
  await eventually('the reload', () => (served.log().slice(before).includes('configuration reloaded') ? true : undefined));
}

function write(name: string, text: string): void {
  writeFileSync(join(bank.folder, name), text);
}

function writePolicies(): void {
  rmSync(join(bank.folder, 'policies-reload/40-new.cedar'), { force: true });
  for (const [name, text] of Object.entries(demoPolicies)) write(`policies-reload/${name}`, text);
}

async function approvals(at: Site, state: string): Promise<readonly { readonly id: string }[]> {
  return (await (await at.api('dba-erin')).get<{ approvals: { id: string }[] }>('/api/v1/approvals', { state })).approvals;
}

function certificateAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['postgresql', 'http/1.1'] }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

const audience = 'https://localhost/sallyport';
const claims = { repository_id: '7741', ref: 'refs/heads/main', environment: 'production' };
const noCards = `@id("nobody reads cards today")
@message("nobody reads cards today")
forbid (principal, action == Action::"sql:select", resource == Relation::"orders/public.cards");
`;
