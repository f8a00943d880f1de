import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { startApi, type ApiServer } from '../api/server.ts';
import { ApprovalDesk, SqliteApprovalStore } from '../approvals/index.ts';
import { openAuditLog, type AuditLog } from '../audit/index.ts';
import { ConfigWatcher, loadConfig, RestartNeeded, type Config, type TargetConfig } from '../config/index.ts';
import { GatewayFault } from '../core/fault.ts';
import { Pipeline } from '../core/pipeline.ts';
import type { ClockPort } from '../core/ports.ts';
import { createIdentity, createSqliteGatewayTokenStore, type Identity } from '../identity/index.ts';
import { CancelRegistry } from '../net/cancel.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { listen, type Listener } from '../net/listener.ts';
import { SessionRegistry } from '../net/sessions.ts';
import { compilePolicies, createPolicyEngine, type PolicyEngine, type PolicySet } from '../policy/index.ts';
import type { PostgresEnvironment } from '../protocols/postgres/index.ts';
import { wireProtocols } from '../protocols/registry.ts';
import { createRecordings, type Recordings } from '../recordings/index.ts';
import { createAnalyser, loadParser } from '../sql/postgres/index.ts';
import { openDatabase } from '../store/index.ts';
import { apiContext } from './gateway/api-context.ts';
import { keyFile } from './gateway/key-file.ts';
import { createLog, type OperatorLog } from './gateway/log.ts';
import { Targets } from './gateway/targets.ts';

