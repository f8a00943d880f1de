import { GatewayFault } from '../../core/fault.ts';
import type { Facts, Operation } from '../../core/operation.ts';
import { targetObject } from './acts.ts';
import type { SshContext } from './context.ts';
import { destinationOf, isLoopback, isReserved } from './destination.ts';
import { sshOperation } from './operation.ts';

/** A connection, or a place where the target is to listen, as it is asked for (RFC 4254 section 7; OpenSSH PROTOCOL section 2.4). */
export type ForwardRequest =
  /** `direct-tcpip`: the client wants to reach a host and port from the target's place. */
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  /** `direct-streamlocal@openssh.com` */
  | { readonly kind: 'connect-socket'; readonly path: string }
  | ListenRequest
  /**
   * `forwarded-tcpip` or `forwarded-streamlocal@openssh.com`: a connection that came to where the target listens. `port`: which one that is, by now; `from`: who connects, as the
   * target says.
   */
  | {
      readonly kind: 'accept';
      readonly listening: ListenRequest;
      readonly port: number | undefined;
      readonly from: { readonly host: string; readonly port: number } | undefined;
    };

export type ListenRequest =
  /** `tcpip-forward`: the target is to listen, and each connection comes to the client. Port 0: the target chooses. */
  | { readonly kind: 'listen'; readonly host: string; readonly port: number }
  /** `streamlocal-forward@openssh.com` */
  | { readonly kind: 'listen-socket'; readonly path: string };

/** What the target's configuration says of forwards. */
export interface ForwardRule {
  /** As `destinationOf` gives it, or a path. */
  readonly to: string;
  /** The target whose session goes through it, where its bytes are not to pass unseen. */
  readonly through: string | undefined;
}

export interface AskedForward {
  readonly operation: Operation;
  /** Why it is refused, whatever policy says. */
  readonly refusal: GatewayFault | undefined;
  /** Where it leads, in the one spelling that was asked: what is dialled, or told the target. Of a place to listen at all addresses: empty, or those of one family. */
  readonly host: string;
  readonly through: string | undefined;
  /** The target's configuration names it: whoever dials puts no questions. */
  readonly isNamed: boolean;
}

/**
 * One forward: `ssh:forward-local` on `Forward::"web-1/db.internal:5432"`, `ssh:forward-remote` on `Forward::"web-1/listen:localhost:8080"`, and `ssh:accept-connection` on the same
 * for each connection that comes there. `opaque`: nothing looks into what goes over it. An address that a name resolves to must be put to `isReserved` by whoever dials it, once,
 * and that address be dialled; a port that the target chose must be put to `isTaken`.
 */
export function forwardOperation(context: SshContext, request: ForwardRequest, rules: readonly ForwardRule[]): AskedForward {
  const place = placeOf(request);
  const rule = rules.find(({ to }) => to === place.name);
  const through = request.kind === 'connect' ? rule?.through : undefined;
  const isLocal = request.kind === 'connect' || request.kind === 'connect-socket';
  const origin =
    request.kind === 'accept' && request.from !== undefined
      ? addressed(request.from.host.replace(zone, ''), request.from.port, 0)
      : undefined;
  const port = request.kind === 'accept' ? request.port : place.port;
  const facts: Facts = {
    ...(place.host === '' ? {} : { destination_host: place.host }),
    ...(port === undefined ? {} : { destination_port: port }),
    ...(origin?.port === undefined ? {} : { originator_host: origin.host, originator_port: origin.port }),
    opaque: through === undefined,
  };
  const target = context.session.target.name;
  const object = { type: 'Forward', id: `${target}/${isLocal ? '' : 'listen:'}${place.name}`, parents: [targetObject(target)] } as const;
  const shown = port === undefined || place.port === port || place.fault !== undefined ? place.name : forwardPlace(place.host, port);
  const operation = sshOperation(context, {
    acts: [{ action: actions[request.kind], object }],
    facts,
    text: `${words[request.kind]}${origin === undefined ? '' : ` from ${origin.name}`} ${isLocal ? 'to' : 'on'} ${shown}${through === undefined ? '' : `, as a session of target ${through}`}`,
    exact: ['forward', request.kind, place.name, place.told, shown, origin?.name ?? '', through === undefined ? '' : `through ${through}`],
  });
  const refusal = place.fault ?? origin?.fault ?? refusalOf(request, place, rule, rules) ?? (isLocal ? undefined : readOnly(context));
  return { operation, refusal, host: place.told, through, isNamed: rule !== undefined };
}

/** A port that the configuration gives to a target of the gateway: whoever connects to it is to meet that one, and not somebody who listens in its place. */
export function isTaken(port: number, rules: readonly ForwardRule[]): GatewayFault | undefined {
  const rule = rules.find(({ to, through }) => through !== undefined && to.endsWith(`:${port}`));
  if (rule === undefined) return undefined;
  return new GatewayFault('unsupported', {
    publicMessage: `port ${port} is one that the target’s configuration gives to target ${rule.through}, so that nothing else may listen on it`,
    hint: 'Choose another port.',
  });
}

