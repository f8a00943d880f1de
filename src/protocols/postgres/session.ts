import type { Effect, OpenSession, Outcome, SessionEvent, Side, WireSession } from '../../core/effect.ts';
import { assertNever, GatewayFault } from '../../core/fault.ts';
import { Conversation } from './conversation.ts';
import * as encode from './encode.ts';
import type { PostgresEnvironment } from './environment.ts';
import { faultMessage } from './fault.ts';
import { createFramer } from './frame.ts';
import { LIMIT_BYTES } from './messages.ts';
import { Login, type UpstreamReady } from './login.ts';
import { ClientRelay } from './relay-client.ts';
import { UpstreamRelay } from './relay-upstream.ts';
import { Startup, type ClientStartup } from './startup.ts';

/**
 * One PostgreSQL connection, sans I/O: start-up and token (`startup.ts`), the gateway's own sign-on at the target (`login.ts`), then
 * both directions of the ready session (`relay-client.ts`, `relay-upstream.ts`) over what they share (`conversation.ts`).
 *
 * The ordering traps:
 * 1. A refusal never overtakes earlier answers: a statement that must fail goes in the refused one's place, and the error that the
 *    server sends for it, in its order, is replaced by the refusal (`expected.ts`).
 * 2. Naming is not executing: Parse and PREPARE are only checked; Bind and Execute, EXECUTE and FETCH are decided when they run. Names
 *    exist from the server's confirmation on (`names.ts`), copy mode from the server's Copy…Response.
 * 3. While an operation is held the client's bytes stay unread; a cancel comes on another connection, and the driver sees a disconnect.
 * 4. Bytes that came with an SSLRequest end the connection; bytes of a direct handshake go to TLS alone (`startup.ts`).
 * 5. Every ReadyForQuery that the client sees is the server's own, so both sides agree on the transaction.
 * 6. The cancel key that the client gets is the gateway's own (`login.ts`).
 */
export function createPostgresSession(environment: PostgresEnvironment): WireSession {
  return new PostgresSession(environment);
}

class PostgresSession implements WireSession {
  readonly #environment: PostgresEnvironment;
  readonly #clientFramer = createFramer();
  readonly #upstreamFramer = createFramer();
  readonly #startup: Startup;
  #session: OpenSession | undefined;
  #login: Login | undefined;
  #ready: Ready | undefined;
  #ended = false;

  constructor(environment: PostgresEnvironment) {
    this.#environment = environment;
    this.#startup = new Startup(environment, this.#clientFramer);
  }

