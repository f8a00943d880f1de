import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { everySplit } from '../../core/testing/every-split.ts';
import { closePayload } from './close.ts';
import { encodeFrame, opcodes, type Opcode } from './frame.ts';
import { MessageReader, type Message } from './messages.ts';

const mask = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

function read(bytes: Uint8Array, fromClient: boolean, maxMessageBytes?: number): readonly string[] {
  return collect([bytes], fromClient, maxMessageBytes);
}

/** Chunks of `everySplit` are overwritten when the next one is asked for, so that a view that was kept is found out. */
function collect(chunks: Iterable<Uint8Array>, fromClient: boolean, maxMessageBytes = 1_000_000): readonly string[] {
  const reader = new MessageReader({ fromClient, maxMessageBytes });
  const messages: Message[] = [];
  for (const chunk of chunks) messages.push(...reader.push(chunk));
  return messages.map(told);
}

function told(message: Message): string {
  switch (message.kind) {
    case 'close':
      return `close ${message.code} ${message.reason}`;
    case 'violation':
      return `violation ${message.closeCode} ${message.reason}`;
    default:
      return `${message.kind} ${Buffer.from(message.bytes).toString()}`;
  }
}

describe('frames of RFC 6455 section 5.7', () => {
  const vectors: readonly (readonly [name: string, frames: string, fromClient: boolean, messages: readonly string[]])[] = [
    ['an unmasked text message', '81 05 48 65 6c 6c 6f', false, ['text Hello']],
    ['a masked text message', '81 85 37 fa 21 3d 7f 9f 4d 51 58', true, ['text Hello']],
    ['a fragmented text message', '01 03 48 65 6c  80 02 6c 6f', false, ['text Hello']],
    ['an unmasked ping and its masked pong', '89 05 48 65 6c 6c 6f', false, ['ping Hello']],
    ['a masked pong', '8a 85 37 fa 21 3d 7f 9f 4d 51 58', true, ['pong Hello']],
  ];
  for (const [name, frames, fromClient, messages] of vectors) {
    it(name, () => everySplit(hex(frames), (chunks) => assert.deepEqual(collect(chunks, fromClient), messages)));
  }

  it('are written as they are read', () => {
    assert.deepEqual(encodeFrame(opcodes.text, utf8('Hello'), undefined), hex('81 05 48 65 6c 6c 6f'));
    assert.deepEqual(encodeFrame(opcodes.text, utf8('Hello'), mask), hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'));
    assert.deepEqual(encodeFrame(opcodes.binary, new Uint8Array(256), undefined).subarray(0, 4), hex('82 7e 01 00'));
    assert.deepEqual(encodeFrame(opcodes.binary, new Uint8Array(65_536), undefined).subarray(0, 10), hex('82 7f 00 00 00 00 00 01 00 00'));
  });
});

describe('messages', () => {
  it('come whole whatever the cuts, with control frames between their fragments', () => {
    const all = Buffer.concat([
      encodeFrame(opcodes.text, utf8('Grü'), mask, false),
      encodeFrame(opcodes.ping, utf8('are you there'), mask),
      encodeFrame(opcodes.continuation, utf8(''), mask, false),
      encodeFrame(opcodes.continuation, utf8('ße'), mask),
      encodeFrame(opcodes.binary, utf8('b'), mask),
      encodeFrame(opcodes.close, closePayload({ code: 1000, reason: 'bye' }), mask),
    ]);
    everySplit(all, (chunks) =>
      assert.deepEqual(collect(chunks, true), ['ping are you there', 'text Grüße', 'binary b', 'close 1000 bye']),
    );
  });

  it('may be cut within a character', () => {
    const [one, two] = [utf8('ü').subarray(0, 1), utf8('ü').subarray(1)];
    const frames = Buffer.concat([encodeFrame(opcodes.text, one, undefined, false), encodeFrame(opcodes.continuation, two, undefined)]);
    assert.deepEqual(read(frames, false), ['text ü']);
  });

  it('have no more behind a close', () => {
    const all = Buffer.concat([encodeFrame(opcodes.close, utf8(''), undefined), encodeFrame(opcodes.text, utf8('late'), undefined)]);
    assert.deepEqual(read(all, false), ['close undefined ']);
    const reader = new MessageReader({ fromClient: false, maxMessageBytes: 100 });
    reader.push(encodeFrame(opcodes.close, utf8(''), undefined));
    assert.deepEqual(reader.push(encodeFrame(opcodes.text, utf8('late'), undefined)), []);
  });

  it('take no more memory than came of them', () => {
    const reader = new MessageReader({ fromClient: false, maxMessageBytes: 2 ** 40 });
    const before = process.memoryUsage().arrayBuffers;
    reader.push(hex('82 7f 00 00 00 80 00 00 00 00 61'));
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  });

  it('round trip, in any fragments and cuts (property)', () => {
    const piece = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300), { maxLength: 3 }), fc.boolean());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), fc.boolean(), fc.array(fc.nat(2_000), { maxLength: 6 }), (parts, fromClient, cuts) => {
        const key = fromClient ? mask : undefined;
        const frames = Buffer.concat(parts.flatMap(([payload, at, ping]) => fragmented(payload, at, key, ping)));
        const expected = parts.flatMap(([payload, at, ping]) => {
          const message = `binary ${Buffer.from(payload).toString()}`;
          if (!ping) return [message];
          return [...cutAt(payload, at)].length === 1 ? [message, 'ping '] : ['ping ', message];
        });
        assert.deepEqual(collect(cutAt(frames, cuts), fromClient), expected);
      }),
      { numRuns: 500 },
    );
  });

  it('of any octets end in messages or a violation, never in an error (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), fc.boolean(), (chunks, fromClient) => {
        const all = collect(chunks, fromClient, 64);
        assert.ok(all.slice(0, -1).every((one) => !one.startsWith('violation') && !one.startsWith('close')));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a violation', () => {
  const frame = (opcode: Opcode, text: string, isFinal = true) => encodeFrame(opcode, utf8(text), undefined, isFinal);
  const bad: readonly (readonly [name: string, frames: Uint8Array, expected: RegExp])[] = [
    ['a reserved bit, as compression sets it', hex('c1 00'), /^violation 1002 a reserved bit/],
    ['a reserved opcode', hex('83 00'), /^violation 1002 a reserved opcode/],
    ['a reserved control opcode', hex('8b 00'), /^violation 1002 a reserved opcode/],
    ['a masked frame of a server', encodeFrame(opcodes.text, utf8('a'), mask), /^violation 1002 a frame of a server is masked/],
    ['a length in 16 bits that needs 7', hex('82 7e 00 7d'), /^violation 1002 a length is not in its shortest form/],
    ['a length in 64 bits that needs 16', hex('82 7f 00 00 00 00 00 00 ff ff'), /^violation 1002 a length is not/],
    ['a length beyond all', hex('82 7f ff ff ff ff ff ff ff ff'), /^violation 1009 /],
    ['a fragmented control frame', hex('09 00'), /^violation 1002 a control frame/],
    ['a long control frame', hex('89 7e 00 7e'), /^violation 1002 a control frame/],
    ['a continuation of nothing', frame(opcodes.continuation, 'a'), /^violation 1002 a continuation of nothing/],
    [
      'a message within another',
      Buffer.concat([frame(opcodes.text, 'a', false), frame(opcodes.text, 'b')]),
      /^violation 1002 a message within/,
    ],
    ['a text that is no UTF-8', encodeFrame(opcodes.text, Uint8Array.of(0xc0, 0xaf), undefined), /^violation 1007 a text/],
    ['a text that ends within a character', encodeFrame(opcodes.text, utf8('ü').subarray(0, 1), undefined), /^violation 1007 a text/],
    ['half a close code', hex('88 01 03'), /^violation 1002 a close frame with half/],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000].map(
      (code) =>
        [
          `close code ${code}`,
          encodeFrame(opcodes.close, Uint8Array.of(code >> 8, code & 0xff), undefined),
          /^violation 1002 a close code/,
        ] as const,
    ),
    ['a reason that is no UTF-8', hex('88 03 03 e8 ff'), /^violation 1007 the reason/],
    ['a message that is too long', hex('82 7f 00 00 00 00 00 0f 42 41'), /^violation 1009 a message is longer than 1000000 bytes/],
    [
      'fragments that are too long together',
      Buffer.concat([encodeFrame(opcodes.binary, new Uint8Array(600_000), undefined, false), hex('00 7f 00 00 00 00 00 09 27 c0')]),
      /^violation 1009 /,
    ],
  ];
  for (const [name, frames, expected] of bad) {
    it(`${name}, is told at once and is the last`, () => {
      const messages = read(Buffer.concat([frames, frame(opcodes.text, 'late')]), false);
      assert.equal(messages.length, 1, messages.join());
      assert.match(messages[0]!, expected);
    });
  }

  it('an unmasked frame of a client', () => {
    assert.match(read(frame(opcodes.text, 'a'), true).join(), /^violation 1002 a frame of a client is not masked/);
  });

  for (const code of [1000, 1003, 1007, 1014, 3000, 4999]) {
    it(`close code ${code} is none`, () => {
      assert.deepEqual(read(encodeFrame(opcodes.close, closePayload({ code, reason: 'x' }), undefined), false), [`close ${code} x`]);
    });
  }
});

it('the reason of a close is cut between characters', () => {
  const payload = closePayload({ code: 1008, reason: 'ü'.repeat(100) });
  assert.equal(payload.length, 2 + 122);
  assert.deepEqual(read(encodeFrame(opcodes.close, payload, undefined), false), [`close 1008 ${'ü'.repeat(61)}`]);
});

function fragmented(payload: Uint8Array, at: readonly number[], key: Uint8Array | undefined, ping: boolean): readonly Uint8Array[] {
  const parts = [...cutAt(payload, at)];
  return parts.flatMap((part, index) => [
    encodeFrame(index === 0 ? opcodes.binary : opcodes.continuation, part, key, index === parts.length - 1),
    ...(ping && index === 0 ? [encodeFrame(opcodes.ping, new Uint8Array(0), key)] : []),
  ]);
}

function* cutAt(bytes: Uint8Array, cuts: readonly number[]): Generator<Uint8Array> {
  const places = [...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...places, bytes.length]) {
    yield bytes.subarray(from, to);
    from = to;
  }
}
