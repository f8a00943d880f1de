import { GatewayFault } from '../../../core/fault.ts';
import type { AnswerHead, HeaderField, ReceivedRequest } from '../../request.ts';
import type { UpgradeName } from '../../tunnel.ts';

/** What was agreed between two peers: the form, and the sub-protocol in it. */
export interface Agreed {
  readonly upgrade: UpgradeName;
  readonly version: string;
}

/** What a client offers of what the gateway speaks too, in its order. */
export interface Offered {
  readonly upgrade: UpgradeName;
  readonly versions: readonly string[];
}

/** Sub-protocols of exec and attach. */
export function offeredVersions(request: ReceivedRequest): Offered | GatewayFault {
  return offered(request, request.upgrade === 'websocket' ? webSocketVersions : spdyVersions);
}

/** Sub-protocols of port forwarding. The one over WebSocket channels, from before 1.31, is not spoken: kubectl never used it. */
export function offeredForwarding(request: ReceivedRequest): Offered | GatewayFault {
  return offered(request, [request.upgrade === 'websocket' ? tunnelledForwarding : forwarding]);
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
const forwarding = 'portforward.k8s.io';
const tunnelledForwarding = 'SPDY/3.1+portforward.k8s.io';
