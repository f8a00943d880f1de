import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { eventually } from '../harness.ts';
import { startHouse, type House } from './house.ts';
import { startBank, type Account, type Bank } from './peers/bank.ts';
import { Caller, everything } from './peers/caller.ts';
import { descriptorSet, loadProto } from './peers/protos.ts';
import {
  answerHead,
  CONTINUATION,
  END_HEADERS,
  frame,
  HEADERS,
  literal,
  prefixed,
  rawConnection,
  RST_STREAM,
  startRawTarget,
} from './peers/raw.ts';
import type { RunningServer } from './peers/server.ts';

/** What no library sends: bombs, lengths without end, floods. Each is refused within its bounds, and calls of others go on beside it. */

const definition = loadProto('bank.proto');
/** 64 MiB in 64 KiB. */
const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
const many = 4_000;

/** How the raw target answers, by method. */
const answers: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  Get(stream) {
    stream.respond(answerHead({ 'grpc-encoding': 'gzip' }));
    stream.end(prefixed(bomb, 1));
  },
  /** A message of 4 GiB, of which nothing comes. */
  List(stream) {
    stream.respond(answerHead());
    stream.write(prefixed(new Uint8Array(0), 0, 0xffff_ffff));
  },
  Shut(stream) {
    stream.respond(answerHead(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`x-${index}`, 'v']))));
    stream.end();
  },
};

const callers: Caller[] = [];
const sessions: ClientHttp2Session[] = [];
let bank: Bank;
let target: RunningServer;
let house: House;
let somebodyElse: Caller;

before(async () => {
  house = await startHouse({
    dataClasses: { ssn: { paths: ['ledger/bank.v1.Account#$.ssn', 'raw/bank.v1.Account#$.ssn'], mask: 'partial-last4' } },
    async targets(certificate, folder) {
      bank = await startBank(definition, certificate);
      target = await startRawTarget(certificate, (stream, method) => answers[method]!(stream));
      writeFileSync(join(folder, 'bank.binpb'), descriptorSet(definition));
      const schema = { descriptor_sets: ['file:bank.binpb'] };
      return { ledger: { port: bank.port, settings: { schema } }, raw: { port: target.port, settings: { schema } } };
    },
  });
  somebodyElse = await caller('ledger');
});
after(async () => {
  for (const one of callers) one.close();
  for (const one of sessions) one.destroy();
  await house.close();
  bank.close();
  target.close();
});

async function caller(name: string): Promise<Caller> {
  const made = new Caller(definition, 'bank.v1.Ledger', await house.way(name, 'pipeline'));
  callers.push(made);
  return made;
}

/** Of somebody else, over a connection and in a session of their own. */
async function othersGoOn(): Promise<void> {
  const { code, details, message } = await somebodyElse.unary<Account>('Get', { number: '7' });
  assert.deepEqual([code, message?.ssn], [status.OK, '***-**-4399'], details);
}

function connection(): ClientHttp2Session {
  const session = connect(`https://localhost:${house.httpsPort}`, { servername: 'ledger.localhost', ca: house.authority });
  session.on('error', () => {});
  sessions.push(session);
  return session;
}

