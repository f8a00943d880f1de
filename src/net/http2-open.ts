import { GatewayFault } from '../core/fault.ts';
import { unavailable } from './http-faults.ts';
import { Http2Connection } from './http2-connection.ts';
import { dial, encrypt, type UpstreamAddress } from './upstream.ts';

/**
 * Connects, verifies the target and begins HTTP/2: by ALPN over TLS (RFC 9113 section 3.2), with prior knowledge where the target does not encrypt (section 3.3). Throws
 * `upstream-unavailable` or `upstream-refused`.
 */
export async function openHttp2(address: UpstreamAddress): Promise<Http2Connection> {
  const plain = await dial(address);
  const socket = address.tls === undefined ? plain : await encrypt(plain, address, 'h2');
  if ('alpnProtocol' in socket && socket.alpnProtocol !== 'h2') {
    socket.destroy();
    throw new GatewayFault('upstream-refused', { publicMessage: 'the target cannot be reached: it does not speak HTTP/2' });
  }
  const connection = new Http2Connection(socket);
  watch(connection);
  const late = setTimeout(() => connection.destroy(notBegun(`no settings within ${settingsTimeoutMs} ms`)), settingsTimeoutMs);
  try {
    // Settings are the first thing that a server says: what sends none is no HTTP/2.
    await connection.begun();
    return connection;
  } catch (error) {
    throw notBegun(error instanceof GatewayFault ? error.detail : String(error), error);
  } finally {
    clearTimeout(late);
  }
}

/** A connection that is used must answer pings: else its streams would wait for a target that is gone. One that is not used closes. */
function watch(connection: Http2Connection): void {
  let late: NodeJS.Timeout | undefined;
  const look = (): void => {
    if (connection.streams === 0) {
      if (Date.now() - connection.idleSinceMs < idleMs) return;
      // One that was to close by itself, and has not.
      if (connection.isOpen) connection.drain();
      else connection.destroy(unavailable('the gateway closes its connections', 'idle'));
    } else if (late === undefined) {
      late = setTimeout(() => connection.destroy(unavailable('it does not answer', 'no answer to PING')), pingTimeoutMs).unref();
      connection.probe(() => {
        clearTimeout(late);
        late = undefined;
      });
    }
  };
  const every = setInterval(look, watchEveryMs).unref();
  connection.onClosed(() => {
    clearInterval(every);
    clearTimeout(late);
  });
}

function notBegun(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'the target cannot be reached: it does not begin HTTP/2',
    detail,
    cause,
  });
}

const settingsTimeoutMs = 10_000;
const watchEveryMs = 20_000;
const pingTimeoutMs = 15_000;
const idleMs = 60_000;
