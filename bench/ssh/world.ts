import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startSshd, type Sshd } from '../../conformance/parts/sshd.ts';
import { ApiClient } from '../../src/cli/client.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { newSshKeyPair } from '../../src/identity/ssh-key-format.ts';
import { knownHostsLine, publishedHostKey } from '../../src/identity/ssh-host-key.ts';
import { launch, type Program } from '../parts/programs.ts';

/** `direct`: OpenSSH's client and server. `jump`: through another OpenSSH server (ProxyJump). `gateway`: through the gateway. */
export type BenchWay = 'direct' | 'jump' | 'gateway';
export const ways: readonly BenchWay[] = ['direct', 'jump', 'gateway'];

export interface BenchWorld {
  readonly target: Sshd;
  readonly gateway: Program;
  readonly gatewayPort: number;
  /** A client's key at the gateway, OpenSSH's format. */
  readonly privateKey: string;
  /** `ssh -F <config> <way>` */
  readonly config: string;
  readonly folder: string;
}

export async function startBenchWorld(
  folder: string,
  profileFolder: string | undefined,
  onClose: (close: () => Promise<void>) => void,
): Promise<BenchWorld> {
  const [target, jump] = [await startSshd(), await startSshd()];
  onClose(() => target.stop());
  onClose(() => jump.stop());
  const issuer = await startDevelopmentIssuer({ audience, pipelines, people: [], folder: join(folder, 'issuer') });
  onClose(() => issuer.close());
  const put = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  mkdirSync(join(folder, 'policies'));
  put('policies/bench.cedar', policy);
  put('target.key', target.privateKey);
  const [gatewayPort, apiPort] = [await freePort(), await freePort()];
  put('sallyport.yaml', stringify(configuration(issuer.issuer, target, gatewayPort, apiPort)));
  const profile = profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`];
  const gateway = await launch({
    name: 'gateway',
    command: process.execPath,
    parameters: [
      ...profile,
      fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url)),
      'serve',
      '-c',
      join(folder, 'sallyport.yaml'),
    ],
    // The last of what it opens.
    port: apiPort,
  });
  onClose(() => gateway.stop());
  const pair = newSshKeyPair('bench');
  await bind(apiPort, await issuer.mint('pipeline'), pair.publicKey);
  const hostKey = publishedHostKey(join(folder, 'data')) ?? '';
  const known = [
    knownHostsLine('127.0.0.1', gatewayPort, hostKey),
    knownHostsLine('127.0.0.1', target.port, target.hostKey),
    knownHostsLine('127.0.0.1', jump.port, jump.hostKey),
  ];
  const host = (name: string, port: number, user: string, identity: string, more = ''): string =>
    `Host ${name}\n  HostName 127.0.0.1\n  Port ${port}\n  User ${user}\n  IdentityFile ${identity}\n${more}`;
  const config = put(
    'ssh_config',
    [
      host('direct', target.port, target.user, target.identity),
      host('jump-host', jump.port, jump.user, jump.identity),
      host('jump', target.port, target.user, target.identity, '  ProxyJump jump-host\n'),
      host('gateway', gatewayPort, 'box', put('client.key', pair.privateKey)),
      'Host *\n',
      ...['IdentitiesOnly yes', 'IdentityAgent none', 'BatchMode yes', 'LogLevel ERROR', 'GlobalKnownHostsFile /dev/null'].map(
        (line) => `  ${line}\n`,
      ),
      `  UserKnownHostsFile ${put('known_hosts', `${known.join('\n')}\n`)}\n`,
    ].join(''),
  );
  return { target, gateway, gatewayPort, privateKey: pair.privateKey, config, folder };
}

async function bind(apiPort: number, token: string, publicKey: string): Promise<void> {
  const response = await new ApiClient(`http://127.0.0.1:${apiPort}`).postForm('/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'box',
    requested_token_type: 'urn:sallyport:token-type:ssh-key',
    ssh_public_key: publicKey,
  });
  if (!response.ok) throw new Error(`no key for the gateway: ${await response.text()}`);
}

function configuration(issuer: string, target: Sshd, gatewayPort: number, apiPort: number) {
  return {
    gateway: { name: 'gw-bench', host: '127.0.0.1', unsafe_plaintext: true, data: 'data' },
    listeners: { ssh: `127.0.0.1:${gatewayPort}`, api: `127.0.0.1:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer,
        audience,
        private_network: true,
        unsafe_http: true,
        groups: [{ group: 'deployers', when: { repository_id: '7741' } }],
      },
    ],
    targets: {
      box: {
        protocol: 'ssh',
        upstream: { host: target.host, port: target.port, user: target.user, host_key: target.hostKey, key: 'file:target.key' },
      },
    },
    data_classes: {
      'card-number': { detect: 'card-number', mask: 'partial-last4' },
      ssn: { detect: 'us-ssn', mask: 'redact' },
    },
    credentials: { max_lifetime: '1h', outlive_token: true },
  };
}

const audience = 'https://localhost/bench';
const pipelines = [
  { clientId: 'pipeline', clientSecret: 'x', subject: 'repo:bank/shop:environment:production', claims: { repository_id: '7741' } },
];
const policy = `@id("the pipeline runs and sees everything")
permit (principal in Group::"deployers", action, resource);
`;
