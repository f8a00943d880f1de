import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { startApi } from '../api/server.ts';
import type { ApiServer } from '../api/server.ts';
import { person, TestContext } from '../api/testing/context.ts';
import { emptyHome, run } from './testing/run.ts';
import type { Ran } from './testing/run.ts';

/** A platform that hands out tokens: answers with what `answer` says and keeps what it was asked. */
let asked: { readonly url: URL; readonly message: IncomingMessage }[] = [];
let answer: unknown = {};
let status = 200;
const platform = createServer((message, response) => {
  asked.push({ url: new URL(message.url ?? '/', 'http://platform'), message });
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
});

const job = jwt({ iss: 'https://ci.example', aud: 'https://gw.example', sub: 'repo:7741' });
let context: TestContext;
let server: ApiServer;
let place: string;

before(async () => {
  await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
  place = `http://127.0.0.1:${(platform.address() as AddressInfo).port}`;
  context = new TestContext();
  server = await startApi(context, { host: '127.0.0.1', port: 0 });
});
after(async () => {
  platform.close();
  await server.close();
});
beforeEach(() => {
  asked = [];
  status = 200;
  context.exchanges.length = 0;
  context.people.set(job, { ...person('repo:7741', []), kind: 'agent' });
  context.agents = [{ issuer: 'https://ci.example', audience: 'https://gw.example' }];
});

const token = async (variables: Record<string, string>, ...args: readonly string[]): Promise<Ran> =>
  await run(['token', '--target', 'orders', ...args], {
    SALLYPORT_URL: `http://127.0.0.1:${server.port}`,
    AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:9',
    ...variables,
  });

/** The exchange was asked for with the job's own token, and only the gateway token is printed. */
const exchanged = ({ code, stdout, stderr }: Ran): void => {
  assert.deepEqual([code, stdout, stderr], [0, 'spt_secret-handle\n', '']);
  assert.deepEqual(
    context.exchanges.map(({ subjectToken, target }) => [subjectToken, target]),
    [[job, 'orders']],
  );
};

