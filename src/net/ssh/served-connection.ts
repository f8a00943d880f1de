import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ParsedKey } from 'ssh2';
import type { Act } from '../../core/operation.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AuditPort } from '../../core/ports.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import type { AskedUser } from '../../protocols/ssh/user-name.ts';
import { failureRefillMs, type Failures } from '../failures.ts';
import type { SessionRegistry } from '../sessions.ts';
import { SshConnection, type ConnectionRole } from './connection.ts';
import type { OpenRequest } from './connection-channels.ts';
import type { GlobalReply } from './global-requests.ts';
import { SessionChannels, type SessionRules } from './session-channels.ts';
import { SignIn, type SshKeys } from './sign-in.ts';

export interface ServedOptions {
  readonly client: Socket;
  readonly hostKey: ParsedKey;
  /** Shown before sign-in. */
  readonly banner: string;
  readonly listenerTarget: string | undefined;
  readonly pipeline: Pipeline;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  readonly keys: SshKeys;
  readonly failures: Failures;
  readonly sessions: SessionRegistry;
  /** What a remote user is besides the connection itself, for policy. */
  readonly signInActs: (targetName: string, remoteUser: string | undefined) => readonly Act[];
  /** Throws a fault where the target is none any more. */
  readonly rulesOf: (session: PipelineSession, remoteUser: string | undefined) => SessionRules;
  /** Opens a connection to another target of this gateway, for the client at `peer`. */
  readonly join: (target: string, peer: string) => Duplex;
  /** After so many bytes keys are exchanged anew. */
  readonly rekeyBytes?: number;
  /** Whoever has not signed in by then is ended, milliseconds. */
  readonly signInTimeoutMs?: number;
  readonly report: (what: string, fault: GatewayFault, session: string | undefined) => void;
}

/** One client's connection: sign-in, then its session at one target, with all its channels. */
export class ServedConnection implements ConnectionRole {
  /** Resolves when its socket is closed and its session's last record is appended. Never rejects. */
  readonly over: Promise<void>;
  readonly signIn: SignIn['messages'];
  readonly #options: ServedOptions;
  readonly #connection: SshConnection;
  readonly #peer: string;
  readonly #isOver: () => void;
  #session: PipelineSession | undefined;
  #channels: SessionChannels | undefined;
  #lifetime: NodeJS.Timeout;
  #ended: GatewayFault | undefined;

