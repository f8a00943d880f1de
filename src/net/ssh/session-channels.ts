import type { Duplex } from 'node:stream';
import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AuditPort } from '../../core/ports.ts';
import { WatchedSession } from '../../core/watching.ts';
import type { ChannelSession } from '../../protocols/ssh/channel.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import { ChannelDrive } from './channel-drive.ts';
import type { SshConnection } from './connection.ts';
import type { OpenRequest } from './connection-channels.ts';
import type { GlobalReply } from './global-requests.ts';
import { Notes } from './notes.ts';
import { SessionForwards, type ForwardRules } from './session-forwards.ts';
import { SessionUpstream } from './session-upstream.ts';
import type { SshAddress } from './upstream.ts';

/** What a session may do, as its target is configured. */
export interface SessionRules extends ForwardRules {
  readonly newChannel: () => ChannelSession;
  /** Where its target is. Throws a fault. */
  readonly address: () => SshAddress;
  /** The group of which someone must watch. */
  readonly moderators: string | undefined;
}

export interface SessionChannelsOptions {
  readonly connection: SshConnection;
  readonly session: PipelineSession;
  readonly rules: SessionRules;
  readonly audit: Pick<AuditPort, 'durableCount' | 'durable'>;
  /** Opens a connection to another target of this gateway. */
  readonly join: (target: string) => Duplex;
  /** The connection cannot go on. */
  readonly fail: (fault: GatewayFault) => void;
  /** For operators: what its client is told without the details. */
  readonly report: (what: string, fault: GatewayFault) => void;
  /** The last of what runs is over. */
  readonly idle: () => void;
}

/** What runs in one session: its channels and forwards, its one connection to the target, and who watches. */
export class SessionChannels {
  readonly watched: WatchedSession;
  readonly #options: SessionChannelsOptions;
  readonly #channels = new Set<ChannelDrive>();
  readonly #forwards: SessionForwards;
  readonly #upstream: SessionUpstream;
  readonly #notes: Notes;
  #noMoreSessions = false;

  constructor(options: SessionChannelsOptions) {
    this.#options = options;
    this.watched = new WatchedSession(options.session.principal, () => this.#tellWatched());
    this.#notes = new Notes(options.session);
    this.#upstream = new SessionUpstream({
      address: options.rules.address,
      opened: (request, target) => this.#forwards.opened(request, target),
      lost: (fault) => this.#forwards.upstreamLost(fault),
      failed: (fault) => options.report('target not signed on to', fault),
    });
    this.#forwards = new SessionForwards({
      ...options,
      notes: this.#notes,
      upstream: () => this.#upstream.connected(),
      over: () => this.#over(),
    });
    // The client's first channel is about to come; whether the target can be reached is told there.
    this.#upstream.begin();
  }

  get isIdle(): boolean {
    return this.#channels.size + this.#forwards.size === 0;
  }

  /** Every channel says its last words. */
  end(fault: GatewayFault): void {
    for (const channel of this.#channels) channel.end(fault);
    this.#forwards.end(fault);
  }

  /** The client's connection is gone. */
  close(fault: GatewayFault): void {
    this.#forwards.end(fault);
    this.#upstream.close(fault);
    this.watched.close();
  }

  open(request: OpenRequest): void {
    if (this.#options.connection.isFullOfChannels || this.#forwards.size >= mostForwards) this.#refuse(request, tooMany());
    else if (request.type === 'session') this.#openSession(request);
    else if (!this.#forwards.open(request)) this.#refuse(request, unsupported(`channels of type ${request.type.slice(0, 64)}`));
  }

  globalRequest(name: string, fields: unknown): GlobalReply | Promise<GlobalReply> {
    const listening = this.#forwards.globalRequest(name, fields);
    if (listening !== undefined) return listening;
    if (name === 'no-more-sessions@openssh.com') return (this.#noMoreSessions = true);
    if (!quiet.has(name)) this.#notes.put('global-request-refused', { request: name.slice(0, 64) });
    return false;
  }

  #openSession(request: OpenRequest): void {
    if (this.#noMoreSessions) throw violation('a session after there were to be no more');
    const { session, rules, connection, audit, fail } = this.#options;
    const drive: ChannelDrive = new ChannelDrive({
      client: connection.accept(request, false),
      channel: rules.newChannel(),
      session,
      audit,
      upstream: () => this.#upstream.connected(),
      note: (event, detail) => this.#notes.put(event, detail),
      show: (operationId, part) => this.watched.show(operationId, part),
      fail,
      over: () => {
        this.#channels.delete(drive);
        this.#over();
      },
    });
    this.#channels.add(drive);
    const { moderators } = rules;
    if (moderators !== undefined) drive.watched(this.watched.watchers(moderators));
  }

  #over(): void {
    if (this.isIdle) this.#options.idle();
  }

  #refuse(request: OpenRequest, fault: GatewayFault): void {
    this.#notes.put('channel-refused', { type: request.type.slice(0, 64), code: fault.code });
    this.#options.connection.refuse(request, fault);
  }

  #tellWatched(): void {
    const { moderators } = this.#options.rules;
    if (moderators === undefined) return;
    const watchers = this.watched.watchers(moderators);
    for (const channel of this.#channels) channel.watched(watchers);
  }
}

function tooMany(): GatewayFault {
  return new GatewayFault('rate-exceeded', { publicMessage: 'as many channels are open in this connection as may be' });
}

function unsupported(what: string): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: `${what} are refused` });
}

/** What OpenSSH sends in passing, and needs no record. */
const quiet: ReadonlySet<string> = new Set(['keepalive@openssh.com', 'hostkeys-prove-00@openssh.com']);
/** Those that wait for a decision are no channels yet. */
const mostForwards = 64;
