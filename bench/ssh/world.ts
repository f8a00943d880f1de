import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { startSshd, type Sshd } from '../../conformance/parts/sshd.ts';
import { ApiClient } from '../../src/cli/client.ts';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { startDevelopmentIssuer, type DevelopmentIssuer } from '../../src/identity/development/issuer.ts';
import { newSshKeyPair } from '../../src/identity/ssh-key-format.ts';
import { knownHostsLine, publishedHostKey } from '../../src/identity/ssh-host-key.ts';
import { familyCpuSeconds, launch, type Program } from '../parts/programs.ts';

/**
 * `direct`: OpenSSH's client and server. `jump`: through another OpenSSH server (ProxyJump). `bare`: through a relay on ssh2 that looks at nothing. `gateway`: through the gateway,
 * everything revealed. `masked`: the same, nothing revealed. `… (other)`: another checkout's.
 */
export type BenchWay = 'direct' | 'jump' | 'bare' | 'gateway' | 'masked' | 'gateway (other)' | 'masked (other)';

export interface BenchWorld {
  readonly ways: readonly BenchWay[];
  readonly target: Sshd;
  readonly gateway: Program;
  readonly gatewayPort: number;
  /** A client's key at the gateway, OpenSSH's format. */
  readonly privateKey: string;
  /** `ssh -F <config> <host>` */
  readonly config: string;
  readonly folder: string;
  /** As `config` calls a way. */
  hostOf(way: BenchWay): string;
  /** Seconds of CPU so far of the target's sshd, and of what is between it and the client. */
  cpuSeconds(way: BenchWay): { readonly target: number; readonly between: number };
}

export interface BenchWorldOptions {
  readonly folder: string;
  readonly profileFolder: string | undefined;
  /** Another checkout, whose gateway is measured beside this one's. */
  readonly gatewayFolder: string | undefined;
  readonly onClose: (close: () => Promise<void>) => void;
}

export async function startBenchWorld(options: BenchWorldOptions): Promise<BenchWorld> {
  const { folder, profileFolder, gatewayFolder, onClose } = options;
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
  const bare = await startBare(target, put);
  onClose(() => bare.program.stop());
  const started = async (name: string, checkout: string | undefined): Promise<Gateway> => {
    const gateway = await startGateway({ folder: join(folder, name), name, checkout, profileFolder, target, issuer });
    onClose(() => gateway.program.stop());
    return gateway;
  };
  const gateway = await started('gateway', undefined);
  const other = gatewayFolder === undefined ? undefined : await started('other', gatewayFolder);
  const hosts: Host[] = [
    { way: 'direct', port: target.port, hostKey: target.hostKey, user: target.user, identity: target.identity },
    { way: 'jump', port: target.port, hostKey: target.hostKey, user: target.user, identity: target.identity },
    { way: 'bare', port: bare.port, hostKey: bare.hostKey, user: 'anyone', identity: target.identity },
    { way: 'gateway', ...gateway.address, identity: put('revealed.key', gateway.revealed) },
    { way: 'masked', ...gateway.address, identity: put('masked.key', gateway.masked) },
  ];
  if (other !== undefined) {
    hosts.push({ way: 'gateway (other)', ...other.address, identity: put('revealed-other.key', other.revealed) });
    hosts.push({ way: 'masked (other)', ...other.address, identity: put('masked-other.key', other.masked) });
  }
  const between: Readonly<Record<BenchWay, number | undefined>> = {
    direct: undefined,
    jump: jump.pid,
    bare: bare.program.pid,
    gateway: gateway.program.pid,
    masked: gateway.program.pid,
    'gateway (other)': other?.program.pid,
    'masked (other)': other?.program.pid,
  };
  return {
    ways: hosts.map(({ way }) => way),
    target,
    gateway: gateway.program,
    gatewayPort: gateway.address.port,
    privateKey: gateway.masked,
    config: writeClientConfig(hosts, jump, put),
    folder,
    hostOf,
    cpuSeconds: (way) => ({
      target: familyCpuSeconds(target.pid),
      between: between[way] === undefined ? 0 : familyCpuSeconds(between[way]),
    }),
  };
}

// ---- clients

interface Host {
  readonly way: BenchWay;
  readonly port: number;
  readonly hostKey: string;
  readonly user: string;
  readonly identity: string;
}

type Put = (name: string, text: string) => string;

