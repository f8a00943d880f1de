import { spawn, type ChildProcess } from 'node:child_process';
import type { Outcome } from '../../src/core/effect.ts';
import { GatewayFault } from '../../src/core/fault.ts';
import type { Grant } from '../../src/core/grant.ts';
import { noLimits, type Limits } from '../../src/core/limits.ts';
import type { Completion, Operation } from '../../src/core/operation.ts';
import { compileDataClasses } from '../../src/masking/classes.ts';
import type { DataClass } from '../../src/masking/types.ts';
import { nodeCrypto, runningSha256 } from '../../src/net/crypto.ts';
import type { ChannelEffect, ChannelEvent, ChannelSession } from '../../src/protocols/ssh/channel.ts';
import type { SshContext } from '../../src/protocols/ssh/context.ts';
import type { RunningParts } from '../../src/protocols/ssh/running.ts';

export interface DirectOptions {
  readonly dataClasses?: readonly DataClass[];
  readonly opaqueTransfers?: boolean;
  readonly readOnly?: boolean;
  readonly limits?: Limits;
  readonly home?: string;
  readonly reason?: string;
  /** A refusal's text; undefined: allowed. A promise: held meanwhile. */
  readonly decide?: (operation: Operation) => string | undefined | Promise<string | undefined>;
  /** The program at the target. */
  readonly program: readonly string[];
  readonly folder: string;
  /** What the client is told. */
  readonly reply: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
  readonly over?: (exit: number | undefined) => void;
}

/** What went on record. */
export interface Recorded {
  readonly asked: Operation[];
  readonly refused: { readonly operation: Operation; readonly why: string }[];
  readonly completed: Completion[];
  readonly notes: string[];
}

/**
 * A session without I/O between a client and a real program of the target, as the transport would drive it, but without SSH and without a gateway: what it forwards without
 * a grant that is still valid ends the process.
 */
export class Direct {
  readonly recorded: Recorded = { asked: [], refused: [], completed: [], notes: [] };
  readonly #options: DirectOptions;
  readonly #session: ChannelSession;
  readonly #program: ChildProcess;
  readonly #valid = new Set<Grant>();
  #isOver = false;
  #exit: number | undefined;
  /** The client is not to be read. */
  isPaused = false;

