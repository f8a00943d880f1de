import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { extname } from 'node:path';
import type { LoggedRecord, NamedLog, RecordQuery } from '../../../audit/index.ts';
import { packConfig, type Config } from '../../../config/index.ts';
import { GatewayFault } from '../../../core/fault.ts';
import type { UsageReport } from '../../../core/limits.ts';
import type { ApprovalPort, LiveSession } from '../../../core/ports.ts';
import type { Watcher } from '../../../core/watching.ts';
import type { DefinitionBegun, DefinitionOver } from '../definition-book.ts';
import { Channel } from './channel.ts';
import { Holds } from './holds.ts';
import { workerLog, type OpenedLog, type OpenedSession, type PrimarySide, type WorkerSide, type WorkerStatus } from './messages.ts';
import { RemoteWatches } from './remote-watches.ts';

export interface WorkerOptions {
  readonly number: number;
  readonly version: string;
  readonly logLevel: string;
  readonly desk: ApprovalPort;
  /** A client wants to cancel something with a key that this worker does not know. */
  readonly cancelElsewhere: (from: WorkerProcess, key: Uint8Array) => void;
  /** Principals used something of a target, which the other workers are to count. */
  readonly used: (from: WorkerProcess, reports: readonly UsageReport[]) => void;
  /** Something is about to be defined in it; resolves when the other workers know of it. */
  readonly definitionBegun: (from: WorkerProcess, begun: DefinitionBegun) => Promise<void>;
  readonly definitionOver: (from: WorkerProcess, over: DefinitionOver) => void;
  readonly report: (what: string, error: unknown) => void;
}

/** One run of a worker, as the primary process sees it. When its process ends, so does this. */
export class WorkerProcess implements NamedLog {
  readonly name: string;
  readonly number: number;
  readonly sessions = new Map<string, RemoteSession>();
  /** Resolves with how it ended. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #channel: Channel<WorkerSide>;
  readonly #holds: Holds;
  readonly #watches: RemoteWatches;
  readonly #options: WorkerOptions;
  /** By door. */
  readonly #connections = new Map<string, number>();
  /** Open sessions by principal and target, as limits count them. */
  readonly #counted = new Map<string, UsageReport>();
  #status: WorkerStatus = { records: 0, healthy: true, residentBytes: 0, cpuSeconds: 0, operations: [] };
  #heardAt = performance.now();
  #serving = false;
  #ended = false;

