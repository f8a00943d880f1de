import { lookup } from 'node:dns/promises';
import type { Duplex } from 'node:stream';
import { GatewayFault } from '../../core/fault.ts';
import { isReserved } from '../../protocols/ssh/destination.ts';
import type { AskedForward, ForwardRequest } from '../../protocols/ssh/forward.ts';
import { channelEnd, streamEnd, type FarEnd } from './far-end.ts';
import type { SshUpstream } from './upstream.ts';

/** Where a client wants to be connected to. */
export type ForwardTo = Extract<ForwardRequest, { readonly kind: 'connect' | 'connect-socket' }>;

export interface ReachOptions {
  readonly asked: AskedForward;
  readonly to: ForwardTo;
  readonly upstream: () => Promise<SshUpstream>;
  /** A connection to another target of this gateway, as one of its clients would open it. */
  readonly join: (target: string) => Duplex;
}

/** Opens a connection from the target's place, or as a session of another target of this gateway. A name is resolved once, here, and what the target is told is the address that was looked at. */
export async function reachForward({ asked, to, upstream, join }: ReachOptions): Promise<FarEnd> {
  if (asked.through !== undefined) return streamEnd(join(asked.through));
  if (to.kind === 'connect-socket') {
    const connection = await upstream();
    const { path: socketPath } = to;
    return channelEnd(
      await connection.open((protocol, id, window, packet) => protocol.openssh_directStreamLocal(id, window, packet, { socketPath })),
    );
  }
  const dstIP = asked.isNamed ? asked.host : await resolved(asked.host);
  const connection = await upstream();
  const from = { srcIP: '127.0.0.1', srcPort: 0 };
  return channelEnd(
    await connection.open((protocol, id, window, packet) => protocol.directTcpip(id, window, packet, { ...from, dstIP, dstPort: to.port })),
  );
}

/** The address of a host, in the resolver's own order; refused where any of them is one that nothing may lead to. */
async function resolved(host: string): Promise<string> {
  let addresses: readonly { readonly address: string }[];
  try {
    addresses = await lookup(host, { all: true });
  } catch (cause) {
    throw new GatewayFault('upstream-unavailable', {
      publicMessage: 'the host of the forward is not known',
      cause,
      hint: 'Names that only the target knows have to stand under forwards in the target’s configuration.',
    });
  }
  const [first] = addresses;
  if (first !== undefined && addresses.every(({ address }) => !isReserved(address))) return first.address;
  throw new GatewayFault('unsupported', {
    publicMessage: 'the host of the forward leads to the target itself, its link or a metadata service',
    hint: 'Ask the platform team to name it under forwards.',
  });
}
