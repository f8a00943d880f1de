import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import ssh2 from 'ssh2';
import { newSshKeyPair } from '../identity/ssh-key-format.ts';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { fingerprintOf, readHostKey } from './ssh-host-key.ts';
import { goodEnvironment, Workspace } from './testing/workspace.ts';

const workspace = new Workspace();
after(() => workspace.remove());
beforeEach(() => workspace.edit());

const fingerprint = `SHA256:${'a'.repeat(43)}`;
const web = `targets:
  web-1:
    protocol: ssh
    upstream: { host: web-1.internal, user: deploy, host_key: "${fingerprint}", password: env:ORDERS_PASSWORD }
    exact_commands: [ "systemctl restart app" ]
    environment: [ LANG, LC_* ]
    forwards: [ { to: "db.internal:5432", target: orders } ]
`;
const sshListener = ['postgres: 5432', 'postgres: 5432, ssh: 2222'] as const;
const key = encryptedKey();
const environment = { ...goodEnvironment, TARGET_KEY: key };

function edit(...more: readonly (readonly [string, string])[]): void {
  workspace.edit(sshListener, ['targets:\n', web], ...more);
}

const load = () => loadConfig(workspace.file, { env: environment });

async function problems(): Promise<string> {
  const error = await load().then(
    () => assert.fail('the file was accepted'),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ConfigError);
  return error.message.replaceAll(`${workspace.file}:`, '');
}

async function loaded() {
  const target = (await load()).targets.find(({ name }) => name === 'web-1');
  assert.equal(target?.protocol, 'ssh');
  return target;
}

it('an SSH target is read with its listener, its address, its credential and its defaults', async () => {
  edit();
  assert.deepEqual((await load()).listeners.ssh, { host: undefined, port: 2222 });
  const { upstream, ...target } = await loaded();
  assert.deepEqual(
    [upstream.host, upstream.port, upstream.user, upstream.password?.text()],
    ['web-1.internal', 22, 'deploy', 'correct horse'],
  );
  assert.deepEqual(upstream.hostKeys, [{ fingerprint, type: undefined }]);
  assert.deepEqual(target.exactCommands, ['systemctl restart app']);
  assert.deepEqual(target.forwards, [{ host: 'db.internal', port: 5432, target: 'orders' }]);
  assert.deepEqual([target.moderated, target.home, target.opaqueTransfers], [undefined, undefined, false]);
});

it('an SSH target with a port of its own needs no other', async () => {
  workspace.edit(['targets:\n', `${web}    listen: 127.0.0.1:2201\n`]);
  assert.deepEqual((await loaded()).listen, { host: '127.0.0.1', port: 2201 });
});

it('a key is read with its passphrase', async () => {
  edit(['password: env:ORDERS_PASSWORD }\n    exact', 'key: env:TARGET_KEY, passphrase: env:ORDERS_PASSWORD }\n    exact']);
  const { upstream } = await loaded();
  assert.equal(upstream.key?.text(), key.trim());
});

it('what weakens an SSH target stands among what is unsafe', async () => {
  edit(['environment: [ LANG', 'unsafe_opaque_transfers: true\n    environment: [ LANG']);
  assert.deepEqual((await load()).unsafe, ['targets.web-1.unsafe_opaque_transfers']);
});

describe('an SSH target is refused', () => {
  const cases: readonly (readonly [what: string, edits: readonly (readonly [string, string])[], expected: RegExp])[] = [
    ['without a way to it', [['postgres: 5432, ssh: 2222', 'postgres: 5432']], /web-1: required: listeners\.ssh/],
    ['without a host key', [[`host_key: "${fingerprint}", `, '']], /host_key: required: expected SHA256/],
    ['with a host key that is none', [[fingerprint, 'MD5:aa:bb']], /host_key: expected SHA256/],
    ['with one of several host keys that is none', [[`"${fingerprint}"`, `[ "${fingerprint}", "x" ]`]], /host_key\[1\]: expected SHA256/],
    [
      'with neither key nor password',
      [[', password: env:ORDERS_PASSWORD }\n    exact', ' }\n    exact']],
      /expected either key or password/,
    ],
    [
      'with key and password',
      [['password: env:ORDERS_PASSWORD }\n    exact', 'password: env:ORDERS_PASSWORD, key: env:TARGET_KEY }\n    exact']],
      /expected either key or password/,
    ],
    [
      'with a key and no passphrase, where it has one',
      [['password: env:ORDERS_PASSWORD }\n    exact', 'key: env:TARGET_KEY }\n    exact']],
      /key: expected a private key/,
    ],
    ['with a user that a shell reads otherwise', [['user: deploy', 'user: "-oProxyCommand=x"']], /user: expected a user name/],
    [
      'with a script for an exact command',
      [['systemctl restart app', 'systemctl restart app; id']],
      /exact_commands\[0\]: expected one program/,
    ],
    ['with a variable that is none', [['LC_*', '"*"']], /environment\[1\]: expected the name/],
    ['with a forward to nowhere', [['db.internal:5432', 'db.internal']], /forwards\[0\]\.to: expected host:port/],
    [
      'with a forward to another kind of target',
      [['target: orders', 'target: web-1']],
      /forwards\[0\]\.target: expected the name of a PostgreSQL/,
    ],
  ];
  for (const [what, edits, expected] of cases) {
    it(what, async () => {
      edit(...edits);
      assert.match(await problems(), expected);
    });
  }
});

describe('a host key is pinned', () => {
  const line = newSshKeyPair('web-1').publicKey;
  const [type, base64] = line.split(' ') as [string, string];
  const pinned = { fingerprint: fingerprintOf(Buffer.from(base64, 'base64')), type };

  it('by a fingerprint, a public key, or a line of known_hosts', () => {
    assert.deepEqual(readHostKey(pinned.fingerprint), { ...pinned, type: undefined });
    for (const text of [line, `${type} ${base64} root@web-1`, `[web-1]:22,10.0.0.1 ${type} ${base64}`, `|1|abc=|def= ${type} ${base64}`]) {
      assert.deepEqual(readHostKey(text), pinned, text);
    }
  });

  it('by nothing else', () => {
    const others = [
      '',
      'SHA256:short',
      `ssh-dss ${base64}`,
      `ssh-rsa ${base64}`,
      `${type} ${base64.slice(0, 8)}`,
      `${type} not base64`,
      type,
      `@revoked web-1 ${type} ${base64}`,
      `@cert-authority * ${type} ${base64}`,
    ];
    for (const text of others) assert.equal(readHostKey(text), undefined, text);
  });
});

/** Of ssh2's keys, one in some hundreds is none that anybody reads. */
function encryptedKey(): string {
  for (;;) {
    const { private: text } = ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'correct horse', cipher: 'aes256-cbc', rounds: 1 });
    if (!(ssh2.utils.parseKey(text, 'correct horse') instanceof Error)) return text;
  }
}
