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

  it('fails the sign-in, and nothing else', async () => {
    const server = await serverThatSays(brokenRow);
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'a', database: 'a' });
    containDefects(client);
    client.on('error', () => {});
    await assert.rejects(client.connect());
    server.close();
  });
});
