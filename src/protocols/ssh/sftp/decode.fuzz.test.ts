import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../../core/fault.ts';
import { decodeAnswer, decodeHello, decodeRequest } from './decode.ts';
import { PacketReader } from './frame.ts';
import { TYPE } from './messages.ts';

/** Bytes that look like packets: a known type, then anything, with small lengths here and there. */
const packetLike = fc
  .tuple(
    fc.oneof(fc.constantFrom(...Object.values(TYPE)), fc.integer({ min: 0, max: 255 })),
    fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc.constantFrom(Uint8Array.of(0, 0, 0, 4), Uint8Array.of(0, 0, 0, 1), Uint8Array.of(255, 255, 255, 255)),
      ),
      { maxLength: 12 },
    ),
  )
  .map(([type, parts]) => Buffer.concat([Buffer.from([type]), ...parts]));

function onlyFaults(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof GatewayFault)) throw error;
  }
}

describe('decoders of SFTP', () => {
  it('end any bytes in a value or a fault', () => {
    fc.assert(
      fc.property(packetLike, (bytes) => {
        onlyFaults(() => decodeRequest(bytes));
        onlyFaults(() => decodeAnswer(bytes));
        onlyFaults(() => decodeHello(bytes, TYPE.init));
        onlyFaults(() => decodeHello(bytes, TYPE.version));
      }),
      { numRuns: 5_000 },
    );
  });

  it('cut any stream into packets or a fault', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
        onlyFaults(() => {
          const reader = new PacketReader();
          for (const chunk of chunks) {
            reader.push(chunk);
            while (reader.next() !== undefined);
          }
        });
      }),
      { numRuns: 2_000 },
    );
  });
});
