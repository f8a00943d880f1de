import type { AddressInfo } from 'node:net';
import { createHttpServer } from '@vercel/cosmosdb-server';

/** `@vercel/cosmosdb-server`: another emulator, made by others. It checks no credential, and knows less. */
export async function startVercel(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createHttpServer({ keepAlive: true });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
