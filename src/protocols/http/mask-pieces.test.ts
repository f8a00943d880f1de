import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { lineMasker } from './mask-lines.ts';
import { eventMasker } from './mask-pieces.ts';
import type { PieceMasker } from '../request.ts';
import { testMasks } from './testing/masks.ts';

const masks = testMasks(nodeCrypto, { documents: ['events#$.ssn'], at: ['events'] });
const textMasks = testMasks(nodeCrypto, { documents: [], at: [] });

/** What comes of a text that is pushed in these cuts. */
function through(masker: PieceMasker, parts: readonly Uint8Array[]): string {
  const shown = parts.flatMap((part) => masker.push(part));
  return Buffer.concat([...shown, ...masker.end()]).toString();
}

/** The same whatever the cuts: at each place, at each two of a short text, and byte by byte. */
function everySplit(make: () => PieceMasker, text: string, expected: string): void {
  const bytes = Buffer.from(text);
  assert.equal(through(make(), [bytes]), expected);
  assert.equal(
    through(
      make(),
      [...bytes].map((byte) => Uint8Array.of(byte)),
    ),
    expected,
  );
  for (let a = 0; a <= bytes.length; a += 1) {
    assert.equal(through(make(), [bytes.subarray(0, a), bytes.subarray(a)]), expected, `cut at ${a}`);
  }
}

describe('events', () => {
  for (const [name, text, expected] of [
    ['JSON at a hidden place', 'data: {"ssn":"078-05-1120"}\n\n', 'data: {"ssn":"***-**-1120"}\n\n'],
    ['carriage returns', 'data: {"ssn":"078-05-1120"}\r\rdata: {"a":1}\r\r', 'data: {"ssn":"***-**-1120"}\n\ndata: {"a":1}\r\r'],
    ['both', 'id: 1\r\ndata:{"ssn":"078-05-1120"}\r\n\r\n', 'id: 1\ndata: {"ssn":"***-**-1120"}\n\n'],
    [
      'nothing found: as it came',
      'event: x\r\ndata: {"a":\r\ndata:  1}\r\n\r\n: ping\n\n',
      'event: x\r\ndata: {"a":\r\ndata:  1}\r\n\r\n: ping\n\n',
    ],
    ['no JSON where places are hidden', 'data: the ssn is hidden here\n\n', 'data: "[redacted:ssn]"\n\n'],
    ['the end of a stream of tokens', 'data: [DONE]\n\n', 'data: [DONE]\n\n'],
    ['a byte order mark is no part of a name', '\ufeffdata: {"ssn":"078-05-1120"}\n\n', 'data: {"ssn":"***-**-1120"}\n\n'],
    ['the last event without its end', 'data: {"ssn":"078-05-1120"}', 'data: {"ssn":"***-**-1120"}'],
    ['data over lines', 'data: {"ssn":\ndata: "078-05-1120"}\n\n', 'data: {"ssn":\ndata: "***-**-1120"}\n\n'],
    ['a line without a colon', 'data\ndata: 1\n\n', 'data\ndata: 1\n\n'],
  ] as const) {
    it(name, () => everySplit(() => eventMasker(masks), text, expected));
  }

  it('are text where no place is hidden', () => {
    everySplit(
      () => eventMasker(textMasks),
      'id: 078-05-1120\ndata: pay 4111111111111111\n\n',
      'id: ***-**-1120\ndata: pay ************1111\n\n',
    );
  });

  it('counts what was masked', () => {
    const masker = eventMasker(masks);
    masker.push(Buffer.from('data: {"ssn":"078-05-1120"}\n\ndata: x\n\n'));
    assert.deepEqual([...masker.masked], [['ssn', 2]]);
  });
});

describe('what is no text', () => {
  for (const [name, bytes] of [
    ['no UTF-8', Buffer.from([0xff, 0x0a, 0x0a])],
    ['UTF-16', Buffer.from('data: 078-05-1120\n\n', 'utf16le')],
    ['a piece that never ends', Buffer.alloc(1024 * 1024 + 1, 0x61)],
  ] as const) {
    it(`${name}: refused`, () => {
      for (const masker of [eventMasker(masks), lineMasker(masks)]) {
        assert.throws(
          () => [masker.push(bytes), masker.end()],
          (error) => error instanceof GatewayFault && error.code === 'masking-refused',
        );
      }
    });
  }
});
