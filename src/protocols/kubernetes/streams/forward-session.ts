import type { Outcome, Side } from '../../../core/effect.ts';
import { GatewayFault, toFault } from '../../../core/fault.ts';
import type { Grant } from '../../../core/grant.ts';
import { maskProse } from '../../../masking/text.ts';
import { resetStatus, SpdySession, type SpdyEvent, type SpdyHeaders } from '../../spdy/index.ts';
import type { AskingSession } from '../../request.ts';
import type { TunnelEffect, TunnelEvent, TunnelSession } from '../../tunnel.ts';
import type { ByteForm } from './byte-form.ts';
import type { StreamContext } from './context.ts';
import { Connection, maxKeptBytes } from './forward-connection.ts';
import { forwardOperation, type ForwardPlace } from './forward-operation.ts';

export interface ForwardParts {
  readonly place: ForwardPlace;
  /** Port → the target whose session its connections go through. */
  readonly forwards: ReadonlyMap<number, string>;
  readonly client: ByteForm;
  readonly upstream: ByteForm;
  readonly session: AskingSession;
  readonly grant: Grant;
  readonly operationId: string;
  readonly context: StreamContext;
}

/**
 * Port forwarding (`portforward.k8s.io`, k8s.io/kubelet `pkg/cri/streaming/portforward`): each forwarded connection is a pair of SPDY streams with the headers `port` and
 * `requestid`, one of them `error`, on which what went wrong is told in words, one of them `data`. Each is an operation of its own.
 *
 * A connection to a port that the target's configuration gives to another target (`forwards`) does not reach the pod: its bytes go to a session of that target, with its
 * own sign-in, policy, masking and record. Any other is opaque: nothing looks into it.
 *
 * Traps: (1) connections are independent; a refusal of one overtakes nothing of its own. (2) A connection is decided when it is opened, by what its streams say.
 * (3) While one is held, what comes on it is kept, up to 256 KiB, and others go on. (4) Bytes behind the heads are received first. (5) and (6) have no meaning here.
 */
export class ForwardSession implements TunnelSession {
  readonly #parts: ForwardParts;
  readonly #client: SpdySession;
  readonly #upstream: SpdySession;
  /** By request id, as long as anything of it is open. */
  readonly #connections = new Map<string, Connection>();
  /** By stream of the client, and of the target. */
  readonly #byClient = new Map<number, Connection>();
  readonly #byTarget = new Map<number, Connection>();
  readonly #asked = new Map<string, Connection>();
  #effects: TunnelEffect[] = [];
  #isOver = false;
  #bytes = 0;

  constructor(parts: ForwardParts) {
    this.#parts = parts;
    this.#client = new SpdySession('server', parts.context.inflate);
    this.#upstream = new SpdySession('client', parts.context.inflate);
  }

