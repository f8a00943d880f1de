import type { GatewayFault } from '../core/fault.ts';
import type { FaultContext, RequestDialect } from '../protocols/request.ts';
import type { ClientExchange } from './http-client.ts';

/**
 * Answers with the fault, as the protocol words it. Where the client is still sending, it is heard out for a moment: a connection that is closed on it would
 * take the answer with it; a stream of HTTP/2 whose answer is nothing but a head ends by itself. After a malformed request, or one that was too much to be looked at, nothing on the connection can be trusted, and it closes.
 */
export async function refuse(client: ClientExchange, dialect: RequestDialect, fault: GatewayFault, context: FaultContext): Promise<void> {
  if (client.headSent) {
    client.destroy();
    return;
  }
  if (client.isGone) return;
  const contentType = client.contentType;
  const { status, fields, body } = dialect.fault(fault, { ...context, contentType });
  const { isWhole } = client;
  if (body.length === 0 && (isWhole || client.isHttp2)) {
    if (fault.code === 'authentication-failed') client.closeConnection();
    client.endWithHead(status, fields);
    return;
  }
  const closes = fault.code === 'protocol-violation' || fault.code === 'limit-exceeded' || !isWhole;
  // Guessing tokens costs a handshake each, as at every other listener.
  if (closes || fault.code === 'authentication-failed') client.closeConnection();
  client.sendHead(status, [...fields, { name: 'content-length', value: String(body.length) }]);
  if (client.head.method !== 'HEAD') await client.write(body);
  if (!isWhole) await drain(client);
  client.end();
}

async function drain({ request }: ClientExchange): Promise<void> {
  let left = maxDrainedBytes;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, maxDrainMs);
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) resolve();
    });
    request.once('end', resolve).once('close', resolve);
    request.resume();
    void timer.unref();
  });
  request.pause();
}

const maxDrainedBytes = 4 * 1024 * 1024;
const maxDrainMs = 1_000;
