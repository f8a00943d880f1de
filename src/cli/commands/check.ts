import type { Command } from 'commander';
import { stringify } from 'yaml';
import { certificateWarnings, type Config, type TargetConfig } from '../../config/index.ts';
import { createIdentity, IssuerConfigError } from '../../identity/index.ts';
import type { GatewayTokenStore, SshKeyStore } from '../../identity/index.ts';
import { dial } from '../../net/upstream.ts';
import { count, policyLine, readConfiguration, readPolicies } from '../configuration.ts';
import { Failure, messageOf } from '../failure.ts';
import { example, withJson } from '../options.ts';
import type { JsonOption } from '../options.ts';
import { note, print, printable, printableLines, printJson } from '../terminal.ts';

interface CheckOptions extends JsonOption {
  readonly config: string;
  readonly offline?: boolean;
}

interface Reach {
  readonly what: string;
  readonly failure: string | undefined;
}

export function configure(command: Command): void {
  example(withJson(command), 'sallyport check -c sallyport.yaml', 'sallyport check --offline')
    .option('-c, --config <file>', 'the configuration', 'sallyport.yaml')
    .option('--offline', 'do not ask whether issuers and targets can be reached')
    .action(check);
}

async function check(options: CheckOptions): Promise<void> {
  const config = await readConfiguration(options.config);
  const policies = readPolicies(config);
  const warnings = [...policies.warnings.map((problem) => policyLine(config, problem)), ...certificateWarnings(config, Date.now())];
  for (const line of warnings) note(printable(`warning: ${line}`));
  for (const setting of config.unsafe) note(printable(`warning: unsafe: ${setting}`));
  const reached = options.offline === true ? [] : [...(await reachIssuers(config)), ...(await reachTargets(config))];
  const failed = reached.filter(({ failure }) => failure !== undefined);
  if (options.json === true) {
    printJson({
      config: config.resolved,
      digest: config.digest,
      policies: policies.policies.map(({ id, file, line }) => ({ id, file, line })),
      policy_version: policies.version,
      unsafe: config.unsafe,
      warnings,
      reached: reached.map(({ what, failure }) => ({ what, failure: failure ?? null })),
    });
  } else {
    for (const line of printableLines(stringify(config.resolved).trimEnd())) print(line);
    print(
      `\n${count(policies.policies.length, 'policy').replace('policys', 'policies')}, version ${policies.version.slice(0, 12)}; configuration ${config.digest.slice(0, 12)}`,
    );
    for (const target of config.targets) for (const line of restrictions(target)) print(printable(`target ${target.name}: ${line}`));
    for (const { what, failure } of reached) print(printable(`${what}: ${failure ?? 'reached'}`));
  }
  if (failed.length > 0)
    throw new Failure(`cannot reach ${failed.map(({ what }) => what).join(', ')}`, { hint: 'the configuration itself is good' });
}

/** What holds at a target besides policy, one line each. */
function restrictions({ limits, requireReason, readOnly }: TargetConfig): string[] {
  const { rows, bytes, statementTimeoutMs, operationsPerMinute, rowsPerMinute, concurrentSessions } = limits ?? {};
  const most = (value: number | undefined, what: string): string[] => (value === undefined ? [] : [`at most ${value} ${what}`]);
  return [
    ...(readOnly ? ['for reading only'] : []),
    ...(requireReason ? ['operations must state a reason'] : []),
    ...most(rows, 'rows of an operation'),
    ...most(bytes, 'bytes of an operation'),
    ...most(statementTimeoutMs === undefined ? undefined : statementTimeoutMs / 1000, 'seconds for a statement'),
    ...most(operationsPerMinute, 'operations a minute for a principal'),
    ...most(rowsPerMinute, 'rows a minute for a principal'),
    ...most(concurrentSessions, 'sessions at a time for a principal'),
  ];
}

async function reachIssuers(config: Config): Promise<Reach[]> {
  try {
    const identity = createIdentity({
      issuers: config.issuers,
      tokenStore: nothingIssued,
      sshKeyStore: nothingIssued,
      clock: { now: Date.now, monotonic: () => performance.now() },
      isTarget: () => false,
    });
    return (await identity.probeIssuers()).map(({ issuer, failure }) => ({ what: `issuer ${issuer}`, failure }));
  } catch (error) {
    if (error instanceof IssuerConfigError) throw new Failure(`issuers: ${error.message}`, { cause: error });
    throw error;
  }
}

async function reachTargets(config: Config): Promise<Reach[]> {
  return await Promise.all(config.targets.map(async ({ name, upstream }) => ({ what: `target ${name}`, failure: await reach(upstream) })));
}

/** Only that something listens: the gateway's credential is used by the gateway alone. */
async function reach({ host, port }: TargetConfig['upstream']): Promise<string | undefined> {
  try {
    (await dial({ host, port, tls: undefined })).destroy();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Asking issuers for their keys needs no gateway tokens. */
const nothingIssued: GatewayTokenStore & SshKeyStore = {
  put: async () => await Promise.reject(new Error('check issues nothing')),
  findByHash: async () => undefined,
  findByFingerprint: async () => undefined,
  findById: async () => undefined,
  revoke: async () => false,
  list: async () => [],
  deleteExpired: async () => 0,
};
