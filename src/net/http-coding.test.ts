import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import { BodyEncoder, encoded } from './http-coding.ts';

for (const [coding, decoder] of [
  ['gzip', createGunzip],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
] as const) {
  it(`${coding}: whoever has a piece can decode all until there`, async () => {
    const encoder = new BodyEncoder(coding);
    const client = decoder();
    let text = '';
    client.on('data', (piece: Buffer) => (text += piece.toString()));
    const give = async (pieces: readonly Uint8Array[]): Promise<void> => {
      for (const piece of pieces) await new Promise((resolve) => client.write(piece, resolve));
    };
    let expected = '';
    for (const piece of ['one', '', 'two '.repeat(50_000), 'three']) {
      await give(await encoder.push(Buffer.from(piece)));
      expected += piece;
      assert.equal(text.length, expected.length);
    }
    await give(await encoder.end());
    assert.equal(text, expected);
  });

  it(`${coding}: a body as a whole`, async () => {
    const body = Buffer.from('some text '.repeat(100_000));
    const coded = await encoded(body, coding);
    assert.ok(coded.length < body.length / 20);
    const client = decoder();
    client.end(coded);
    assert.deepEqual(Buffer.concat(await client.toArray()), body);
  });
}
