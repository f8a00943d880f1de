import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, createDeflate, createInflate } from 'node:zlib';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { everySplit } from '../../core/testing/every-split.ts';
import { nodeInflate } from '../../net/inflate.ts';
import { SpdyDecoder } from './decode.ts';
import { headerDictionary } from './dictionary.ts';
import { SpdyEncoder } from './encode.ts';
import type { SpdyFrame } from './messages.ts';
import { resetStatus, SpdySession, type SpdyEvent, type SpdyHeaders } from './index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const join = (pieces: readonly Uint8Array[]): Uint8Array => Buffer.concat(pieces);
const headers = (fields: Record<string, string>): SpdyHeaders => new Map(Object.entries(fields).map(([name, value]) => [name, [value]]));

/** Frames as values: pieces of data joined, bytes copied. */
function collected(chunks: Iterable<Uint8Array>, decoder = new SpdyDecoder(nodeInflate)): unknown[] {
  const frames: unknown[] = [];
  let data: { stream: number; text: string } | undefined;
  for (const chunk of chunks) {
    for (const frame of decoder.receive(chunk)) {
      if (frame.kind !== 'data') frames.push(frame);
      else {
        data ??= { stream: frame.stream, text: '' };
        data.text += Buffer.from(frame.bytes).toString('latin1');
        if (frame.fin) {
          frames.push(data);
          data = undefined;
        }
      }
    }
  }
  return frames;
}

const everyFrame: readonly SpdyFrame[] = [
  { kind: 'syn-stream', stream: 1, fin: false, unidirectional: false, headers: headers({ streamtype: 'error' }) },
  { kind: 'syn-reply', stream: 1, fin: false, headers: headers({}) },
  { kind: 'headers', stream: 1, fin: true, headers: new Map([['a', ['b', 'c']]]) },
  { kind: 'settings', settings: new Map([[7, 65536]]) },
  { kind: 'ping', id: 3 },
  { kind: 'window-update', stream: 1, delta: 70000 },
  { kind: 'rst-stream', stream: 1, status: 5 },
  { kind: 'goaway', lastStream: 1, status: 0 },
];

