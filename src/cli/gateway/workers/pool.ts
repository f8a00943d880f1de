import { createServer, type Server, type Socket } from 'node:net';
import type { AuditLog, NamedLog } from '../../../audit/index.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { ApprovalPort, LiveSession } from '../../../core/ports.ts';
import { bind } from '../../../net/listener.ts';
import { doorsOf, maxConnections, Ports } from '../doors.ts';
import type { Change, InForce } from '../in-force.ts';
import type { OperatorLog } from '../log.ts';
import type { Plane, WorkerUse } from '../plane.ts';
import { workerLog, type OpenedLog } from './messages.ts';
import { OpenDefinitions } from './open-definitions.ts';
import { WorkerProcess } from './worker.ts';

export interface PoolParts {
  readonly inForce: InForce;
  /** The gateway's own log. */
  readonly audit: AuditLog;
  readonly desk: ApprovalPort;
  readonly version: string;
  readonly logLevel: string;
  readonly log: OperatorLog;
}

/**
 * The workers: starts them, gives each new connection to the one that has fewest, starts again what died, and brings every change to all of them. The
 * listening sockets are the primary's, so that a worker's death refuses nobody who comes afterwards.
 */
export class Pool implements Plane {
  readonly sessions = { list: () => this.#list(), find: (id: string) => this.#find(id) };
  readonly #parts: PoolParts;
  readonly #workers: (WorkerProcess | undefined)[];
  readonly #failures: number[];
  /** Those that have opened all they need, and serve or are about to. */
  readonly #opened = new WeakSet<WorkerProcess>();
  readonly #definitions = new OpenDefinitions((than) => this.#knowing(than));
  /** Sizes of the logs, by worker, as they were put on record last. */
  readonly #witnessed = new Map<number, number>();
  readonly #servers: Server[] = [];
  /** Starts and reloads, one at a time: no worker comes up with a configuration that is being replaced. */
  #turn: Promise<unknown> = Promise.resolve();
  #prepared: readonly WorkerProcess[] = [];
  #witnessing: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    const { workers } = parts.inForce.config.gateway;
    this.#workers = Array.from({ length: workers }, () => undefined);
    this.#failures = Array.from({ length: workers }, () => 0);
  }

  get logs(): readonly NamedLog[] {
    return this.#workers.map((worker, index) => worker ?? absent(index + 1));
  }

  async start(): Promise<Ports> {
    await Promise.all(this.#workers.map((_, index) => this.#start(index + 1)));
    const ports = new Ports();
    for (const door of doorsOf(this.#parts.inForce.config)) {
      const server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true }, (socket) => this.#dispatch(door.name, socket));
      ports.set(door, await bind(server, door.address, (error) => this.#parts.log.problem('connection not accepted', error)));
      this.#servers.push(server);
    }
    this.#witnessing = setInterval(() => void this.#inTurn(() => this.#witnessGrown()), witnessIntervalMs);
    return ports;
  }

  /** Leaves every worker ready, or rejects and leaves none. */
  async prepare(change: Change): Promise<void> {
    const release = await this.#takeTurn();
    const workers = this.#running();
    const results = await Promise.allSettled(workers.map((worker) => worker.prepare(change.next)));
    // One that died meanwhile has nothing to say: it is started again with what is in force then.
    const refused = results.findIndex(({ status }, index) => status === 'rejected' && workers[index]?.hasEnded === false);
    this.#prepared = workers;
    this.#release = release;
    if (refused < 0) return;
    this.abandon();
    const { reason } = results[refused] as PromiseRejectedResult;
    throw new Error(`worker ${workers[refused]?.number} refused it: ${(reason as { detail?: string }).detail ?? String(reason)}`);
  }

  abandon(): void {
    for (const worker of this.#prepared) worker.abandon();
    this.#done();
  }

  /** A worker that does not say that it has changed is not left to go on under what was in force before. */
  async commit(): Promise<void> {
    const committed = this.#prepared.map(async (worker) => {
      await worker.commit().catch((error: unknown) => {
        if (worker.hasEnded) return;
        this.#parts.log.problem(`worker ${worker.number} did not take the new configuration and is started again`, error);
        worker.kill();
      });
    });
    await Promise.all(committed);
    this.#done();
  }

  async witness(): Promise<void> {
    await Promise.all(this.#running().map((worker) => this.#witness(worker)));
  }

  use(): readonly WorkerUse[] {
    return this.#workers.map((worker, index) => ({
      worker: index + 1,
      records: worker?.status.records ?? 0,
      running: worker?.isServing === true,
      healthy: worker?.status.healthy !== false,
      residentBytes: worker?.status.residentBytes ?? 0,
      cpuSeconds: worker?.status.cpuSeconds ?? 0,
    }));
  }

