import { createHash, randomBytes } from 'node:crypto';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayFault } from '../core/fault.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { AskedTunnel, UpgradeName } from '../protocols/tunnel.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';
import type { Forwarded } from './http-upstream.ts';

/** What the target switched to, after its 101 was verified. */
export interface Upgraded {
  readonly head: IncomingMessage;
  readonly socket: Duplex;
  /** What came behind its head. */
  readonly unread: Uint8Array;
}

/** An upgrade that the gateway asks of a target. */
export interface UpgradeRequest {
  readonly fields: readonly HeaderField[];
  /** Throws `upstream-unavailable` where the 101 does not answer this very request. */
  readonly verify: (head: IncomingMessage) => void;
}

/**
 * Asks a target to switch, and where it does not, in the other way that the protocol knows. Of two refusals the first one is its answer.
 */
export async function switchProtocols(
  { upgrade, otherwise }: Pick<AskedTunnel, 'upgrade' | 'otherwise'>,
  forwarded: Forwarded,
  ask: (forwarded: Forwarded, protocol: UpgradeName) => Promise<Upgraded | UpstreamAnswer>,
): Promise<{ readonly switched: Upgraded | UpstreamAnswer; readonly spoken: UpgradeName }> {
  const first = await ask(forwarded, upgrade);
  if ('unread' in first || otherwise === undefined) return { switched: first, spoken: upgrade };
  try {
    const second = await ask({ ...forwarded, method: otherwise.method, fields: otherwise.fields }, otherwise.upgrade);
    if (!('unread' in second)) {
      second.body.destroy();
      return { switched: first, spoken: upgrade };
    }
    first.body.destroy();
    return { switched: second, spoken: otherwise.upgrade };
  } catch (error) {
    first.body.destroy();
    throw error;
  }
}

/** The fields that ask for it; the key of WebSocket is the gateway's own (RFC 6455 section 4.1). */
export function upgradeRequest(protocol: UpgradeName): UpgradeRequest {
  const common = [
    { name: 'connection', value: 'Upgrade' },
    { name: 'upgrade', value: protocol === 'websocket' ? 'websocket' : 'SPDY/3.1' },
  ];
  if (protocol !== 'websocket') return { fields: common, verify: (head) => verifyUpgrade(head, protocol) };
  const key = randomBytes(16).toString('base64');
  return {
    fields: [...common, { name: 'sec-websocket-key', value: key }, { name: 'sec-websocket-version', value: '13' }],
    verify(head) {
      verifyUpgrade(head, protocol);
      if (head.headers['sec-websocket-accept'] !== acceptOf(key)) throw mismatch('Sec-WebSocket-Accept is not of this key');
      if (head.headers['sec-websocket-extensions'] !== undefined) throw mismatch('an extension that was not offered');
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

/** Resolves with what was switched to, or with an answer that is not 101. */
export function upgradeOf(request: ClientRequest, { verify }: UpgradeRequest): Promise<Upgraded | IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('upgrade', (head, socket: Duplex, unread: Buffer) => {
      try {
        verify(head);
        resolve({ head, socket, unread });
      } catch (error) {
        socket.destroy();
        reject(error);
      }
    });
  });
}

function verifyUpgrade({ statusCode, headers }: IncomingMessage, protocol: UpgradeName): void {
  if (statusCode !== 101) throw mismatch(`status ${statusCode}`);
  if (headers.upgrade?.toLowerCase() !== protocol) throw mismatch('another protocol than was asked for');
}

function mismatch(detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: 'the target switched protocols without being asked to', detail });
}
