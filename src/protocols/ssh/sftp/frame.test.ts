import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everySplit } from '../../../core/testing/every-split.ts';
import { GatewayFault } from '../../../core/fault.ts';
import { packet } from './encode.ts';
import { PacketReader } from './frame.ts';
import { maxPacketBytes, TYPE } from './messages.ts';

function readAll(chunks: Iterable<Uint8Array>): string[] {
  const reader = new PacketReader();
  const read: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let one = reader.next(); one !== undefined; one = reader.next()) read.push(Buffer.from(one).toString('latin1'));
  }
  return read;
}

describe('packets of SFTP', () => {
  it('are the same however the stream is cut', () => {
    const packets = [
      packet(TYPE.init, undefined, 3),
      packet(TYPE.realpath, 1, '.'),
      packet(TYPE.write, 2, 'h', 0n, 'x'.repeat(40)),
      packet(9, undefined),
    ];
    const all = Buffer.concat(packets);
    const expected = packets.map((one) => Buffer.from(one.subarray(4)).toString('latin1'));
    everySplit(all, (chunks) => assert.deepEqual(readAll(chunks), expected));
  });

  it('are refused by their length alone: none, or more than 256 KiB', () => {
    for (const length of [0, maxPacketBytes + 1, 0xffff_ffff]) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      everySplit(head, (chunks) => {
        assert.throws(
          () => readAll(chunks),
          (error) => error instanceof GatewayFault && error.code === 'protocol-violation',
        );
      });
    }
  });

  it('of the longest length are read', () => {
    const longest = packet(TYPE.data, 1, new Uint8Array(maxPacketBytes - 9));
    assert.equal(readAll([longest.subarray(0, 100_000), longest.subarray(100_000)])[0]?.length, maxPacketBytes);
  });

  it('leave what stands behind the last one to another reader', () => {
    const reader = new PacketReader();
    reader.push(Buffer.concat([packet(TYPE.init, undefined, 3), Buffer.from('rest')]));
    assert.notEqual(reader.next(), undefined);
    assert.equal(Buffer.from(reader.takeRest()).toString(), 'rest');
    assert.equal(reader.next(), undefined);
  });
});
