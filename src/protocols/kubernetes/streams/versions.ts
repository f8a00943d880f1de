import { GatewayFault } from '../../../core/fault.ts';
import type { AnswerHead, HeaderField, ReceivedRequest } from '../../request.ts';
import type { UpgradeName } from '../../tunnel.ts';

/** What was agreed between two peers: the form, and the sub-protocol in it. */
export interface Agreed {
  readonly upgrade: UpgradeName;
  readonly version: string;
}

/** How a target is asked to forward ports. */
export const forwarding: Agreed = { upgrade: 'spdy/3.1', version: 'portforward.k8s.io' };
export const tunnelledForwarding: Agreed = { upgrade: 'websocket', version: 'SPDY/3.1+portforward.k8s.io' };

/** What a client offers of what the gateway speaks too, in its order. */
export interface Offered {
  readonly upgrade: UpgradeName;
  readonly versions: readonly string[];
}

/** Sub-protocols of exec and attach. */
export function offeredVersions(request: ReceivedRequest): Offered | GatewayFault {
  return offered(request, request.upgrade === 'websocket' ? webSocketVersions : spdyVersions);
}

/**
 * The sub-protocol of port forwarding that a client gets of those that it offers: of several, as of API servers since 1.31, SPDY in a WebSocket. Channels in a WebSocket are the
 * older form, which kubectl never used, but clients in other languages do.
 */
export function agreedForwarding(request: ReceivedRequest): Agreed | GatewayFault {
  const isWebSocket = request.upgrade === 'websocket';
  const offer = offered(request, isWebSocket ? [tunnelledForwarding.version, ...forwardingChannels] : [forwarding.version]);
  if (offer instanceof GatewayFault) return offer;
  const { upgrade, versions } = offer;
  return { upgrade, version: versions.includes(tunnelledForwarding.version) ? tunnelledForwarding.version : versions[0]! };
}

/** Whether it is spoken over channels in a WebSocket. */
export function hasForwardingChannels({ version }: Agreed): boolean {
  return forwardingChannels.includes(version);
}

function offered({ upgrade, fields }: ReceivedRequest, known: readonly string[]): Offered | GatewayFault {
  if (upgrade === undefined) {
    return new GatewayFault('unsupported', { publicMessage: 'this has to be asked with an upgrade to WebSocket or SPDY/3.1' });
  }
  const named = fields.filter(({ name }) => name === fieldName(upgrade)).flatMap(({ value }) => value.split(','));
  const versions = named.map((version) => version.trim()).filter((version) => known.includes(version));
  if (versions.length > 0) return { upgrade, versions };
  return new GatewayFault('unsupported', {
    publicMessage: `none of the sub-protocols that were offered is spoken here; ${known.join(', ')} are`,
  });
}

/** How an offer is made to a target. */
export function offerFields({ upgrade, versions }: Offered): readonly HeaderField[] {
  if (upgrade === 'websocket') return [{ name: 'Sec-WebSocket-Protocol', value: versions.join(', ') }];
  return versions.map((value) => ({ name: 'X-Stream-Protocol-Version', value }));
}

/** Whether a field, by its lower-case name, makes an offer: what the gateway offers takes its place. */
export function isOffer(name: string): boolean {
  return name === 'x-stream-protocol-version' || name === 'sec-websocket-protocol';
}

/** What the target has chosen of what it was offered; a fault where it is anything else. */
export function chosen(head: AnswerHead, { upgrade, versions }: Offered): Agreed | GatewayFault {
  const named = head.fields.filter(({ name }) => name === fieldName(upgrade)).map(({ value }) => value.trim());
  const [version] = named;
  if (named.length === 1 && versions.includes(version!)) return { upgrade, version: version! };
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target has chosen a sub-protocol that it was not offered' });
}

export function chosenFields({ upgrade, version }: Agreed): readonly HeaderField[] {
  return [{ name: upgrade === 'websocket' ? 'Sec-WebSocket-Protocol' : 'X-Stream-Protocol-Version', value: version }];
}

/** Ends in a `Status` on the error stream; before version 4 there were words, and none for success. */
export function tellsStatus({ version }: Agreed): boolean {
  return version.startsWith('v4.') || version.startsWith('v5.');
}

function fieldName(upgrade: UpgradeName): string {
  return upgrade === 'websocket' ? 'sec-websocket-protocol' : 'x-stream-protocol-version';
}

const webSocketVersions = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const spdyVersions = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];
const forwardingChannels: readonly string[] = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];