  receive(side: Side, bytes: Uint8Array): readonly Effect[] {
    if (this.#ended) return [];
    if (side === 'client') {
      this.#clientFramer.push(bytes);
      if (this.#clientFramer.unreadBytes > maxUnreadBytes) throw tooFarAhead();
      if (this.#ready === undefined) return this.#startup.receive();
      this.#ready.client.pump();
      return this.#ready.talk.take();
    }
    this.#upstreamFramer.push(bytes);
    if (this.#ready === undefined) return this.#loginReceive();
    this.#ready.upstream.receive();
    return this.#ready.talk.take();
  }

  decide(operationId: string, outcome: Outcome): readonly Effect[] {
    const ready = this.#ready;
    if (ready === undefined || this.#ended) return [];
    ready.client.decided(operationId, outcome);
    return ready.talk.take();
  }

  notify(event: SessionEvent): readonly Effect[] {
    if (this.#ended) return [];
    switch (event.kind) {
      case 'signed-in':
        this.#session = event.session;
        return this.#startup.signedIn(event.session);
      case 'sign-in-refused':
        return this.#startup.refused(event.fault);
      case 'connected':
        this.#login = this.#newLogin();
        return this.#login.connected();
      case 'encrypted':
        return event.side === 'client' ? this.#startup.encrypted(event.alpn) : (this.#login?.encrypted(event.certificate) ?? []);
      case 'resumed':
        return this.#resume();
      case 'held':
        this.#ready?.talk.notice(event.message);
        return this.#ready?.talk.take() ?? [];
      case 'cancel-requested':
        return this.#cancel();
      case 'cancel-delivered':
        return this.#cancelDelivered();
      case 'deadline':
        return this.#deadline();
      case 'closed':
        return event.side === 'client' ? this.#clientGone() : this.#end(event.fault ?? upstreamGone());
      case 'end':
        return this.#end(event.fault);
      default:
        return assertNever(event, 'session event');
    }
  }

  #newLogin(): Login {
    const session = this.#session;
    const client = this.#startup.client;
    if (session === undefined || client === undefined)
      throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'connected before sign-in' });
    return new Login(this.#environment, this.#upstreamFramer, session, this.#environment.target(session.target.name), client);
  }

  #loginReceive(): readonly Effect[] {
    const login = this.#login;
    if (login === undefined) return [];
    const effects = [...login.receive()];
    if (login.ready === undefined) return effects;
    this.#ready = this.#open(login.ready);
    if (this.#upstreamFramer.unreadBytes > 0) this.#ready.upstream.receive();
    this.#ready.client.pump();
    return [...effects, ...this.#ready.talk.take()];
  }

  #open(upstream: UpstreamReady): Ready {
    const session = this.#session as OpenSession;
    const client = this.#startup.client as ClientStartup;
    const talk: Conversation = new Conversation({
      environment: this.#environment,
      session,
      target: this.#environment.target(session.target.name),
      database: client.database,
      settings: client.settings,
      clientFramer: this.#clientFramer,
      upstreamFramer: this.#upstreamFramer,
      cancelUpstream: () => cancelUpstream(talk, upstream),
    });
    const relay = new ClientRelay(talk);
    return { talk, client: relay, upstream: new UpstreamRelay(talk, relay, upstream) };
  }

  #resume(): readonly Effect[] {
    const ready = this.#ready;
    if (ready === undefined) return [];
    ready.talk.resumed();
    ready.client.resumed();
    // What was held of the target's answers, and then the client's messages.
    ready.upstream.receive();
    return ready.talk.take();
  }

  /** The target's key goes to the target alone, on a connection encrypted like the session's. */
  #cancel(): readonly Effect[] {
    const ready = this.#ready;
    if (ready === undefined || ready.talk.expected.isEmpty) return [];
    ready.talk.note('cancel', {});
    ready.talk.stopping.cancel();
    return ready.talk.take();
  }

  #cancelDelivered(): readonly Effect[] {
    const ready = this.#ready;
    if (ready === undefined) return [];
    ready.talk.stopping.delivered();
    ready.client.pump();
    return ready.talk.take();
  }

  #deadline(): readonly Effect[] {
    const fault = this.#ready?.talk.stopping.deadlinePassed();
    return fault === undefined ? (this.#ready?.talk.take() ?? []) : this.#end(fault);
  }

  #clientGone(): readonly Effect[] {
    this.#ended = true;
    const ready = this.#ready;
    if (ready === undefined) return [];
    // What it was defining must not take effect when nobody follows it any more.
    if (ready.talk.defining.isOpen) ready.talk.stopping.cancel();
    ready.talk.defining.abandon();
    if (this.#clientFramer.atBoundary) ready.talk.housekeep(encode.emptyClientMessage('Terminate'));
    return ready.talk.take();
  }

  #end(fault: GatewayFault): readonly Effect[] {
    this.#ended = true;
    if (this.#ready === undefined)
      return [
        { kind: 'reply', bytes: faultMessage(fault, { phase: 'startup' }), grant: undefined },
        { kind: 'close', fault },
      ];
    // What still runs for an identity that has ended is stopped: the server itself would only notice when it next writes.
    if (!this.#ready.talk.expected.isEmpty) this.#ready.talk.stopping.cancel();
    this.#ready.talk.defining.abandon();
    this.#ready.talk.end(fault);
    return this.#ready.talk.take();
  }
}

interface Ready {
  readonly talk: Conversation;
  readonly client: ClientRelay;
  readonly upstream: UpstreamRelay;
}

function cancelUpstream(talk: Conversation, key: UpstreamReady): Effect {
  const tlsRequest = talk.target.tls ? encode.sslRequest() : undefined;
  return { kind: 'cancel-upstream', packet: encode.cancelRequest(key), tlsRequest, tlsAccept: acceptsTls };
}

function upstreamGone(): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target closed the connection' });
}

function tooFarAhead(): GatewayFault {
  return new GatewayFault('limit-exceeded', {
    publicMessage: `more than ${maxUnreadBytes} bytes were sent ahead of the answers`,
    hint: 'Wait for answers before sending more.',
  });
}

/** What a client may send while its next message waits: the longest message of all, and then some. */
const maxUnreadBytes = LIMIT_BYTES.bind + LIMIT_BYTES.query;
const acceptsTls = 0x53;
