import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApi, type ApiServer } from '../api/server.ts';
import { ApprovalDesk, SqliteApprovalStore } from '../approvals/index.ts';
import { LogsTogether, type AuditLog } from '../audit/index.ts';
import { certificateWarnings, ConfigWatcher, loadConfig, RestartNeeded, type Config } from '../config/index.ts';
import { GatewayFault } from '../core/fault.ts';
import { appendIfPossible } from '../core/pipeline-session.ts';
import { createIdentity, createSqliteCredentialStores, type Identity } from '../identity/index.ts';
import { CancelRegistry } from '../net/cancel.ts';
import { SessionRegistry } from '../net/sessions.ts';
import type { Recordings } from '../recordings/index.ts';
import { loadParser } from '../sql/postgres/index.ts';
import { openDatabase } from '../store/index.ts';
import { apiContext } from './gateway/api-context.ts';
import { DataPath } from './gateway/data-path.ts';
import { doorsOf } from './gateway/doors.ts';
import { InForce } from './gateway/in-force.ts';
import { keyFile } from './gateway/key-file.ts';
import { createLog, type OperatorLog } from './gateway/log.ts';
import { clock, openOwnRecord, recordingsOf } from './gateway/own-log.ts';
import type { Plane } from './gateway/plane.ts';
import { tokenLimits } from './gateway/token-limits.ts';
import { Pool } from './gateway/workers/pool.ts';
import { openRetired, workersOnDisk, type RetiredRecord } from './gateway/workers/retired.ts';

export interface Gateway {
  /** Ports that were bound, where the configuration leaves the choice to the system (0). */
  readonly ports: {
    readonly postgres: number | undefined;
    readonly ssh: number | undefined;
    readonly https: number | undefined;
    readonly api: number | undefined;
    readonly targets: ReadonlyMap<string, number>;
  };
  readonly auditVerifierKey: string;
  /** Ends every session, seals what is open, signs a last checkpoint. */
  close(reason?: string): Promise<void>;
}

export interface GatewayOptions {
  /** `debug`, `info` (default), `warn`, `silent`. */
  readonly logLevel?: string;
}

/** Starts the gateway that the configuration describes. Throws a `ConfigError`, a `PolicyLoadError` or a `GatewayFault`, with nothing left running. */
export async function startGateway(configPath: string, options: GatewayOptions = {}): Promise<Gateway> {
  await loadParser();
  // Nothing that takes time between reading the files and watching them.
  const config = await loadConfig(configPath);
  const logLevel = options.logLevel ?? 'info';
  const log = createLog(logLevel);
  const running = new RunningGateway(config, log, logLevel);
  try {
    await running.start();
  } catch (error) {
    await running.close('start failed').catch((cause: unknown) => log.problem('could not clean up', cause));
    throw error;
  }
  return running;
}

class RunningGateway implements Gateway {
  ports: Gateway['ports'] & { readonly api: number | undefined } = {
    postgres: undefined,
    ssh: undefined,
    https: undefined,
    api: undefined,
    targets: new Map(),
  };
  readonly #log: OperatorLog;
  readonly #logLevel: string;
  readonly #watcher: ConfigWatcher;
  readonly #inForce: InForce;
  #audit: AuditLog | undefined;
  #retired: readonly RetiredRecord[] = [];
  #identity: Identity | undefined;
  #desk: ApprovalDesk | undefined;
  #plane: Plane | undefined;
  #api: ApiServer | undefined;
  #database: ReturnType<typeof openDatabase> | undefined;
  #housekeeping: NodeJS.Timeout | undefined;
  /** Warnings of certificates that stand in the log. */
  #warned: readonly string[] = [];
  #closing: Promise<void> | undefined;

