import { connect } from 'node:net';

/** How long nothing may come before a connection is given up: its server waits for the rest of a message that is not coming. */
const QUIET_MS = 1_500;

/**
 * Sends octets as they are (a character each) on a connection of their own, and waits until the server closes it or has nothing more to say. Gives
 * back what the server said, a character for each octet.
 */
export function exchange(path: string, octets: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(path, () => socket.write(Buffer.from(octets, 'latin1')));
    socket.setTimeout(QUIET_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    // A server that refuses may reset the connection while the rest is still being written.
    socket.on('error', () => {});
    socket.once('close', () => resolve(answer));
  });
}
