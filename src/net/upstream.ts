import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { GatewayFault } from '../core/fault.ts';

/** Where and how one target is reached. */
export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
  /** Undefined: the connection is never encrypted. */
  readonly tls: UpstreamTls | undefined;
}

export interface UpstreamTls {
  /** PEM; undefined: the authorities that the platform brings. */
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly verifyChain: boolean;
  readonly verifyName: boolean;
}

/**
 * Opens a TCP connection. Throws `upstream-unavailable`. `take`: is given what comes, in place of `data` events, which then do not come: without it Node takes 64 KB of memory for each read,
 * however little that brings.
 */
export async function dial(address: UpstreamAddress, take?: (piece: Buffer) => void): Promise<Socket> {
  const socket = connect({
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    ...(take === undefined ? {} : { onread: { buffer: room, callback: (length: number) => taken(take, length) } }),
  });
  await settled(socket, 'connect', 'connection refused or timed out', 'upstream-unavailable');
  return socket;
}

/** What was read is copied before anything else is. */
function taken(take: (piece: Buffer) => void, length: number): boolean {
  take(Buffer.from(room.subarray(0, length)));
  return true;
}

/**
 * Starts TLS on a connected socket. No session is resumed: every connection verifies the certificate anew. Throws `upstream-refused`
 * where the certificate does not verify.
 */
export async function encrypt(socket: Socket, address: UpstreamAddress, alpn: string | undefined): Promise<TLSSocket> {
  const { tls } = address;
  if (tls === undefined)
    throw new GatewayFault('internal', { publicMessage: 'internal gateway error', detail: 'TLS is off for this target' });
  const secured = connectTls({
    socket,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.verifyChain,
    ...(isAddress(address.host) ? {} : { servername: address.host }),
    ...(tls.verifyName ? { host: address.host } : { checkServerIdentity: () => undefined }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
  });
  await settled(secured, 'secureConnect', 'TLS with the target failed', 'upstream-refused');
  return secured;
}

/** Waits for one event, with the error and the time limit that every step of connecting has. */
function settled(socket: Socket, event: string, publicMessage: string, code: 'upstream-unavailable' | 'upstream-refused'): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void => {
      socket.destroy();
      reject(
        new GatewayFault(code, {
          publicMessage: `the target cannot be reached: ${publicMessage}`,
          detail,
          cause,
          hint: 'Try again in a moment.',
          nothingSent: true,
        }),
      );
    };
    const timer = setTimeout(() => fail(`no answer within ${stepTimeoutMs} ms`), stepTimeoutMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      fail(error.message, error);
    };
    socket.once('error', onError);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve();
    });
  });
}

function isAddress(host: string): boolean {
  return /^[\d.]+$/.test(host) || host.includes(':');
}

const stepTimeoutMs = 10_000;
/** Of all connections: a read and what is made of it are one step. */
const room = Buffer.allocUnsafeSlow(64 * 1024);