function hostOf(way: BenchWay): string {
  return way.replaceAll(/[^a-z]+/g, '-').replace(/-$/, '');
}

function writeClientConfig(hosts: readonly Host[], jump: Sshd, put: Put): string {
  const known = [...hosts, jump].map(({ port, hostKey }) => knownHostsLine('127.0.0.1', port, hostKey));
  const block = (name: string, { port, user, identity }: Omit<Host, 'way'>, more = ''): string =>
    `Host ${name}\n  HostName 127.0.0.1\n  Port ${port}\n  User ${user}\n  IdentityFile ${identity}\n${more}`;
  return put(
    'ssh_config',
    [
      ...hosts.map((host) => block(hostOf(host.way), host, host.way === 'jump' ? '  ProxyJump jump-host\n' : '')),
      block('jump-host', jump),
      'Host *\n',
      ...['IdentitiesOnly yes', 'IdentityAgent none', 'BatchMode yes', 'LogLevel ERROR', 'GlobalKnownHostsFile /dev/null'].map(
        (line) => `  ${line}\n`,
      ),
      `  UserKnownHostsFile ${put('known_hosts', `${[...new Set(known)].join('\n')}\n`)}\n`,
    ].join(''),
  );
}

// ---- what is between

async function startBare(target: Sshd, put: Put): Promise<{ readonly program: Program; readonly port: number; readonly hostKey: string }> {
  const port = await freePort();
  const { privateKey, publicKey } = newSshKeyPair('bare');
  const program = await launch({
    name: 'bare relay',
    command: process.execPath,
    parameters: [
      fileURLToPath(new URL('floor.ts', import.meta.url)),
      String(port),
      put('bare.key', privateKey),
      String(target.port),
      target.user,
      target.identity,
    ],
    port,
  });
  return { program, port, hostKey: publicKey };
}

interface Gateway {
  readonly program: Program;
  readonly address: Pick<Host, 'port' | 'hostKey' | 'user'>;
  /** Private keys of clients: one that sees everything, and one from which everything is hidden that detectors find. */
  readonly revealed: string;
  readonly masked: string;
}

interface GatewayOptions {
  readonly folder: string;
  readonly name: string;
  readonly checkout: string | undefined;
  readonly profileFolder: string | undefined;
  readonly target: Sshd;
  readonly issuer: DevelopmentIssuer;
}

async function startGateway({ folder, name, checkout, profileFolder, target, issuer }: GatewayOptions): Promise<Gateway> {
  mkdirSync(join(folder, 'policies'), { recursive: true });
  const put = (file: string, text: string): void => writeFileSync(join(folder, file), text, { mode: 0o600 });
  put('policies/bench.cedar', policy);
  put('target.key', target.privateKey);
  const [port, apiPort] = [await freePort(), await freePort()];
  put('sallyport.yaml', stringify(configuration(issuer.issuer, target, port, apiPort)));
  const profile =
    profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
  const command =
    checkout === undefined ? fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url)) : join(checkout, 'bin/sallyport.js');
  const program = await launch({
    name,
    command: process.execPath,
    parameters: [...profile, command, 'serve', '-c', join(folder, 'sallyport.yaml')],
    // The last of what it opens.
    port: apiPort,
  });
  const signedUp = async (pipeline: string): Promise<string> => {
    const pair = newSshKeyPair(pipeline);
    await bind(apiPort, await issuer.mint(pipeline), pair.publicKey);
    return pair.privateKey;
  };
  const [revealed, masked] = [await signedUp('seer'), await signedUp('pipeline')];
  const hostKey = publishedHostKey(join(folder, 'data')) ?? '';
  return { program, address: { port, hostKey, user: 'box' }, revealed, masked };
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
        groups: [
          { group: 'deployers', when: { repository_owner_id: '12' } },
          { group: 'seers', when: { repository_id: '7742' } },
        ],
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
const pipelines = ['pipeline', 'seer'].map((clientId, index) => ({
  clientId,
  clientSecret: 'x',
  subject: `repo:bank/${clientId}:environment:production`,
  claims: { repository_owner_id: '12', repository_id: `774${index + 1}` },
}));
const policy = `@id("pipelines do everything but see")
permit (principal in Group::"deployers", action, resource) unless { action == Action::"reveal" };

@id("some see everything")
permit (principal in Group::"seers", action == Action::"reveal", resource);
`;
