import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, it } from 'node:test';
import { startApi } from '../api/server.ts';
import type { ApiServer } from '../api/server.ts';
import { TestContext } from '../api/testing/context.ts';
import { startDevelopmentIssuer } from '../identity/development/issuer.ts';
import type { DevelopmentIssuer } from '../identity/development/issuer.ts';
import { createIdentity } from '../identity/index.ts';
import { emptyHome, run, start } from './testing/run.ts';
import type { Ran } from './testing/run.ts';

const audience = 'https://gw.example';
let issuer: DevelopmentIssuer;
let server: ApiServer;
let url: string;
let home: string;

before(async () => {
  issuer = await startDevelopmentIssuer({ audience, pipelines: [], people: [{ subject: 'dana', name: 'Dana', groups: ['dba'] }] });
  const identity = createIdentity({
    issuers: [
      { name: 'dev', issuer: issuer.issuer, audience, kind: 'user', groups_claim: 'groups', private_network: true, unsafe_http: true },
    ],
    tokenStore: undefined as never,
    sshKeyStore: undefined as never,
    clock: { now: Date.now, monotonic: () => performance.now() },
    isTarget: () => false,
  });
  const context = new TestContext();
  Object.assign(context.identity, { authenticateOidc: async (token: string) => await identity.authenticateOidc(token) });
  const scopes = ['openid', 'groups', 'offline_access'];
  context.signIn = [{ name: 'dev', issuer: issuer.issuer, clientId: issuer.peopleClientId, audience, scopes, resource: undefined }];
  server = await startApi(context, { host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${server.port}`;
});
after(async () => {
  await server.close();
  await issuer.close();
});
beforeEach(() => {
  home = emptyHome();
});

const cli = async (...args: readonly string[]): Promise<Ran> => await run(args, { HOME: home });
const storePath = (): string => join(home, '.config', 'sallyport', 'credentials.json');

it('in a browser: code with PKCE, then whoami, refresh and logout', async () => {
  const login = start(['login', url, '--no-browser'], { HOME: home });
  const address = /sign in at: (\S+)/.exec(await login.says('code_challenge='))?.[1];
  assert.equal(new URL(address!).searchParams.get('code_challenge_method'), 'S256');
  const page = await browse(address!, { person: 'dana' });
  assert.match(page, /close this page/);
  const { code, stderr } = await login.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /signed in at http/);

  assert.equal(statSync(storePath()).mode & 0o777, 0o600);
  assert.equal(statSync(join(home, '.config', 'sallyport')).mode & 0o777, 0o700);
  const { stdout } = await cli('whoami', '--json');
  assert.deepEqual((JSON.parse(stdout) as { subject: string; groups: string[] }).groups, ['dba']);

  const before = readFileSync(storePath(), 'utf8');
  writeFileSync(storePath(), before.replace(/"expiresAtMs": \d+/, '"expiresAtMs": 0'));
  assert.equal((await cli('whoami')).code, 0);
  assert.notEqual(readFileSync(storePath(), 'utf8'), before);

  const out = await cli('logout');
  assert.deepEqual([out.code, out.stderr], [0, `signed out of ${url}\n`]);
  assert.match((await cli('whoami')).stderr, /which gateway/);
  assert.match((await run(['whoami'], { HOME: home, SALLYPORT_URL: url })).stderr, /not signed in/);
});

it('an answer with another state is not taken', async () => {
  const login = start(['login', url, '--no-browser'], { HOME: home });
  const address = new URL(/sign in at: (\S+)/.exec(await login.says('code_challenge='))![1]!);
  const redirect = new URL(address.searchParams.get('redirect_uri')!);
  assert.equal(redirect.hostname, '127.0.0.1');
  redirect.search = '?code=stolen&state=guessed';
  assert.equal((await fetch(redirect)).status, 404);
  login.child.kill();
  await login.ended;
});

it('with a code on another device', async () => {
  const login = start(['login', url, '--device'], { HOME: home });
  const address = /or open (\S+)/.exec(await login.says('or open'))?.[1];
  await browse(address!, { person: 'dana' });
  const { code, stderr } = await login.ended;
  assert.equal(code, 0, stderr);
  assert.equal((await cli('whoami')).code, 0);
});

it('a sign-in that others can read is not used', async () => {
  const login = start(['login', url, '--no-browser'], { HOME: home });
  await browse(/sign in at: (\S+)/.exec(await login.says('code_challenge='))![1]!, { person: 'dana' });
  await login.ended;
  chmodSync(storePath(), 0o644);
  const { code, stderr } = await cli('whoami');
  assert.equal(code, 1);
  assert.match(stderr, /can be read by others\nhint: run: chmod 600/);
});

it('an issuer that the gateway does not have: 2', async () => {
  const { code, stderr } = await cli('login', url, '--issuer', 'other');
  assert.equal(code, 2);
  assert.match(stderr, /no issuer other\nhint: it has: dev/);
});

/** What a person does in a browser: follows redirects with cookies, and sends every form that is shown until none is left. */
async function browse(address: string, answers: Record<string, string>): Promise<string> {
  const cookies = new Map<string, string>();
  let url = new URL(address);
  let init: RequestInit = {};
  for (let step = 0; step < 25; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [name = '', value = ''] = set.split(';')[0]!.split('=');
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    init = {};
    if (location !== null) {
      url = new URL(location, url);
      continue;
    }
    const page = await response.text();
    const form = /<form[^>]*>/.exec(page)?.[0];
    if (form === undefined) return page;
    const fields = [...page.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)].map(
      ([, name, value]) => [name!, value!] as [string, string],
    );
    init = { method: 'POST', body: new URLSearchParams([...fields, ...Object.entries(answers)]) };
    url = new URL(/action="([^"]+)"/.exec(form)?.[1] ?? url, url);
  }
  throw new Error('the browser goes round in circles');
}
