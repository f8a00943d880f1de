import type { Duplex } from 'node:stream';
import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import type { AuditPort } from '../../core/ports.ts';
import { WatchedSession } from '../../core/watching.ts';
import type { ChannelSession } from '../../protocols/ssh/channel.ts';
import { violation } from '../../protocols/ssh/fault.ts';
import type { AskedForward, ForwardRequest } from '../../protocols/ssh/forward.ts';
import { ChannelDrive } from './channel-drive.ts';
import type { SshConnection, OpenRequest } from './connection.ts';
import { ForwardDrive, type ForwardTo } from './forward-drive.ts';
import { Notes } from './notes.ts';
import { SessionUpstream } from './session-upstream.ts';
import type { SshAddress } from './upstream.ts';

/** What a session may do, as its target is configured. */
export interface SessionRules {
  readonly newChannel: () => ChannelSession;
  readonly newForward: (request: ForwardRequest) => AskedForward;
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
  /** The last of what runs is over. */
  readonly idle: () => void;
}

/** What runs in one session: its channels and forwards, its one connection to the target, and who watches. */
export class SessionChannels {
  readonly watched: WatchedSession;
  readonly #options: SessionChannelsOptions;
  readonly #channels = new Set<ChannelDrive>();
  readonly #forwards = new Set<ForwardDrive>();
  readonly #upstream: SessionUpstream;
  readonly #notes: Notes;
  #noMoreSessions = false;

  constructor(options: SessionChannelsOptions) {
    this.#options = options;
    this.watched = new WatchedSession(options.session.principal, () => this.#tellWatched());
    this.#upstream = new SessionUpstream(options.rules.address);
    this.#notes = new Notes(options.session);
    // The client's first channel is about to come; whether the target can be reached is told there.
    this.#upstream.begin();
  }

  get isIdle(): boolean {
    return this.#channels.size + this.#forwards.size === 0;
  }

  /** Every channel says its last words. */
  end(fault: GatewayFault): void {
    for (const one of [...this.#channels, ...this.#forwards]) one.end(fault);
  }

  /** The client's connection is gone. */
  close(fault: GatewayFault): void {
    for (const forward of this.#forwards) forward.end(fault);
    this.#upstream.close(fault);
    this.watched.close();
  }

  open(request: OpenRequest): void {
    if (this.#options.connection.isFullOfChannels || this.#forwards.size >= mostForwards) this.#refuse(request, tooMany());
    else if (request.type === 'session') this.#openSession(request);
    else {
      const to = forwardTo(request);
      if (to === undefined) this.#refuse(request, unsupported(`channels of type ${request.type.slice(0, 64)}`));
      else this.#openForward(request, to);
    }
  }

  /** True: it is granted. */
  globalRequest(name: string, fields: unknown): boolean {
    const { session, rules } = this.#options;
    const listen = listenRequest(name, fields);
    if (name === 'no-more-sessions@openssh.com') this.#noMoreSessions = true;
    else if (listen !== undefined) session.refuse(rules.newForward(listen).operation, unsupported('connections to ports of the target'));
    else if (!quiet.has(name)) this.#notes.put('global-request-refused', { request: name.slice(0, 64) });
    return name === 'no-more-sessions@openssh.com';
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

  #openForward(request: OpenRequest, to: ForwardTo): void {
    const { session, rules, connection, join, fail } = this.#options;
    const drive: ForwardDrive = new ForwardDrive({
      asked: rules.newForward(to),
      to,
      session,
      upstream: () => this.#upstream.connected(),
      join,
      accept: () => connection.accept(request, false),
      refuse: (fault) => connection.refuse(request, fault),
      fail,
      over: () => {
        this.#forwards.delete(drive);
        this.#over();
      },
    });
    this.#forwards.add(drive);
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

/** RFC 4254 section 7.2, OpenSSH PROTOCOL section 2.4. */
function forwardTo({ type, data }: OpenRequest): ForwardTo | undefined {
  if (type === 'direct-tcpip') {
    const { destIP: host, destPort: port } = data as { destIP: string; destPort: number };
    return { kind: 'connect', host, port };
  }
  if (type !== 'direct-streamlocal@openssh.com') return undefined;
  return { kind: 'connect-socket', path: (data as { socketPath: string }).socketPath };
}

/** RFC 4254 section 7.1, OpenSSH PROTOCOL section 2.4. */
function listenRequest(name: string, fields: unknown): ForwardRequest | undefined {
  if (name === 'tcpip-forward') {
    const { bindAddr: host, bindPort: port } = fields as { bindAddr: string; bindPort: number };
    return { kind: 'listen', host, port };
  }
  if (name !== 'streamlocal-forward@openssh.com') return undefined;
  return { kind: 'listen-socket', path: (fields as { socketPath: string }).socketPath };
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
