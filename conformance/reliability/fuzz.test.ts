import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { eventually, startBank, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, serve, type ServingProcess, type Site } from './child.ts';

let bank: Bank;
before(async () => {
  bank = await startBank();
  await bank.gateway.close();
});
after(async () => {
  killLeftovers();
  await bank.close();
});

describe('what anyone can send to an open port', () => {
  it('neither stops the gateway nor disturbs a session, and leaves neither memory nor sockets behind', async () => {
    const site = await newSite(bank, 'fuzzed');
    const served = await serve(site);
    const canary = await connected(await site.client('pipeline'));
    await Promise.all(Array.from({ length: 20 }, async () => (await connected(await site.client('pipeline'))).end()));
    const [descriptors, memory] = [await settledDescriptors(served), residentBytes(served)];
    const attacks = attacksOn(site);
    let sentBytes = 0;
    for (let round = 0; round < rounds; round++) {
      const sent = await Promise.all(Array.from({ length: 16 }, async (_, index) => attacks[(round + index) % attacks.length]?.() ?? 0));
      for (const bytes of sent) sentBytes += bytes;
      assert.deepEqual((await canary.query('select 1 as one')).rows, [{ one: 1 }]);
    }
    assert.ok(sentBytes > 1_000_000, `only ${sentBytes} bytes were sent`);
    await (await connected(await site.client('pipeline'))).end();
    await eventually('closed sockets', () => (openDescriptors(served) <= descriptors + 2 ? true : undefined));
    const growth = residentBytes(served) - memory;
    assert.ok(growth < 100 * sentBytes && growth < mostGrowthBytes, `${growth} bytes more after ${sentBytes} bytes`);
    assert.doesNotMatch(served.log(), /"code":"internal"/, 'garbage was taken for a fault of the gateway’s own');
    await canary.end();
    served.signal('SIGTERM');
    assert.equal(await served.ended, 0);
  });

  it('may be nothing at all, five hundred times, or one byte now and then', async () => {
    const site = await newSite(bank, 'silent');
    const served = await serve(site);
    await (await connected(await site.client('pipeline'))).end();
    const descriptors = await settledDescriptors(served);
    const silent = await Promise.all(Array.from({ length: 500 }, () => opened(site)));
    const startup = Buffer.concat([Buffer.from([0, 0, 3, 0, 0, 3, 0, 0]), Buffer.from('user\0slow\0')]);
    const slow = silent.slice(0, 50);
    for (const byte of startup) {
      for (const socket of slow) socket.write(Buffer.of(byte));
      await pause(20);
    }
    const client = await connected(await site.client('pipeline'));
    assert.deepEqual((await client.query('select count(*)::int as n from cards')).rows, [{ n: 6000 }]);
    await client.end();
    assert.ok(openDescriptors(served) >= descriptors + 500);
    for (const socket of silent) socket.destroy();
    await eventually('closed sockets', () => (openDescriptors(served) <= descriptors + 2 ? true : undefined));
    served.signal('SIGTERM');
    assert.equal(await served.ended, 0);
  });

  it('may be more connections than there are file descriptors', async () => {
    const site = await newSite(bank, 'crowded');
    const served = await serve(site, ['prlimit', '--nofile=128']);
    const client = await connected(await site.client('pipeline'));
    const crowd = await Promise.all(Array.from({ length: 300 }, () => opened(site)));
    assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
    for (const socket of crowd) socket.destroy();
    await eventually('a new session', async () => {
      const again = await connected(await site.client('pipeline')).catch(() => undefined);
      await again?.end();
      return again;
    });
    await client.end();
    served.signal('SIGTERM');
    assert.equal(await served.ended, 0, served.log());
  });
});

/** Each sends what it sends, waits a moment for the gateway to close and goes away. Resolves with the number of bytes sent. */
function attacksOn(site: Site): readonly (() => Promise<number>)[] {
  const plain = async (...parts: readonly Buffer[]): Promise<number> => send(await opened(site), parts);
  const secured = async (...parts: readonly Buffer[]): Promise<number> => send(await direct(site), parts);
  return [
    () => plain(randomBytes(randomInt(1, 8_192))),
    () => plain(length(0x7fff_ffff), randomBytes(randomInt(1, 65_536))),
    () => plain(length(randomInt(8, 12_000)), length(196_608), randomBytes(randomInt(1, 65_536))),
    () => plain(sslRequest, randomBytes(randomInt(1, 65_536))),
    () => plain(sslRequest, Buffer.from([22, 3, 1, 255, 255]), randomBytes(randomInt(1, 20_000))),
    () => plain(gssRequest, sslRequest, sslRequest),
    () => plain(length(16), length(80_877_102), randomBytes(8)),
    () => plain(Buffer.from([22, 3, 1, 0, 200, 1]), randomBytes(randomInt(1, 300))),
    () => cutHandshake(site),
    () => secured(randomBytes(randomInt(1, 65_536))),
    () => secured(length(0x7fff_ffff), randomBytes(65_536)),
    () => secured(startupMessage, Buffer.from('p'), length(0x7fff_ffff), randomBytes(65_536)),
    () => secured(startupMessage, Buffer.from('p'), length(8 + 4), Buffer.from('nonsense'), randomBytes(65_536)),
    () => secured(startupMessage, Buffer.from('Q'), length(13), Buffer.from('select 1\0')),
    () => insideSession(site, randomBytes(randomInt(1, 65_536))),
    () => insideSession(site, Buffer.concat([Buffer.from('Q'), length(0x7fff_ffff), randomBytes(65_536)])),
    () => insideSession(site, Buffer.concat([Buffer.from('B'), length(4 + 4), Buffer.from([0, 0, 0xff, 0xff])])),
  ];
}

async function send(socket: Socket, parts: readonly Buffer[]): Promise<number> {
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  socket.resume();
  for (const part of parts) socket.write(part);
  await Promise.race([closed, pause(100)]);
  socket.destroy();
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** A real ClientHello, abandoned somewhere in the handshake. */
async function cutHandshake(site: Site): Promise<number> {
  const socket = await opened(site);
  const secured = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['postgresql'] });
  secured.on('error', () => {});
  await pause(randomInt(0, 12));
  socket.destroy();
  return socket.bytesWritten;
}

/** The bytes follow a sign-in that went well. */
async function insideSession(site: Site, bytes: Buffer): Promise<number> {
  const client = await connected(await site.client('pipeline'));
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  return send(stream, [bytes]);
}

async function opened({ postgresPort }: Site): Promise<Socket> {
  const socket = connect(postgresPort, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    socket.once('connect', resolve);
    socket.once('close', () => resolve());
  });
  return socket;
}

/** TLS from the first byte on, as PostgreSQL 17 clients may do. */
function direct({ postgresPort }: Site): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const options = { port: postgresPort, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['postgresql'] };
    const socket = connectTls(options, () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

function length(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function openDescriptors({ pid }: ServingProcess): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The number once sessions that have just ended are gone. */
async function settledDescriptors(served: ServingProcess): Promise<number> {
  let last = openDescriptors(served);
  return eventually('quiet', async () => {
    await pause(500);
    const now = openDescriptors(served);
    const settled = now === last;
    last = now;
    return settled ? now : undefined;
  });
}

function residentBytes({ pid }: ServingProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

const rounds = 60;
const mostGrowthBytes = 256 * 1_024 * 1_024;
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const gssRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 48]);
const startupMessage = ((): Buffer => {
  const body = Buffer.concat([length(196_608), Buffer.from('user\0ci\0database\0orders\0\0')]);
  return Buffer.concat([length(body.length + 4), body]);
})();
