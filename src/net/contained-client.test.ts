import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import pg from 'pg';
import { containDefects } from './contained-client.ts';

/** Messages of a server, each with the length that it announces. */
function message(tag: string, body: readonly number[]): Buffer {
  return Buffer.from([tag.charCodeAt(0), 0, 0, 0, body.length + 4, ...body]);
}

const signedIn = Buffer.concat([message('R', [0, 0, 0, 0]), message('Z', [0x49])]);
/** A row that announces a value of a gigabyte. */
const brokenRow = message('D', [0, 2, 0x40, 0, 0, 0, 0x78]);

async function serverThatSays(...answers: readonly Buffer[]): Promise<{ port: number; close: () => void }> {
  const server = createServer((socket) => {
    const left = [...answers];
    socket.on('error', () => {});
    socket.on('data', () => {
      const next = left.shift();
      if (next !== undefined) socket.write(next);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

describe('a server whose messages cannot be read', () => {
  it('fails the query, and nothing else', async () => {
    const server = await serverThatSays(signedIn, brokenRow);
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'a', database: 'a' });
    containDefects(client);
    client.on('error', () => {});
    await client.connect();
    await assert.rejects(client.query('select 1'));
    await client.end().catch(() => {});
    server.close();
  });

  it('fails where an error does not end: node-postgres looked for its end for ever, and the gateway stood still', async () => {
    for (const unending of [message('E', [0x53]), message('E', [0x53, 0x45, 0, 0x43]), message('N', []), message('E', [0x4d, 0x78])]) {
      for (const answers of [[unending], [signedIn, unending]]) {
        const server = await serverThatSays(...answers);
        const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'a', database: 'a' });
        containDefects(client);
        client.on('error', () => {});
        await assert.rejects(
          client.connect().then(() => client.query('select 1')),
          /cannot be read|terminated/,
        );
        await client.end().catch(() => {});
        server.close();
      }
    }
  });

  it('does not fail where messages come in pieces', async () => {
    const row = Buffer.concat([
      message('D', [0, 1, 0, 0, 0, 1, 0x37]),
      message('C', [...Buffer.from('SELECT 1'), 0]),
      message('Z', [0x49]),
    ]);
    const described = message('T', [0, 1, 0x61, 0, ...Array<number>(18).fill(0)]);
    for (let cut = 1; cut < described.length + row.length; cut += 3) {
      const whole = Buffer.concat([described, row]);
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => {
          socket.write(signedIn);
          socket.once('data', () => {
            socket.write(whole.subarray(0, cut));
            setTimeout(() => socket.write(whole.subarray(cut)), 2);
          });
        });
      });
      await new Promise<void>((resolve) => {
        server.listen(0, '127.0.0.1', resolve);
      });
      const client = new pg.Client({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, user: 'a', database: 'a' });
      containDefects(client);
      await client.connect();
      assert.deepEqual((await client.query('select 7 as a')).rows, [{ a: '7' }]);
      await client.end();
      server.close();
    }
  });

  it('fails the sign-in, and nothing else', async () => {
    const server = await serverThatSays(brokenRow);
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'a', database: 'a' });
    containDefects(client);
    client.on('error', () => {});
    await assert.rejects(client.connect());
    server.close();
  });
});
