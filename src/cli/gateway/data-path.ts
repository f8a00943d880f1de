import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { AuditLog } from '../../audit/index.ts';
import type { Config } from '../../config/index.ts';
import type { UsageBook } from '../../core/limits.ts';
import { Pipeline } from '../../core/pipeline.ts';
import type { ApprovalPort, ClockPort } from '../../core/ports.ts';
import type { Identity } from '../../identity/index.ts';
import { countBuffersWithHeap } from '../../net/buffer-memory.ts';
import type { CancelRegistry } from '../../net/cancel.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { NotedApprovals } from '../../net/http-approvals.ts';
import { joined } from '../../net/joined.ts';
import { Connections, listen, type Listener } from '../../net/listener.ts';
import type { SessionRegistry } from '../../net/sessions.ts';
import type { PostgresEnvironment } from '../../protocols/postgres/index.ts';
import { wireProtocols } from '../../protocols/registry.ts';
import type { Recordings } from '../../recordings/index.ts';
import { doorsOf, maxConnections, Ports, type Door } from './doors.ts';
import { HttpPath } from './http-path.ts';
import type { Change, InForce } from './in-force.ts';
import type { OperatorLog } from './log.ts';
import type { Plane, WorkerUse } from './plane.ts';
import { SshPath } from './ssh-path.ts';

export interface DataPathParts {
  readonly inForce: InForce;
  readonly identity: Identity;
  readonly approvals: ApprovalPort;
  readonly audit: AuditLog;
  readonly recordings: Recordings;
  readonly sessions: SessionRegistry;
  readonly cancels: CancelRegistry;
  readonly clock: ClockPort;
  readonly log: OperatorLog;
}

/** Everything between a client's connection and its target. Whoever accepts the connections is not its business. */
export class DataPath implements Plane {
  readonly #parts: DataPathParts;
  readonly #pipeline: Pipeline;
  readonly #http: HttpPath;
  readonly #ssh: SshPath;
  readonly #connections = new Map<string, Connections>();
  /** Those of the other paths. */
  readonly #doors = new Map<string, Door>();
  /** Of connections that came within others, by target. */
  readonly #joined = new Map<string, Connections>();
  readonly #listeners: Listener[] = [];
  readonly #validity: NodeJS.Timeout;