describe('the job’s own token is found', () => {
  it('in a file', async () => {
    const file = join(emptyHome(), 'token');
    writeFileSync(file, `${job}\n`);
    exchanged(await token({}, '--token-file', file));
    context.exchanges.length = 0;
    exchanged(await token({ SALLYPORT_TOKEN_FILE: file }));
  });

  it('in SALLYPORT_ID_TOKEN, as GitLab’s id_tokens set it', async () =>
    exchanged(await token({ SALLYPORT_ID_TOKEN: job, GITLAB_CI: 'true' })));

  it('at GitHub Actions, asked for with the gateway’s audience', async () => {
    answer = { value: job };
    const address = `${place}/token?api-version=2.0`;
    exchanged(await token({ GITHUB_ACTIONS: 'true', ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner' }));
    assert.equal(asked[0]?.url.search, '?api-version=2.0&audience=https%3A%2F%2Fgw.example');
    assert.equal(asked[0]?.message.headers.authorization, 'Bearer runner');
  });

  it('at GitHub Actions, where several audiences are configured: the one of its issuer', async () => {
    context.agents = [
      { issuer: 'https://ci.example', audience: 'https://other.example' },
      { issuer: 'https://token.actions.githubusercontent.com', audience: 'https://gw.example' },
    ];
    answer = { value: job };
    exchanged(await token({ ACTIONS_ID_TOKEN_REQUEST_URL: place, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner' }));
    assert.equal(asked[0]?.url.searchParams.get('audience'), 'https://gw.example');
  });

  it('at Azure DevOps, through a service connection', async () => {
    answer = { oidcToken: job };
    exchanged(
      await token({ SYSTEM_OIDCREQUESTURI: `${place}/oidc`, SYSTEM_ACCESSTOKEN: 'system', SALLYPORT_SERVICE_CONNECTION_ID: 'c-1' }),
    );
    assert.equal(asked[0]?.message.method, 'POST');
    assert.equal(asked[0]?.url.search, '?api-version=7.1&serviceConnectionId=c-1');
    assert.equal(asked[0]?.message.headers.authorization, 'Bearer system');
  });

  it('at CircleCI, where the organization is the audience', async () => exchanged(await token({ CIRCLE_OIDC_TOKEN_V2: job })));

  it('at CircleCI, from its program where another audience is wanted', async () => {
    const folder = program('circleci', job);
    const path = `${folder}:${process.env['PATH']}`;
    exchanged(await token({ PATH: path, CIRCLE_OIDC_TOKEN_V2: jwt({ iss: 'https://ci.example', aud: 'org' }) }));
  });

  it('at Buildkite, from its agent', async () => {
    const folder = program('buildkite-agent', job, 'oidc request-token --audience https://gw.example');
    exchanged(await token({ PATH: `${folder}:${process.env['PATH']}`, BUILDKITE: 'true' }));
  });

  it('in Azure App Service', async () => {
    answer = { access_token: job };
    exchanged(await token({ IDENTITY_ENDPOINT: `${place}/msi`, IDENTITY_HEADER: 'secret', AZURE_CLIENT_ID: 'client' }));
    assert.equal(asked[0]?.url.search, '?api-version=2019-08-01&resource=https%3A%2F%2Fgw.example&client_id=client');
    assert.equal(asked[0]?.message.headers['x-identity-header'], 'secret');
  });

  it('at Azure’s metadata service, when nothing else is there', async () => {
    answer = { access_token: job };
    exchanged(await token({ AZURE_POD_IDENTITY_AUTHORITY_HOST: place }));
    assert.equal(asked[0]?.url.search, '?api-version=2018-02-01&resource=https%3A%2F%2Fgw.example');
    assert.equal(asked[0]?.message.headers['metadata'], 'true');
  });
});

describe('where there is none, the message says what to do', () => {
  const cases: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ['GitHub Actions without permission', { GITHUB_ACTIONS: 'true' }, /may not ask.*\nhint: .*id-token: write/],
    ['GitLab without id_tokens', { GITLAB_CI: 'true' }, /no ID token.*\nhint: .*id_tokens: \{ SALLYPORT_ID_TOKEN/],
    ['Azure DevOps without a connection', { SYSTEM_OIDCREQUESTURI: 'http://127.0.0.1:1/' }, /lacks SYSTEM_ACCESSTOKEN.*\nhint: /],
    ['nothing at all', {}, /found no token.*\nhint: give --token-file/],
    ['a file that is not there', { SALLYPORT_TOKEN_FILE: '/nonexistent' }, /cannot read the token file/],
  ];
  for (const [name, variables, message] of cases) {
    it(name, async () => {
      const { code, stdout, stderr } = await token(variables);
      assert.notEqual(code, 0);
      assert.equal(stdout, '');
      assert.match(stderr, message);
    });
  }

  it('a platform that refuses', async () => {
    status = 500;
    const { code, stderr } = await token({ ACTIONS_ID_TOKEN_REQUEST_URL: place, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner' });
    assert.equal(code, 1);
    assert.match(stderr, /GitHub Actions gave no token: it answered 500/);
  });
});

it('a token for someone else is not shown to the gateway', async () => {
  const { code, stderr } = await token({ SALLYPORT_ID_TOKEN: jwt({ aud: 'sts.amazonaws.com' }) });
  assert.equal(code, 1);
  assert.match(stderr, /is for sts\.amazonaws\.com, not for this gateway: it was not sent\nhint: .*https:\/\/gw\.example/);
  assert.deepEqual(context.exchanges, []);
});

it('a token that the gateway does not accept', async () => {
  const { code, stdout, stderr } = await token({ SALLYPORT_ID_TOKEN: jwt({ aud: 'https://gw.example', sub: 'someone else' }) });
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /no token for orders \(SALLYPORT_ID_TOKEN\): the subject token was not accepted\nhint: why is in the gateway’s audit log/,
  );
});

it('--json prints the whole answer', async () => {
  const { stdout } = await token({ SALLYPORT_ID_TOKEN: job }, '--json');
  const issued = JSON.parse(stdout) as { access_token: string; token_id: string; connection: { port: number } };
  assert.deepEqual([issued.access_token, issued.token_id, issued.connection.port], ['spt_secret-handle', 'gtk_new', 5432]);
});

function jwt(claims: Record<string, unknown>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** A folder with a program of this name that prints a token, where it is called with the right words. */
function program(name: string, output: string, words = ''): string {
  const folder = emptyHome();
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\ncase "$*" in *'${words}'*) echo '${output}';; *) echo "called with $*" >&2; exit 1;; esac\n`);
  chmodSync(file, 0o755);
  return folder;
}
