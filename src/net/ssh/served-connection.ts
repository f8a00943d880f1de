import type { Socket } from 'node:net';
import type { ParsedKey } from 'ssh2';
import type { Act } from '../../core/operation.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import type { Pipeline } from '../../core/pipeline.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AuditPort } from '../../core/ports.ts';
import type { ChannelSession } from '../../protocols/ssh/channel.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import type { AskedUser } from '../../protocols/ssh/user-name.ts';
import { failureRefillMs, type Failures } from '../failures.ts';
import type { SessionRegistry } from '../sessions.ts';
import { ChannelDrive } from './channel-drive.ts';
import { SshConnection, type ConnectionRole, type OpenRequest } from './connection.ts';
import { Notes } from './notes.ts';
import { SessionUpstream } from './session-upstream.ts';
import { SignIn, type SshKeys } from './sign-in.ts';
import type { SshAddress } from './upstream.ts';

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
  readonly newChannel: (session: PipelineSession, remoteUser: string | undefined) => ChannelSession;
  /** Where the session's target is. Throws a fault. */
  readonly addressOf: (targetName: string, remoteUser: string | undefined) => SshAddress;
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
  readonly #channels = new Set<ChannelDrive>();
  readonly #upstream: SessionUpstream;
  readonly #isOver: () => void;
  #session: PipelineSession | undefined;
  #notes: Notes | undefined;
  #remoteUser: string | undefined;
  #noMoreSessions = false;
  #lifetime: NodeJS.Timeout;
  #ended: GatewayFault | undefined;

  constructor(options: ServedOptions) {
    const { client, keys, listenerTarget, hostKey, banner } = options;
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
    this.#upstream = new SessionUpstream(() => options.addressOf(this.#signedIn().target.name, this.#remoteUser));
    client.setNoDelay(true);
    this.#connection = new SshConnection({ socket: client, side: 'server', role: this, maxChannels: mostChannels, hostKey, banner });
    this.#lifetime = setTimeout(() => this.#connection.disconnect(signInTooSlow()), signInTimeoutMs);
  }

  get isSignedIn(): boolean {
    return this.#session !== undefined;
  }

  /** Ends it within seconds, with the reason in every channel and in the disconnection. */
  end(fault: GatewayFault): void {
    if (this.#ended !== undefined || this.#connection.isOver) return;
    this.#ended = fault;
    for (const channel of this.#channels) channel.end(fault);
    if (this.#channels.size === 0) this.#connection.disconnect(fault);
    else setTimeout(() => this.#connection.disconnect(fault), endGraceMs).unref();
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
    this.#session = session;
    this.#notes = new Notes(session);
    this.#remoteUser = remoteUser;
    this.#options.sessions.add({
      id: session.id,
      principal: session.principal,
      target: session.target,
      peer: this.#peer,
      startedAtMs: session.startedAtMs,
      get operations() {
        return session.operations;
      },
      end: (reason) => this.end(ended(reason)),
    });
    clearTimeout(this.#lifetime);
    this.#endsAt(session.endsAtMs);
    // The client's first channel is about to come; whether the target can be reached is told there.
    this.#upstream.begin();
  }

  /** Milliseconds since 1970. */
  #endsAt(endsAtMs: number): void {
    const leftMs = Math.max(endsAtMs - Date.now(), 0);
    const next = leftMs > mostTimerMs ? () => this.#endsAt(endsAtMs) : () => this.end(ended('the identity of this session has expired'));
    this.#lifetime = setTimeout(next, Math.min(leftMs, mostTimerMs));
  }

  // ---- channels

  open(request: OpenRequest): void {
    this.#signedIn();
    if (this.#ended !== undefined) this.#connection.refuse(request, this.#ended);
    else if (this.#connection.isFullOfChannels) this.#refuse(request, tooManyChannels());
    else if (request.type !== 'session') this.#refuse(request, unsupported(`channels of type ${request.type.slice(0, 64)}`));
    else if (this.#noMoreSessions) throw violation('a session after there were to be no more');
    else this.#openSession(request);
  }

  #openSession(request: OpenRequest): void {
    const { audit, newChannel } = this.#options;
    const session = this.#signedIn();
    const channel = newChannel(session, this.#remoteUser);
    const drive: ChannelDrive = new ChannelDrive({
      client: this.#connection.accept(request, false),
      channel,
      session,
      audit,
      upstream: () => this.#upstream.connected(),
      note: (event, detail) => this.#notes?.put(event, detail),
      fail: (fault) => this.#fail(fault),
      over: () => this.#channelOver(drive),
    });
    this.#channels.add(drive);
  }

  #channelOver(drive: ChannelDrive): void {
    this.#channels.delete(drive);
    const fault = this.#ended;
    // In the next turn, when the channel's own last words are on their way.
    if (fault !== undefined && this.#channels.size === 0) setImmediate(() => this.#connection.disconnect(fault));
  }

  globalRequest(name: string, wantReply: boolean): void {
    this.#signedIn();
    if (name === 'no-more-sessions@openssh.com') this.#noMoreSessions = true;
    else if (!quiet.has(name)) this.#notes?.put('global-request-refused', { request: name.slice(0, 64) });
    if (!wantReply) return;
    if (name === 'no-more-sessions@openssh.com') this.#connection.protocol.requestSuccess();
    else this.#connection.protocol.requestFailure();
  }

  #refuse(request: OpenRequest, fault: GatewayFault): void {
    this.#notes?.put('channel-refused', { type: request.type.slice(0, 64), code: fault.code });
    this.#connection.refuse(request, fault);
  }

  // ---- the end

  #fail(fault: GatewayFault): void {
    this.#options.report('session failed', fault, this.#session?.id);
    this.#connection.disconnect(fault);
  }

  closed(fault: GatewayFault | undefined): void {
    clearTimeout(this.#lifetime);
    if (fault !== undefined && worthReporting.has(fault.code)) this.#options.report('connection ended', fault, this.#session?.id);
    this.#upstream.close(fault ?? ended('client disconnected'));
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
  #signedIn(): PipelineSession {
    if (this.#session === undefined) throw violation('a request before sign-in');
    return this.#session;
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

function tooManyChannels(): GatewayFault {
  return new GatewayFault('rate-exceeded', { publicMessage: `${mostChannels} channels are open in this connection already` });
}

function unsupported(what: string): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: `${what} are refused` });
}

function signInTooSlow(): GatewayFault {
  return new GatewayFault('authentication-failed', { publicMessage: `sign-in took longer than ${signInTimeoutMs / 1000} s` });
}

/** What OpenSSH sends in passing, and needs no record. */
const quiet: ReadonlySet<string> = new Set(['keepalive@openssh.com', 'hostkeys-prove-00@openssh.com']);
const worthReporting: ReadonlySet<string> = new Set(['internal', 'protocol-violation', 'limit-exceeded', 'audit-unavailable']);
const mostChannels = 64;
const mostNameCharacters = 256;
const signInTimeoutMs = 60_000;
const endGraceMs = 2_000;
const mostTimerMs = 2 ** 31 - 1;
