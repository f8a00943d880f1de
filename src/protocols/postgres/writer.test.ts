import assert from 'node:assert/strict';
import { it } from 'node:test';
import { message } from './writer.ts';

/** A byte that came exactly when the writer had to grow was lost: an error of just the wrong length ended the client's connection. */
it('no byte is lost where the writer grows', () => {
  for (let length = 0; length < 1_100; length += 1) {
    const written = message(0x45, (writer) => {
      writer.bytes(new Uint8Array(length).fill(0x61));
      writer.byte(0x62);
      writer.int16(0x6363);
      writer.int32(0x64646464);
      writer.byte(0x65);
    });
    assert.equal(new TextDecoder().decode(written.subarray(5)), `${'a'.repeat(length)}bccdddde`);
  }
});
