import { join } from 'node:path';
import type { Socket } from 'node:net';
import type { AuditLog, LoggedRecord } from '../../../audit/index.ts';
import { unpackConfig } from '../../../config/index.ts';
import { GatewayFault } from '../../../core/fault.ts';
import { appendIfPossible } from '../../../core/pipeline-session.ts';
import type { Watcher } from '../../../core/watching.ts';
import { createIdentity, createSqliteCredentialStores, type Identity } from '../../../identity/index.ts';
import { CancelRegistry } from '../../../net/cancel.ts';
import { SessionRegistry } from '../../../net/sessions.ts';
import { loadParser } from '../../../sql/postgres/index.ts';
import { openDatabase } from '../../../store/index.ts';
import { DataPath } from '../data-path.ts';
import { DefinitionBook } from '../definition-book.ts';
import { InForce, type Change } from '../in-force.ts';
import { keyFile } from '../key-file.ts';
import { createLog, type OperatorLog } from '../log.ts';
import { clock, openOwnRecord } from '../own-log.ts';
import { tokenLimits } from '../token-limits.ts';
import { Channel } from './channel.ts';
import type { OpenedLog, PrimarySide, StartOrder, WorkerSide } from './messages.ts';
import { RemoteDesk } from './remote-desk.ts';

/**
 * One worker: its share of the connections from the first byte to the last record, with a log of its own. It lives and dies with the primary
 * process: without that, nobody could approve, revoke or end anything.
 */
class Worker {
  readonly #channel: Channel<PrimarySide>;
  readonly #desk: RemoteDesk;
  readonly #definitions: DefinitionBook;
  readonly #cancels: CancelRegistry;
  readonly #sessions: SessionRegistry;
  /** Operations of each session, as they were told last. */
  readonly #told = new Map<string, number>();
  /** How those who watch sessions here stop. */
  readonly #watches = new Map<number, () => void>();
  #log: OperatorLog = createLog('info');
  #running: Running | undefined;
  #prepared: Change | undefined;
  #stopped = false;