  problems(): readonly string[] {
    const serving = this.#running().filter(({ isServing }) => isServing);
    if (serving.some(({ status }) => status.healthy)) return [];
    return [serving.length === 0 ? 'no worker is running' : 'no worker can write its audit log: every operation is denied'];
  }

  async close(reason: string): Promise<void> {
    this.#closing = true;
    clearInterval(this.#witnessing);
    for (const server of this.#servers) server.close();
    await Promise.all(this.#running().map((worker) => this.#stop(worker, reason)));
  }

  // ---- connections

  #dispatch(door: string, socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const worker = this.#leastBusy(door);
    if (worker === undefined) socket.destroy();
    else worker.send(door, socket);
  }

  /** Of those that answer, the one with fewest connections; of those that do not, only where no other is left. */
  #leastBusy(door: string): WorkerProcess | undefined {
    const serving = this.#running().filter(({ isServing }) => isServing);
    const atDoor = serving.reduce((total, worker) => total + worker.connectionsAt(door), 0);
    if (atDoor >= maxConnections) return undefined;
    const heard = serving.filter(({ isHeard }) => isHeard);
    const candidates = heard.length > 0 ? heard : serving;
    return candidates.reduce<WorkerProcess | undefined>(
      (best, worker) => (best === undefined || worker.connections < best.connections ? worker : best),
      undefined,
    );
  }

  // ---- life and death

  async #start(number: number): Promise<void> {
    const { desk, version, logLevel, log } = this.#parts;
    const worker = new WorkerProcess({
      number,
      desk,
      version,
      logLevel,
      cancelElsewhere: (from, key) => {
        for (const other of this.#others(from)) other.cancel(key);
      },
      used: (from, reports) => {
        for (const other of this.#others(from)) other.usedElsewhere(from.number, reports);
      },
      definitionBegun: async (from, begun) => this.#definitions.begun(from, begun),
      definitionOver: (from, over) => this.#definitions.over(from, over),
      report: (what, error) => log.problem(what, error),
    });
    this.#workers[number - 1] = worker;
    void worker.ended.then((how) => this.#died(worker, how));
    await this.#admit(worker, await worker.open(this.#parts.inForce.config));
  }

  /** That there is this log, and whose key signs it, is on record before anything is in it that somebody could want to be gone. */
  async #admit(worker: WorkerProcess, { verifierKey, checkpoint }: OpenedLog): Promise<void> {
    const { audit, log } = this.#parts;
    const { number, name } = worker;
    const started = audit.append({ type: 'worker.started', worker: number, log: name, verifier_key: verifierKey, checkpoint });
    await audit.durable(started);
    for (const other of this.#others(worker)) worker.usedElsewhere(other.number, other.openCounted);
    this.#opened.add(worker);
    await this.#definitions.tell(worker);
    await worker.serve();
    log.info('worker started', { worker: number, pid: worker.pid });
  }

  #died(worker: WorkerProcess, how: string): void {
    const { audit, log } = this.#parts;
    const { number } = worker;
    if (this.#workers[number - 1] === worker) this.#workers[number - 1] = undefined;
    for (const other of this.#knowing(worker)) other.endedElsewhere(number);
    this.#definitions.ended(worker);
    if (audit.healthy) audit.append({ type: 'worker.ended', worker: number, reason: how });
    if (this.#closing) return;
    const failures = (this.#failures[number - 1] = (this.#failures[number - 1] ?? 0) + 1);
    const againMs = Math.min(firstPauseMs * 2 ** (failures - 1), longestPauseMs);
    log.warn('worker ended; its sessions are over', { worker: number, how, again_ms: againMs });
    if (this.#servers.length > 0) setTimeout(() => void this.#inTurn(() => this.#restart(number)), againMs).unref();
  }

  async #restart(number: number): Promise<void> {
    if (this.#closing) return;
    try {
      await this.#start(number);
      const worker = this.#workers[number - 1];
      setTimeout(() => {
        if (worker !== undefined && this.#workers[number - 1] === worker) this.#failures[number - 1] = 0;
      }, soundMs).unref();
    } catch (error) {
      this.#parts.log.problem(`worker ${number} could not be started`, error);
      // Its end brings the next attempt.
      this.#workers[number - 1]?.kill();
    }
  }

  async #stop(worker: WorkerProcess, reason: string): Promise<void> {
    const { audit } = this.#parts;
    const checkpoint = await worker.stop(reason);
    if (checkpoint !== undefined && audit.healthy) audit.append({ type: 'log.witnessed', log: worker.name, checkpoint });
  }

  // ---- what is on record of workers' logs

  async #witnessGrown(): Promise<void> {
    const grown = this.#running().filter((worker) => worker.isServing && worker.status.records !== this.#witnessed.get(worker.number));
    await Promise.all(grown.map((worker) => this.#witness(worker)));
  }

  async #witness(worker: WorkerProcess): Promise<void> {
    const { audit, log } = this.#parts;
    try {
      const { records } = worker.status;
      const checkpoint = await worker.checkpoint();
      audit.append({ type: 'log.witnessed', log: worker.name, checkpoint });
      this.#witnessed.set(worker.number, records);
    } catch (error) {
      log.problem(`the log of worker ${worker.number} was not witnessed`, error);
    }
  }

  // ---- turns

  #release: () => void = () => {};

  #done(): void {
    this.#prepared = [];
    this.#release();
  }

  async #takeTurn(): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#turn;
    this.#turn = promise;
    await before;
    return resolve;
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const release = await this.#takeTurn();
    try {
      await work();
    } finally {
      release();
    }
  }

  #running(): readonly WorkerProcess[] {
    return this.#workers.filter((worker) => worker !== undefined);
  }

  #others(than: WorkerProcess): readonly WorkerProcess[] {
    return this.#running().filter((worker) => worker !== than && worker.isServing);
  }

  /** What the others do may concern them already. */
  #knowing(than: WorkerProcess): readonly WorkerProcess[] {
    return this.#running().filter((worker) => worker !== than && this.#opened.has(worker));
  }

  #list(): readonly LiveSession[] {
    return this.#running().flatMap((worker) => [...worker.sessions.values()]);
  }

  #find(id: string): LiveSession | undefined {
    for (const worker of this.#running()) {
      const found = worker.sessions.get(id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A worker that is being started again: its log is there, and cannot be read at the moment. */
function absent(number: number): NamedLog {
  const name = workerLog(number);
  const unreadable = (): never => {
    throw new GatewayFault('audit-unavailable', {
      publicMessage: `the audit log ${name} cannot be read now`,
      hint: 'Try again in a moment: its worker is being started again.',
    });
  };
  return {
    name,
    query: async function* () {
      yield unreadable();
    },
    length: async () => unreadable(),
  };
}

const witnessIntervalMs = 30_000;
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** Who has served so long has not failed at start. */
const soundMs = 30_000;
