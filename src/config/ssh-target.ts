import ssh2 from 'ssh2';
import { z } from 'zod';
import { GatewayFault } from '../core/fault.ts';
import { exactCommands } from '../shell/index.ts';
import { anyTarget, host, limitOf, list, name, port, secret, strict, text } from './schema-parts.ts';
import type { Secret } from './secret.ts';
import { names, readCertificate } from './ssh-certificate.ts';
import { readHostKey, type PinnedHostKey } from './ssh-host-key.ts';
import type { AddProblem, AnyTargetConfig, TargetKind } from './target-kind.ts';

const userExpected = 'expected a user name of letters, digits, "_", ".", "@" and "-", at most 64';
const certificateExpected = 'expected an OpenSSH certificate of Ed25519, ECDSA or RSA: the one line of a file such as id_ed25519-cert.pub';
const variableExpected = 'expected the name of an environment variable, or its beginning and "*", such as LC_*';

export const sshTarget = strict({
  protocol: z.literal('ssh'),
  upstream: strict({
    host,
    port: port.default(22),
    user: z
      .string({ error: userExpected })
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}$/, { error: userExpected })
      .describe('As whom the gateway signs on, where the client does not ask for another user (<remote-user>+<target>).'),
    host_key: z
      .union([text, z.array(text).min(1)], { error: hostKeyExpected() })
      .describe('The target’s host key: SHA256:…, "ssh-ed25519 AAAA…" or a line of known_hosts. Of several, one is enough.'),
    key: secret.optional().describe('Private key, in OpenSSH’s format or PEM.'),
    passphrase: secret.optional().describe('Of the private key, where it has one.'),
    certificate: secret
      .optional()
      .describe(
        'OpenSSH certificate of the key: the line of a file such as id_ed25519-cert.pub. The gateway signs on with it, never with the key alone.',
      ),
    maps_principals: z
      .boolean({ error: 'expected true or false' })
      .default(false)
      .describe(
        'The server maps the names in the certificate to users by itself (AuthorizedPrincipalsFile): they need not be the user’s name.',
      ),
    password: secret.optional().describe('Instead of a key. Of this user only.'),
  }),
  ...anyTarget,
  limits: strict(limitOf)
    .optional()
    .describe('What a principal may take from this target, besides what policy permits. Absent: no limits.'),
  exact_commands: list(text, 'commands')
    .default([])
    .describe('Command lines that mean exactly what they say: one program and its literal words. Policy asks for them by Command.'),
  environment: list(z.string({ error: variableExpected }).regex(/^[A-Za-z_][A-Za-z0-9_]*\*?$/, { error: variableExpected }), 'variables')
    .default([])
    .describe('Environment variables that clients may send, such as LANG or LC_*. Any other one is refused.'),
  moderated: strict({ group: text.describe('A member of this group must be watching.') })
    .optional()
    .describe('Sessions run only while a reviewer is watching.'),
  forwards: list(
    strict({
      to: text.describe('host:port, as clients name it.'),
      target: name
        .optional()
        .describe('A PostgreSQL target of this gateway, which serves the connection. Absent: the bytes pass as they are.'),
    }),
    'addresses',
  )
    .default([])
    .describe('Addresses that would be refused otherwise (loopback, link-local, this gateway), and those that another target serves.'),
  home: z
    .string({ error: homeExpected() })
    .regex(/^\/[^\0]*$/, { error: homeExpected() })
    .optional()
    .describe('The remote user’s home folder: relative paths of scp, rsync and git are named by it.'),
  unsafe_opaque_transfers: z
    .boolean({ error: 'expected true or false' })
    .default(false)
    .describe('Files and streams that masking cannot look into (binary files, rsync, git) pass although detectors are configured.'),
});

type RawSshTarget = z.output<typeof sshTarget>;

export interface SshTargetConfig extends AnyTargetConfig {
  readonly protocol: 'ssh';
  readonly upstream: SshUpstreamConfig;
  readonly exactCommands: readonly string[];
  readonly environment: readonly string[];
  readonly moderated: { readonly group: string } | undefined;
  readonly forwards: readonly SshForwardConfig[];
  readonly home: string | undefined;
  readonly opaqueTransfers: boolean;
}

export interface SshForwardConfig {
  readonly host: string;
  readonly port: number;
  readonly target: string | undefined;
}

export interface SshUpstreamConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKeys: readonly PinnedHostKey[];
  /** One of key and password. */
  readonly key: Secret | undefined;
  readonly passphrase: Secret | undefined;
  /** Of the key. A line, read already: `readCertificate` gives what is in it. */
  readonly certificate: Secret | undefined;
  readonly mapsPrincipals: boolean;
  readonly password: Secret | undefined;
}

