import type { Outcome, Side } from '../../../core/effect.ts';
import { GatewayFault, toFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import { maskProse } from '../../../masking/text.ts';
import { resetStatus, SpdySession, type SpdyEvent } from '../../spdy/index.ts';
import type { AskingSession } from '../../request.ts';
import type { TunnelEffect, TunnelEvent, TunnelSession } from '../../tunnel.ts';
import type { ByteForm } from './byte-form.ts';
import type { StreamContext } from './context.ts';
import type { ForwardClient, ForwardEvent } from './forward-client.ts';
import { Connection, maxKeptBytes } from './forward-connection.ts';
import { forwardOperation, type ForwardPlace } from './forward-operation.ts';

export interface ForwardParts {
  readonly place: ForwardPlace;
  /** Port → the target whose session its connections go through. */
  readonly forwards: ReadonlyMap<number, string>;
  readonly client: ForwardClient;
  readonly upstream: ByteForm;
  readonly session: AskingSession;
  readonly grant: Grant;
  readonly operationId: string;
  readonly context: StreamContext;
}

/**
 * Port forwarding (k8s.io/kubelet `pkg/cri/streaming/portforward`): each forwarded connection has two streams, one of data and one of errors, on which what went wrong is
 * told in words. Each connection is an operation of its own.
 *
 * The target is spoken to in SPDY (`portforward.k8s.io`), whatever the client speaks: there a connection is opened when it is allowed, and not before. Over the channels of
 * a WebSocket the kubelet would connect to every port that the request names as soon as it is asked, those that are refused and those of other targets too.
 *
 * A connection to a port that the target's configuration gives to another target (`forwards`) does not reach the pod: its bytes go to a session of that target, with its
 * own sign-in, policy, masking and record. Any other is opaque: nothing looks into it.
 *
 * Traps: (1) connections are independent; a refusal of one overtakes nothing of its own. (2) A connection is decided when it is opened, by what its streams say.
 * (3) While one is held, what comes on it is kept, up to 256 KiB, and others go on. While one is
 * decided on without anybody being asked, more than that makes the client wait, for a moment. (4) Bytes behind the heads are received first. (5) and (6) have no meaning here.
 */
export class ForwardSession implements TunnelSession {
  readonly #parts: ForwardParts;
  readonly #client: ForwardClient;
  readonly #upstream: SpdySession;
  /** Those that are not over, by the client's name for them. */
  readonly #connections = new Map<string, Connection>();
  readonly #byTarget = new Map<number, Connection>();
  readonly #asked = new Map<string, Connection>();
  #effects: TunnelEffect[] = [];
  #isOver = false;
  #isClientRead = true;
  #bytes = 0;

  constructor(parts: ForwardParts) {
    this.#parts = parts;
    this.#client = parts.client;
    this.#upstream = new SpdySession('client', parts.context.inflate);
  }

  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[] {
    return this.#run(() => {
      if (side === 'client') this.#receiveClient(this.#client.receive(bytes));
      else this.#receiveTarget(this.#parts.upstream.receive(bytes));
    });
  }

  #receiveClient(events: Iterable<ForwardEvent>): void {
    for (const event of events) {
      if (this.#isOver) return;
      this.#fromClient(event);
      this.#flush(undefined);
    }
  }

  #receiveTarget(pieces: readonly Uint8Array[] | undefined): void {
    for (const piece of pieces ?? []) {
      for (const event of this.#upstream.receive(piece)) {
        if (this.#isOver) return;
        this.#fromTarget(event);
      }
      this.#flush(undefined);
    }
    if (pieces === undefined) this.#over(undefined);
  }

  decide(operationId: string, outcome: Outcome): readonly TunnelEffect[] {
    return this.#run(() => {
      const connection = this.#asked.get(operationId);
      this.#asked.delete(operationId);
      if (connection === undefined || connection.isOver) return;
      if (outcome.kind === 'granted') this.#granted(connection, outcome.grant);
      else this.#refused(connection, outcome.fault.publicMessage);
    });
  }

  notify(event: TunnelEvent): readonly TunnelEffect[] {
    return this.#run(() => {
      switch (event.kind) {
        case 'closed':
          this.#over(event.side === 'upstream' && event.fault !== undefined ? event.fault : undefined);
          return;
        case 'end':
          this.#over(event.fault);
          return;
        case 'diverted':
          this.#diverted(event.id, event.bytes);
          return;
        case 'divert-ended':
          this.#divertEnded(event.id, event.fault);
          return;
        case 'opened':
          this.#receiveClient(this.#client.begin());
          return;
        case 'held':
          this.#held(event.operationId);
          return;
        case 'deadline':
          return;
        default:
          event satisfies never;
      }
    });
  }

  // ---- what the client does

  #fromClient(event: ForwardEvent): void {
    switch (event.kind) {
      case 'begun':
        this.#connections.set(event.id, new Connection(event.id, event.port, this.#parts.session.nextOperationId()));
        return;
      case 'asked':
        this.#with(event.id, (connection) => this.#ask(connection));
        return;
      case 'data':
        this.#with(event.id, (connection) => this.#sent(connection, event.bytes));
        return;
      case 'finished':
        this.#with(event.id, (connection) => this.#sentAll(connection));
        return;
      case 'reset':
        this.#with(event.id, (connection) => this.#end(connection, 'cancelled'));
        return;
      case 'going-away':
        this.#upstream.goAway();
        return;
      case 'end':
        if (!this.#client.endsEach) for (const connection of this.#connections.values()) this.#left(connection);
        this.#over(undefined);
        return;
      default:
        event satisfies never;
    }
  }

  #with(id: string, act: (connection: Connection) => void): void {
    const connection = this.#connections.get(id);
    if (connection !== undefined) act(connection);
  }

  #ask(connection: Connection): void {
    const { place, forwards, session } = this.#parts;
    this.#asked.set(connection.operationId, connection);
    const operation = forwardOperation(connection.operationId, session.id, place, connection.port, forwards.get(connection.port));
    this.#flush(undefined);
    this.#effects.push({ kind: 'ask', operation, refusal: undefined });
  }

  #sent(connection: Connection, bytes: Uint8Array): void {
    if (connection.way === 'target') {
      this.#upstream.send(connection.targetData!, bytes, false);
      this.#flush(connection);
    } else if (connection.way === 'diverted')
      this.#effects.push({ kind: 'divert-bytes', id: connection.operationId, bytes: bytes.slice() });
    else {
      connection.keep(bytes);
      this.#limitKept(connection);
    }
  }

  /** What nobody decides soon keeps little. */
  #limitKept(connection: Connection): void {
    const isDecidedSoon = this.#asked.has(connection.operationId) && !connection.isHeld;
    if (connection.hasKeptMuch && !isDecidedSoon)
      this.#refused(connection, `more than ${maxKeptBytes} bytes came before this connection was decided on`);
  }

  #held(operationId: string): void {
    const connection = this.#asked.get(operationId);
    if (connection === undefined || connection.isOver) return;
    connection.isHeld = true;
    this.#limitKept(connection);
  }

  #sentAll(connection: Connection): void {
    if (connection.way === 'target') this.#upstream.send(connection.targetData!, nothing, true);
    else if (connection.way === 'diverted') this.#effects.push({ kind: 'divert-end', id: connection.operationId });
    connection.clientEnded = true;
    this.#endWhenDone(connection);
  }

  // ---- the second door

  #granted(connection: Connection, grant: Grant): void {
    connection.grant = grant;
    const target = this.#parts.forwards.get(connection.port);
    if (target !== undefined) {
      connection.way = 'diverted';
      this.#effects.push({ kind: 'divert', id: connection.operationId, target });
    } else {
      connection.way = 'target';
      const open = (type: string): number =>
        this.#upstream.open(
          new Map([
            ['streamtype', [type]],
            ['port', [String(connection.port)]],
            ['requestid', [connection.id]],
          ]),
        );
      connection.targetError = open('error');
      connection.targetData = open('data');
      for (const stream of [connection.targetError, connection.targetData]) this.#byTarget.set(stream, connection);
      // As kubectl does: nothing is ever written on it.
      this.#upstream.send(connection.targetError, nothing, true);
    }
    for (const bytes of connection.kept()) this.#sent(connection, bytes);
    if (connection.clientEnded) this.#sentAll(connection);
    this.#flush(connection);
  }

  #refused(connection: Connection, why: string): void {
    this.#client.tell(connection.id, `forwarding port ${connection.port} is refused: ${why}`);
    this.#client.finish(connection.id, 'error');
    this.#client.finish(connection.id, 'data');
    this.#forget(connection, false);
  }

  // ---- what the target does

  #fromTarget(event: SpdyEvent): void {
    if (event.kind === 'going-away') {
      this.#client.goAway();
      return;
    }
    if (event.kind === 'opened') throw new GatewayFault('upstream-unavailable', { publicMessage: 'the target has opened a stream' });
    const connection = this.#byTarget.get(event.stream);
    if (connection === undefined || event.kind === 'replied') return;
    const isData = event.stream === connection.targetData;
    switch (event.kind) {
      case 'data':
        if (isData) this.#received(connection, event.bytes);
        else this.#told(connection, event.bytes);
        return;
      case 'finished':
        this.#client.finish(connection.id, isData ? 'data' : 'error');
        if (isData) connection.targetEnded = true;
        this.#flush(connection);
        this.#endWhenDone(connection);
        return;
      case 'reset':
        if (isData) this.#end(connection, 'failed');
        else this.#client.finish(connection.id, 'error');
        return;
      default:
        event satisfies never;
    }
  }

  #received(connection: Connection, bytes: Uint8Array): void {
    connection.bytes += bytes.length;
    this.#bytes += bytes.length;
    this.#client.send(connection.id, bytes);
    this.#flush(connection);
  }

  #told(connection: Connection, bytes: Uint8Array): void {
    const { classes, detectors } = this.#parts.context;
    connection.hasFailed = true;
    this.#client.tell(connection.id, maskProse(classes, detectors, decoder.decode(bytes)));
    this.#flush(connection);
  }

  // ---- what a session of another target does

  #diverted(id: string, bytes: Uint8Array): void {
    const connection = [...this.#connections.values()].find(({ operationId }) => operationId === id);
    if (connection !== undefined) this.#received(connection, bytes);
  }

  #divertEnded(id: string, fault: GatewayFault | undefined): void {
    const connection = [...this.#connections.values()].find(({ operationId }) => operationId === id);
    if (connection === undefined) return;
    connection.hasFailed ||= fault !== undefined;
    if (fault !== undefined) this.#client.tell(connection.id, fault.publicMessage);
    this.#client.finish(connection.id, 'error');
    this.#client.finish(connection.id, 'data');
    connection.targetEnded = connection.clientEnded = true;
    this.#endWhenDone(connection);
  }

  // ---- how it ends

  #endWhenDone(connection: Connection): void {
    const clientEnded = connection.clientEnded || !this.#client.endsEach;
    if (connection.way !== 'undecided' && clientEnded && connection.targetEnded)
      this.#end(connection, connection.hasFailed ? 'failed' : 'succeeded');
  }

  #end(connection: Connection, outcome: CompletionOutcome): void {
    if (connection.isOver) return;
    for (const stream of [connection.targetData, connection.targetError])
      if (stream !== undefined) this.#upstream.reset(stream, resetStatus.cancel);
    this.#ended(connection, outcome);
  }

  /** The client has ended the whole, since it cannot end less. What it has sent still goes where it was sent to, as with the API server, and no reset overtakes it. */
  #left(connection: Connection): void {
    this.#sentAll(connection);
    if (!connection.isOver) this.#ended(connection, connection.hasFailed ? 'failed' : 'succeeded');
  }

  #ended(connection: Connection, outcome: CompletionOutcome): void {
    this.#forget(connection, true);
    this.#flush(connection);
    if (connection.way === 'diverted' && !connection.clientEnded) this.#effects.push({ kind: 'divert-end', id: connection.operationId });
    if (connection.grant !== undefined) this.#effects.push(completed(connection.operationId, outcome, connection.bytes));
  }

  #forget(connection: Connection, isCut: boolean): void {
    connection.isOver = true;
    this.#client.end(connection.id, isCut);
    this.#connections.delete(connection.id);
    for (const stream of [connection.targetData, connection.targetError]) if (stream !== undefined) this.#byTarget.delete(stream);
  }

  #over(fault: GatewayFault | undefined): void {
    if (this.#isOver) return;
    for (const connection of this.#connections.values()) {
      if (fault !== undefined) this.#client.tell(connection.id, fault.publicMessage);
      this.#end(connection, fault === undefined ? 'cancelled' : 'failed');
    }
    this.#client.goAway();
    this.#upstream.goAway();
    this.#flush(undefined);
    this.#client.close();
    this.#parts.upstream.finish();
    this.#flush(undefined);
    this.#isOver = true;
    this.#effects.push(completed(this.#parts.operationId, fault === undefined ? 'succeeded' : 'failed', this.#bytes, fault), {
      kind: 'close',
      fault,
    });
  }

  // ---- effects

  #run(act: () => void): readonly TunnelEffect[] {
    if (this.#isOver) return [];
    try {
      act();
    } catch (error) {
      this.#over(toFault(error));
    }
    if (this.#client.isDone) this.#over(undefined);
    if (!this.#isOver) {
      this.#flush(undefined);
      this.#readClient();
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #readClient(): void {
    const isRead = this.#asked.size === 0 || ![...this.#asked.values()].some(({ isOver, hasKeptMuch }) => !isOver && hasKeptMuch);
    if (isRead !== this.#isClientRead) this.#effects.push({ kind: 'read-client', isRead });
    this.#isClientRead = isRead;
  }

  /** What is written for one connection goes under its grant, and what belongs to none (pings, windows) under that of the whole. */
  #flush(connection: Connection | undefined): void {
    const { upstream, grant } = this.#parts;
    upstream.send(this.#upstream.take());
    for (const bytes of upstream.take()) this.#effects.push({ kind: 'forward', bytes, grant: connection?.grant ?? grant });
    for (const bytes of this.#client.take()) this.#effects.push({ kind: 'reply', bytes, grant: connection?.grant ?? grant });
  }
}

type CompletionOutcome = 'succeeded' | 'failed' | 'cancelled';

function completed(operationId: string, outcome: CompletionOutcome, bytes: number, fault?: GatewayFault): TunnelEffect {
  return {
    kind: 'complete',
    completion: { operationId, outcome, errorCode: fault?.code, reason: fault?.publicMessage, rows: 0, bytes, masked: {} },
  };
}

const decoder = new TextDecoder();
const nothing = new Uint8Array(0);
