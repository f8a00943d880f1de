import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePort } from '../../src/cli/demo/free-port.ts';
import { launch } from '../parts/programs.ts';
import type { PeerOptions, Proxy } from './peers.ts';

export interface GatewayOptions extends PeerOptions {
  /** As whom it signs on. */
  readonly user: string;
  readonly issuer: string;
  readonly audience: string;
  /** Where the target `idle` is. */
  readonly idlePort: number;
  readonly profileFolder: string | undefined;
  readonly gatewayFolder: string | undefined;
  /** Undefined: as it is without the key. */
  readonly workers?: number;
}

/**
 * The gateway in a process of its own, started as its users start it, with everything on: token sign-in, policy, audit, recording,
 * masking by columns and by detectors. Only TLS is off, as it is for the peers.
 */
export async function startGateway(options: GatewayOptions, durability: 'disk' | 'process', name: string = durability): Promise<Proxy> {
  const port = await freePort();
  const folder = join(options.folder, `gateway-${name}`);
  const policies = join(folder, 'policies');
  mkdirSync(policies, { recursive: true });
  writeFileSync(join(folder, 'upstream.password'), options.password, { mode: 0o600 });
  writeFileSync(join(policies, 'bench.cedar'), policy);
  const config = join(folder, 'sallyport.yaml');
  writeFileSync(config, stringify(configuration(options, port, await freePort(), durability)));
  const profile =
    options.profileFolder === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${options.profileFolder}`, `--cpu-prof-name=${name}.cpuprofile`];
  const command = options.gatewayFolder === undefined ? ownCommand : join(options.gatewayFolder, 'bin/sallyport.js');
  const parameters = [...profile, command, 'serve', '-c', config];
  const program = await launch({ name: `gateway (${name})`, command: process.execPath, parameters, port });
  options.onClose(() => program.stop());
  return { port, program };
}

function configuration(options: GatewayOptions, port: number, apiPort: number, durability: 'disk' | 'process') {
  const { user, database, workers } = options;
  const target = (upstreamPort: number) => ({
    protocol: 'postgres',
    upstream: { host: '127.0.0.1', port: upstreamPort, database, user, password: 'file:upstream.password', tls: 'unsafe_disable' },
    labels: { env: 'production' },
  });
  return {
    gateway: { name: 'gw-bench', host: 'localhost', unsafe_plaintext: true, data: 'data', ...(workers === undefined ? {} : { workers }) },
    listeners: { postgres: `127.0.0.1:${port}`, api: `127.0.0.1:${apiPort}` },
    issuers: [
      {
        name: 'ci',
        issuer: options.issuer,
        audience: options.audience,
        private_network: true,
        unsafe_http: true,
        groups: [
          { group: 'deployers', when: { repository_id: '7741', ref: 'refs/heads/main' } },
          { group: 'columns-only', when: { role: 'columns-only' } },
          { group: 'analysts', when: { role: 'analyst' } },
        ],
      },
    ],
    targets: { [database]: target(options.upstreamPort), idle: target(options.idlePort) },
    data_classes: {
      owner: { columns: [`${database}/public.ledger.owner`], mask: 'partial-last4' },
      'card-number': { detect: 'card-number', mask: 'partial-last4' },
      ssn: { detect: 'us-ssn', mask: 'partial-last4' },
      email: { detect: 'email', mask: 'redact' },
    },
    audit: { durability },
  };
}

/** A handful of rules of each kind, as a real set has them. */
const policy = `
@id("pipelines may connect")
permit (principal in Group::"deployers", action in Action::"connect", resource in Label::"env=production");

@id("pipelines may read and write")
permit (principal in Group::"deployers", action in [Action::"read", Action::"write"], resource in Label::"env=production");

@id("analysts see everything")
permit (principal in Group::"analysts", action == Action::"reveal", resource);

@id("columns-only sees what detectors find")
permit (principal in Group::"columns-only", action == Action::"reveal", resource)
when { [DataClass::"card-number", DataClass::"ssn", DataClass::"email"].contains(resource) };

@id("no one drops tables")
forbid (principal, action in [Action::"sql:drop-table", Action::"sql:drop-database"], resource);

@id("unbounded writes wait for a DBA")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action in [Action::"sql:delete", Action::"sql:update"], resource in Label::"env=production")
when { context has unbounded && context.unbounded };
`;

const ownCommand = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));
