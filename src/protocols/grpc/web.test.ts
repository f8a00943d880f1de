import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { TextDecoding, textOfPiece, trailersFrame } from './web.ts';

it('base64 of pieces, each with its padding, is read in whatever cuts it comes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 7 }),
      (pieces, size) => {
        const text = Buffer.concat(pieces.map(textOfPiece));
        const decoding = new TextDecoding();
        const read: Uint8Array[] = [];
        for (let at = 0; at < text.length; at += size) read.push(decoding.push(text.subarray(at, at + size)));
        decoding.end();
        assert.deepEqual(Buffer.concat(read), Buffer.concat(pieces));
      },
    ),
  );
});

it('what is no base64 is refused, also where it ends too early', () => {
  for (const text of ['AAA', 'AAA*', 'A===', '====', 'AA=A', 'AAAA\n']) {
    assert.throws(
      () => {
        const decoding = new TextDecoding();
        decoding.push(Buffer.from(text));
        decoding.end();
      },
      (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
      text,
    );
  }
});

it('trailers are a frame of their own', () => {
  const frame = Buffer.from(trailersFrame([{ name: 'grpc-status', value: '0' }]));
  assert.deepEqual([frame[0], frame.readUInt32BE(1), frame.subarray(5).toString()], [0x80, 15, 'grpc-status:0\r\n']);
});