async function head(method: string, more: Readonly<Record<string, string>> = {}): Promise<Record<string, string>> {
  const way = await house.way('ledger', 'pipeline');
  return {
    ':method': 'POST',
    ':path': `/bank.v1.Ledger/${method}`,
    ':authority': 'ledger.localhost',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${way.token}`,
    ...more,
  };
}

/** How a call was answered that is sent by hand, whether or not all of it was sent. */
function answered(stream: ClientHttp2Stream): Promise<string> {
  stream.on('error', () => {});
  stream.resume();
  return new Promise((resolve) => {
    const settle = (fields: Readonly<Record<string, unknown>>): void => {
      if (fields['grpc-status'] !== undefined) {
        resolve(`${status[Number(fields['grpc-status'])]}: ${decodeURIComponent(String(fields['grpc-message']))}`);
      }
    };
    stream
      .once('response', settle)
      .once('trailers', settle)
      .once('close', () => resolve(`closed with ${stream.rstCode}`));
  });
}

/** As fast as the other side takes it. */
async function written(socket: TLSSocket, bytes: Uint8Array): Promise<void> {
  if (socket.write(bytes) || socket.closed) return;
  await new Promise<void>((resolve) => {
    socket.once('drain', resolve).once('close', () => resolve());
  });
}

const calledAt = (method: string): number => bank.seen.filter((call) => call.method === method).length;

describe('a message', () => {
  it('that is a bomb is not unpacked any further than a message may be long, and is on record', async () => {
    const stream = connection().request(await head('Shut', { 'grpc-encoding': 'gzip' }));
    stream.end(prefixed(bomb, 1));
    assert.match(await answered(stream), /^RESOURCE_EXHAUSTED: .*more than 4194304 bytes when it is decompressed/);
    assert.equal(calledAt('Shut'), 0);
    const records = await house.records(['operation.decided']);
    const [record] = records.filter((one) => JSON.stringify(one).includes('bank.v1.Ledger/Shut'));
    assert.match(JSON.stringify(record), /"deny".*limit-exceeded|limit-exceeded.*"deny"/);
    await othersGoOn();
  });

  it('of a target that is a bomb ends the call', async () => {
    const { code, details } = await (await caller('raw')).unary('Get', { number: '7' });
    assert.equal(status[code], 'RESOURCE_EXHAUSTED');
    assert.match(details, /more than 4194304 bytes when it is decompressed/);
    await othersGoOn();
  });

  it('of 4 GiB is refused by its prefix: nothing behind it has come', async () => {
    const stream = connection().request(await head('Import'));
    stream.write(prefixed(new Uint8Array(0), 0, 0xffff_ffff));
    assert.match(await answered(stream), /^RESOURCE_EXHAUSTED: .*4294967295 bytes, more than 4194304/);
    const { messages, code, details } = await everything((await caller('raw')).output('List', { count: 1 }));
    assert.deepEqual([messages.length, status[code]], [0, 'RESOURCE_EXHAUSTED']);
    assert.match(details, /4294967295 bytes, more than 4194304/);
    await othersGoOn();
  });

  it('more than the one that a method takes reaches no server, which would take the one or the other', async () => {
    const before = calledAt('Get');
    const stream = connection().request(await head('Get'));
    stream.end(Buffer.concat([prefixed(Buffer.from('\n\u00017')), prefixed(Buffer.from('\n\u00018'))]));
    assert.match(await answered(stream), /^UNIMPLEMENTED: .*takes one message/);
    assert.equal(calledAt('Get'), before);
  });
});

describe('a flood', () => {
  it('of tiny messages passes, message by message, and holds up nobody', async () => {
    const client = await caller('ledger');
    const over = everything<Account>(client.output('List', { count: many }));
    const counted = new Promise<number>((resolve, reject) => {
      const call = client.input('Import', (error, answer) =>
        error === null ? resolve((answer as { count: number }).count) : reject(error),
      );
      for (let sent = 0; sent < many; sent += 1) call.write({});
      call.end();
    });
    await othersGoOn();
    const { messages, code } = await over;
    assert.deepEqual([messages.length, code, await counted], [many, status.OK, many]);
    assert.deepEqual([...new Set(messages.map(({ ssn }) => ssn))], ['***-**-4399']);
  });

  it('of calls that are taken back at once ends its connection, and no other', async () => {
    const socket = await rawConnection(house.httpsPort, 'ledger.localhost', house.authority);
    const fields = Object.entries({ ':scheme': 'https', ...(await head('Sleep')) }).toSorted(
      ([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')),
    );
    const block = Buffer.concat(fields.map(([name, value]) => literal(name, value)));
    const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
    let calls = 0;
    for (; calls < 20_000 && !socket.closed; calls += 1) {
      const stream = 2 * calls + 1;
      await written(socket, Buffer.concat([frame(HEADERS, END_HEADERS, stream, block), frame(RST_STREAM, 0, stream, cancel)]));
    }
    await eventually('the end of the connection', () => (socket.closed ? true : undefined));
    assert.ok(calls < 20_000, `${calls} calls`);
    await othersGoOn();
  });

  it('of CONTINUATION frames ends its connection long before the header block could end', async () => {
    const socket = await rawConnection(house.httpsPort, 'ledger.localhost', house.authority);
    const block = Buffer.concat(Array.from({ length: 400 }, (_, index) => literal(`x-${index}`, 'v'.repeat(20))));
    socket.write(frame(HEADERS, 0, 1, literal(':method', 'POST')));
    let sent = 0;
    // 100 MB, if nobody stops it.
    for (; sent < 8_000 && !socket.closed; sent += 1) {
      await written(socket, frame(CONTINUATION, 0, 1, block));
    }
    await eventually('the end of the connection', () => (socket.closed ? true : undefined));
    assert.ok(sent < 8_000, `${sent} frames`);
    await othersGoOn();
  });
});

describe('metadata', () => {
  it('of a client beyond its bounds is refused, and nothing is called', async () => {
    const client = await caller('ledger');
    for (const [count, length] of [
      [110, 1],
      [1_000, 1],
      [50, 800],
    ] as const) {
      const fields = Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'v'.repeat(length)]));
      const { code, details } = await client.unary('Shut', { number: '1' }, fields);
      // Whoever counts first: the gateway answers, HTTP/2 resets the stream.
      assert.match(`${status[code]}: ${details}`, /^UNKNOWN: .* 413$|^RESOURCE_EXHAUSTED: /, `${count} × ${length}`);
    }
    assert.equal(calledAt('Shut'), 0);
    await othersGoOn();
  });

  it('of a target beyond its bounds is not passed on', async () => {
    const { code } = await (await caller('raw')).unary('Shut', { number: '1' });
    assert.equal(status[code], 'UNAVAILABLE');
    await othersGoOn();
  });
});
