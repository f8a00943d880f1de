import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * A TCP port of loopback for a server that has to be told its port beforehand. Nobody else is given it while this process lives: it is none that the system hands
 * out by itself, and whoever asks here, in whatever process, holds the UDP port of the same number.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest + 1);
    if ((await isReserved(port)) && (await isFree(port))) return port;
  }
}

/** Until this process ends; it keeps no process alive. */
function isReserved(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => {
      socket.unref();
      resolve(true);
    });
  });
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Above what services have, below what Linux hands out to clients and to servers that leave the choice to it (`ip_local_port_range`: from 32,768 on). */
const [lowest, highest] = [15_000, 29_999];