describe('SPDY frames', () => {
  it('are read as they were written, however they are cut', () => {
    const encoder = new SpdyEncoder();
    const wire = join([
      ...everyFrame.flatMap((frame) => encoder.encode(frame)),
      ...encoder.encode({ kind: 'data', stream: 5, fin: true, bytes: bytes('hello') }),
    ]);
    everySplit(wire, (chunks) => assert.deepEqual(collected(chunks), [...everyFrame, { stream: 5, text: 'hello' }]));
  });

  it('are laid out as the draft has them', () => {
    const encoder = new SpdyEncoder();
    assert.equal(Buffer.from(join(encoder.encode({ kind: 'ping', id: 1 }))).toString('hex'), '800300060000000400000001');
    assert.equal(
      Buffer.from(join(encoder.encode({ kind: 'data', stream: 3, fin: true, bytes: bytes('x') }))).toString('hex'),
      '000000030100000178',
    );
    assert.equal(
      Buffer.from(join(encoder.encode({ kind: 'rst-stream', stream: 3, status: 5 }))).toString('hex'),
      '80030003000000080000000300000005',
    );
  });

  it('of an unknown type are passed over', () => {
    const unknown = Uint8Array.of(0x80, 3, 0, 42, 0, 0, 0, 2, 9, 9);
    assert.deepEqual(collected([unknown, join(new SpdyEncoder().encode({ kind: 'ping', id: 1 }))]), [{ kind: 'ping', id: 1 }]);
  });

  it('long data comes in pieces that are not gathered', () => {
    const decoder = new SpdyDecoder(nodeInflate);
    assert.deepEqual(decoder.receive(Uint8Array.of(0, 0, 0, 1, 1, 0xff, 0xff, 0xff)), []);
    const [piece] = decoder.receive(new Uint8Array(1000));
    assert.deepEqual(
      [piece?.kind, piece?.kind === 'data' && piece.fin, piece?.kind === 'data' && piece.bytes.length],
      ['data', false, 1000],
    );
  });

  for (const [what, hex] of [
    ['another version', '8002000600000004 00000001'],
    ['stream 0', '0000000000000001 00'],
    ['a reset of stream 0', '8003000300000008 00000000 00000005'],
    ['a short ping', '8003000600000003 000000'],
    ['an empty window update', '8003000900000008 00000001 00000000'],
    ['settings that lie about their count', '800300040000000c 00000002 00000007 00010000'],
    ['no zlib stream', '8003000200000008 00000001 00000000'],
    ['another dictionary', '800300020000000a 00000001 78bb00000000'],
    ['a control frame of 16 MiB', '8003000200ffffff'],
  ] as const) {
    it(`${what} is refused`, () => {
      assert.throws(() => collected([Buffer.from(hex.replaceAll(' ', ''), 'hex')]), GatewayFault);
    });
  }

  it('of random bytes end in nothing but a fault', () => {
    const control = fc
      .tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, payload]) => join([Uint8Array.of(0x80, 3, 0, type, flags, 0, 0, payload.length), payload]));
    fc.assert(
      fc.property(fc.array(fc.oneof(control, fc.uint8Array({ maxLength: 40 })), { maxLength: 8 }), (chunks) => {
        try {
          collected(chunks);
        } catch (error) {
          assert.ok(error instanceof GatewayFault, String(error));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('SPDY header blocks', () => {
  const streams = [
    headers({ streamtype: 'error' }),
    headers({ streamtype: 'stdin' }),
    headers({ port: '5432', requestid: '0', streamtype: 'data' }),
  ];

  it("are read where zlib has compressed them with the draft's dictionary, one behind the other", async () => {
    for (const dictionary of [Buffer.from(headerDictionary()), undefined]) {
      const deflate = createDeflate({ level: 9, ...(dictionary === undefined ? {} : { dictionary }) });
      const decoder = new SpdyDecoder(nodeInflate);
      for (const [index, fields] of Array.from({ length: 400 }, () => streams)
        .flat()
        .entries()) {
        const block = await flushed(deflate, plainBlock(fields));
        const length = Buffer.alloc(4);
        length.writeUInt32BE(block.length + 10);
        const frame = join([Uint8Array.of(0x80, 3, 0, 1), length, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0), block]);
        const [read] = decoder.receive(frame);
        assert.ok(read?.kind === 'syn-stream');
        assert.deepEqual(read.headers, fields, `block ${index}`);
      }
    }
  });

  it('that we write are read by zlib', async () => {
    const encoder = new SpdyEncoder();
    const inflate = createInflate({ dictionary: Buffer.from(headerDictionary()) });
    for (const fields of streams) {
      const [frame] = encoder.encode({ kind: 'syn-reply', stream: 2, fin: false, headers: fields });
      const plain = await flushed(inflate, frame!.subarray(12));
      assert.deepEqual(plain, Buffer.from(plainBlock(fields)));
    }
  });

  it('end in the empty block of a sync flush, without which a reader may give nothing out', () => {
    const encoder = new SpdyEncoder();
    for (const fields of streams) {
      const [frame] = encoder.encode({ kind: 'syn-reply', stream: 2, fin: false, headers: fields });
      assert.deepEqual([...frame!.subarray(-5)], [0, 0, 0, 0xff, 0xff]);
    }
  });

  it('that would become too long are refused before they do', async () => {
    const bomb = await flushed(createDeflate({ level: 9, dictionary: Buffer.from(headerDictionary()) }), new Uint8Array(10_000_000));
    const frame = join([Uint8Array.of(0x80, 3, 0, 2, 0, 0, (bomb.length + 4) >> 8, (bomb.length + 4) & 0xff, 0, 0, 0, 1), bomb]);
    assert.ok(bomb.length < 16_000);
    assert.throws(() => collected([frame]), /cannot be decompressed/);
  });
});

describe('a SPDY session', () => {
  function pair() {
    const client = new SpdySession('client', nodeInflate);
    const server = new SpdySession('server', nodeInflate);
    const toServer = (): readonly SpdyEvent[] => server.receive(join(client.take()).slice());
    const toClient = (): readonly SpdyEvent[] => client.receive(join(server.take()).slice());
    return { client, server, toServer, toClient };
  }

  it('opens, answers, carries and ends streams', () => {
    const { client, server, toServer, toClient } = pair();
    const stream = client.open(headers({ streamtype: 'stdin' }));
    assert.deepEqual(toServer(), [{ kind: 'opened', stream: 1, headers: headers({ streamtype: 'stdin' }) }]);
    server.reply(1);
    assert.deepEqual(toClient(), [{ kind: 'replied', stream: 1 }]);
    client.send(stream, bytes('abc'), true);
    assert.deepEqual(
      toServer().map((event) => event.kind),
      ['data', 'finished'],
    );
    server.send(1, bytes('d'), true);
    assert.deepEqual(
      toClient().map((event) => event.kind),
      ['data', 'finished'],
    );
    server.send(1, bytes('nobody hears it'), false);
    assert.deepEqual(server.take(), []);
  });

  it('sends nothing on a stream that is not answered yet, and then all of it', () => {
    const { client, server, toServer, toClient } = pair();
    client.open(headers({ a: 'b' }));
    client.send(1, bytes('one'), false);
    client.send(1, bytes('two'), true);
    assert.deepEqual(
      toServer().map((event) => event.kind),
      ['opened'],
    );
    server.reply(1);
    toClient();
    assert.equal(
      toServer()
        .map((event) => (event.kind === 'data' ? Buffer.from(event.bytes).toString() : event.kind))
        .join(' '),
      'one two finished',
    );
    client.open(headers({ a: 'c' }));
    assert.throws(() => client.send(3, new Uint8Array(17_000_000), false), /nobody has answered/);
  });

  it('gives window to a client for what was sent, on the stream and on the connection, and none to a server', () => {
    const { client, server, toServer, toClient } = pair();
    client.open(headers({ a: 'b' }));
    toServer();
    server.reply(1);
    toClient();
    client.send(1, new Uint8Array(40_000), false);
    toServer();
    const updates = collected([join(server.take())]);
    assert.deepEqual(updates, [
      { kind: 'window-update', stream: 0, delta: 32_768 },
      { kind: 'window-update', stream: 1, delta: 32_768 },
    ]);
    server.send(1, new Uint8Array(100_000), false);
    toClient();
    assert.deepEqual(client.take(), [], 'it may have closed the connection, and what it has sent would be lost');
  });

  it('answers pings and refuses a flood of streams', () => {
    const { client, server, toServer } = pair();
    server.receive(join(new SpdyEncoder().encode({ kind: 'ping', id: 7 })));
    assert.deepEqual(collected([join(server.take())]), [{ kind: 'ping', id: 7 }]);
    for (let index = 0; index < 600; index += 1) client.open(headers({ a: 'b' }));
    assert.equal(toServer().length, 512);
    const refusals = collected([join(server.take())]);
    assert.equal(refusals.length, 88);
    assert.deepEqual(refusals[0], { kind: 'rst-stream', stream: 1025, status: resetStatus.refusedStream });
  });

  it('a stream that was reset is gone on both sides', () => {
    const { client, server, toServer } = pair();
    client.open(headers({ a: 'b' }));
    toServer();
    client.reset(1, 5);
    assert.deepEqual(toServer(), [{ kind: 'reset', stream: 1 }]);
    server.send(1, bytes('x'), false);
    assert.deepEqual(server.take(), []);
    assert.deepEqual(server.receive(join(new SpdyEncoder().encode({ kind: 'data', stream: 1, fin: false, bytes: bytes('late') }))), []);
  });

  for (const [what, frames] of [
    ["a stream of the other side's parity", [{ kind: 'syn-stream', stream: 2, fin: false, unidirectional: false, headers: new Map() }]],
    ['data of a stream that never was', [{ kind: 'data', stream: 9, fin: false, bytes: bytes('x') }]],
    ['an answer to a stream that never was', [{ kind: 'syn-reply', stream: 2, fin: false, headers: new Map() }]],
    [
      'a stream that is opened twice',
      [
        { kind: 'syn-stream', stream: 1, fin: false, unidirectional: false, headers: new Map() },
        { kind: 'syn-stream', stream: 1, fin: false, unidirectional: false, headers: new Map() },
      ],
    ],
    [
      'data behind the end',
      [
        { kind: 'syn-stream', stream: 1, fin: true, unidirectional: false, headers: new Map() },
        { kind: 'data', stream: 1, fin: false, bytes: bytes('x') },
      ],
    ],
  ] as readonly (readonly [string, readonly SpdyFrame[]])[]) {
    it(`ends at ${what}`, () => {
      const encoder = new SpdyEncoder();
      const server = new SpdySession('server', nodeInflate);
      assert.throws(() => server.receive(join(frames.flatMap((frame) => encoder.encode(frame)))), /SPDY/);
    });
  }
});

function plainBlock(fields: ReadonlyMap<string, readonly string[]>): Uint8Array {
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value);
    parts.push(part);
  };
  number(fields.size);
  for (const [name, values] of fields) {
    for (const text of [name, values.join('\0')]) {
      number(text.length);
      parts.push(Buffer.from(text));
    }
  }
  return Buffer.concat(parts);
}

/** What zlib gives for `input`, ended by a sync flush. */
function flushed(stream: ReturnType<typeof createDeflate> | ReturnType<typeof createInflate>, input: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const take = (chunk: Buffer): number => out.push(chunk);
    stream.on('data', take).once('error', reject);
    stream.write(input);
    stream.flush(constants.Z_SYNC_FLUSH, () => {
      stream.off('data', take).off('error', reject);
      resolve(Buffer.concat(out));
    });
  });
}
