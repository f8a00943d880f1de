import type { Duplex } from 'node:stream';
import type pg from 'pg';

/**
 * Makes a malformed message of the server end this client alone. node-postgres decodes in the socket's listener, where an exception would be
 * nobody's and take the whole process along. Call it before `connect`.
 */
export function containDefects(client: pg.Client): void {
  const connection = client.connection as unknown as { attachListeners(stream: Duplex): void };
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    attach(stream);
    for (const decode of stream.listeners('data') as ((chunk: unknown) => void)[]) {
      stream.off('data', decode);
      stream.on('data', (chunk: unknown) => {
        if (stream.destroyed) return;
        try {
          decode(chunk);
        } catch (error) {
          stream.destroy(new Error('the server sent a message that cannot be read', { cause: error }));
        }
      });
    }
  };
}
