import type { Duplex } from 'node:stream';
import type { Side } from '../core/effect.ts';
import { GatewayFault, toFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import type { Operation } from '../core/operation.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import type { AuditPort } from '../core/ports.ts';
import type { TunnelEffect, TunnelSession } from '../protocols/tunnel.ts';
import { Deadline } from './deadline.ts';
import { Outbox } from './outbox.ts';
import type { StopSignal } from './stop.ts';

export interface TunnelOptions {
  readonly client: TunnelEnd;
  readonly upstream: TunnelEnd;
  readonly tunnel: TunnelSession;
  readonly session: PipelineSession;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  /** See `OpenedTunnel`. */
  readonly isApart: boolean;
  /** Without a byte either way for so long it ends, milliseconds. */
  readonly idleMs: number;
  /** Ends it, with the fault as the reason. */
  readonly signal: StopSignal;
  /** Opens a connection to another target of this gateway, as one of its clients would. What it cannot do is an error of the stream. Undefined: nothing else can be reached from here. */
  readonly join: ((target: string) => Duplex) | undefined;
  /** A session that can no longer be recorded ends. */
  readonly unrecorded: (error: unknown) => void;
}

/** One side of a tunnel. */
export interface TunnelEnd {
  readonly socket: Duplex;
  /** What came behind its head. */
  readonly unread: Uint8Array;
}

/** What came of it. */
export interface TunnelOver {
  /** Bytes that went to the client. */
  readonly bytes: number;
  /** Why the gateway ended it, where it did. */
  readonly fault: GatewayFault | undefined;
}

/**
 * The I/O of a tunnel: read → `receive` → apply effects in order. Owns both sockets, the timers and the back-pressure, and knows no protocol. As in `drive.ts`, a forward
 * without a genuine grant ends it, and nothing goes to the client before its grant's record is durable. Resolves when both sockets are closed; never rejects.
 */
export function runTunnel(options: TunnelOptions): Promise<TunnelOver> {
  return new Tunnel(options).over;
}

class Tunnel {
  readonly over: Promise<TunnelOver>;
  readonly #options: TunnelOptions;
  readonly #outbox: Outbox;
  readonly #deadline: Deadline;
  readonly #idle: NodeJS.Timeout;
  readonly #effects: TunnelEffect[] = [];
  readonly #asked = new Set<string>();
  readonly #diverted = new Map<string, Duplex>();
  /** Sides from which nothing more comes. */
  readonly #ended = new Set<Side>();
  #applying = false;
  #isClientRead = true;
  /** Much of what passed waits to be recorded. */
  #recordingIsBehind = false;
  #bytes = 0;
  /** The gateway's reason to end it; the first one holds. */
  #fault: GatewayFault | undefined;
  #closing: NodeJS.Timeout | undefined;

  constructor(options: TunnelOptions) {
    const { client, upstream, signal, audit, tunnel } = options;
    this.#options = options;
    this.#outbox = new Outbox(
      client.socket,
      audit,
      (fault) => this.#end(fault),
      () => {},
      options.isApart,
    );
    this.#deadline = new Deadline(() => this.#apply(tunnel.notify({ kind: 'deadline' })));
    this.#idle = setTimeout(() => this.#end(idle(options.idleMs)), options.idleMs);
    const abort = (): void => this.#end(signal.reason as GatewayFault);
    this.over = Promise.all([closed(client.socket), closed(upstream.socket)]).then(() => {
      clearTimeout(this.#idle);
      clearTimeout(this.#closing);
      this.#deadline.stop();
      for (const one of this.#diverted.values()) one.destroy();
      signal.removeEventListener('abort', abort);
      for (const id of this.#asked) options.session.cancelHold(id, 'the connection is over');
      return { bytes: this.#bytes, fault: this.#fault };
    });
    for (const side of ['client', 'upstream'] as const) this.#listen(side);
    this.#apply(tunnel.notify({ kind: 'opened' }));
    for (const side of ['client', 'upstream'] as const) if (options[side].unread.length > 0) this.#receive(side, options[side].unread);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    this.#flow();
  }

  #listen(side: Side): void {
    const { socket } = this.#options[side];
    socket.on('data', (chunk: Buffer) => this.#receive(side, chunk));
    socket.on('end', () => this.#closedBy(side, undefined));
    socket.on('error', (error) => this.#closedBy(side, broken(side, error)));
    socket.on('close', () => this.#closedBy(side, broken(side, new Error('closed before its end'))));
    socket.on('drain', () => this.#flow());
  }

  #receive(side: Side, bytes: Uint8Array): void {
    this.#idle.refresh();
    // What comes when the last words were said is of no consequence any more.
    if (this.#closing === undefined) this.#apply(this.#options.tunnel.receive(side, bytes));
  }

  #closedBy(side: Side, fault: GatewayFault | undefined): void {
    if (this.#ended.has(side)) return;
    this.#ended.add(side);
    if (this.#closing === undefined) this.#apply(this.#options.tunnel.notify({ kind: 'closed', side, fault }));
    if (this.#ended.size === 2) this.#close();
  }

  /** The session says its last words, and has a moment to do so. */
  #end(fault: GatewayFault): void {
    if (this.#fault !== undefined || this.#closing !== undefined) return;
    this.#fault = fault;
    setTimeout(() => this.#close(), endGraceMs).unref();
    this.#apply(this.#options.tunnel.notify({ kind: 'end', fault }));
  }

  // ---- effects

  #apply(effects: readonly TunnelEffect[]): void {
    this.#effects.push(...effects);
    if (this.#applying) return;
    this.#applying = true;
    try {
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) this.#applyOne(effect);
    } catch (error) {
      this.#effects.length = 0;
      this.#fault ??= toFault(error);
      this.#close();
    } finally {
      this.#applying = false;
    }
    this.#flow();
  }

  #applyOne(effect: TunnelEffect): void {
    const { session, client, upstream } = this.#options;
    switch (effect.kind) {
      case 'forward':
        this.#forward(effect.bytes, effect.grant);
        return;
      case 'reply':
        this.#reply(effect.bytes, effect.grant);
        return;
      case 'ask':
        void this.#ask(effect.operation, effect.refusal);
        return;
      case 'complete':
        this.#recorded(() => session.complete(effect.completion));
        return;
      case 'sample':
        this.#recorded(() => session.sample(effect.sample));
        return;
      case 'note':
        this.#recorded(() => session.note(effect.event, effect.detail));
        return;
      case 'transcript':
        this.#recorded(() => this.#recordingRoom(session.transcript(effect.operationId, effect.part)));
        return;
      case 'divert':
        this.#divert(effect.id, effect.target);
        return;
      case 'divert-bytes':
        this.#diverted.get(effect.id)?.write(effect.bytes);
        return;
      case 'divert-end':
        this.#diverted.get(effect.id)?.end();
        return;
      case 'deadline':
        this.#deadline.set(effect.afterMs);
        return;
      case 'read-client':
        this.#isClientRead = effect.isRead;
        return;
      case 'finish':
        if (effect.side === 'upstream') upstream.socket.end();
        else this.#outbox.whenEmpty(() => client.socket.end());
        return;
      case 'close':
        this.#fault ??= effect.fault;
        this.#close();
        return;
      default:
        effect satisfies never;
    }
  }

  /** A connection to another target of this gateway. */
  #divert(id: string, target: string): void {
    const { join, tunnel } = this.#options;
    if (join === undefined) {
      const fault = new GatewayFault('unsupported', { publicMessage: `target ${target} cannot be reached from here` });
      this.#apply(tunnel.notify({ kind: 'divert-ended', id, fault }));
      return;
    }
    const socket = join(target);
    this.#diverted.set(id, socket);
    let fault: GatewayFault | undefined;
    socket.on('data', (bytes: Buffer) => this.#apply(tunnel.notify({ kind: 'diverted', id, bytes })));
    socket.on('error', (error) => (fault = toFault(error)));
    socket.on('drain', () => this.#flow());
    socket.once('close', () => {
      this.#diverted.delete(id);
      if (this.#closing === undefined) this.#apply(tunnel.notify({ kind: 'divert-ended', id, fault }));
    });
  }

  #forward(bytes: Uint8Array, grant: Grant): void {
    if (!isGenuine(grant, this.#options.session.id)) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
    }
    const { socket } = this.#options.upstream;
    if (socket.writable) socket.write(bytes);
  }

  #reply(bytes: Uint8Array, grant: Grant | undefined): void {
    const most = this.#options.session.limits.inForce.bytes;
    if (most !== undefined && this.#bytes + bytes.length > most && this.#fault === undefined) {
      // What the session says last goes in the place of these bytes, and of those behind them.
      const others = this.#effects.splice(0).filter(({ kind }) => kind !== 'reply');
      this.#effects.push(...others);
      this.#end(tooMany(this.#options.session.target.name, most));
      return;
    }
    this.#bytes += bytes.length;
    if (this.#options.client.socket.writable) this.#outbox.put(bytes, grant);
  }

  async #ask(operation: Operation, refusal: GatewayFault | undefined): Promise<void> {
    const { session, tunnel } = this.#options;
    this.#asked.add(operation.id);
    const outcome =
      refusal === undefined
        ? await session.decide(operation, (message) => this.#apply(tunnel.notify({ kind: 'held', operationId: operation.id, message })))
        : session.refuse(operation, refusal);
    this.#asked.delete(operation.id);
    if (this.#closing === undefined) this.#apply(tunnel.decide(operation.id, outcome));
    else if (outcome.kind === 'granted') {
      this.#recorded(() => session.complete({ operationId: operation.id, outcome: 'cancelled', rows: 0, bytes: 0, masked: {} }));
    }
  }

  #recorded(put: () => void): void {
    try {
      put();
    } catch (error) {
      this.#options.unrecorded(error);
    }
  }

  // ---- flow

  /** What comes faster than it can be recorded waits. */
  #recordingRoom(room: Promise<void> | undefined): void {
    if (room === undefined || this.#recordingIsBehind) return;
    this.#recordingIsBehind = true;
    void room.then(() => {
      this.#recordingIsBehind = false;
      if (this.#closing === undefined) this.#flow();
    });
  }

  /** Writes what may go to the client, and reads from a side only while the other one takes what comes of it, and it itself takes what it is answered. */
  #flow(): void {
    const client = this.#options.client.socket;
    const upstream = this.#options.upstream.socket;
    const clientFull = this.#outbox.flush() === 'full' || client.writableNeedDrain;
    const diverted = [...this.#diverted.values()];
    const othersFull = upstream.writableNeedDrain || diverted.some((one) => one.writableNeedDrain);
    for (const one of diverted) read(one, !clientFull);
    read(client, this.#isClientRead && !this.#recordingIsBehind && !othersFull && client.writableLength < mostUnsentBytes);
    read(upstream, !this.#recordingIsBehind && !clientFull && upstream.writableLength < mostUnsentBytes);
  }

  #close(): void {
    if (this.#closing !== undefined) return;
    const { client, upstream } = this.#options;
    this.#isClientRead = true;
    this.#closing = setTimeout(() => {
      client.socket.destroy();
      upstream.socket.destroy();
    }, closeGraceMs);
    this.#outbox.whenEmpty(() => client.socket.end());
    upstream.socket.end();
    // Whoever is still sending is read, so that its connection is not reset under what it was told.
    client.socket.resume();
    upstream.socket.resume();
  }
}

function read(socket: Duplex, wanted: boolean): void {
  if (wanted) socket.resume();
  else socket.pause();
}

function closed(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

function broken(side: Side, error: Error): GatewayFault {
  const who = side === 'client' ? 'client' : 'target';
  return new GatewayFault('upstream-unavailable', {
    publicMessage: `the ${who} broke the connection`,
    detail: error.message,
    cause: error,
  });
}

function idle(ms: number): GatewayFault {
  return new GatewayFault('session-ended', { publicMessage: `nothing was said for ${ms / 1000} s` });
}

function tooMany(target: string, value: number): GatewayFault {
  return new GatewayFault('limit-exceeded', {
    publicMessage: `bytes (${value}) of target ${target} is exceeded: the connection was ended`,
  });
}

/** What one side may leave unsent of what it is answered itself, before it is no longer read. */
const mostUnsentBytes = 1024 * 1024;
const endGraceMs = 5_000;
const closeGraceMs = 2_000;
