import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { WebSocket } from 'ws';

export interface Relay {
  readonly port: number;
  /** What has come on channels of errors. */
  errors(): string;
  close(): void;
}

/** A local port whose connections go to a port of a pod, each over a WebSocket of its own whose channels speak base64. */
export async function startRelay(
  at: { readonly server: string; readonly authorityFile: string; readonly token: string },
  pod: string,
  port: number,
): Promise<Relay> {
  let errors = '';
  const server = createServer((socket) => {
    relay(socket, at, `${at.server.replace('https', 'wss')}/api/v1/namespaces/default/pods/${pod}/portforward?ports=${port}`, (told) => {
      errors += told;
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, errors: () => errors, close: () => server.close() };
}

function relay(
  socket: Socket,
  { authorityFile, token }: { readonly authorityFile: string; readonly token: string },
  url: string,
  told: (text: string) => void,
): void {
  const webSocket = new WebSocket(url, ['v4.base64.channel.k8s.io'], {
    ca: readFileSync(authorityFile),
    headers: { authorization: `Bearer ${token}` },
  });
  socket.pause();
  webSocket.on('open', () => socket.resume());
  webSocket.on('error', () => socket.destroy());
  webSocket.on('close', () => socket.end());
  socket.on('error', () => webSocket.terminate());
  socket.on('data', (bytes) => webSocket.send(`0${bytes.toString('base64')}`));
  socket.on('end', () => webSocket.close(1000));
  const begun = new Set<string>();
  webSocket.on('message', (data: Buffer) => {
    const [channel, bytes] = [data.toString('latin1', 0, 1), Buffer.from(data.toString('latin1', 1), 'base64')];
    // The first of each is the port.
    if (!begun.has(channel)) begun.add(channel);
    else if (channel === '0') socket.write(bytes);
    else told(bytes.toString());
  });
}
