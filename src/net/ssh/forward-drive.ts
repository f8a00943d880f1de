import { GatewayFault, toFault } from '../../core/fault.ts';
import { isGenuine, type Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AskedForward } from '../../protocols/ssh/forward.ts';
import type { SshChannel } from './channel.ts';
import type { FarEnd } from './far-end.ts';

/** A connection of which one end is open, and the other, which asked for it, waits. */
export interface HalfOpen {
  /** Opens the other one, too. */
  join(): ForwardEnds;
  abandon(): void;
}

export interface ForwardEnds {
  readonly client: SshChannel;
  readonly far: FarEnd;
}

export interface ForwardDriveOptions {
  readonly asked: Pick<AskedForward, 'operation' | 'refusal'>;
  readonly session: PipelineSession;
  /** Opens the end that did not ask. Called once, when it is granted; rejects where that end does not. */
  readonly reach: () => Promise<HalfOpen>;
  /** Whoever asked is told that it is not. */
  readonly refuse: (fault: GatewayFault) => void;
  /** The connection cannot go on. */
  readonly fail: (fault: GatewayFault) => void;
  readonly over: () => void;
}

/**
 * One connection through the gateway, whoever asks for it (RFC 4254 section 7.2): the client, to somewhere beyond the target; or the target, to which one came. It is decided, then the
 * end is opened that did not ask, then the other. Bytes pass as they come, under the grant.
 */
export class ForwardDrive {
  readonly #options: ForwardDriveOptions;
  #grant: Grant | undefined;
  #client: SshChannel | undefined;
  #far: FarEnd | undefined;
  #bytes = 0;
  #isOver = false;

  constructor(options: ForwardDriveOptions) {
    this.#options = options;
  }

  /** Once. It may be over when this returns. */
  start(): void {
    void this.#run();
  }

  end(fault: GatewayFault): void {
    this.#finish({ outcome: 'cancelled', reason: fault.publicMessage });
  }

  async #run(): Promise<void> {
    const { asked, session, reach, refuse } = this.#options;
    const { operation, refusal } = asked;
    try {
      const outcome = refusal === undefined ? await session.decide(operation, () => {}) : session.refuse(operation, refusal);
      if (outcome.kind === 'refused') {
        if (!this.#isOver) refuse(outcome.fault);
        this.#finish(undefined);
        return;
      }
      this.#grant = outcome.grant;
      if (this.#isOver) this.#complete({ outcome: 'cancelled' });
      else {
        this.#demand();
        const half = await reach();
        if (this.#isOver) half.abandon();
        else this.#begin(half.join());
      }
    } catch (error) {
      const fault = toFault(error);
      if (!this.#isOver) refuse(fault);
      this.#finish({ outcome: 'failed', errorCode: fault.code, reason: fault.publicMessage });
    }
  }

  #begin({ client, far }: ForwardEnds): void {
    this.#client = client;
    this.#far = far;
    const flow = (): void => {
      if (far.isFull()) client.pause();
      else client.resume();
      if (client.isFull) far.pause();
      else far.resume();
    };
    const over = (lost: 'cancelled' | 'unknown', fault: GatewayFault | undefined): void =>
      this.#finish(fault === undefined ? { outcome: 'succeeded' } : { outcome: lost, errorCode: fault.code, reason: fault.publicMessage });
    client.listen({
      data: (_stream, bytes) => {
        try {
          this.#demand();
        } catch (error) {
          this.#finish(undefined);
          this.#options.fail(toFault(error));
          return;
        }
        far.write(bytes);
        flow();
      },
      eof: () => far.end(),
      request: ({ wantReply }) => {
        if (wantReply) client.behind((protocol, peer) => protocol.channelFailure(peer));
      },
      answered: () => {},
      drained: flow,
      closed: (fault) => over('cancelled', fault),
    });
    far.listen({
      data: (bytes) => {
        if (this.#takesMore(bytes.length)) client.write('data', bytes);
        flow();
      },
      end: () => client.end(),
      drained: flow,
      closed: (fault) => over('unknown', fault),
    });
  }

  /** Counts what goes to the client. False, and the end, where it is more than the target allows. */
  #takesMore(length: number): boolean {
    const { session } = this.#options;
    const most = session.limits.inForce.bytes;
    this.#bytes += length;
    if (most === undefined || this.#bytes <= most) return true;
    this.#bytes -= length;
    this.#finish({
      outcome: 'failed',
      errorCode: 'limit-exceeded',
      reason: `bytes (${most}) of target ${session.target.name} is exceeded`,
    });
    return false;
  }

  #demand(): void {
    if (this.#grant !== undefined && isGenuine(this.#grant, this.#options.session.id)) return;
    throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
  }

  #finish(completion: Pick<Completion, 'outcome' | 'errorCode' | 'reason'> | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.session.cancelHold(this.#options.asked.operation.id, 'the channel is closed');
    this.#client?.close();
    this.#far?.close();
    if (this.#grant !== undefined && completion !== undefined) this.#complete(completion);
    this.#options.over();
  }

  #complete(completion: Pick<Completion, 'outcome' | 'errorCode' | 'reason'>): void {
    this.#options.session.complete({
      operationId: this.#options.asked.operation.id,
      ...completion,
      rows: 0,
      bytes: this.#bytes,
      masked: {},
    });
  }
}
