import { GatewayFault } from '../../core/fault.ts';
import type { Facts, Operation } from '../../core/operation.ts';
import { targetObject } from './acts.ts';
import type { SshContext } from './context.ts';
import { destinationOf, isReserved } from './destination.ts';
import { sshOperation } from './operation.ts';

/** A connection or a place to listen, as a client or the target asks for it (RFC 4254 section 7; OpenSSH PROTOCOL section 2.4). */
export type ForwardRequest =
  /** `direct-tcpip`: the client wants to reach a host and port from the target's place. */
  | { readonly kind: 'connect'; readonly host: string; readonly port: number }
  /** `direct-streamlocal@openssh.com` */
  | { readonly kind: 'connect-socket'; readonly path: string }
  /** `tcpip-forward`: the target is to listen, and each connection comes to the client. An empty host, `*`, `0.0.0.0` and `::` are all addresses. */
  | { readonly kind: 'listen'; readonly host: string; readonly port: number }
  /** `streamlocal-forward@openssh.com` */
  | { readonly kind: 'listen-socket'; readonly path: string }
  /** `forwarded-tcpip` or `forwarded-streamlocal@openssh.com`: one such connection. `listening`: the place, as it was granted. */
  | { readonly kind: 'accepted'; readonly listening: string };

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
  /** Where it leads, in the one spelling that was asked: what is dialled, or told the target. */
  readonly host: string;
  readonly through: string | undefined;
  /** The target's configuration names it: whoever dials puts no questions. */
  readonly isNamed: boolean;
}

/**
 * One forward: `ssh:forward-local` on `Forward::"web-1/db.internal:5432"`, or `ssh:forward-remote` on `Forward::"web-1/listen:localhost:8080"`. `opaque`: nothing looks into what goes
 * over it. An address that a name resolves to must be put to `isReserved` by whoever dials it, once, and that address be dialled.
 */
export function forwardOperation(context: SshContext, request: ForwardRequest, rules: readonly ForwardRule[]): AskedForward {
  const place = placeOf(request);
  const rule = rules.find(({ to }) => to === place.name);
  const through = request.kind === 'connect' ? rule?.through : undefined;
  const isReservedPlace = request.kind === 'connect' && isReserved(place.host);
  const refusal = place.fault ?? (isReservedPlace && rule === undefined ? reserved() : undefined);
  const target = context.session.target.name;
  const isLocal = request.kind === 'connect' || request.kind === 'connect-socket';
  const facts: Facts = {
    ...(place.host === '' ? {} : { destination_host: place.host }),
    ...(place.port === undefined ? {} : { destination_port: place.port }),
    opaque: through === undefined,
  };
  const object = { type: 'Forward', id: `${target}/${isLocal ? '' : 'listen:'}${place.name}`, parents: [targetObject(target)] } as const;
  const operation = sshOperation(context, {
    acts: [{ action: isLocal ? 'ssh:forward-local' : 'ssh:forward-remote', object }],
    facts,
    text: `${words[request.kind]} ${place.name}${through === undefined ? '' : `, as a session of target ${through}`}`,
    exact: ['forward', request.kind, place.name, through === undefined ? '' : `through ${through}`],
  });
  return { operation, refusal, host: place.host, through, isNamed: rule !== undefined };
}

/** As `ForwardRule.to` spells it: `host:port`, `[address]:port`, or an absolute path. */
export function forwardPlace(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

interface Place {
  readonly name: string;
  /** Empty where there is none. */
  readonly host: string;
  readonly port: number | undefined;
  readonly fault: GatewayFault | undefined;
}

function placeOf(request: ForwardRequest): Place {
  switch (request.kind) {
    case 'connect':
      return addressed(request.host, request.port, 1);
    case 'listen':
      // Port 0: the target chooses.
      return addressed(everywhere.has(request.host) ? everyAddress : request.host, request.port, 0);
    case 'connect-socket':
    case 'listen-socket': {
      const fault = socketPath.test(request.path) && !/\/\.{0,2}(?:\/|$)/.test(request.path) ? undefined : unreadablePath();
      return { name: fault === undefined ? request.path : 'unix', host: '', port: undefined, fault };
    }
    case 'accepted':
      return { name: request.listening, host: '', port: undefined, fault: undefined };
    default:
      return request satisfies never;
  }
}

function addressed(host: string, port: number, leastPort: number): Place {
  const destination = host === everyAddress ? { host } : destinationOf(host);
  const isPort = Number.isInteger(port) && port >= leastPort && port <= 65_535;
  if (destination instanceof GatewayFault || !isPort) {
    const fault =
      destination instanceof GatewayFault ? destination : new GatewayFault('unclassified', { publicMessage: `${port} is no port` });
    return { name: 'unreadable', host: '', port: undefined, fault };
  }
  return { name: forwardPlace(destination.host, port), host: destination.host, port, fault: undefined };
}

function reserved(): GatewayFault {
  return new GatewayFault('unsupported', {
    publicMessage: 'a forward to the target itself, its link or a metadata service is refused, unless the target’s configuration names it',
    hint: 'Ask the platform team to name it under `forwards`.',
  });
}

function unreadablePath(): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: 'the path of a socket must be absolute, without dots between slashes' });
}

const words = {
  connect: 'connect to',
  'connect-socket': 'connect to',
  listen: 'listen on',
  'listen-socket': 'listen on',
  accepted: 'accept a connection on',
} as const;

const everyAddress = '*';
const everywhere: ReadonlySet<string> = new Set(['', '*', '0.0.0.0', '::']);
/** Printable ASCII; as long as a socket's address can be. */
const socketPath = /^\/[!-~ ]{1,107}$/;