/** A rule of the configuration, in the spelling of `destinationOf`. What that cannot read leads nowhere: it is refused to whoever asks for it. */
export function forwardRule(host: string, port: number, through: string | undefined): ForwardRule {
  const destination = destinationOf(host);
  return { to: forwardPlace(destination instanceof GatewayFault ? host : destination.host, port), through };
}

/** As `ForwardRule.to` spells it: `host:port`, `[address]:port`, or an absolute path. */
function forwardPlace(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** How the target is told where to listen, or no longer to: two requests of which this is the same are for one place. Undefined where it cannot be read. */
export function listeningPlace(request: ListenRequest): { readonly told: string; readonly port: number | undefined } | undefined {
  const { told, port, fault } = placeOf(request);
  return fault === undefined ? { told, port } : undefined;
}

interface Place {
  readonly name: string;
  /** As policy names it; empty where there is none. */
  readonly host: string;
  readonly port: number | undefined;
  /** What is dialled, or told the target: a host or a path. */
  readonly told: string;
  readonly fault: GatewayFault | undefined;
}

function placeOf(request: ForwardRequest): Place {
  switch (request.kind) {
    case 'connect':
      return addressed(request.host, request.port, 1);
    case 'listen':
      return listening(request.host, request.port);
    case 'connect-socket':
    case 'listen-socket': {
      const fault = socketPath.test(request.path) && !/\/\.{0,2}(?:\/|$)/.test(request.path) ? undefined : unreadablePath();
      const name = fault === undefined ? request.path : 'unix';
      return { name, host: '', port: undefined, told: name, fault };
    }
    case 'accept':
      return placeOf(request.listening);
    default:
      return request satisfies never;
  }
}

/** However all addresses are spelled, policy sees `*`; however this machine's own, `localhost`. The target is told no more than was asked for: those of one family stay so. */
function listening(host: string, port: number): Place {
  if (host === '' || host === everyAddress) return { ...addressed('localhost', port, 0), ...everywhere(port), told: '' };
  const place = addressed(host, port, 0);
  if (place.fault !== undefined) return place;
  if (place.host === '0.0.0.0' || place.host === '::') return { ...place, ...everywhere(port) };
  return isLoopback(place.host) ? { ...place, name: forwardPlace('localhost', port), host: 'localhost' } : place;
}

function everywhere(port: number): Pick<Place, 'name' | 'host'> {
  return { name: forwardPlace(everyAddress, port), host: everyAddress };
}

function addressed(text: string, port: number, leastPort: number): Place {
  const destination = destinationOf(text);
  const isPort = Number.isInteger(port) && port >= leastPort && port <= 65_535;
  if (destination instanceof GatewayFault || !isPort) {
    const fault =
      destination instanceof GatewayFault ? destination : new GatewayFault('unclassified', { publicMessage: `${port} is no port` });
    return { name: 'unreadable', host: '', port: undefined, told: '', fault };
  }
  const { host } = destination;
  return { name: forwardPlace(host, port), host, port, told: host, fault: undefined };
}

function refusalOf(
  request: ForwardRequest,
  place: Place,
  rule: ForwardRule | undefined,
  rules: readonly ForwardRule[],
): GatewayFault | undefined {
  if (request.kind === 'connect') return isReserved(place.host) && rule === undefined ? reserved() : undefined;
  return request.kind === 'listen' ? isTaken(request.port, rules) : undefined;
}

function reserved(): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: 'a forward to the target itself, its link or a metadata service is refused, unless the target’s configuration names it',
    hint: 'Ask the platform team to name it under `forwards`.',
  });
}

function readOnly(context: SshContext): GatewayFault | undefined {
  if (context.session.target.readOnly !== true) return undefined;
  return new GatewayFault('read-only', {
    publicMessage: `target ${context.session.target.name} is for reading only: nothing listens on it`,
  });
}

function unreadablePath(): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: 'the path of a socket must be absolute, without dots between slashes' });
}

const actions = {
  connect: 'ssh:forward-local',
  'connect-socket': 'ssh:forward-local',
  listen: 'ssh:forward-remote',
  'listen-socket': 'ssh:forward-remote',
  accept: 'ssh:accept-connection',
} as const;

const words = {
  connect: 'connect',
  'connect-socket': 'connect',
  listen: 'listen',
  'listen-socket': 'listen',
  accept: 'accept a connection',
} as const;

const everyAddress = '*';
/** Of an address of a link, by which its machine tells its interfaces apart; means nothing elsewhere. */
const zone = /%[A-Za-z0-9._-]{1,32}$/;
/** Printable ASCII; as long as a socket's address can be. */
const socketPath = /^\/[!-~ ]{1,107}$/;