export interface Gateway {
  /** Ports that were bound, where the configuration leaves the choice to the system (0). */
  readonly ports: {
    readonly postgres: number | undefined;
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
  const log = createLog(options.logLevel ?? 'info');
  const running = new RunningGateway(config, log);
  try {
    await running.start();
  } catch (error) {
    await running.close('start failed').catch((cause: unknown) => log.problem('could not clean up', cause));
    throw error;
  }
  return running;
}

class RunningGateway implements Gateway {
  readonly ports = { postgres: undefined as number | undefined, api: undefined as number | undefined, targets: new Map<string, number>() };
  readonly #log: OperatorLog;
  readonly #watcher: ConfigWatcher;
  readonly #sessions = new SessionRegistry();
  readonly #cancels = new CancelRegistry();
  readonly #analyser = createAnalyser({ maxShapes: 10_000 });
  readonly #policy: PolicyEngine;
  readonly #listeners: Listener[] = [];
  readonly #maskingKey: Uint8Array;
  #config: Config;
  #targets: Targets;
  #tls: SecureContext | undefined;
  #audit: AuditLog | undefined;
  #identity: Identity | undefined;
  #desk: ApprovalDesk | undefined;
  #api: ApiServer | undefined;
  #database: ReturnType<typeof openDatabase> | undefined;
  #validity: NodeJS.Timeout | undefined;
  #housekeeping: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: Config, log: OperatorLog) {
    this.#config = config;
    this.#log = log;
    this.#maskingKey = keyFile(join(config.gateway.data, 'keys', 'masking.key'));
    this.#targets = this.#newTargets(config);
    this.#policy = createPolicyEngine(policySet(config), { now: Date.now });
    this.#tls = secureContext(config);
    this.#watcher = new ConfigWatcher(config, {
      apply: (next, previous) => this.#apply(next, previous),
      refused: (error) => log.problem('configuration not reloaded: nothing was changed', error),
    });
  }

  get auditVerifierKey(): string {
    return this.#opened(this.#audit).verifierKey;
  }

  async start(): Promise<void> {
    const { gateway, audit: auditConfig, listeners, unsafe } = this.#config;
    const audit = await this.#openAudit();
    this.#audit = audit;
    const database = openDatabase(join(gateway.data, 'state.db'));
    this.#database = database;
    const recordings = createRecordings({ folder: join(gateway.data, 'recordings'), clock });
    await this.#recoverRecordings(recordings, audit);
    const started = audit.append({
      type: 'gateway.started',
      version: packageVersion,
      durability: auditConfig.durability,
      config_digest: this.#config.digest,
      unsafe,
    });
    await audit.durable(started);
    for (const name of unsafe) this.#log.warn('unsafe setting in force', { setting: name });

    this.#identity = createIdentity({
      issuers: this.#config.issuers,
      tokenStore: createSqliteGatewayTokenStore(database),
      clock,
      gatewayTokens: tokenLimits(this.#config),
      isTarget: (name) => this.#targets.find(name) !== undefined,
    });
    this.#desk = new ApprovalDesk({
      store: new SqliteApprovalStore(database),
      audit,
      clock,
      policyVersion: () => this.#policy.version,
      apiUrl: () => this.#config.gateway.apiUrl,
    });
    const pipeline = new Pipeline({
      identity: this.#identity,
      policy: this.#policy,
      approvals: this.#desk,
      audit,
      recordings,
      clock,
      findTarget: (name) => this.#targets.find(name),
      newSessionId: sessionId,
      maxSessionMs: () => this.#config.session.maxLifetimeMs,
    });
    await this.#listenPostgres(pipeline, audit);
    if (listeners.api !== undefined) await this.#listenApi(recordings);
    this.#validity = setInterval(() => void this.#endInvalidSessions(), validityIntervalMs);
    this.#housekeeping = setInterval(() => this.#keepHouse(), housekeepingIntervalMs);
    this.#watcher.start();
    this.#log.info('gateway started', { name: gateway.name, version: packageVersion, postgres: this.ports.postgres, api: this.ports.api });
  }

  close(reason = 'stopped by the operator'): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  async #close(reason: string): Promise<void> {
    this.#watcher.stop();
    clearInterval(this.#validity);
    clearInterval(this.#housekeeping);
    const listeners = this.#listeners.map((listener) => listener.close('the gateway is stopping'));
    await Promise.race([Promise.all(listeners), delay(closeTimeoutMs)]);
    await this.#api?.close();
    this.#desk?.stop();
    if (this.#audit !== undefined) {
      if (this.#audit.healthy) this.#audit.append({ type: 'gateway.stopped', reason });
      await this.#audit.close();
    }
    this.#database?.close();
  }

  // ---- parts

  /** Sessions that a killed gateway left open: their recordings are sealed now, and that they were is on record. */
  async #recoverRecordings(recordings: Recordings, audit: AuditLog): Promise<void> {
    const { recovered, failed } = await recordings.recover();
    for (const { session, recording, droppedBytes } of recovered) {
      audit.append({ type: 'recording.recovered', session, dropped_bytes: droppedBytes, recording });
    }
    for (const { file, reason } of failed) this.#log.warn('recording not sealed', { file, reason });
  }

  #openAudit(): Promise<AuditLog> {
    const { gateway, audit } = this.#config;
    return openAuditLog({
      folder: join(gateway.data, 'audit'),
      origin: `${gateway.host}/sallyport/${gateway.name}`,
      gateway: gateway.name,
      policyVersion: () => this.#policy.version,
      privateKeyFile: join(gateway.data, 'keys', 'audit.key'),
      digestKeyFile: join(gateway.data, 'keys', 'digest.key'),
      durability: audit.durability,
      clock,
      onHealth: (health) => this.#log.warn('audit log health', { ...health }),
    });
  }

  async #listenPostgres(pipeline: Pipeline, audit: AuditLog): Promise<void> {
    const start = async (address: { host: string | undefined; port: number }, target: TargetConfig | undefined): Promise<Listener> => {
      const environment = this.#environment(target);
      const listener = await listen({
        host: address.host,
        port: address.port,
        newSession: () => wireProtocols.postgres.createSession(environment()),
        maxConnections: 10_000,
        protocol: 'postgres',
        listenerTarget: target?.name,
        pipeline,
        audit,
        serverTls: this.#tls === undefined ? undefined : () => this.#tls as SecureContext,
        alpn: wireProtocols.postgres.alpn,
        upstreamOf: (name) => this.#targets.address(name),
        prepare: (name, part) => this.#targets.prepare(name, part),
        cancels: this.#cancels,
        sessions: this.#sessions,
        report: (what, fault, session) => this.#log.problem(what, fault, { session }),
      });
      this.#listeners.push(listener);
      return listener;
    };
    if (this.#config.listeners.postgres !== undefined) this.ports.postgres = (await start(this.#config.listeners.postgres, undefined)).port;
    for (const target of this.#config.targets) {
      if (target.listen !== undefined) this.ports.targets.set(target.name, (await start(target.listen, target)).port);
    }
  }

  #environment(target: TargetConfig | undefined): () => PostgresEnvironment {
    return () => {
      const targets = this.#targets;
      const current = this.#config.targets.find((one) => one.name === target?.name);
      return {
        crypto: nodeCrypto,
        listenerTarget: target?.name,
        clientAuth: current?.clientAuth ?? 'password',
        canEncrypt: this.#tls !== undefined,
        unsafePlaintext: this.#config.gateway.unsafePlaintext,
        openidConfiguration: this.#config.issuers.map((issuer) => `${issuer.issuer}/.well-known/openid-configuration`)[0],
        analyse: (sql) => this.#analyser.analyse(sql),
        target: (name) => targets.postgres(name),
        reveals: (principal, of) => this.#policy.reveals(principal, of, targets.classes.names),
        policyVersion: () => this.#policy.version,
      };
    };
  }

  async #listenApi(recordings: Recordings): Promise<void> {
    const { api } = this.#config.listeners;
    const context = apiContext({
      config: () => this.#config,
      version: packageVersion,
      identity: this.#opened(this.#identity),
      policy: this.#policy,
      desk: this.#opened(this.#desk),
      audit: this.#opened(this.#audit),
      sessions: this.#sessions,
      targets: () => this.#targets,
      recordings,
      analyse: (sql) => this.#analyser.analyse(sql),
      ports: this.ports,
      problems: () => this.#problems(),
      report: (what, error) => this.#log.problem(what, error),
    });
    const { tls } = this.#config.gateway;
    this.#api = await startApi(context, {
      host: api?.host,
      port: api?.port ?? 0,
      tls: tls === undefined ? undefined : { cert: tls.certificate.text(), key: tls.key.text(), minVersion: 'TLSv1.2' },
    });
    this.ports.api = this.#api.port;
  }

  #problems(): readonly string[] {
    if (this.#closing !== undefined) return ['the gateway is stopping'];
    return this.#audit?.healthy === true ? [] : ['the audit log cannot be written: every operation is denied'];
  }

  // ---- changes

  async #apply(next: Config, previous: Config): Promise<void> {
    const fixed = restartKeys(next, previous);
    if (fixed.length > 0) throw new RestartNeeded(fixed);
    const policies = policySet(next);
    const targets = this.#newTargets(next);
    const tls = secureContext(next);
    const audit = this.#opened(this.#audit);
    const before = this.#policy.version;
    const changed = audit.append({ type: 'config.changed', config_digest: next.digest, previous: previous.digest });
    await audit.durable(changed);
    this.#opened(this.#identity).reconfigure(next.issuers, tokenLimits(next));
    this.#config = next;
    this.#targets = targets;
    this.#tls = tls;
    if (policies.version !== before) {
      this.#policy.replace(policies);
      audit.append({ type: 'policy.changed', policy_digest: policies.version, policies: policies.policies.length, previous: before });
      this.#desk?.policyChanged();
    }
    if (next.gateway.tls !== undefined)
      this.#api?.replaceCertificate({ cert: next.gateway.tls.certificate.text(), key: next.gateway.tls.key.text() });
    this.#endChangedSessions(next, previous);
    this.#log.info('configuration reloaded', { digest: next.digest, policies: policies.policies.length });
  }

  /** A session keeps the target and the data classes that it began with: where they changed, it ends. Limits hold from its next operation on. */
  #endChangedSessions(next: Config, previous: Config): void {
    if (JSON.stringify(next.dataClasses) !== JSON.stringify(previous.dataClasses)) {
      this.#sessions.end(() => true, 'data classes were changed; connect again');
    }
    const describe = (config: Config, name: string): string | undefined =>
      JSON.stringify({ ...config.targets.find((target) => target.name === name), limits: undefined });
    for (const { name } of previous.targets) {
      if (describe(next, name) === describe(previous, name)) continue;
      const removed = next.targets.every((target) => target.name !== name);
      const reason = removed ? 'its target was removed from the configuration' : 'its target was changed; connect again';
      this.#sessions.end((session) => session.target.name === name, reason);
    }
  }

  #newTargets(config: Config): Targets {
    return new Targets(config, {
      maskingKey: this.#maskingKey,
      analyse: (sql) => this.#analyser.analyse(sql),
      report: (what, error) => this.#log.problem(what, error),
    });
  }

  /** A session ends within seconds of its identity's end: expiry, revocation, an issuer that was removed. */
  async #endInvalidSessions(): Promise<void> {
    for (const session of this.#sessions.list()) {
      const valid = await this.#opened(this.#identity)
        .stillValid(session.principal)
        .catch(() => false);
      if (!valid) session.end('its identity is no longer valid');
    }
  }

  #keepHouse(): void {
    this.#opened(this.#identity)
      .deleteExpiredGatewayTokens()
      .catch((error: unknown) => this.#log.problem('expired gateway tokens not deleted', error));
  }

  #opened<T>(part: T | undefined): T {
    if (part === undefined) throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'used before start' });
    return part;
  }
}