export const sshTargets: TargetKind<RawSshTarget, SshTargetConfig> = {
  check(raw, context) {
    if (!context.hasSsh && raw.listen === undefined) {
      context.add([], 'required: listeners.ssh, such as 2222, or listen: clients reach this target through one of them');
    }
    checkUpstream(raw.upstream, context.add);
    for (const [index, text] of raw.exact_commands.entries()) checkCommand(text, ['exact_commands', index], context.add);
    for (const [index, { to, target }] of raw.forwards.entries()) {
      if (readForward(to) === undefined) context.add(['forwards', index, 'to'], 'expected host:port (an IPv6 address in brackets)');
      if (target !== undefined && context.protocolOf(target) !== 'postgres')
        context.add(['forwards', index, 'target'], 'expected the name of a PostgreSQL target');
    }
  },
  async read(raw, common, secret) {
    const { upstream } = raw;
    const [key, passphrase, certificate, password] = await Promise.all([
      secret(['upstream', 'key'], upstream.key),
      secret(['upstream', 'passphrase'], upstream.passphrase),
      secret(['upstream', 'certificate'], upstream.certificate),
      secret(['upstream', 'password'], upstream.password),
    ]);
    const publicKey = checkKey(key, passphrase, secret.add);
    checkCertificate(certificate, publicKey, upstream, secret.add);
    const { host, port, user, maps_principals: mapsPrincipals } = upstream;
    const hostKeys = [upstream.host_key].flat().map((one) => readHostKey(one)!);
    return {
      ...common,
      protocol: 'ssh',
      upstream: { host, port, user, hostKeys, key, passphrase, certificate, mapsPrincipals, password },
      exactCommands: raw.exact_commands,
      environment: raw.environment,
      moderated: raw.moderated,
      forwards: raw.forwards.map(({ to, target }) => ({ ...readForward(to)!, target })),
      home: raw.home,
      opaqueTransfers: raw.unsafe_opaque_transfers,
    };
  },
  unsafe: (raw) => (raw.unsafe_opaque_transfers ? ['unsafe_opaque_transfers'] : []),
  certificates: ({ upstream: { certificate } }) => [certificate],
};

function checkUpstream(upstream: RawSshTarget['upstream'], add: AddProblem): void {
  const { key, password, passphrase, certificate } = upstream;
  if ((key === undefined) === (password === undefined)) add(['upstream'], 'expected either key or password: the gateway signs on with it');
  if (passphrase !== undefined && key === undefined) add(['upstream', 'passphrase'], 'expected no passphrase: there is no key');
  if (certificate !== undefined && key === undefined) add(['upstream', 'certificate'], 'expected no certificate: there is no key');
  if (certificate === undefined && upstream.maps_principals) {
    add(['upstream', 'maps_principals'], 'expected certificate, which it is about');
  }
  for (const [index, one] of [upstream.host_key].flat().entries()) {
    const path = Array.isArray(upstream.host_key) ? ['upstream', 'host_key', index] : ['upstream', 'host_key'];
    if (readHostKey(one) === undefined) add(path, hostKeyExpected());
  }
}

/** A key that could not be used is a problem of the file, not of the first session. What could not be read at all is told already. Its public part, where there is one. */
function checkKey(key: Secret | undefined, passphrase: Secret | undefined, add: AddProblem): Uint8Array | undefined {
  if (key === undefined || key.reveal().length === 0) return undefined;
  const parsed = ssh2.utils.parseKey(key.text(), passphrase?.text());
  const one = Array.isArray(parsed) ? parsed[0] : parsed;
  if (one instanceof Error || one === undefined || !one.isPrivateKey() || !signingKeys.has(one.type)) {
    add(
      ['upstream', 'key'],
      'expected a private key of Ed25519, ECDSA or RSA, in OpenSSH’s format or PEM, and its passphrase if it has one',
    );
    return undefined;
  }
  return one.getPublicSSH();
}

/** The same of its certificate. When it ends is no problem of the file: one target would keep all others from starting. */
function checkCertificate(
  secret: Secret | undefined,
  publicKey: Uint8Array | undefined,
  { user, maps_principals: mapsPrincipals }: RawSshTarget['upstream'],
  add: AddProblem,
): void {
  if (secret === undefined || secret.reveal().length === 0) return;
  const at = ['upstream', 'certificate'];
  const certificate = readCertificate(secret.text());
  if (certificate === undefined) add(at, certificateExpected);
  else if (certificate.kind !== 'user') add(at, 'expected a certificate of a user: this one is of a host');
  else if (publicKey !== undefined && Buffer.compare(publicKey, certificate.publicKey) !== 0) {
    add(at, 'expected the certificate of this key: it belongs to another one');
  } else if (!mapsPrincipals && !names(certificate, user)) {
    add(
      at,
      'expected a certificate that names this user among its principals, or maps_principals: true where the server goes by a list of its own',
    );
  }
}

function checkCommand(text: string, path: (string | number)[], add: AddProblem): void {
  try {
    exactCommands([text]);
  } catch (error) {
    if (!(error instanceof GatewayFault)) throw error;
    add(path, `expected one program and its literal words: ${error.publicMessage}`);
  }
}

function readForward(to: string): { readonly host: string; readonly port: number } | undefined {
  const [, host = '', digits] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):([0-9]{1,5})$/.exec(to) ?? [];
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { host: host.replaceAll(/[[\]]/g, ''), port } : undefined;
}

function hostKeyExpected(): string {
  return 'expected SHA256:…, "ssh-ed25519 AAAA…", or a line of known_hosts (ssh-keyscan prints some)';
}

function homeExpected(): string {
  return 'expected an absolute path';
}

const signingKeys: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
]);
