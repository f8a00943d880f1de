import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Effect, Outcome, SessionEvent, Side, SignInRequest, WireSession } from '../core/effect.ts';
import { assertNever, GatewayFault, toFault } from '../core/fault.ts';
import { isGenuine, type Grant } from '../core/grant.ts';
import { Passing } from '../core/passing.ts';
import type { Pipeline } from '../core/pipeline.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import type { AuditPort, LiveSession } from '../core/ports.ts';
import type { Operation } from '../core/operation.ts';
import type { Protocol } from '../core/target.ts';
import { deliverCancel, type CancelRegistry } from './cancel.ts';
import { EffectQueue } from './effect-queue.ts';
import { Lifetime } from './lifetime.ts';
import { Outbox } from './outbox.ts';
import type { SessionRegistry } from './sessions.ts';
import { deafen, endSocket, handshake, startServerTls } from './sockets.ts';
import { dial, encrypt, type UpstreamAddress } from './upstream.ts';

export interface DriveOptions {
  readonly client: Socket;
  readonly wire: WireSession;
  readonly protocol: Protocol;
  /** The target that the listener fixes, if it does. */
  readonly listenerTarget: string | undefined;
  readonly pipeline: Pipeline;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  /** Undefined: this listener cannot encrypt. */
  readonly serverTls: (() => SecureContext) | undefined;
  readonly alpn: readonly string[];
  readonly upstreamOf: (targetName: string) => UpstreamAddress;
  /** What the protocol has to know of a target before its first byte is forwarded. Throws `upstream-unavailable`. */
  readonly prepare: (targetName: string, part: string | undefined) => Promise<void>;
  readonly cancels: CancelRegistry;
  readonly sessions: SessionRegistry;
  /** For the operator's log. */
  readonly report: (what: string, fault: GatewayFault, session: string | undefined) => void;
}

/**
 * The one I/O loop: read → `receive` → apply effects in order → on `ask` and `sign-in`, let the pipeline answer → go on. It owns the
 * sockets, timers and back-pressure of one connection and knows no protocol. Two rules are enforced here and nowhere else: a forward
 * without a genuine grant ends the session, and no answer is written before its grant's record is durable (`Outbox`).
 */
export function drive(options: DriveOptions): Driven {
  const driven = new Drive(options);
  driven.start();
  return driven;
}

/** One connection, for those who end all of them. */
export interface Driven {
  /** Ends it within seconds, signed in or not, with the reason in the client's own protocol where it already speaks one. */
  end(reason: string): void;
  /** Resolves when its sockets are closed and its session's last record is appended. Never rejects. */
  readonly over: Promise<void>;
}