  constructor(parts: DataPathParts) {
    const { inForce, identity, audit, recordings, clock } = parts;
    const approvals = new NotedApprovals(parts.approvals);
    countBuffersWithHeap();
    this.#parts = parts;
    this.#pipeline = new Pipeline({
      identity,
      policy: inForce.policy,
      approvals,
      audit,
      recordings,
      clock,
      findTarget: (name) => inForce.targets.find(name),
      newSessionId: sessionId,
      maxSessionMs: () => inForce.config.session.maxLifetimeMs,
    });
    const join = (target: string, peer: string): Duplex => this.#join(target, peer);
    this.#http = new HttpPath({ ...parts, approvals, pipeline: this.#pipeline, join });
    this.#ssh = new SshPath({ ...parts, pipeline: this.#pipeline, join });
    for (const door of doorsOf(inForce.config)) {
      if (door.kind === 'postgres') this.#connections.set(door.name, this.#newConnections(door.target?.name, false));
      else this.#doors.set(door.name, door);
    }
    this.#validity = setInterval(() => void this.#endInvalidSessions(), validityIntervalMs);
  }

  readonly logs = [];

  /** What principals used here, for the other processes of this gateway. */
  get usage(): UsageBook {
    return this.#pipeline.usage;
  }

  get sessions(): SessionRegistry {
    return this.#parts.sessions;
  }

  /** Accepts connections in this process. Rejects where a port cannot be bound. */
  async start(): Promise<Ports> {
    const ports = new Ports();
    for (const door of doorsOf(this.#parts.inForce.config)) {
      const listener = await this.#listen(door);
      this.#listeners.push(listener);
      ports.set(door, listener.port);
    }
    return ports;
  }

  /** Takes a connection that was accepted elsewhere; resolves when it is over. */
  async accept(door: string, client: Socket): Promise<void> {
    const connections = this.#connections.get(door);
    const other = this.#doors.get(door);
    if (connections !== undefined) await connections.accept(client);
    else if (other === undefined) client.destroy();
    else await (other.kind === 'ssh' ? this.#ssh : this.#http).accept(other, client);
  }

  async prepare(): Promise<void> {}

  abandon(): void {}

  /** A session keeps the target and the data classes that it began with: where they changed, it ends. Limits hold from its next operation on. */
  async commit({ next, previous }: Change): Promise<void> {
    const { sessions } = this.#parts;
    this.#http.replaceCertificate(next);
    if (JSON.stringify(next.dataClasses) !== JSON.stringify(previous.dataClasses)) {
      sessions.end(() => true, 'data classes were changed; connect again');
    }
    const describe = (config: Config, name: string): string | undefined =>
      JSON.stringify({ ...config.targets.find((target) => target.name === name), limits: undefined });
    for (const { name } of previous.targets) {
      if (describe(next, name) === describe(previous, name)) continue;
      const removed = next.targets.every((target) => target.name !== name);
      const reason = removed ? 'its target was removed from the configuration' : 'its target was changed; connect again';
      sessions.end((session) => session.target.name === name, reason);
    }
  }

  /** Accepts nothing more and ends every connection; resolves when all are over, or after seven seconds. */
  async close(): Promise<void> {
    clearInterval(this.#validity);
    const open = this.#listeners.length > 0 ? this.#listeners : [...this.#connections.values(), this.#http, this.#ssh];
    await Promise.race([Promise.all(open.map((one) => one.close('the gateway is stopping'))), delay(closeTimeoutMs)]);
  }

  problems(): readonly string[] {
    return [];
  }

  async witness(): Promise<void> {}

  use(): readonly WorkerUse[] {
    return [];
  }

  #listen(door: Door): Promise<Listener> {
    if (door.kind === 'https') return this.#http.listen(door);
    if (door.kind === 'ssh') return this.#ssh.listen(door);
    const connections = this.#connections.get(door.name) as Connections;
    return listen({ ...door.address, maxConnections, connections });
  }

  /** A connection to a PostgreSQL or an HTTP target that comes within another one, as forwarded ports do. */
  #join(target: string, peer: string): Duplex {
    const { accepted, client } = joined(peer);
    if (this.#parts.inForce.targets.find(target)?.protocol === 'http') {
      this.#http.join(target, accepted);
      return client;
    }
    const connections = this.#joined.get(target) ?? this.#newConnections(target, true);
    this.#joined.set(target, connections);
    void connections.accept(accepted);
    return client;
  }

  /** `target`: the only one there. `isCarried`: by something that is encrypted already. */
  #newConnections(target: string | undefined, isCarried: boolean): Connections {
    const { inForce, audit, cancels, sessions, log } = this.#parts;
    const environment = this.#environment(target, isCarried);
    return new Connections({
      newSession: () => wireProtocols.postgres.createSession(environment()),
      protocol: 'postgres',
      listenerTarget: target,
      pipeline: this.#pipeline,
      audit,
      serverTls: inForce.tls === undefined ? undefined : () => inForce.tls as SecureContext,
      alpn: wireProtocols.postgres.alpn,
      upstreamOf: (name) => inForce.targets.address(name),
      prepare: (name, part) => inForce.targets.prepare(name, part),
      cancels,
      sessions,
      report: (what, fault, session) => log.problem(what, fault, { session }),
    });
  }

  #environment(target: string | undefined, isCarried: boolean): () => PostgresEnvironment {
    const { inForce } = this.#parts;
    return () => {
      const { config, targets } = inForce;
      const current = config.targets.find((one) => one.name === target);
      return {
        crypto: nodeCrypto,
        listenerTarget: target,
        clientAuth: current?.protocol === 'postgres' ? current.clientAuth : 'password',
        canEncrypt: inForce.tls !== undefined,
        unsafePlaintext: isCarried || config.gateway.unsafePlaintext,
        openidConfiguration: config.issuers.map((issuer) => `${issuer.issuer}/.well-known/openid-configuration`)[0],
        analyse: (sql) => inForce.analyse(sql),
        target: (name) => targets.postgres(name),
        reveals: (principal, of) => inForce.policy.reveals(principal, of, targets.classes.names),
        policyVersion: () => inForce.policy.version,
      };
    };
  }

  /** A session ends within seconds of its identity's end: expiry, revocation, an issuer that was removed. */
  async #endInvalidSessions(): Promise<void> {
    const { identity, sessions } = this.#parts;
    for (const session of sessions.list()) {
      const valid = await identity.stillValid(session.principal).catch(() => false);
      if (!valid) session.end('its identity is no longer valid');
    }
  }
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

const validityIntervalMs = 2_000;
/** More than a connection takes to end that waits for the disk and whose client does not read. */
const closeTimeoutMs = 7_000;