  constructor(options: DirectOptions, sessionOf: (parts: RunningParts) => ChannelSession) {
    this.#options = options;
    const [command = '', ...words] = options.program;
    this.#program = spawn(command, words, {
      cwd: options.folder,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOME: options.folder },
    });
    running.add(this.#program);
    const grant = this.#mint('program');
    this.#session = sessionOf({
      context: contextOf(options),
      grant,
      operationId: 'program',
      program: { kind: 'exec', command: options.program.join(' ') },
      terminal: undefined,
      reason: options.reason,
    });
    this.#apply(this.#session.notify({ kind: 'started' }));
    this.#program.stdout!.on('data', (bytes: Buffer) => this.#apply(this.#session.receive('stdout', bytes)));
    this.#program.stderr!.on('data', (bytes: Buffer) => this.#apply(this.#session.receive('stderr', bytes)));
    this.#program.stdin!.on('error', () => undefined);
    this.#program.on('close', (status, signal) => {
      running.delete(this.#program);
      this.notify({ kind: 'ended', from: 'target' });
      const ending =
        signal === null
          ? { kind: 'status', status: status ?? 255 }
          : { kind: 'signal', name: signal.slice(3), coreDumped: false, message: '' };
      this.notify({ kind: 'exited', ending } as ChannelEvent);
      this.notify({ kind: 'closed', from: 'target', fault: undefined });
    });
  }

  /** What the client sends. */
  send(bytes: Uint8Array): void {
    this.#apply(this.#session.receive('stdin', bytes));
  }

  /** The client sends no more. */
  end(): void {
    this.notify({ kind: 'ended', from: 'client' });
  }

  notify(event: ChannelEvent): void {
    this.#apply(this.#session.notify(event));
  }

  #apply(effects: readonly ChannelEffect[]): void {
    for (const effect of effects) this.#applyOne(effect);
  }

  #applyOne(effect: ChannelEffect): void {
    switch (effect.kind) {
      case 'forward':
        if (!this.#valid.has(effect.grant)) throw new Error(`forwarded under a grant that is not valid: ${effect.grant.operationId}`);
        this.#program.stdin!.write(Uint8Array.from(effect.bytes));
        return;
      case 'forward-end':
        this.#program.stdin!.end();
        return;
      case 'reply':
        this.#options.reply(effect.stream, Uint8Array.from(effect.bytes));
        return;
      case 'ask':
        void this.#decide(effect.operation, effect.refusal);
        return;
      case 'complete':
        for (const grant of this.#valid) if (grant.operationId === effect.completion.operationId) this.#valid.delete(grant);
        this.recorded.completed.push(effect.completion);
        return;
      case 'note':
        this.recorded.notes.push(`${effect.event} ${Object.values(effect.detail).join(' ')}`);
        return;
      case 'pause':
      case 'resume':
        this.isPaused = effect.kind === 'pause';
        return;
      case 'exit':
        this.#exit = effect.ending.kind === 'status' ? effect.ending.status : 255;
        return;
      case 'close':
        this.#isOver = true;
        this.#program.kill();
        this.#options.over?.(this.#exit);
        return;
      default:
    }
  }

  async #decide(operation: Operation, refusal: GatewayFault | undefined): Promise<void> {
    this.recorded.asked.push(operation);
    let decided: string | undefined | Promise<string | undefined>;
    if (refusal === undefined) {
      decided = this.#options.decide?.(operation);
      if (decided instanceof Promise) {
        this.notify({ kind: 'held', operationId: operation.id, message: 'waiting for approval by dba' });
        decided = await decided;
      } else if (!operation.pureRead) await Promise.resolve();
    }
    const fault = refusal ?? (decided === undefined ? undefined : new GatewayFault('policy-denied', { publicMessage: decided as string }));
    const outcome: Outcome = fault === undefined ? { kind: 'granted', grant: this.#mint(operation.id) } : { kind: 'refused', fault };
    if (fault !== undefined) this.recorded.refused.push({ operation, why: fault.publicMessage });
    if (!this.#isOver) this.#apply(this.#session.decide(operation.id, outcome));
  }

  #mint(operationId: string): Grant {
    const grant = Object.freeze({ sessionId: 's', operationId, sequence: 0 });
    this.#valid.add(grant);
    return grant;
  }
}

/** What a test that failed has left. */
export function killAll(): void {
  for (const program of running) program.kill('SIGKILL');
}

const running = new Set<ChildProcess>();

function contextOf({ dataClasses = [], opaqueTransfers = false, readOnly = false, limits = noLimits, home }: DirectOptions): SshContext {
  const classes = compileDataClasses(dataClasses, nodeCrypto, new Uint8Array(32));
  let operations = 0;
  return {
    session: {
      id: 's',
      grant: { sessionId: 's', operationId: 's-0', sequence: 0 },
      principal: {
        issuer: 'ci',
        issuerUrl: '',
        subject: 'a',
        kind: 'agent',
        groups: [],
        groupsKnown: true,
        claims: {},
        display: 'a',
        expiresAtMs: 0,
      } as never,
      target: { name: 'web-1', protocol: 'ssh', labels: {}, masking: 'taint', hold: 'wait', readOnly },
      limits: { inForce: limits, rowsLeft: () => Infinity, countRows: () => undefined },
      nextOperationId: () => `s-${(operations += 1)}`,
    },
    remoteUser: 'deploy',
    isOwnUser: true,
    classes,
    detectors: classes.detectors,
    recordDetectors: classes.detectors,
    settings: { exactCommands: {} as never, environment: [], moderated: undefined, opaqueTransfers, home },
    sha256: runningSha256,
  };
}
