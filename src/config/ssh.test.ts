import assert from 'node:assert/strict';
import { after, beforeEach, describe, it } from 'node:test';
import ssh2 from 'ssh2';
import { newSshKeyPair } from '../identity/ssh-key-format.ts';
import { loadConfig } from './load.ts';
import { ConfigError } from './problem.ts';
import { certificateWarnings } from './certificate-expiry.ts';
import { fingerprintOf, readHostKey } from './ssh-host-key.ts';
import { testCertificate } from './testing/ssh-certificate.ts';
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
const pair = newSshKeyPair('web-1');
const certificate = testCertificate({ publicKey: pair.blob, principals: ['deploy', 'root'] });
const environment = { ...goodEnvironment, TARGET_KEY: key, PLAIN_KEY: pair.privateKey, CERTIFICATE: certificate };

function edit(...more: readonly (readonly [string, string])[]): void {
  workspace.edit(sshListener, ['targets:\n', web], ...more);
}

const load = (env: Readonly<Record<string, string>> = environment) => loadConfig(workspace.file, { env });

/** In the place of the password. */
const withCertificate = (more = ''): readonly [string, string] => [
  'password: env:ORDERS_PASSWORD }\n    exact',
  `key: env:PLAIN_KEY, certificate: env:CERTIFICATE${more} }\n    exact`,
];

async function problems(env?: Readonly<Record<string, string>>): Promise<string> {
  const error = await load(env).then(
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

it('a certificate is read with its key, and counts in the digest, which is on record', async () => {
  edit(withCertificate());
  const { upstream } = await loaded();
  assert.equal(upstream.certificate?.text(), certificate);
  assert.equal(upstream.mapsPrincipals, false);
  const renewed = testCertificate({ publicKey: pair.blob, principals: ['deploy'] });
  assert.notEqual((await load({ ...environment, CERTIFICATE: renewed })).digest, (await load()).digest);
});

it('one that has ended is no problem of the file: it would keep the other targets from starting', async () => {
  edit(withCertificate());
  const ended = testCertificate({ publicKey: pair.blob, validUntil: 1n });
  const config = await load({ ...environment, CERTIFICATE: ended });
  assert.match(certificateWarnings(config, Date.now()).join(), /^target web-1: its certificate expired at 1970-01-01T00:00:01Z/);
});

it('names that are no users are the server’s to map, where the target says so', async () => {
  edit(withCertificate(', maps_principals: true'));
  await load({ ...environment, CERTIFICATE: testCertificate({ publicKey: pair.blob, principals: ['web-team'] }) });
});

describe('a certificate is refused', () => {
  const cases: readonly (readonly [what: string, certificate: string, expected: RegExp])[] = [
    ['that is none', newSshKeyPair('').publicKey, /certificate: expected an OpenSSH certificate of Ed25519, ECDSA or RSA/],
    [
      'of a host',
      testCertificate({ publicKey: pair.blob, kind: 2 }),
      /certificate: expected a certificate of a user: this one is of a host/,
    ],
    [
      'of another key',
      testCertificate({ publicKey: newSshKeyPair('').blob }),
      /certificate: expected the certificate of this key: it belongs to another/,
    ],
    [
      'that does not name the user',
      testCertificate({ publicKey: pair.blob, principals: ['web-team', 'deploy,root'] }),
      /certificate: expected a certificate that names this user/,
    ],
  ];
  for (const [what, text, expected] of cases) {
    it(what, async () => {
      edit(withCertificate());
      const told = await problems({ ...environment, CERTIFICATE: text });
      assert.match(told, expected);
      assert.ok(!told.includes(text.split(' ')[1]!));
    });
  }

  it('once, where its key cannot be read', async () => {
    edit([withCertificate()[0], 'key: env:TARGET_KEY, certificate: env:CERTIFICATE }\n    exact']);
    assert.equal((await problems()).split('\n').length, 1);
  });
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
    [
      'with a certificate and no key',
      [['password: env:ORDERS_PASSWORD }\n    exact', 'password: env:ORDERS_PASSWORD, certificate: env:CERTIFICATE }\n    exact']],
      /certificate: expected no certificate: there is no key/,
    ],
    [
      'with names to map and no certificate',
      [['password: env:ORDERS_PASSWORD }\n    exact', 'password: env:ORDERS_PASSWORD, maps_principals: true }\n    exact']],
      /maps_principals: expected certificate, which it is about/,
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
