import { createHash, randomBytes } from 'node:crypto';
import { GatewayFault } from '../core/fault.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { AskedTunnel, UpgradeName } from '../protocols/tunnel.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import type { Forwarded } from './http-upstream.ts';
import type { SwitchedProtocols } from './http1-connection.ts';

/** An upgrade that the gateway asks of a target. */
export interface UpgradeRequest {
  readonly fields: readonly HeaderField[];
  /** Throws `upstream-unavailable` where the 101 does not answer this very request. */
  readonly verify: (fields: readonly HeaderField[]) => void;
}

/**
 * Asks a target to switch, and where it does not, in the other way that the protocol knows. Of two refusals the first one is its answer.
 */
export async function switchProtocols(
  { upgrade, otherwise }: Pick<AskedTunnel, 'upgrade' | 'otherwise'>,
  forwarded: Forwarded,
  ask: (forwarded: Forwarded, protocol: UpgradeName) => Promise<SwitchedProtocols | UpstreamAnswer>,
): Promise<{ readonly switched: SwitchedProtocols | UpstreamAnswer; readonly spoken: UpgradeName }> {
  const first = await ask(forwarded, upgrade);
  if ('unread' in first || otherwise === undefined) return { switched: first, spoken: upgrade };
  try {
    const second = await ask({ ...forwarded, method: otherwise.method, fields: otherwise.fields }, otherwise.upgrade);
    if (!('unread' in second)) {
      second.discard();
      return { switched: first, spoken: upgrade };
    }
    first.discard();
    return { switched: second, spoken: otherwise.upgrade };
  } catch (error) {
    first.discard();
    throw error;
  }
}

/** The fields that ask for it; the key of WebSocket is the gateway's own (RFC 6455 section 4.1). */
export function upgradeRequest(protocol: UpgradeName): UpgradeRequest {
  const common = [
    { name: 'connection', value: 'Upgrade' },
    { name: 'upgrade', value: protocol === 'websocket' ? 'websocket' : 'SPDY/3.1' },
  ];
  if (protocol !== 'websocket') return { fields: common, verify: (fields) => verifyUpgrade(fields, protocol) };
  const key = randomBytes(16).toString('base64');
  return {
    fields: [...common, { name: 'sec-websocket-key', value: key }, { name: 'sec-websocket-version', value: '13' }],
    verify(fields) {
      verifyUpgrade(fields, protocol);
      if (valueOf(fields, 'sec-websocket-accept') !== acceptOf(key)) throw mismatch('Sec-WebSocket-Accept is not of this key');
      if (fields.some(({ name }) => name === 'sec-websocket-extensions')) throw mismatch('an extension that was not offered');
    },
  };
}

/** RFC 6455 section 4.2.2. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** The fields of the client's 101 that answer its own request. */
export function switchingFields(rawHeaders: readonly string[], protocol: UpgradeName): readonly HeaderField[] {
  const common = [
    { name: 'Connection', value: 'Upgrade' },
    { name: 'Upgrade', value: protocol === 'websocket' ? 'websocket' : 'SPDY/3.1' },
  ];
  const at = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'sec-websocket-key');
  return protocol === 'websocket' ? [...common, { name: 'Sec-WebSocket-Accept', value: acceptOf(rawHeaders[at + 1] ?? '') }] : common;
}

function verifyUpgrade(fields: readonly HeaderField[], protocol: UpgradeName): void {
  if (valueOf(fields, 'upgrade')?.toLowerCase() !== protocol) throw mismatch('another protocol than was asked for');
}

/** Undefined also where it is given more than once. */
function valueOf(fields: readonly HeaderField[], name: string): string | undefined {
  const [only, ...more] = fields.filter((field) => field.name === name);
  return more.length === 0 ? only?.value : undefined;
}

function mismatch(detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target switched protocols without being asked to', detail });
}