  constructor(options: ServedOptions) {
    const { client, keys, listenerTarget, hostKey, banner, signInTimeoutMs = defaultSignInTimeoutMs } = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#isOver = resolve;
    this.#options = options;
    this.#peer = `${client.remoteAddress ?? 'unknown'}:${client.remotePort ?? 0}`;
    this.signIn = new SignIn({
      protocol: () => this.#connection.protocol,
      keys,
      listenerTarget,
      open: (credential, asked, userName) => this.#open(credential, asked, userName),
      fail: (fault) => this.#connection.disconnect(fault),
    }).messages;
    client.setNoDelay(true);
    const { rekeyBytes } = options;
    this.#connection = new SshConnection({
      socket: client,
      side: 'server',
      role: this,
      maxChannels: mostChannels,
      hostKey,
      banner,
      rekeyBytes,
    });
    this.#lifetime = setTimeout(() => this.#connection.disconnect(signInTooSlow(signInTimeoutMs)), signInTimeoutMs);
  }

  get isSignedIn(): boolean {
    return this.#session !== undefined;
  }

  /** Ends it within seconds, with the reason in every channel and in the disconnection. */
  end(fault: GatewayFault): void {
    if (this.#ended !== undefined || this.#connection.isOver) return;
    this.#ended = fault;
    if (this.#channels === undefined || this.#channels.isIdle) this.#connection.disconnect(fault);
    else {
      this.#channels.end(fault);
      setTimeout(() => this.#connection.disconnect(fault), endGraceMs).unref();
    }
  }

  // ---- the first door

  exchanged(): void {}

  async #open(credential: string, asked: AskedUser, userName: string): Promise<void> {
    const { pipeline, failures, listenerTarget, signInActs } = this.#options;
    const address = this.#peer.slice(0, this.#peer.lastIndexOf(':'));
    if (failures.areTooMany(address)) throw tooManyFailures();
    const { target, remoteUser } = asked;
    let session: PipelineSession;
    try {
      session = await pipeline.open({
        signIn: {
          credential,
          targetName: target,
          acts: (name) => [{ action: 'connect', object: { type: 'Target', id: name } }, ...signInActs(name, remoteUser)],
          facts: remoteUser === undefined ? {} : { remote_user: remoteUser },
          part: undefined,
          claimedUser: userName.slice(0, mostNameCharacters),
        },
        listenerTarget,
        protocol: 'ssh',
        peer: this.#peer,
      });
    } catch (error) {
      const fault = toFault(error);
      if (fault.code === 'authentication-failed') failures.failed(address);
      this.#options.report('sign-in refused', fault, undefined);
      throw fault;
    }
    if (this.#connection.isOver) {
      await session.close('client disconnected');
      throw new GatewayFault('session-ended', { publicMessage: 'client disconnected' });
    }
    this.#begin(session, remoteUser);
  }

  #begin(session: PipelineSession, remoteUser: string | undefined): void {
    const { audit, join, rulesOf, sessions } = this.#options;
    const rules = rulesOf(session, remoteUser);
    this.#session = session;
    const channels = new SessionChannels({
      connection: this.#connection,
      session,
      rules,
      audit,
      join: (target) => join(target, this.#peer),
      fail: (fault) => this.#fail(fault),
      report: (what, fault) => this.#options.report(what, fault, session.id),
      idle: () => this.#idle(),
    });
    this.#channels = channels;
    sessions.add({
      id: session.id,
      principal: session.principal,
      target: session.target,
      peer: this.#peer,
      startedAtMs: session.startedAtMs,
      get operations() {
        return session.operations;
      },
      end: (reason) => this.end(ended(reason)),
      moderators: rules.moderators,
      watch: (watcher) => channels.watched.watch(watcher),
    });
    clearTimeout(this.#lifetime);
    this.#endsAt(session.endsAtMs);
  }

  /** Milliseconds since 1970. */
  #endsAt(endsAtMs: number): void {
    const leftMs = Math.max(endsAtMs - Date.now(), 0);
    const next = leftMs > mostTimerMs ? () => this.#endsAt(endsAtMs) : () => this.end(ended('the identity of this session has expired'));
    this.#lifetime = setTimeout(next, Math.min(leftMs, mostTimerMs));
  }

  // ---- channels

  open(request: OpenRequest): void {
    const channels = this.#signedIn();
    if (this.#ended === undefined) channels.open(request);
    else this.#connection.refuse(request, this.#ended);
  }

  globalRequest(name: string, fields: unknown): GlobalReply | Promise<GlobalReply> {
    const channels = this.#signedIn();
    return this.#ended === undefined ? channels.globalRequest(name, fields) : false;
  }

  // ---- the end

  #idle(): void {
    const fault = this.#ended;
    // In the next turn, when a channel's own last words are on their way.
    if (fault !== undefined) setImmediate(() => this.#connection.disconnect(fault));
  }

  #fail(fault: GatewayFault): void {
    this.#options.report('session failed', fault, this.#session?.id);
    this.#connection.disconnect(fault);
  }

  closed(fault: GatewayFault | undefined): void {
    clearTimeout(this.#lifetime);
    if (fault !== undefined && worthReporting.has(fault.code)) this.#options.report('connection ended', fault, this.#session?.id);
    this.#channels?.close(fault ?? ended('client disconnected'));
    void Promise.all([socketClosed(this.#options.client), this.#closeSession(this.#ended ?? fault)]).then(this.#isOver);
  }

  async #closeSession(fault: GatewayFault | undefined): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { sessions, report } = this.#options;
    sessions.remove(session.id);
    const reason = fault === undefined || fault.code === 'upstream-unavailable' ? 'client disconnected' : fault.publicMessage;
    await session.close(reason).catch((error: unknown) => report('session not closed', toFault(error), session.id));
  }

  /** Throws for whoever asks for anything before sign-in. */
  #signedIn(): SessionChannels {
    if (this.#channels === undefined) throw violation('a request before sign-in');
    return this.#channels;
  }
}

function socketClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

function ended(reason: string): GatewayFault {
  return new GatewayFault('session-ended', { publicMessage: `session ended: ${reason}` });
}

function tooManyFailures(): GatewayFault {
  return new GatewayFault('rate-exceeded', {
    publicMessage: `too many failed sign-ins from this address; try again in ${failureRefillMs / 1000} s`,
  });
}

function signInTooSlow(ms: number): GatewayFault {
  return new GatewayFault('authentication-failed', { publicMessage: `sign-in took longer than ${ms / 1000} s` });
}

const worthReporting: ReadonlySet<string> = new Set(['internal', 'protocol-violation', 'limit-exceeded', 'audit-unavailable']);
const mostChannels = 64;
const mostNameCharacters = 256;
const defaultSignInTimeoutMs = 60_000;
const endGraceMs = 2_000;
const mostTimerMs = 2 ** 31 - 1;
