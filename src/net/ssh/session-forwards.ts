import type { Duplex } from 'node:stream';
import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { wordFault } from '../../protocols/ssh/fault.ts';
import type { AskedForward, ForwardRequest } from '../../protocols/ssh/forward.ts';
import type { SshConnection } from './connection.ts';
import type { OpenRequest, SendOpen } from './connection-channels.ts';
import { channelEnd } from './far-end.ts';
import { ForwardDrive, type ForwardDriveOptions } from './forward-drive.ts';
import { reachForward, type ForwardTo } from './forward-reach.ts';
import type { GlobalReply } from './global-requests.ts';
import type { Notes } from './notes.ts';
import { sendDebug } from './payload.ts';
import type { RemoteForward } from './remote-forward.ts';
import { RemoteForwards } from './remote-forwards.ts';
import type { SshUpstream, TargetDoor } from './upstream.ts';

/** What a target's configuration says of forwards. */
export interface ForwardRules {
  readonly newForward: (request: ForwardRequest) => AskedForward;
  /** Why a port that the target has chosen may not be listened on. */
  readonly isTaken: (port: number) => GatewayFault | undefined;
}

export interface SessionForwardsOptions {
  /** The client's. */
  readonly connection: SshConnection;
  readonly session: PipelineSession;
  readonly rules: ForwardRules;
  readonly upstream: () => Promise<SshUpstream>;
  /** Opens a connection to another target of this gateway. */
  readonly join: (target: string) => Duplex;
  readonly notes: Notes;
  /** The connection cannot go on. */
  readonly fail: (fault: GatewayFault) => void;
  /** One is over. */
  readonly over: () => void;
}

/** The forwards of one session, both ways: connections that the client asks for, places where the target listens for it, and connections that come there. */
export class SessionForwards {
  readonly #options: SessionForwardsOptions;
  /** And of those, the connections that the client did not ask for by themselves. */
  readonly #drives = new Map<ForwardDrive, 'asked' | 'accepted'>();
  readonly #remote: RemoteForwards;

  constructor(options: SessionForwardsOptions) {
    this.#options = options;
    const { session, rules, upstream } = options;
    this.#remote = new RemoteForwards({ ...rules, session, upstream, tell: (fault) => this.#tell(fault) });
  }

  /** Connections, decided or not. */
  get size(): number {
    return this.#drives.size;
  }

  /** A connection that the client asks for. False: that is not what it asks for. */
  open(request: OpenRequest): boolean {
    const to = forwardTo(request);
    if (to === undefined) return false;
    const { rules, connection, upstream, join } = this.#options;
    const asked = rules.newForward(to);
    this.#drive('asked', {
      asked,
      reach: async () => {
        const far = await reachForward({ asked, to, upstream, join });
        return { join: () => ({ client: connection.accept(request, false), far }), abandon: () => far.close() };
      },
      refuse: (fault) => connection.refuse(request, fault),
    });
    return true;
  }

  /** Undefined: the global request is about something else. The promise never rejects. */
  globalRequest(name: string, fields: unknown): Promise<GlobalReply> | undefined {
    return this.#remote.request(name, fields);
  }

  /** A channel that the target opens: nothing comes to the client but what comes to where it has the target listen. */
  opened(request: OpenRequest, target: TargetDoor): void {
    const { connection, rules } = this.#options;
    const place = this.#remote.standing(request);
    const isFull = connection.isFullOfChannels || [...this.#drives.values()].filter((kind) => kind === 'accepted').length >= mostAccepted;
    if (place === undefined || isFull) {
      this.#options.notes.put('target-channel-refused', {
        type: request.type.slice(0, 64),
        code: isFull ? 'rate-exceeded' : 'unsupported',
      });
      target.refuse(request, notAccepted(isFull));
      return;
    }
    const from = place.request.kind === 'listen' ? originator(request) : undefined;
    this.#drive('accepted', {
      asked: rules.newForward({ kind: 'accept', listening: place.request, port: place.port, from }),
      reach: async () => {
        // It may have waited for people meanwhile; and the client may not know of its place yet, where an answer that it is owed before waits for people.
        await place.told;
        if (!place.isStanding) throw notAccepted(false);
        const client = await connection.open(openAtClient(place, from));
        const join = () => {
          try {
            return { client, far: channelEnd(target.accept(request, true)) };
          } catch (error) {
            client.close();
            throw error;
          }
        };
        return { join, abandon: () => client.close() };
      },
      // Why, is for the record: of policy and reviewers the target hears nothing.
      refuse: () => target.refuse(request, notAccepted(false)),
    });
  }

  /** The connection to the target is gone, and with it whatever listened there: a client that waits for connections would wait for ever. */
  upstreamLost(fault: GatewayFault): void {
    if (!this.#remote.isAny) return;
    this.#remote.end(fault);
    this.#options.fail(
      new GatewayFault('session-ended', {
        publicMessage: 'session ended: the connection to the target is lost, and nothing listens there any more',
        hint: 'Connect again in a moment.',
        cause: fault,
      }),
    );
  }

  end(fault: GatewayFault): void {
    this.#remote.end(fault);
    for (const drive of this.#drives.keys()) drive.end(fault);
  }

  #drive(kind: 'asked' | 'accepted', options: Pick<ForwardDriveOptions, 'asked' | 'reach' | 'refuse'>): void {
    const { session, fail, over } = this.#options;
    const drive: ForwardDrive = new ForwardDrive({
      ...options,
      session,
      fail,
      over: () => {
        this.#drives.delete(drive);
        over();
      },
    });
    this.#drives.set(drive, kind);
    drive.start();
  }

  #tell(fault: GatewayFault | string): void {
    const { connection } = this.#options;
    if (connection.isOver) return;
    const text = typeof fault === 'string' ? `sallyport: ${fault}` : wordFault(fault).text;
    sendDebug(connection.protocol, text);
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

function originator({ data }: OpenRequest): { readonly host: string; readonly port: number } {
  const { srcIP: host, srcPort: port } = data as { srcIP: string; srcPort: number };
  return { host, port };
}

/** The client knows the place by its own words for it. */
function openAtClient({ request, port }: RemoteForward, from: { readonly host: string; readonly port: number } | undefined): SendOpen {
  if (request.kind === 'listen-socket') {
    return (protocol, id, window, packet) => protocol.openssh_forwardedStreamLocal(id, window, packet, { socketPath: request.path });
  }
  const bound = { boundAddr: request.host, boundPort: port ?? 0, remoteAddr: from?.host ?? '', remotePort: from?.port ?? 0 };
  return (protocol, id, window, packet) => protocol.forwardedTcpip(id, window, packet, bound);
}

function notAccepted(isFull: boolean): GatewayFault {
  return isFull
    ? new GatewayFault('rate-exceeded', { publicMessage: 'as many connections are open as may be' })
    : new GatewayFault('session-ended', {
        publicMessage: 'nobody takes connections here',
        hint: 'It was not asked for, or is not permitted.',
      });
}

/** So that those who connect to a place leave the client channels of its own. */
const mostAccepted = 48;
