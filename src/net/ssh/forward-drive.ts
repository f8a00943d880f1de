import { lookup } from 'node:dns/promises';
import type { Duplex } from 'node:stream';
import { GatewayFault, toFault } from '../../core/fault.ts';
import { isGenuine, type Grant } from '../../core/grant.ts';
import type { Completion } from '../../core/operation.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { isReserved } from '../../protocols/ssh/destination.ts';
import type { AskedForward } from '../../protocols/ssh/forward.ts';
import type { SshChannel } from './channel.ts';
import { channelEnd, streamEnd, type FarEnd } from './far-end.ts';
import type { SshUpstream } from './upstream.ts';

/** Where a client wants to be connected to. */
export type ForwardTo =
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  | { readonly kind: 'connect-socket'; readonly path: string };

export interface ForwardDriveOptions {
  readonly asked: AskedForward;
  readonly to: ForwardTo;
  readonly session: PipelineSession;
  readonly upstream: () => Promise<SshUpstream>;
  /** A connection to another target of this gateway, as one of its clients would open it. */
  readonly join: (target: string) => Duplex;
  /** The client's channel is opened, or not. */
  readonly accept: () => SshChannel;
  readonly refuse: (fault: GatewayFault) => void;
  /** The connection cannot go on. */
  readonly fail: (fault: GatewayFault) => void;
  readonly over: () => void;
}

/**
 * One connection that a client asks for (RFC 4254 section 7.2): decided, then opened from the target's place, or as a session of another target of this gateway. A name is resolved
 * once, here, and what the target is told is the address that was looked at. Bytes pass as they come, under the grant.
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
    void this.#run();
  }

  end(fault: GatewayFault): void {
    this.#finish({ outcome: 'cancelled', reason: fault.publicMessage });
  }

  async #run(): Promise<void> {
    const { asked, session, accept, refuse } = this.#options;
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
        const far = await this.#reach();
        if (this.#isOver) far.close();
        else this.#begin(accept(), far);
      }
    } catch (error) {
      const fault = toFault(error);
      if (!this.#isOver) refuse(fault);
      this.#finish({ outcome: 'failed', errorCode: fault.code });
    }
  }

  async #reach(): Promise<FarEnd> {
    const { asked, to, upstream, join } = this.#options;
    this.#demand();
    if (asked.through !== undefined) return streamEnd(join(asked.through));
    if (to.kind === 'connect-socket') {
      const connection = await upstream();
      const { path: socketPath } = to;
      return channelEnd(
        await connection.open((protocol, id, window, packet) => protocol.openssh_directStreamLocal(id, window, packet, { socketPath })),
      );
    }
    const dstIP = asked.isNamed ? asked.host : await resolved(asked.host);
    const connection = await upstream();
    const from = { srcIP: '127.0.0.1', srcPort: 0 };
    return channelEnd(
      await connection.open((protocol, id, window, packet) =>
        protocol.directTcpip(id, window, packet, { ...from, dstIP, dstPort: to.port }),
      ),
    );
  }

  #begin(client: SshChannel, far: FarEnd): void {
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

/** The address of a host, in the resolver's own order; refused where any of them is one that nothing may lead to. */
async function resolved(host: string): Promise<string> {
  let addresses: readonly { readonly address: string }[];
  try {
    addresses = await lookup(host, { all: true });
  } catch (cause) {
    throw new GatewayFault('upstream-unavailable', {
      publicMessage: 'the host of the forward is not known',
      cause,
      hint: 'Names that only the target knows have to stand under forwards in the target’s configuration.',
    });
  }
  const [first] = addresses;
  if (first !== undefined && addresses.every(({ address }) => !isReserved(address))) return first.address;
  throw new GatewayFault('unsupported', {
    publicMessage: 'the host of the forward leads to the target itself, its link or a metadata service',
    hint: 'Ask the platform team to name it under forwards.',
  });
}
