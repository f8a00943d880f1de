import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { CancelRegistry, deliverCancel } from './cancel.ts';

describe('keys to cancel by', () => {
  it('reach the session that gave them out, until it is over', () => {
    const registry = new CancelRegistry();
    const reached: string[] = [];
    const forget = registry.register(new Uint8Array([1, 2]), () => reached.push('a'));
    registry.register(new Uint8Array([1, 2, 3]), () => reached.push('b'));
    assert.equal(registry.cancel(Buffer.from([0, 1, 2, 9]).subarray(1, 3)), true, 'the bytes count, not where they lie');
    assert.equal(registry.cancel(new Uint8Array([1])), false);
    assert.equal(registry.cancel(new Uint8Array(0)), false);
    forget();
    assert.equal(registry.cancel(new Uint8Array([1, 2])), false);
    assert.deepEqual(reached, ['a']);
  });
});

describe('a cancel for the target', () => {
  it('goes on a connection of its own, which ends behind it', async () => {
    const received = await target((socket) => socket.on('end', () => socket.end()), undefined);
    assert.deepEqual(received, [...packet]);
  });

  it('is not sent in the clear where TLS is declined, or the target hangs up instead of answering', async () => {
    const declined = await target((socket) => socket.once('data', () => socket.write('N')), tlsRequest);
    assert.deepEqual(declined, [...tlsRequest]);
    const silent = await target((socket) => socket.once('data', () => socket.end()), tlsRequest);
    assert.deepEqual(silent, [...tlsRequest]);
    const chatty = await target((socket) => socket.once('data', () => socket.write('SS')), tlsRequest);
    assert.deepEqual(chatty, [...tlsRequest]);
  });
});

const packet = new Uint8Array([9, 9, 9]);
const tlsRequest = new Uint8Array([8, 8]);

/** What a target that behaves like this receives of a cancel. */
async function target(behave: (socket: Socket) => unknown, request: Uint8Array | undefined): Promise<number[]> {
  const received: number[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => received.push(...bytes));
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await deliverCancel({ host: '127.0.0.1', port, tls: undefined }, { packet, tlsRequest: request, tlsAccept: 0x53 });
  server.close();
  return received;
}
