import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import { startHouse, type House } from './house.ts';
import { frame, headerBlock, preface, requestFrames, resetFrame } from './upstreams/frames.ts';

/**
 * Clients who ask for nothing but work: each is cut off by a bound of the gateway long before it is done, what it takes in memory until then is little, and others are served
 * meanwhile and afterwards.
 */

let house: House;
/** Whoever has none is sent away at once. */
let token: string;
before(async () => {
  house = await startHouse({
    handle: (_request, response) => response.setHeader('content-type', 'application/json').end('{"id":7}'),
    adjust: (config) => (config['audit'] = { durability: 'process' }),
  });
  token = await house.token('pipeline');
});
after(() => house.close());

const megabyte = 1024 * 1024;
const fields = (): readonly string[] => [
  ':method',
  'GET',
  ':scheme',
  'https',
  ':authority',
  'localhost',
  ':path',
  '/http/crm/a',
  'authorization',
  `Bearer ${token}`,
];

/** Writes until the gateway closes the connection, reading as the flag says. Returns how much it wrote; undefined: it was never stopped. */
async function attack(protocol: 'h2' | 'http/1.1', reads: boolean, pieces: Iterable<Buffer>): Promise<number | undefined> {
  const socket: TLSSocket = connect({
    host: 'localhost',
    port: house.httpsPort,
    ALPNProtocols: [protocol],
    ca: readFileSync(house.authorityFile),
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  if (reads) socket.resume();
  let sent = 0;
  for (const piece of pieces) {
    if (socket.destroyed) return sent;
    sent += piece.length;
    if (!socket.write(piece)) await Promise.race([closed, new Promise((resolve) => socket.once('drain', resolve))]);
  }
  // What it was told it can read now.
  socket.resume();
  const isClosed = await Promise.race([closed.then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), 5_000))]);
  socket.destroy();
  return isClosed ? sent : undefined;
}

/** Others are served while it runs, and after it; the gateway, which is in this process, takes little memory for it. */
async function besides<T>(flood: Promise<T>): Promise<T> {
  const before = process.memoryUsage().rss;
  const running = { isOver: false };
  void flood.finally(() => (running.isOver = true));
  do {
    await served();
  } while (!running.isOver);
  await served();
  const grown = (process.memoryUsage().rss - before) / megabyte;
  assert.ok(grown < 200, `${Math.round(grown)} MB more`);
  return flood;
}

/** A disk that other programs keep busy for a second is no flood: then the gateway says 503, and is asked again. */
async function served(): Promise<void> {
  const answer = await eventually('to be served', async () => {
    const one = await house.fetch('pipeline', '/other');
    return one.status === 503 ? undefined : one;
  });
  assert.deepEqual([answer.status, await answer.text()], [200, '{"id":7}']);
}

function* repeated(first: Buffer, count: number, next: (index: number) => Buffer): Generator<Buffer> {
  yield first;
  // Many frames at once, as an attacker would send them.
  for (let index = 0; index < count; index += 100) yield Buffer.concat(Array.from({ length: 100 }, (_, more) => next(index + more)));
}

const SETTINGS = 0x4;
const PING = 0x6;
const HEADERS = 0x1;
const CONTINUATION = 0x9;
const PRIORITY_UPDATE_UNKNOWN = 0xbe;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

describe('a flood', () => {
  const floods: readonly (readonly [name: string, protocol: 'h2' | 'http/1.1', reads: boolean, pieces: () => Iterable<Buffer>])[] = [
    [
      'of requests that are given up at once (rapid reset, CVE-2023-44487)',
      'h2',
      true,
      () => repeated(preface, 100_000, (index) => Buffer.concat([requestFrames(1 + 2 * index, fields()), resetFrame(1 + 2 * index)])),
    ],
    [
      'of header blocks without end (CONTINUATION, CVE-2024-27983)',
      'h2',
      true,
      () =>
        repeated(Buffer.concat([preface, frame(HEADERS, 0, 1, headerBlock(fields()))]), 10_000, (index) =>
          frame(CONTINUATION, 0, 1, headerBlock([`x-${index}`, 'y'.repeat(1_000)])),
        ),
    ],
    [
      'of empty pieces of a header block',
      'h2',
      true,
      () => repeated(Buffer.concat([preface, frame(HEADERS, 0, 1, headerBlock(fields()))]), 1_000_000, () => frame(CONTINUATION, 0, 1, '')),
    ],
    ['of settings whose answers nobody reads', 'h2', false, () => repeated(preface, 4_000_000, () => frame(SETTINGS, 0, 0, ''))],
    ['of pings whose answers nobody reads', 'h2', false, () => repeated(preface, 4_000_000, () => frame(PING, 0, 0, '01234567'))],
    [
      'of header fields over HTTP/1.1',
      'http/1.1',
      true,
      () =>
        repeated(Buffer.from('GET /http/crm/a HTTP/1.1\r\nHost: localhost\r\n'), 100_000, (index) =>
          Buffer.from(`x-${index}: ${'y'.repeat(1_000)}\r\n`),
        ),
    ],
    [
      'of one line without end over HTTP/1.1',
      'http/1.1',
      true,
      () => repeated(Buffer.from('GET /'), 100_000, () => Buffer.alloc(1_000, 'a')),
    ],
    [
      'of pipelined requests whose answers nobody reads',
      'http/1.1',
      false,
      () =>
        repeated(Buffer.alloc(0), 40_000, () =>
          Buffer.from(`GET /http/crm/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`),
        ),
    ],
  ];

  for (const [name, protocol, reads, pieces] of floods) {
    it(`${name} is cut off, and others are served`, async () => {
      const sent = await besides(attack(protocol, reads, pieces()));
      assert.ok(sent !== undefined, 'the gateway has taken all of it');
    });
  }

  it('of header fields that are sent once and named four thousand times (HPACK bomb) is refused one by one, and nothing of it kept', async () => {
    // One entry of 3,000 octets for the table, then nothing but its index: 12 MB for 8 KB, 12 GB in all.
    const bomb = `${headerBlock(fields())}\x40\x01x\x7f\xb9\x16${'z'.repeat(3_000)}${'\xbe'.repeat(4_000)}`;
    await besides(
      attack(
        'h2',
        true,
        repeated(preface, 1_000, (index) => frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * index, bomb)),
      ),
    );
  });

  it('of frames that nobody knows is no reason to end, and does nothing (RFC 9113 section 5.5)', async () => {
    const ping = Buffer.concat(Array.from({ length: 50 }, () => frame(PRIORITY_UPDATE_UNKNOWN, 0, 0, 'x')));
    assert.equal(await attack('h2', true, [preface, ping]), undefined);
    await served();
  });
});
