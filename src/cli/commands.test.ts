import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import { startApi } from '../api/server.ts';
import type { ApiServer } from '../api/server.ts';
import { approval, liveSession, TestContext } from '../api/testing/context.ts';
import { run, start } from './testing/run.ts';
import type { Ran } from './testing/run.ts';

let context: TestContext;
let server: ApiServer | undefined;
let url: string;
const killed: string[] = [];

beforeEach(async () => {
  await server?.close();
  context = new TestContext();
  killed.length = 0;
  context.live.set(
    's-1',
    liveSession('s-1', (reason) => killed.push(reason)),
  );
  context.file(approval('a-1'));
  server = await startApi(context, { host: '127.0.0.1', port: 0, heartbeatMs: 50 });
  url = `http://127.0.0.1:${server.port}`;
});
after(async () => await server?.close());

const as = async (person: string, ...args: readonly string[]): Promise<Ran> =>
  await run(args, { SALLYPORT_URL: url, SALLYPORT_TOKEN: person });

/** Done, and nothing on standard error. */
const done = async (person: string, ...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await as(person, ...args);
  assert.deepEqual([code, stderr], [0, '']);
  return stdout;
};

describe('every command', () => {
  const all = [
    'demo',
    'serve',
    'check',
    'login',
    'logout',
    'whoami',
    'token',
    'connect',
    'approvals',
    'approvals list',
    'approvals show',
    'approvals approve',
    'approvals deny',
    'approvals watch',
    'sessions',
    'sessions list',
    'sessions show',
    'sessions replay',
    'sessions kill',
    'policy',
    'policy test',
    'policy explain',
    'audit',
    'audit query',
    'audit tail',
    'audit verify',
  ];
  for (const command of all) {
    it(`${command} --help has an example`, async () => {
      const { code, stdout, stderr } = await run([...command.split(' '), '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`\\n {2}\\$ .*sallyport ${command.replace(' ', '.*')}`));
    });
  }
});

describe('a wrong command line: 2, one line and a hint', () => {
  const wrong: readonly (readonly [string, RegExp, RegExp])[] = [
    ['nonsense', /unknown command 'nonsense'/, /sallyport --help/],
    ['aproval', /unknown command 'aproval'/, /Did you mean approvals\?/],
    ['approvals lst', /unknown command 'lst'/, /Did you mean list\?/],
    ['approvals', /which subcommand\?/, /sallyport approvals --help/],
    ['approvals deny a-1', /required option '--reason/, /sallyport approvals --help/],
    ['approvals list --state odd', /argument 'odd' is invalid/, /sallyport approvals --help/],
    ['token', /required option '--target/, /sallyport token --help/],
    ['whoami --nonsense', /unknown option '--nonsense'/, /sallyport whoami --help/],
    ['whoami --url http://gw.example:8080', /clear text to gw\.example/, /https/],
    ['whoami --url nonsense', /not the URL of a gateway/, /./],
    ['demo --port 70000', /1 to 65535/, /sallyport demo --help/],
  ];
  for (const [line, message, hint] of wrong) {
    it(line, async () => {
      const { code, stdout, stderr } = await run(line.split(' '), { SALLYPORT_TOKEN: 'x' });
      const [first = '', second = '', ...rest] = stderr.trimEnd().split('\n');
      assert.equal(code, 2, stderr);
      assert.equal(stdout, '');
      assert.match(first, /^sallyport: /);
      assert.match(first, message);
      if (second !== '') assert.match(second, /^hint: /);
      assert.match(`${second}.`, hint);
      assert.deepEqual(rest, []);
    });
  }

  it('a gateway must be named', async () => {
    const { code, stderr } = await run(['whoami']);
    assert.equal(code, 2);
    assert.match(stderr, /which gateway\?\nhint: set SALLYPORT_URL/);
  });
});

describe('what fails: 1, one line and a hint', () => {
  it('a gateway that is not there', async () => {
    await server?.close();
    const { code, stderr } = await as('reviewer', 'whoami');
    assert.equal(code, 1);
    assert.match(stderr, /^sallyport: cannot reach the gateway at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\nhint: is it running/);
  });

  it('nobody signed in', async () => {
    const { code, stderr } = await run(['whoami'], { SALLYPORT_URL: url });
    assert.equal(code, 1);
    assert.match(stderr, /not signed in at http.*\nhint: run: sallyport login/);
  });

  it('a token that is not accepted, and a role that is missing', async () => {
    assert.match((await as('forged', 'whoami')).stderr, /the token was not accepted\nhint: run: sallyport login/);
    const { code, stderr } = await as('stranger', 'sessions', 'list');
    assert.equal(code, 1);
    assert.match(stderr, /needs the role operator or auditor or admin\nhint: run: sallyport whoami/);
  });

  it('an approval that is not there', async () => {
    const { code, stderr } = await as('reviewer', 'approvals', 'show', 'a-9');
    assert.equal(code, 1);
    assert.match(stderr, /^sallyport: this approval does not exist, or is not yours to see\n$/);
  });
});

describe('approvals', () => {
  it('list, as a table and as JSON', async () => {
    const table = (await done('reviewer', 'approvals', 'list')).trimEnd().split('\n');
    assert.match(table[0]!, /^ID +STATE +TARGET +BY +GROUPS +EXPIRES +OPERATION$/);
    assert.match(table[1]!, /^a-1 +pending +orders +deploy\.yml +dba +in 15 min +delete from t/);
    assert.equal(table[0]!.indexOf('STATE'), table[1]!.indexOf('pending'));
    const [first] = JSON.parse(await done('reviewer', 'approvals', 'list', '--json')) as { id: string }[];
    assert.equal(first?.id, 'a-1');
    assert.equal(await done('reviewer', 'approvals', 'list', '--state', 'denied'), 'none\n');
  });

  it('show tells a reviewer exactly what would run, and an auditor the masked text', async () => {
    const exact = await done('reviewer', 'approvals', 'show', 'a-1');
    assert.match(
      exact,
      /Exactly what would run:\n\n {2}delete from t where ssn = '123-45-6789'\n\nWith the parameters:\n\n {2}\$1 = "1"\n {2}\$2 = NULL/,
    );
    assert.match(exact, /job +run_id=99/);
    assert.doesNotMatch(await done('auditor', 'approvals', 'show', 'a-1'), /123-45/);
  });

  it('show tells what a statement runs by name from what it says that it runs', async () => {
    const text = 'execute a\n\nBy name, this runs (1 of 1):\n\n  select 1';
    context.file(approval('a-4', { text, runs: ['prepare a as\ndelete from t'] }));
    assert.ok(
      (await done('auditor', 'approvals', 'show', 'a-4')).endsWith(
        `
The operation, sensitive values masked:

  execute a
${'  '}
  By name, this runs (1 of 1):
${'  '}
    select 1

By name, this runs (1 of 1):

  prepare a as
  delete from t
`,
      ),
    );
    assert.match(await done('auditor', 'approvals', 'list'), / runs "prepare a as delete from t" by execute a/);
    const watching = start(['approvals', 'watch'], { SALLYPORT_URL: url, SALLYPORT_TOKEN: 'auditor' });
    await watching.says('runs "prepare a as delete from t" by execute a');
    watching.child.kill();
    await watching.ended;
  });

  it('approve, then nobody can answer any more', async () => {
    assert.equal(await done('reviewer', 'approvals', 'approve', 'a-1', '--reason', 'ticket 7'), 'a-1: approved\n');
    assert.ok(context.events.includes('approve a-1 by reviewer: ticket 7'));
    const { code, stderr } = await as('reviewer', 'approvals', 'deny', 'a-1', '--reason', 'late');
    assert.equal(code, 1);
    assert.match(stderr, /nobody can answer this any more/);
  });

  it('watch shows what waits and what comes, as it comes', async () => {
    const watching = start(['approvals', 'watch', '--json'], { SALLYPORT_URL: url, SALLYPORT_TOKEN: 'reviewer' });
    await watching.says('"a-1"');
    context.file(approval('a-2'));
    await watching.says('"a-2"');
    watching.child.kill('SIGINT');
    assert.equal((await watching.ended).signal, 'SIGINT');
  });

  it('watch takes a broken line up again', async () => {
    const watching = start(['approvals', 'watch'], { SALLYPORT_URL: url, SALLYPORT_TOKEN: 'reviewer' });
    await watching.says('a-1');
    const { port } = server!;
    await server!.close();
    server = await startApi(context, { host: '127.0.0.1', port });
    context.file(approval('a-3'));
    await watching.says('a-3');
    watching.child.kill();
    await watching.ended;
  });

  it('what could steer a terminal is shown, not sent', async () => {
    context.file(approval('a-1', { text: 'select 1 \u001b]0;owned\u0007 \u202Eevil\u200B' }));
    for (const format of [[], ['--json']]) {
      const { stdout } = await as('auditor', 'approvals', 'show', 'a-1', ...format);
      assert.match(stdout, /evil/);
      // oxlint-disable-next-line no-control-regex
      assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u200b]/);
    }
  });
});

describe('sessions', () => {
  it('list, show and kill', async () => {
    assert.match(await done('operator', 'sessions', 'list'), /\ns-1 +live +orders +repo:7741 +10\.0\.0\.9:41234 +\d+ s ago +3\n/);
    assert.match(await done('operator', 'sessions', 'show', 's-1'), /session +s-1 \(live\)\n/);
    assert.equal(await done('operator', 'sessions', 'kill', 's-1', '--reason', 'runaway'), 's-1 is ending\n');
    assert.deepEqual(killed, ['runaway']);
  });

  it('replay, for people and as it is stored', async () => {
    const header = { format: 'sallyport-recording', version: 1, session: 's-1', started: '2026-11-22T00:00:00.000Z' };
    const who = { issuer: 'ci', subject: 'repo:7741', kind: 'agent', display: 'deploy.yml', groups: [], claims: {} };
    const decided = { at: 12, event: 'decided', operation: 's-1.1', decision: 'allow', text: 'select \u001b[2J 1', text_exact: true };
    const lines = [
      { ...header, target: { name: 'orders', protocol: 'postgres', labels: {} }, principal: who },
      decided,
      { at: 20, event: 'closed' },
    ];
    const stored = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    context.recorded.set('s-1', stored);
    const shown = await done('auditor', 'sessions', 'replay', 's-1');
    assert.match(shown, /00:00:00\.012 {2}s-1\.1 allowed\n +select \\u\{1b\}\[2J 1\n/);
    assert.equal(await done('auditor', 'sessions', 'replay', 's-1', '--json'), stored);
  });

  it('replay of a damaged recording fails', async () => {
    context.recorded.set('s-1', 'nonsense\n');
    const { code, stderr } = await as('auditor', 'sessions', 'replay', 's-1');
    assert.equal(code, 1);
    assert.match(stderr, /not what was recorded/);
  });
});

describe('audit', () => {
  it('query goes on to the limit, page by page, and tells types apart', async () => {
    for (let index = 0; index < 1_200; index++) context.audit.append({ type: 'gateway.stopped', reason: `r${index}` });
    const all = (await done('auditor', 'audit', 'query', '--type', 'gateway.stopped', '--limit', '1100', '--json')).trimEnd().split('\n');
    assert.equal(all.length, 1_100);
    assert.equal((JSON.parse(all[1_099]!) as { sequence: number }).sequence, 1_099);
    const newest = await done('auditor', 'audit', 'query', '--type', 'gateway.stopped', '--order', 'newest', '--limit', '2');
    assert.match(newest, /^ +1199 {2}\S+ {2}gateway\.stopped {6}reason=r1199\n +1198/);
  });

  it('query with a wrong filter: 2', async () => {
    const { code, stderr } = await as('auditor', 'audit', 'query', '--from', 'yesterday');
    assert.equal(code, 2);
    assert.match(stderr, /query\.from/);
  });

  it('tail shows records as they come', async () => {
    const tailing = start(['audit', 'tail'], { SALLYPORT_URL: url, SALLYPORT_TOKEN: 'auditor' });
    while (context.entries.length === 0) await new Promise((resolve) => setImmediate(resolve));
    context.audit.append({ type: 'gateway.stopped', reason: 'the end' });
    await tailing.says('reason=the end');
    tailing.child.kill();
    await tailing.ended;
  });
});

it('whoami', async () => {
  assert.match(await done('reviewer', 'whoami'), /name +reviewer\nissuer +people\n.*\ngroups +reviewer, dba\nroles +reviewer\n/);
  assert.deepEqual((JSON.parse(await done('reviewer', 'whoami', '--json')) as { roles: string[] }).roles, ['reviewer']);
});

it('policy explain, asking the gateway', async () => {
  const held = await done('admin', 'policy', 'explain', '--target', 'orders', '--group', 'deployers', '--statement', 'drop table t');
  assert.match(held, /^hold: Schema changes need a DBA\.\n {2}waits for 1 of dba/);
  assert.match(held, /applies +review by dba {2}schema changes wait \(production\.cedar:7\)/);
});