  constructor(config: Config, log: OperatorLog, logLevel: string) {
    this.#log = log;
    this.#logLevel = logLevel;
    const maskingKey = keyFile(join(config.gateway.data, 'keys', 'masking.key'));
    this.#inForce = new InForce(config, maskingKey, (what, error) => log.problem(what, error));
    this.#watcher = new ConfigWatcher(config, {
      apply: (next, previous) => this.#apply(next, previous),
      refused: (error) => log.problem('configuration not reloaded: nothing was changed', error),
    });
  }

  get auditVerifierKey(): string {
    return this.#opened(this.#audit).verifierKey;
  }

  async start(): Promise<void> {
    const { gateway, audit: auditConfig, listeners, unsafe } = this.#inForce.config;
    const policyVersion = (): string => this.#inForce.policy.version;
    const { audit, recordings } = await openOwnRecord({ config: this.#inForce.config, worker: undefined, policyVersion, log: this.#log });
    this.#audit = audit;
    const database = openDatabase(join(gateway.data, 'state.db'));
    this.#database = database;
    const started = audit.append({
      type: 'gateway.started',
      version: packageVersion,
      durability: auditConfig.durability,
      config_digest: this.#inForce.config.digest,
      unsafe,
    });
    await audit.durable(started);
    for (const name of unsafe) this.#log.warn('unsafe setting in force', { setting: name });
    this.#warnOfCertificates();
    await this.#openRetired(audit, policyVersion);

    this.#identity = createIdentity({
      issuers: this.#inForce.config.issuers,
      ...createSqliteCredentialStores(database),
      clock,
      gatewayTokens: tokenLimits(this.#inForce.config),
      isTarget: (name) => this.#inForce.targets.find(name) !== undefined,
    });
    this.#desk = new ApprovalDesk({
      store: new SqliteApprovalStore(database),
      audit,
      clock,
      policyVersion,
      apiUrl: () => this.#inForce.config.gateway.apiUrl,
    });
    this.#plane = gateway.workers > 1 ? this.#pool(audit, this.#desk) : this.#dataPath(audit, recordings, this.#desk);
    const { postgres, ssh, https, targets } = await this.#plane.start();
    this.ports = { postgres, ssh, https, api: undefined, targets };
    if (listeners.api !== undefined) await this.#listenApi(this.#plane, recordings);
    this.#housekeeping = setInterval(() => this.#keepHouse(), housekeepingIntervalMs);
    this.#watcher.start();
    this.#log.info('gateway started', { name: gateway.name, version: packageVersion, postgres, ssh, https, api: this.ports.api });
  }

  close(reason = 'stopped by the operator'): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #close(reason: string): Promise<void> {
    this.#watcher.stop();
    clearInterval(this.#housekeeping);
    await this.#plane?.close(reason);
    await this.#api?.close();
    this.#desk?.stop();
    try {
      for (const { audit } of this.#retired) await audit.close();
      if (this.#audit !== undefined) {
        if (this.#audit.healthy) this.#audit.append({ type: 'gateway.stopped', reason });
        await this.#audit.close();
      }
    } finally {
      // A log that cannot be signed any more is told; what else is open is closed all the same.
      this.#database?.close();
    }
  }

  // ---- parts

  #dataPath(audit: AuditLog, recordings: Recordings, approvals: ApprovalDesk): Plane {
    const parts = { audit, recordings, approvals, clock, inForce: this.#inForce, identity: this.#opened(this.#identity), log: this.#log };
    return new DataPath({ ...parts, sessions: new SessionRegistry(), cancels: new CancelRegistry() });
  }

  #pool(audit: AuditLog, desk: ApprovalDesk): Plane {
    return new Pool({ inForce: this.#inForce, audit, desk, version: packageVersion, logLevel: this.#logLevel, log: this.#log });
  }

  /** What became of workers' logs is on record before anything else is written. */
  async #openRetired(audit: AuditLog, policyVersion: () => string): Promise<void> {
    this.#retired = await openRetired(this.#inForce.config, policyVersion, this.#log);
    for (const retired of this.#retired) {
      audit.append({ type: 'log.witnessed', log: retired.name, checkpoint: await retired.audit.checkpoint() });
    }
  }

  async #listenApi(plane: Plane, recordings: Recordings): Promise<void> {
    const { api } = this.#inForce.config.listeners;
    const context = apiContext({
      config: () => this.#inForce.config,
      version: packageVersion,
      identity: this.#opened(this.#identity),
      policy: this.#inForce.policy,
      desk: this.#opened(this.#desk),
      audit: this.#opened(this.#audit),
      logs: this.#logs(plane),
      plane,
      targets: () => this.#inForce.targets,
      readRecording: (session) => this.#readRecording(recordings, session),
      analyse: (sql) => this.#inForce.analyse(sql),
      ports: this.ports,
      problems: () => this.#problems(plane),
      report: (what, error) => this.#log.problem(what, error),
    });
    const { tls } = this.#inForce.config.gateway;
    this.#api = await startApi(context, {
      host: api?.host,
      port: api?.port ?? 0,
      tls: tls === undefined ? undefined : { cert: tls.certificate.text(), key: tls.key.text(), minVersion: 'TLSv1.2' },
    });
    this.ports = { ...this.ports, api: this.#api.port };
  }

  #logs(plane: Plane): LogsTogether {
    const own = named('gateway', this.#opened(this.#audit));
    const retired = this.#retired.map(({ name, audit }) => named(name, audit));
    return new LogsTogether(own, () => [...plane.logs, ...retired]);
  }

  async #readRecording(own: Recordings, session: string): ReturnType<Recordings['read']> {
    const { config } = this.#inForce;
    const workers = workersOnDisk(config).map((worker) => recordingsOf(config, worker));
    for (const recordings of [own, ...workers]) {
      const found = await recordings.read(session);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #problems(plane: Plane): readonly string[] {
    if (this.#closing !== undefined) return ['the gateway is stopping'];
    const own = this.#audit?.healthy === true ? [] : ['the audit log cannot be written: every operation is denied'];
    return [...own, ...plane.problems()];
  }

  // ---- changes

  async #apply(next: Config, previous: Config): Promise<void> {
    const fixed = restartKeys(next, previous);
    if (fixed.length > 0) throw new RestartNeeded(fixed);
    const audit = this.#opened(this.#audit);
    const plane = this.#opened(this.#plane);
    const change = this.#inForce.prepare(next);
    await plane.prepare(change);
    try {
      const changed = audit.append({ type: 'config.changed', config_digest: next.digest, previous: previous.digest });
      await audit.durable(changed);
      this.#opened(this.#identity).reconfigure(next.issuers, tokenLimits(next));
    } catch (error) {
      plane.abandon();
      throw error;
    }
    const { policy, policies } = change;
    change.apply();
    if (policy !== undefined) {
      appendIfPossible(audit, { type: 'policy.changed', policy_digest: policy.version, policies, previous: policy.previous });
      this.#desk?.policyChanged();
    }
    if (next.gateway.tls !== undefined)
      this.#api?.replaceCertificate({ cert: next.gateway.tls.certificate.text(), key: next.gateway.tls.key.text() });
    await plane.commit(change);
    this.#log.info('configuration reloaded', { digest: next.digest, policies });
    this.#warnOfCertificates();
  }

  #keepHouse(): void {
    this.#warnOfCertificates();
    this.#opened(this.#identity)
      .deleteExpiredCredentials()
      .catch((error: unknown) => this.#log.problem('expired credentials not deleted', error));
  }

  /** Each once, and again where it was put right in between. */
  #warnOfCertificates(): void {
    const warnings = certificateWarnings(this.#inForce.config, Date.now());
    for (const warning of warnings) if (!this.#warned.includes(warning)) this.#log.warn(warning);
    this.#warned = warnings;
  }

  #opened<T>(part: T | undefined): T {
    if (part === undefined) throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'used before start' });
    return part;
  }
}

function named(name: string, audit: AuditLog) {
  return {
    name,
    query: (query: Parameters<AuditLog['query']>[0]) => audit.query(query),
    tail: (options: Parameters<AuditLog['tail']>[0]) => audit.tail(options),
    length: async () => audit.size,
  };
}

/** What is bound or opened once. */
function restartKeys(next: Config, previous: Config): readonly string[] {
  const fixed = (config: Config): Readonly<Record<string, unknown>> => ({
    'gateway.name': config.gateway.name,
    'gateway.host': config.gateway.host,
    'gateway.data': config.gateway.data,
    'gateway.workers': config.gateway.workers,
    listeners: config.listeners,
    'targets.*.listen': doorsOf(config).flatMap(({ target }) => (target === undefined ? [] : [[target.name, target.listen]])),
    'audit.durability': config.audit.durability,
  });
  const before = fixed(previous);
  return Object.entries(fixed(next))
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]))
    .map(([key]) => key);
}

const packageVersion = readVersion();
const housekeepingIntervalMs = 10 * 60_000;

function readVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // Sources lie two folders below the package, compiled files three.
    }
  }
  return 'unknown';
}