  constructor(options: WorkerOptions) {
    const { number, desk, report } = options;
    this.#options = options;
    this.number = number;
    this.name = workerLog(number);
    // What Node was started with is the worker's as well, but that it runs tests, and the name of a profile that is the primary's.
    const execArgv = process.execArgv.filter((argument) => !/^--(?:test|cpu-prof-name)/.test(argument));
    this.#child = fork(program, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv });
    const child = this.#child;
    this.#channel = new Channel<WorkerSide>(
      {
        send: (message, socket, sent) => void child.send(message as object, socket, {}, sent),
        onMessage: (listener) => child.on('message', (message, socket) => listener(message, socket as Socket | undefined)),
      },
      this.#side(),
      (what, error) => report(`worker ${number}: ${what}`, error),
    );
    this.#holds = new Holds(desk, this.name, (hold, answer) => this.#channel.tell('holdAnswered', { hold, answer }));
    this.#watches = new RemoteWatches(this.#channel);
    this.ended = new Promise((resolve) => {
      child.on('exit', (code, signal) => resolve(this.#over(signal ?? `exit code ${code}`)));
      child.on('error', (error) => {
        report(`worker ${number}`, error);
        if (child.pid === undefined) resolve(this.#over('it could not be started'));
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Connections may be sent to it. */
  get isServing(): boolean {
    return this.#serving;
  }

  /** Its process is gone. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  get status(): WorkerStatus {
    return this.#status;
  }

  /** False where it has been busy with one thing, or stopped, for longer than three of its reports. */
  get isHeard(): boolean {
    return performance.now() - this.#heardAt < silenceMs;
  }

  get connections(): number {
    let total = 0;
    for (const count of this.#connections.values()) total += count;
    return total;
  }

  connectionsAt(door: string): number {
    return this.#connections.get(door) ?? 0;
  }

  /** Resolves when its log is open. To recover a long one after a crash takes its time. */
  async open(config: Config): Promise<OpenedLog> {
    const { number, version, logLevel } = this.#options;
    return this.#channel.call('start', { worker: number, config: packConfig(config), version, logLevel }, startPatienceMs);
  }

  async serve(): Promise<void> {
    await this.#channel.call('serve', undefined);
    this.#heardAt = performance.now();
    this.#serving = true;
  }

  send(door: string, socket: Socket): void {
    this.#count(door, 1);
    this.#channel.tell('connection', { door }, socket, () => {
      socket.destroy();
      this.#count(door, -1);
    });
  }

  /** Rejects where it refuses the configuration. */
  async prepare(config: Config): Promise<void> {
    await this.#channel.call('prepare', packConfig(config));
  }

  async commit(): Promise<void> {
    await this.#channel.call('commit', undefined);
  }

  abandon(): void {
    this.#channel.tell('abandon', undefined);
  }

  /** For a worker that has just started: what is open here. */
  get openCounted(): readonly UsageReport[] {
    return [...this.#counted.values()];
  }

  usedElsewhere(worker: number, reports: readonly UsageReport[]): void {
    if (reports.length > 0) this.#channel.tell('usedElsewhere', { worker, reports });
  }

  endedElsewhere(worker: number): void {
    this.#channel.tell('endedElsewhere', { worker });
  }

  /** Resolves when it knows; rejects where it does not answer. */
  async definitionElsewhere(worker: number, begun: DefinitionBegun): Promise<void> {
    await this.#channel.call('definitionElsewhere', { ...begun, worker }, definitionPatienceMs);
  }

  definitionOverElsewhere(worker: number, over: DefinitionOver): void {
    this.#channel.tell('definitionOverElsewhere', { ...over, worker });
  }

  cancel(key: Uint8Array): void {
    this.#channel.tell('cancel', { key });
  }

  async checkpoint(): Promise<string> {
    return this.#channel.call('checkpoint', undefined);
  }

  async length(): Promise<number> {
    return this.#readable(this.#channel.call('length', undefined));
  }

  /** Page by page: a log is longer than what one process should hold for another. */
  async *query(query: RecordQuery): AsyncGenerator<LoggedRecord, void, undefined> {
    const newestFirst = query.order !== 'oldest';
    let { first, end } = query;
    let left = query.limit ?? Infinity;
    while (left > 0) {
      const limit = Math.min(left, pageRecords);
      const bounds = { ...(first === undefined ? {} : { first }), ...(end === undefined ? {} : { end }) };
      const page = await this.#readable(this.#channel.call('query', { query: { ...query, ...bounds }, limit }, queryPatienceMs));
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      left -= page.length;
      if (newestFirst) end = last.sequence;
      else first = last.sequence + 1;
    }
  }

  /** Ends in order and gives its log's last checkpoint; undefined where it had to be killed. */
  async stop(reason: string): Promise<string | undefined> {
    this.#serving = false;
    try {
      return await this.#channel.call('stop', { reason }, stopPatienceMs);
    } catch (error) {
      this.#options.report(`worker ${this.number} did not stop in order`, error);
      return undefined;
    } finally {
      if (this.#child.connected) this.#child.disconnect();
      const impatience = setTimeout(() => this.kill(), exitPatienceMs);
      await this.ended;
      clearTimeout(impatience);
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #side(): PrimarySide {
    return {
      sessionOpened: (session) => {
        const end = (reason: string): void => this.#channel.tell('endSession', { session: session.id, reason });
        const watch = session.canBeWatched ? (watcher: Watcher) => this.#watches.begin(session.id, watcher) : undefined;
        this.sessions.set(session.id, new RemoteSession(session, end, watch));
      },
      sessionClosed: ({ id }) => {
        this.sessions.delete(id);
        this.#holds.sessionClosed(id);
      },
      connectionOver: ({ door }) => this.#count(door, -1),
      watchSeen: ({ watch, operation, part }) => this.#watches.seen(watch, operation, part),
      watchEnded: ({ watch }) => this.#watches.ended(watch),
      status: (status) => {
        this.#status = status;
        this.#heardAt = performance.now();
        for (const [session, operations] of status.operations) this.sessions.get(session)?.counted(operations);
      },
      used: ({ reports }) => {
        for (const { key, sessions } of reports) {
          if (sessions === 0) this.#counted.delete(key);
          else this.#counted.set(key, { key, operations: 0, rows: 0, sessions });
        }
        this.#options.used(this, reports);
      },
      definitionBegun: (begun) => this.#options.definitionBegun(this, begun),
      definitionOver: (over) => this.#options.definitionOver(this, over),
      cancelElsewhere: ({ key }) => this.#options.cancelElsewhere(this, key),
      holdRequested: (packed) => this.#holds.request(packed),
      holdUsed: ({ hold }) => this.#holds.use(hold),
      holdCancelled: ({ hold, reason }) => this.#holds.cancel(hold, reason),
    };
  }

  #over(how: string): string {
    this.#ended = true;
    this.#serving = false;
    this.#channel.close();
    this.#holds.end('the gateway lost the session');
    this.#watches.end();
    this.sessions.clear();
    this.#counted.clear();
    this.#connections.clear();
    return how;
  }

  #count(door: string, change: 1 | -1): void {
    this.#connections.set(door, Math.max(0, this.connectionsAt(door) + change));
  }

  async #readable<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw new GatewayFault('audit-unavailable', {
        publicMessage: `the audit log ${this.name} cannot be read now`,
        hint: 'Try again in a moment: a worker that ended is started again.',
        cause: error,
      });
    }
  }
}

/** A session in a worker. */
class RemoteSession implements LiveSession {
  readonly id: LiveSession['id'];
  readonly principal: LiveSession['principal'];
  readonly target: LiveSession['target'];
  readonly peer: LiveSession['peer'];
  readonly startedAtMs: LiveSession['startedAtMs'];
  readonly moderators: LiveSession['moderators'];
  readonly end: LiveSession['end'];
  readonly watch: LiveSession['watch'];
  #operations = 0;

  constructor(
    { id, principal, target, peer, startedAtMs, moderators }: OpenedSession,
    end: LiveSession['end'],
    watch: LiveSession['watch'],
  ) {
    this.id = id;
    this.principal = principal;
    this.target = target;
    this.peer = peer;
    this.startedAtMs = startedAtMs;
    this.moderators = moderators;
    this.end = end;
    this.watch = watch;
  }

  /** As of the worker's last report. */
  get operations(): number {
    return this.#operations;
  }

  counted(operations: number): void {
    this.#operations = operations;
  }
}

const program = new URL(`./process${extname(import.meta.url)}`, import.meta.url);
const startPatienceMs = 10 * 60_000;
/** A little more than its connections may take to end. */
const stopPatienceMs = 12_000;
const exitPatienceMs = 3_000;
/** Who wants to define something waits so long for a worker that is busy. */
const definitionPatienceMs = 3_000;
const queryPatienceMs = 120_000;
const silenceMs = 3_500;
const pageRecords = 200;
