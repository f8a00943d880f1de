import { GatewayFault, toFault } from '../../core/fault.ts';
import { isGenuine, type Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AskedForward, ListenRequest } from '../../protocols/ssh/forward.ts';
import type { GlobalAnswer, GlobalReply } from './global-requests.ts';
import type { SshUpstream } from './upstream.ts';

export interface RemoteForwardOptions {
  /** As the client asked for it. */
  readonly request: ListenRequest;
  readonly asked: AskedForward;
  readonly session: PipelineSession;
  readonly upstream: () => Promise<SshUpstream>;
  /** Why a port that the target has chosen may not be listened on. */
  readonly isTaken: (port: number) => GatewayFault | undefined;
  /** Another one stands at this place. */
  readonly isDouble: (told: string, port: number | undefined) => boolean;
  /** The client is told, where it listens to that. */
  readonly tell: (fault: GatewayFault | string) => void;
  readonly over: () => void;
}

/**
 * One place where the target listens for a client (RFC 4254 section 7.1; OpenSSH PROTOCOL section 2.4): decided, asked of the target, and there until the client or the session
 * ends it. Its operation is complete when it is over, so that its grant lasts as long as it stands.
 */
export class RemoteForward {
  readonly request: ListenRequest;
  readonly #settled = Promise.withResolvers<void>();
  readonly #told = Promise.withResolvers<void>();
  readonly #options: RemoteForwardOptions;
  #state: 'asked' | 'standing' | 'over' = 'asked';
  #grant: Grant | undefined;
  #target: SshUpstream | undefined;
  /** Where the target listens: of port 0, the one that it chose. */
  #port: number | undefined;

  constructor(options: RemoteForwardOptions) {
    this.#options = options;
    this.request = options.request;
    this.#port = options.request.kind === 'listen' ? options.request.port : undefined;
  }

  /** Once. Resolves when the target has answered, or was not asked. Never rejects. */
  async start(): Promise<GlobalReply> {
    const answer = await this.#run();
    this.#settled.resolve();
    return () => {
      this.#told.resolve();
      return answer;
    };
  }

  /** Resolves when the client is told that it stands, or it is over. */
  get told(): Promise<void> {
    return this.#told.promise;
  }

  get isStanding(): boolean {
    return this.#state === 'standing';
  }

  /** Undefined of a socket. 0 as long as the target has not chosen. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Whether it is this place, as the target is told it. */
  isAt(told: string, port: number | undefined): boolean {
    return this.#options.asked.host === told && this.#port === port;
  }

  /** The client does not want it any more. Resolves to whether it stood. What is connected stays so. */
  async cancel(): Promise<boolean> {
    this.#options.session.cancelHold(this.#options.asked.operation.id, 'the client cancelled it');
    await this.#settled.promise;
    if (this.#state !== 'standing') return false;
    this.#finish({ outcome: 'succeeded', reason: 'the client cancelled it' });
    await this.#unlisten();
    return true;
  }

  /** Its session is over, or the connection to the target. */
  end(fault: GatewayFault): void {
    if (this.#state === 'over') return;
    this.#options.session.cancelHold(this.#options.asked.operation.id, fault.publicMessage);
    const stood = this.#state === 'standing';
    this.#finish({ outcome: 'cancelled', reason: fault.publicMessage });
    if (stood) void this.#unlisten();
  }

  async #run(): Promise<GlobalAnswer> {
    const { asked, session, upstream, tell } = this.#options;
    const { operation, refusal } = asked;
    try {
      const outcome = refusal === undefined ? await session.decide(operation, tell) : session.refuse(operation, refusal);
      if (outcome.kind === 'refused') throw outcome.fault;
      this.#grant = outcome.grant;
      if (this.#isOver) {
        this.#complete({ outcome: 'cancelled' });
        return false;
      }
      const target = await upstream();
      if (this.#isOver) throw overBefore();
      return await this.#listen(target);
    } catch (error) {
      const fault = toFault(error);
      if (!this.#isOver) tell(fault);
      this.#finish({ outcome: 'failed', errorCode: fault.code, reason: fault.publicMessage });
      return false;
    }
  }

  async #listen(target: SshUpstream): Promise<GlobalAnswer> {
    const { asked, request, session } = this.#options;
    if (this.#grant === undefined || !isGenuine(this.#grant, session.id)) throw noGrant();
    this.#target = target;
    const { host } = asked;
    return await target.ask(
      (protocol) =>
        request.kind === 'listen' ? protocol.tcpipForward(host, request.port, true) : protocol.openssh_streamLocalForward(host, true),
      (answer) => this.#answered(target, answer),
    );
  }

  /** Stands from here on: the first who connects may stand right behind the answer. */
  #answered(target: SshUpstream, answer: Uint8Array | undefined): GlobalAnswer {
    const { asked, request, session } = this.#options;
    if (answer === undefined) throw notListening();
    const isChosen = request.kind === 'listen' && request.port === 0;
    if (isChosen) this.#port = chosen(answer);
    // Nobody could end by that what listens now: so the whole connection is ended.
    if (this.#port === 0 || this.#options.isDouble(asked.host, this.#port)) {
      const fault = unclear(answer);
      target.close(fault);
      throw fault;
    }
    const taken = this.#port === undefined ? undefined : this.#options.isTaken(this.#port);
    if (this.#isOver || taken !== undefined) {
      void this.#unlisten();
      throw taken ?? overBefore();
    }
    this.#state = 'standing';
    session.note('listening', { operation: asked.operation.id, ...(this.#port === undefined ? {} : { port: this.#port }) });
    return isChosen ? uint32(this.#port ?? 0) : true;
  }

  /** Resolves when the target has answered, or is gone. */
  async #unlisten(): Promise<void> {
    const { host } = this.#options.asked;
    const port = this.#port;
    try {
      await this.#target?.ask(
        (protocol) =>
          port === undefined ? protocol.openssh_cancelStreamLocalForward(host, true) : protocol.cancelTcpipForward(host, port, true),
        () => {},
      );
    } catch {
      // With its connection everything ends that listens.
    }
  }

  get #isOver(): boolean {
    return this.#state === 'over';
  }

  #finish(completion: Pick<Completion, 'outcome' | 'errorCode' | 'reason'>): void {
    if (this.#isOver) return;
    this.#state = 'over';
    this.#told.resolve();
    if (this.#grant !== undefined) this.#complete(completion);
    this.#options.over();
  }

  #complete(completion: Pick<Completion, 'outcome' | 'errorCode' | 'reason'>): void {
    const { asked, session } = this.#options;
    session.complete({ operationId: asked.operation.id, ...completion, rows: 0, bytes: 0, masked: {} });
  }
}

/** The port of an answer; 0 where it says none. */
function chosen(answer: Uint8Array): number {
  const port = answer.length === 4 ? Buffer.from(answer).readUInt32BE() : 0;
  return port <= 65_535 ? port : 0;
}

function unclear(answer: Uint8Array): GatewayFault {
  return new GatewayFault('protocol-violation', {
    publicMessage: 'the target does not say where it listens, or that it listens twice at one place',
    detail: `its answer is ${Buffer.from(answer).toString('hex').slice(0, 64)}`,
  });
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function notListening(): GatewayFault {
  return new GatewayFault('upstream-refused', {
    publicMessage: 'the target does not listen there',
    hint: 'The port may be in use, or the target’s SSH server does not allow it.',
  });
}

function overBefore(): GatewayFault {
  return new GatewayFault('session-ended', { publicMessage: 'the session is over' });
}

function noGrant(): GatewayFault {
  return new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
}
