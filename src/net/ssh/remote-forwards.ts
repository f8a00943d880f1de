import { GatewayFault } from '../../core/fault.ts';
import type { PipelineSession } from '../../core/pipeline-session.ts';
import { listeningPlace, type AskedForward, type ListenRequest } from '../../protocols/ssh/forward.ts';
import type { OpenRequest } from './connection-channels.ts';
import type { GlobalReply } from './global-requests.ts';
import { RemoteForward, type RemoteForwardOptions } from './remote-forward.ts';

export interface RemoteForwardsOptions extends Pick<RemoteForwardOptions, 'upstream' | 'isTaken' | 'tell'> {
  readonly session: PipelineSession;
  readonly newForward: (request: ListenRequest) => AskedForward;
}

/** Where the target listens for one client, and for nobody else: each session has a connection of its own to the target. */
export class RemoteForwards {
  readonly #options: RemoteForwardsOptions;
  readonly #all = new Set<RemoteForward>();

  constructor(options: RemoteForwardsOptions) {
    this.#options = options;
  }

  get isAny(): boolean {
    return this.#all.size > 0;
  }

  /** Undefined: the global request is about something else. The promise never rejects. */
  request(name: string, fields: unknown): Promise<GlobalReply> | undefined {
    const asked = listenRequest(name, fields);
    if (asked === undefined) return undefined;
    return name.startsWith('cancel-') ? this.#cancel(asked) : this.#listen(asked);
  }

  /** The place that a channel of the target says that it comes from. Undefined: nothing of that kind stands. */
  standing({ type, data }: OpenRequest): RemoteForward | undefined {
    for (const one of this.#all) {
      if (!one.isStanding) continue;
      if (type === 'forwarded-tcpip' && one.request.kind === 'listen') {
        const { destIP, destPort } = data as { destIP: string; destPort: number };
        if (one.isAt(destIP, destPort)) return one;
      }
      if (type === 'forwarded-streamlocal@openssh.com' && one.request.kind === 'listen-socket') {
        if (one.isAt((data as { socketPath: string }).socketPath, undefined)) return one;
      }
    }
    return undefined;
  }

  end(fault: GatewayFault): void {
    for (const one of this.#all) one.end(fault);
  }

  #listen(request: ListenRequest): Promise<GlobalReply> {
    const { newForward } = this.#options;
    const asked = newForward(request);
    const refusal = asked.refusal ?? this.#refusal(request);
    const forward: RemoteForward = new RemoteForward({
      ...this.#options,
      request,
      asked: { ...asked, refusal },
      isDouble: (told, port) =>
        [...this.#all].some((one) => one !== forward && one.isStanding && one.request.kind === request.kind && one.isAt(told, port)),
      over: () => this.#all.delete(forward),
    });
    this.#all.add(forward);
    return forward.start();
  }

  #refusal(request: ListenRequest): GatewayFault | undefined {
    if (this.#all.size >= most) return new GatewayFault('rate-exceeded', { publicMessage: `${most} places are listened on already` });
    const place = listeningPlace(request);
    const isKnown = place !== undefined && place.port !== 0 && this.#find(request.kind, place.told, place.port) !== undefined;
    return isKnown ? double() : undefined;
  }

  async #cancel(request: ListenRequest): Promise<boolean> {
    const place = listeningPlace(request);
    const found = place === undefined ? undefined : this.#find(request.kind, place.told, place.port);
    return found === undefined ? false : await found.cancel();
  }

  #find(kind: ListenRequest['kind'], told: string, port: number | undefined): RemoteForward | undefined {
    for (const one of this.#all) if (one.request.kind === kind && one.isAt(told, port)) return one;
    return undefined;
  }
}

function listenRequest(name: string, fields: unknown): ListenRequest | undefined {
  switch (name) {
    case 'tcpip-forward':
    case 'cancel-tcpip-forward': {
      const { bindAddr: host, bindPort: port } = fields as { bindAddr: string; bindPort: number };
      return { kind: 'listen', host, port };
    }
    case 'streamlocal-forward@openssh.com':
    case 'cancel-streamlocal-forward@openssh.com':
      return { kind: 'listen-socket', path: (fields as { socketPath: string }).socketPath };
    default:
      return undefined;
  }
}

function double(): GatewayFault {
  return new GatewayFault('unsupported', { publicMessage: 'this connection has that place already' });
}

const most = 32;