class Drive implements Driven {
  readonly over: Promise<void>;
  readonly #isOver: () => void;
  readonly #options: DriveOptions;
  readonly #wire: WireSession;
  readonly #peer: string;
  #client: Socket;
  #upstream: Socket | undefined;
  #outbox: Outbox;
  #session: PipelineSession | undefined;
  /** A sign-in on its way may still open a session. Never rejects. */
  #signingIn: Promise<void> | undefined;
  #heldOperation: string | undefined;
  /** Client bytes that came while the session waited for an answer (trap 3: reads pause, but a disconnect is still seen). */
  #backlog: Uint8Array[] = [];
  #backlogBytes = 0;
  #waiting = 0;
  /** What holds the target's answers. */
  #holding = 0;
  readonly #effects = new EffectQueue({
    apply: (effect) => {
      this.#applyOne(effect);
      return !this.#finished;
    },
    flush: () => this.#flush(),
    isWithheld: () => this.#outbox.isWithholding,
    // The record may be durable by now, and its answer then leaves first. Where it is not, there is time.
    onNotesWaiting: () => afterPoll(this.#settle),
  });
  /** Forwarded in this turn, for one write at its end: the target is woken once for a pipeline of small messages. */
  readonly #forwarded = new Passing();
  #closing = false;
  #finished = false;
  #unregisterCancel: (() => void) | undefined;
  readonly #lifetime = new Lifetime({
    finish: (reason) => this.#finish(reason),
    end: (reason) => this.end(reason),
    fail: (fault) => this.#fail(fault),
    deadline: () => this.#notify({ kind: 'deadline' }),
  });

  constructor(options: DriveOptions) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#isOver = resolve;
    this.#options = options;
    this.#wire = options.wire;
    this.#client = options.client;
    this.#peer = `${options.client.remoteAddress ?? 'unknown'}:${options.client.remotePort ?? 0}`;
    this.#outbox = this.#outboxTo(options.client);
  }

  start(): void {
    this.#client.setNoDelay(true);
    this.#client.setKeepAlive(true, 60_000);
    this.#listen('client', this.#client);
  }

  // ---- bytes in

  #listen(side: Side, socket: Socket): void {
    socket.on('data', (bytes: Uint8Array) => {
      if (side === 'client') this.#clientBytes(bytes);
      else this.#receive('upstream', bytes);
    });
    socket.on('error', (error: Error) => this.#sideClosed(side, socket, error.message));
    socket.on('close', () => this.#sideClosed(side, socket, 'connection closed'));
    socket.on('end', () => this.#sideClosed(side, socket, 'connection closed'));
    socket.on('drain', () => {
      if (side === 'upstream') this.#client.resume();
      else if (this.#holding === 0) this.#upstream?.resume();
    });
  }

  #clientBytes(bytes: Uint8Array): void {
    if (this.#closing) return;
    if (this.#waiting === 0) {
      this.#receive('client', bytes);
      return;
    }
    this.#backlog.push(bytes);
    this.#backlogBytes += bytes.length;
    if (this.#backlogBytes > maxBacklogBytes) this.#client.pause();
  }

  #resumeClient(): void {
    while (this.#waiting === 0 && this.#backlog.length > 0 && !this.#finished && !this.#closing) {
      const bytes = this.#backlog.shift() as Uint8Array;
      this.#backlogBytes -= bytes.length;
      this.#receive('client', bytes);
    }
    if (this.#finished || this.#upstream?.writableNeedDrain === true) return;
    if (this.#backlogBytes <= maxBacklogBytes && this.#client.isPaused()) this.#client.resume();
  }

  #sideClosed(side: Side, socket: Socket, detail: string): void {
    if (this.#finished || socket !== (side === 'client' ? this.#client : this.#upstream)) return;
    if (side === 'client') {
      this.#notify({ kind: 'closed', side, fault: undefined });
      this.#finish('client disconnected');
      return;
    }
    const fault = new GatewayFault('upstream-unavailable', {
      publicMessage: 'the target closed the connection',
      detail,
      hint: 'Connect again; what was running may or may not have taken effect.',
    });
    this.#notify({ kind: 'closed', side, fault });
  }

  // ---- effects out

  #receive(side: Side, bytes: Uint8Array): void {
    if (this.#finished) return;
    try {
      this.#effects.settle();
      this.#effects.take(this.#wire.receive(side, bytes));
    } catch (error) {
      this.#fail(toFault(error));
    }
  }

  #notify(event: SessionEvent): void {
    if (this.#finished) return;
    try {
      this.#effects.settle();
      this.#effects.take(this.#wire.notify(event));
    } catch (error) {
      this.#fail(toFault(error));
    }
  }

  #outboxTo(client: Socket): Outbox {
    return new Outbox(client, this.#options.audit, (fault) => this.#fail(fault), this.#settle);
  }

  readonly #settle = (): void => {
    try {
      this.#effects.settle();
    } catch (error) {
      this.#fail(toFault(error));
    }
  };

  #flush(): void {
    if (this.#finished) return;
    this.#flushForwarded();
    if (this.#outbox.flush() === 'full') this.#upstream?.pause();
  }

  #flushForwarded(): void {
    const pieces = this.#forwarded.take();
    if (this.#upstream === undefined || this.#upstream.destroyed) return;
    for (const piece of pieces) if (!this.#upstream.write(piece)) this.#client.pause();
  }

  #applyOne(effect: Effect): void {
    switch (effect.kind) {
      case 'forward':
        this.#forward(effect.bytes, effect.grant);
        return;
      case 'reply':
        this.#outbox.put(effect.bytes, effect.grant);
        return;
      case 'ask':
        this.#ask(effect.operation, effect.refusal);
        return;
      case 'complete':
        this.#session?.complete(effect.completion);
        return;
      case 'sample':
        this.#session?.sample(effect.sample);
        return;
      case 'note':
        this.#session?.note(effect.event, effect.detail);
        return;
      case 'sign-in':
        this.#signingIn = this.#signIn(effect.request);
        this.#await(this.#signingIn);
        return;
      case 'connect':
        this.#await(this.#connect(effect.grant));
        return;
      case 'start-tls':
        this.#await(effect.side === 'client' ? this.#encryptClient(effect.unread) : this.#encryptUpstream(effect.alpn));
        return;
      case 'register-cancel-key':
        this.#lifetime.signOnEnded();
        this.#unregisterCancel = this.#options.cancels.register(effect.key, () => this.#cancelRequested());
        return;
      case 'cancel':
        this.#options.cancels.request(effect.key);
        return;
      case 'wait':
        this.#wait(effect.until, effect.upstream);
        return;
      case 'deadline':
        this.#lifetime.statementEnds(effect.afterMs);
        return;
      case 'cancel-upstream':
        this.#deliverCancel(effect);
        return;
      case 'close':
        if (effect.fault !== undefined && !this.#closing) this.#options.report('session closed', effect.fault, this.#session?.id);
        this.#close(effect.fault?.code ?? 'closed');
        return;
      default:
        assertNever(effect, 'effect');
    }
  }

  #forward(bytes: Uint8Array, grant: Grant): void {
    const session = this.#session;
    if (session === undefined || !isGenuine(grant, session.id)) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'forward without a genuine grant' });
    }
    this.#forwarded.pass(bytes, 0, bytes.length);
  }

  #ask(operation: Operation, refusal: GatewayFault | undefined): void {
    const session = this.#openSession();
    const outcome =
      refusal === undefined
        ? session.decide(operation, (message) => this.#held(operation.id, message))
        : session.refuse(operation, refusal);
    if (!(outcome instanceof Promise)) {
      this.#effects.takeNext(this.#answered(operation.id, outcome));
      return;
    }
    this.#await(
      outcome.then((answer) => {
        if (this.#heldOperation === operation.id) this.#heldOperation = undefined;
        if (!this.#finished) this.#effects.take(this.#answered(operation.id, answer));
      }),
    );
  }

  /** A session that can no longer be recorded ends. */
  #answered(operationId: string, outcome: Outcome): readonly Effect[] {
    if (outcome.kind === 'refused' && outcome.fault.code === 'recording-unavailable') throw outcome.fault;
    this.#effects.settle();
    return this.#wire.decide(operationId, outcome);
  }

  #held(operationId: string, message: string): void {
    this.#heldOperation = operationId;
    this.#notify({ kind: 'held', operationId, message });
  }

  #wait(until: Promise<void>, upstream: boolean): void {
    if (upstream) this.#hold(1);
    this.#await(
      until.then(() => {
        if (upstream) this.#hold(-1);
        this.#notify({ kind: 'resumed' });
      }),
    );
  }

  /** The target is not read from while anything holds its answers. What comes all the same is the session's to keep. */
  #hold(by: 1 | -1): void {
    this.#holding += by;
    if (this.#holding > 0) this.#upstream?.pause();
    else if (!this.#client.writableNeedDrain) this.#upstream?.resume();
  }

  /** Client bytes wait until `work` is done. Its failure ends the session. */
  #await(work: Promise<void>): void {
    this.#waiting += 1;
    work
      .catch((error: unknown) => this.#fail(toFault(error)))
      .finally(() => {
        this.#waiting -= 1;
        this.#resumeClient();
      });
  }

  // ---- doors and connections

  async #signIn(signIn: SignInRequest): Promise<void> {
    const { pipeline, listenerTarget, protocol, sessions } = this.#options;
    try {
      const session = await pipeline.open({ signIn, listenerTarget, protocol, peer: this.#peer });
      this.#session = session;
      if (this.#finished) {
        await session.close('client disconnected');
        return;
      }
      sessions.add(this.#live(session));
      this.#lifetime.endsAt(session.endsAtMs);
      await this.#options.prepare(session.target.name, signIn.part);
      this.#notify({ kind: 'signed-in', session });
    } catch (error) {
      const fault = toFault(error);
      this.#options.report('sign-in refused', fault, undefined);
      this.#notify({ kind: 'sign-in-refused', fault });
    }
  }

  async #connect(grant: Grant): Promise<void> {
    const session = this.#openSession();
    if (!isGenuine(grant, session.id))
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'connect without a genuine grant' });
    const socket = await dial(this.#options.upstreamOf(session.target.name));
    if (this.#finished) {
      socket.destroy();
      return;
    }
    this.#upstream = socket;
    this.#listen('upstream', socket);
    this.#lifetime.signOnBegins();
    this.#notify({ kind: 'connected' });
  }

  /** `unread` and whatever the socket still holds belong to the handshake; the plaintext decoder never sees them (trap 4). */
  async #encryptClient(unread: Uint8Array | undefined): Promise<void> {
    const { serverTls, alpn } = this.#options;
    if (serverTls === undefined) throw new GatewayFault('unsupported', { publicMessage: 'this listener does not encrypt' });
    this.#outbox.flush();
    const secured = startServerTls(this.#client, unread, serverTls(), alpn);
    this.#client = secured;
    // From here on: a connection that is ended during the handshake gets no plaintext in between.
    this.#outbox = this.#outboxTo(secured);
    await handshake(secured);
    this.#listen('client', secured);
    this.#notify({ kind: 'encrypted', side: 'client', certificate: undefined, alpn: secured.alpnProtocol || undefined });
  }

  async #encryptUpstream(alpn: string | undefined): Promise<void> {
    const plain = this.#upstream;
    if (plain === undefined) return;
    this.#flushForwarded();
    deafen(plain);
    const secured = await encrypt(plain, this.#options.upstreamOf(this.#openSession().target.name), alpn);
    this.#upstream = secured;
    this.#listen('upstream', secured);
    const certificate = secured.getPeerCertificate().raw;
    this.#notify({ kind: 'encrypted', side: 'upstream', certificate, alpn: secured.alpnProtocol || undefined });
  }

  // ---- cancel and end

  #cancelRequested(): void {
    if (this.#heldOperation !== undefined) {
      this.#session?.cancelHold(this.#heldOperation, 'cancelled by the client');
      return;
    }
    this.#notify({ kind: 'cancel-requested' });
  }

  #deliverCancel(delivery: Effect & { kind: 'cancel-upstream' }): void {
    void deliverCancel(this.#options.upstreamOf(this.#openSession().target.name), delivery)
      .catch((error: unknown) => this.#options.report('cancel not delivered', toFault(error), this.#session?.id))
      .finally(() => this.#notify({ kind: 'cancel-delivered' }));
  }

  end(reason: string): void {
    if (this.#heldOperation !== undefined) this.#session?.cancelHold(this.#heldOperation, reason);
    this.#notify({ kind: 'end', fault: new GatewayFault('session-ended', { publicMessage: `session ended: ${reason}` }) });
  }

  /** The session cannot go on. The client is told where it still can be; nothing more is decided. */
  #fail(fault: GatewayFault): void {
    if (this.#finished) return;
    this.#settle();
    this.#effects.clear();
    if (this.#closing) {
      this.#finish(fault.code);
      return;
    }
    this.#closing = true;
    if (fault.code === 'audit-unavailable') this.#outbox.discard();
    try {
      this.#effects.take(this.#wire.notify({ kind: 'end', fault }));
    } catch (error) {
      this.#options.report('session failed', toFault(error), this.#session?.id);
      this.#finish(fault.code);
      return;
    }
    this.#options.report('session failed', fault, this.#session?.id);
    if (!this.#finished) this.#close(fault.code);
  }

  /** What was written before goes out first; what waits for a record that does not become durable does not keep the session open. */
  #close(reason: string): void {
    this.#closing = true;
    this.#lifetime.closes(reason);
    this.#outbox.whenEmpty(() => this.#finish(reason));
  }

  #finish(reason: string): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#settle();
    this.#lifetime.stop();
    this.#unregisterCancel?.();
    this.#flushForwarded();
    const sockets = [this.#client, ...(this.#upstream === undefined ? [] : [this.#upstream])];
    void Promise.all([...sockets.map(endSocket), this.#closeSession(reason)]).then(this.#isOver);
  }

  async #closeSession(reason: string): Promise<void> {
    const session = this.#session;
    if (session === undefined) return this.#signingIn;
    this.#options.sessions.remove(session.id);
    await session.close(reason).catch((error: unknown) => this.#options.report('session not closed', toFault(error), session.id));
  }

  #live(session: PipelineSession): LiveSession {
    return {
      id: session.id,
      principal: session.principal,
      target: session.target,
      peer: this.#peer,
      startedAtMs: session.startedAtMs,
      get operations() {
        return session.operations;
      },
      end: (reason) => this.end(reason),
    };
  }

  #openSession(): PipelineSession {
    if (this.#session === undefined) {
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'effect before sign-in' });
    }
    return this.#session;
  }
}

/** Once what is ready to be read by now was read. */
function afterPoll(then: () => void): void {
  setImmediate(() => setImmediate(then));
}

const maxBacklogBytes = 256 * 1024;