function policySet(config: Config): PolicySet {
  const dataClasses = config.dataClasses.map((dataClass) => dataClass.name);
  return compilePolicies({ files: config.policies.files, crypto: nodeCrypto, targets: config.targets, dataClasses });
}

function tokenLimits({ credentials }: Config) {
  return { maxLifetimeMs: credentials.maxLifetimeMs, outliveOidcToken: credentials.outliveToken };
}

function secureContext(config: Config): SecureContext | undefined {
  const { tls } = config.gateway;
  if (tls === undefined) return undefined;
  return createSecureContext({ cert: tls.certificate.text(), key: tls.key.text(), minVersion: 'TLSv1.2' });
}

/** What is bound or opened once. */
function restartKeys(next: Config, previous: Config): readonly string[] {
  const fixed = (config: Config): Readonly<Record<string, unknown>> => ({
    'gateway.name': config.gateway.name,
    'gateway.host': config.gateway.host,
    'gateway.data': config.gateway.data,
    listeners: config.listeners,
    'targets.*.listen': config.targets.map((target) => [target.name, target.listen]).filter(([, listen]) => listen !== undefined),
    'audit.durability': config.audit.durability,
  });
  const before = fixed(previous);
  return Object.entries(fixed(next))
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]))
    .map(([key]) => key);
}

/** Sorts by time of opening and cannot be guessed. */
function sessionId(): string {
  return `ses_${Date.now().toString(36)}${randomBytes(10).toString('hex')}`;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

const clock: ClockPort = { now: () => Date.now(), monotonic: () => performance.now() };
const packageVersion = readVersion();
const validityIntervalMs = 2_000;
const housekeepingIntervalMs = 10 * 60_000;
/** More than a connection takes to end that waits for the disk and whose client does not read. */
const closeTimeoutMs = 7_000;

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
