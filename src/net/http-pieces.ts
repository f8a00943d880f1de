import type { Writable } from 'node:stream';

/** Writes a body that passes as it comes, and waits wherever there is no room. `broken`: its sender went away, and the target must see that it is not whole. */
export async function sendPieces(to: Writable, pieces: AsyncIterable<Uint8Array>, broken: (error: unknown) => void): Promise<void> {
  try {
    for await (const piece of pieces) {
      if (to.destroyed || to.writableEnded) return;
      if (!to.write(piece)) await room(to);
    }
    to.end();
  } catch (error) {
    broken(error);
  }
}

function room(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      to.off('drain', done).off('close', done);
      resolve();
    };
    to.on('drain', done).on('close', done);
  });
}