  constructor() {
    this.#channel = new Channel<PrimarySide>(
      {
        send: (message, socket, sent) => void process.send?.(message, socket, {}, sent),
        onMessage: (listener) => process.on('message', (message, socket) => listener(message, socket as Socket | undefined)),
      },
      this.#side(),
      (what, error) => this.#log.problem(what, error),
    );
    this.#desk = new RemoteDesk(this.#channel);
    this.#definitions = new DefinitionBook({
      begun: async (definition) => this.#channel.call('definitionBegun', definition),
      over: (definition) => this.#channel.tell('definitionOver', definition),
    });
    this.#cancels = new CancelRegistry((key) => this.#channel.tell('cancelElsewhere', { key: Uint8Array.from(key) }));
    this.#sessions = new SessionRegistry({
      opened: ({ id, principal, target, peer, startedAtMs, moderators, watch }) => {
        const { name, protocol, labels, masking, hold } = target;
        const told = { name, protocol, labels, masking, hold };
        const session = { id, principal, target: told, peer, startedAtMs, moderators, canBeWatched: watch !== undefined };
        this.#channel.tell('sessionOpened', session);
      },
      closed: (id) => {
        this.#told.delete(id);
        this.#channel.tell('sessionClosed', { id });
      },
    });
  }

  /** From here on it does what the primary process says, and ends with it. */
  listen(): void {
    process.on('disconnect', () => process.exit(this.#stopped ? 0 : 1));
    if (!process.connected) process.exit(1);
    // A signal to the whole group of processes is the primary's to answer.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  }

  #side(): WorkerSide {
    return {
      start: (order) => this.#start(order),
      serve: () => {
        setInterval(() => this.#status(), statusMs);
        setInterval(() => this.#tellUsage(), usageMs);
      },
      connection: async ({ door }, socket) => {
        if (socket !== undefined) await this.#now.dataPath.accept(door, socket);
        this.#channel.tell('connectionOver', { door });
      },
      prepare: (config) => {
        this.#prepared = this.#now.inForce.prepare(unpackConfig(config));
      },
      commit: () => this.#commit(),
      abandon: () => {
        this.#prepared = undefined;
      },
      endSession: ({ session, reason }) => this.#sessions.find(session)?.end(reason),
      cancel: ({ key }) => void this.#cancels.cancel(key),
      watch: (begun) => this.#watch(begun),
      unwatch: ({ watch }) => {
        this.#watches.get(watch)?.();
        this.#watches.delete(watch);
      },
      usedElsewhere: ({ worker: from, reports }) => this.#now.dataPath.usage.addElsewhere(from, reports, clock.monotonic()),
      endedElsewhere: ({ worker: ended }) => {
        this.#now.dataPath.usage.endedElsewhere(ended, clock.monotonic());
        this.#definitions.endedElsewhere(ended);
      },
      definitionElsewhere: ({ worker: from, ...begun }) => this.#definitions.begunElsewhere(from, begun),
      definitionOverElsewhere: ({ worker: from, ...over }) => this.#definitions.overElsewhere(from, over),
      holdAnswered: ({ hold, answer }) => this.#desk.answered(hold, answer),
      checkpoint: () => this.#now.audit.checkpoint(),
      query: ({ query, limit }) => this.#query(query, limit),
      length: () => this.#now.audit.size,
      stop: ({ reason }) => this.#stop(reason),
    };
  }

  #watch({ watch, session, principal }: Parameters<WorkerSide['watch']>[0]): void {
    const ended = (): void => {
      this.#watches.delete(watch);
      this.#channel.tell('watchEnded', { watch });
    };
    const see: Watcher['see'] = (operation, part) => this.#channel.tell('watchSeen', { watch, operation, part });
    const stop = this.#sessions.find(session)?.watch?.({ principal, see, ended });
    if (stop === undefined) ended();
    else this.#watches.set(watch, stop);
  }

  async #start({ worker, config: packed, version, logLevel }: StartOrder): Promise<OpenedLog> {
    this.#log = createLog(logLevel, { worker });
    const log = this.#log;
    const config = unpackConfig(packed);
    await loadParser();
    const maskingKey = keyFile(join(config.gateway.data, 'keys', 'masking.key'));
    const inForce = new InForce(config, maskingKey, (what, error) => log.problem(what, error), this.#definitions);
    const { audit, recordings } = await openOwnRecord({ config, worker, policyVersion: () => inForce.policy.version, log });
    const started = audit.append({
      type: 'gateway.started',
      version,
      durability: config.audit.durability,
      config_digest: config.digest,
      unsafe: config.unsafe,
      worker,
    });
    await audit.durable(started);
    const identity = createIdentity({
      issuers: config.issuers,
      ...createSqliteCredentialStores(openDatabase(join(config.gateway.data, 'state.db'))),
      clock,
      gatewayTokens: tokenLimits(config),
      isTarget: (name) => inForce.targets.find(name) !== undefined,
    });
    const dataPath = new DataPath({
      inForce,
      identity,
      audit,
      recordings,
      clock,
      log,
      approvals: this.#desk,
      sessions: this.#sessions,
      cancels: this.#cancels,
    });
    this.#running = { inForce, identity, audit, dataPath };
    return { verifierKey: audit.verifierKey, checkpoint: await audit.checkpoint() };
  }

  /** The primary has put it on record; here it is once more, where it took effect. */
  async #commit(): Promise<void> {
    const change = this.#prepared;
    if (change === undefined) throw new Error('nothing was prepared');
    this.#prepared = undefined;
    const { audit, dataPath, identity } = this.#now;
    const { next, previous, policy, policies } = change;
    identity.reconfigure(next.issuers, tokenLimits(next));
    change.apply();
    appendIfPossible(audit, { type: 'config.changed', config_digest: next.digest, previous: previous.digest });
    if (policy !== undefined) {
      appendIfPossible(audit, { type: 'policy.changed', policy_digest: policy.version, policies, previous: policy.previous });
    }
    await dataPath.commit(change);
  }

  async #query(query: Parameters<WorkerSide['query']>[0]['query'], limit: number): Promise<readonly LoggedRecord[]> {
    const found: LoggedRecord[] = [];
    for await (const record of this.#now.audit.query({ ...query, limit })) found.push(record);
    return found;
  }

  async #stop(reason: string): Promise<string> {
    const { audit, dataPath } = this.#now;
    await dataPath.close();
    if (audit.healthy) audit.append({ type: 'gateway.stopped', reason });
    const note = await audit.checkpoint();
    await audit.close();
    this.#stopped = true;
    return note;
  }

  #status(): void {
    const { audit } = this.#now;
    const { user, system } = process.cpuUsage();
    const operations = this.#sessions.list().flatMap((session): [string, number][] => {
      if (this.#told.get(session.id) === session.operations) return [];
      this.#told.set(session.id, session.operations);
      return [[session.id, session.operations]];
    });
    this.#channel.tell('status', {
      records: audit.size,
      healthy: audit.healthy,
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      operations,
    });
  }

  #tellUsage(): void {
    const reports = this.#now.dataPath.usage.takeUntold();
    if (reports.length > 0) this.#channel.tell('used', { reports });
  }

  get #now(): Running {
    if (this.#running === undefined) throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'not started' });
    return this.#running;
  }
}

interface Running {
  readonly inForce: InForce;
  readonly identity: Identity;
  readonly audit: AuditLog;
  readonly dataPath: DataPath;
}

const statusMs = 1_000;
/** How much later another worker knows what was used here. */
const usageMs = 200;
const worker = new Worker();

worker.listen();