  receive(side: Side, bytes: Uint8Array): readonly TunnelEffect[] {
    return this.#run(() => {
      const form = side === 'client' ? this.#parts.client : this.#parts.upstream;
      const pieces = form.receive(bytes);
      for (const piece of pieces ?? []) {
        const session = side === 'client' ? this.#client : this.#upstream;
        for (const event of session.receive(piece)) {
          if (this.#isOver) return;
          if (side === 'client') this.#fromClient(event);
          else this.#fromTarget(event);
        }
        this.#flush(undefined);
      }
      if (pieces === undefined) this.#over(undefined);
    });
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
        case 'held':
        case 'deadline':
          return;
        default:
          event satisfies never;
      }
    });
  }

  // ---- what the client does

  #fromClient(event: SpdyEvent): void {
    if (event.kind === 'opened') {
      this.#opened(event.stream, event.headers);
      return;
    }
    if (event.kind === 'going-away') {
      this.#upstream.goAway();
      return;
    }
    const connection = this.#byClient.get(event.stream);
    if (connection === undefined || event.kind === 'replied') return;
    const isData = event.stream === connection.data;
    switch (event.kind) {
      case 'data':
        // On the stream of errors only the target speaks.
        if (isData) this.#sent(connection, event.bytes);
        return;
      case 'finished':
        if (isData) this.#sentAll(connection);
        return;
      case 'reset':
        this.#end(connection, 'cancelled');
        return;
      default:
        event satisfies never;
    }
  }

  #opened(stream: number, headers: SpdyHeaders): void {
    const [type, id, portText] = ['streamtype', 'requestid', 'port'].map((name) => headers.get(name)?.[0]);
    const port = /^[1-9]\d{0,4}$/.test(portText ?? '') ? Number(portText) : 0;
    if ((type !== 'data' && type !== 'error') || id === undefined || port === 0 || port > 65_535)
      return this.#client.reset(stream, resetStatus.refusedStream);
    const connection = this.#connections.get(id) ?? this.#begun(id, port);
    if (connection === undefined || connection[type] !== undefined || connection.port !== port)
      return this.#client.reset(stream, resetStatus.refusedStream);
    connection[type] = stream;
    this.#byClient.set(stream, connection);
    this.#client.reply(stream);
    if (connection.data !== undefined && connection.error !== undefined) this.#ask(connection);
  }

  #begun(id: string, port: number): Connection | undefined {
    if (this.#connections.size >= maxConnections) return undefined;
    const connection = new Connection(id, port, this.#parts.session.nextOperationId());
    this.#connections.set(id, connection);
    return connection;
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
    else if (!connection.keep(bytes))
      this.#refused(connection, `more than ${maxKeptBytes} bytes came before this connection was decided on`);
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
    if (connection.error !== undefined)
      this.#client.send(connection.error, encoder.encode(`forwarding port ${connection.port} is refused: ${why}`), true);
    if (connection.data !== undefined) this.#client.send(connection.data, nothing, true);
    this.#forget(connection);
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
        this.#client.send((isData ? connection.data : connection.error)!, nothing, true);
        if (isData) connection.targetEnded = true;
        this.#flush(connection);
        this.#endWhenDone(connection);
        return;
      case 'reset':
        if (isData) this.#end(connection, 'failed');
        else this.#client.send(connection.error!, nothing, true);
        return;
      default:
        event satisfies never;
    }
  }

  #received(connection: Connection, bytes: Uint8Array): void {
    connection.bytes += bytes.length;
    this.#bytes += bytes.length;
    this.#client.send(connection.data!, bytes, false);
    this.#flush(connection);
  }

  #told(connection: Connection, bytes: Uint8Array): void {
    const { classes, detectors } = this.#parts.context;
    connection.hasFailed = true;
    this.#client.send(connection.error!, encoder.encode(maskProse(classes, detectors, decoder.decode(bytes))), false);
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
    if (fault !== undefined) this.#client.send(connection.error!, encoder.encode(fault.publicMessage), false);
    this.#client.send(connection.error!, nothing, true);
    this.#client.send(connection.data!, nothing, true);
    connection.targetEnded = connection.clientEnded = true;
    this.#endWhenDone(connection);
  }

  // ---- how it ends

  #endWhenDone(connection: Connection): void {
    if (connection.way !== 'undecided' && connection.clientEnded && connection.targetEnded)
      this.#end(connection, connection.hasFailed ? 'failed' : 'succeeded');
  }

  #end(connection: Connection, outcome: 'succeeded' | 'failed' | 'cancelled'): void {
    if (connection.isOver) return;
    for (const stream of [connection.data, connection.error]) if (stream !== undefined) this.#client.reset(stream, resetStatus.cancel);
    for (const stream of [connection.targetData, connection.targetError])
      if (stream !== undefined) this.#upstream.reset(stream, resetStatus.cancel);
    this.#flush(connection);
    if (connection.way === 'diverted') this.#effects.push({ kind: 'divert-end', id: connection.operationId });
    if (connection.grant !== undefined) this.#effects.push(completed(connection.operationId, outcome, connection.bytes));
    this.#forget(connection);
  }

  #forget(connection: Connection): void {
    connection.isOver = true;
    this.#connections.delete(connection.id);
    for (const stream of [connection.data, connection.error]) if (stream !== undefined) this.#byClient.delete(stream);
    for (const stream of [connection.targetData, connection.targetError]) if (stream !== undefined) this.#byTarget.delete(stream);
  }

  #over(fault: GatewayFault | undefined): void {
    if (this.#isOver) return;
    for (const connection of this.#connections.values()) {
      if (fault !== undefined && connection.error !== undefined)
        this.#client.send(connection.error, encoder.encode(fault.publicMessage), false);
      this.#end(connection, fault === undefined ? 'cancelled' : 'failed');
    }
    this.#client.goAway();
    this.#upstream.goAway();
    this.#flush(undefined);
    this.#parts.client.finish();
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
    if (!this.#isOver) this.#flush(undefined);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** What is written for one connection goes under its grant, and what belongs to none (pings, windows) under that of the whole. */
  #flush(connection: Connection | undefined): void {
    const { client, upstream, grant } = this.#parts;
    client.send(this.#client.take());
    upstream.send(this.#upstream.take());
    for (const bytes of upstream.take()) this.#effects.push({ kind: 'forward', bytes, grant: connection?.grant ?? grant });
    for (const bytes of client.take()) this.#effects.push({ kind: 'reply', bytes, grant: connection?.grant ?? grant });
  }
}

function completed(operationId: string, outcome: 'succeeded' | 'failed' | 'cancelled', bytes: number, fault?: GatewayFault): TunnelEffect {
  return {
    kind: 'complete',
    completion: { operationId, outcome, errorCode: fault?.code, reason: fault?.publicMessage, rows: 0, bytes, masked: {} },
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const nothing = new Uint8Array(0);
const maxConnections = 200;
