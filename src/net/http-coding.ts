import type { Readable, Transform } from 'node:stream';
import {
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createGunzip,
  createGzip,
  createZstdCompress,
  createZstdDecompress,
} from 'node:zlib';
import type { ContentCoding } from '../protocols/request.ts';

/** A body without its content coding. What is wrong with the coding is a `masking-refused` for whoever reads it. */
export function decoded(body: Readable, coding: ContentCoding | undefined): Readable {
  if (coding === undefined) return body;
  const decoder = codings[coding].decoder();
  // Whoever reads it is told; an error while nobody does any more must not end the process.
  decoder.on('error', () => {});
  const stop = (error: Error): void => void decoder.destroy(error);
  body.once('error', stop);
  body.once('close', () => {
    if (!body.readableEnded) stop(new Error('the body ended before its end'));
  });
  decoder.once('close', () => body.unpipe(decoder));
  return body.pipe(decoder);
}

/** Codes a body piece by piece: whoever gets a piece can decode all until there. */
export class BodyEncoder {
  readonly #encoder: Encoder;
  #coded: Buffer[] = [];

  constructor(coding: ContentCoding) {
    this.#encoder = codings[coding].encoder();
    this.#encoder.on('data', (piece: Buffer) => this.#coded.push(piece));
  }

  async push(piece: Uint8Array): Promise<readonly Uint8Array[]> {
    await new Promise<void>((resolve, reject) => {
      this.#encoder.once('error', reject);
      this.#encoder.write(piece);
      this.#encoder.flush(() => {
        this.#encoder.off('error', reject);
        resolve();
      });
    });
    return this.#take();
  }

  async end(): Promise<readonly Uint8Array[]> {
    await new Promise<void>((resolve, reject) => {
      this.#encoder.once('error', reject).once('end', resolve);
      this.#encoder.end();
    });
    return this.#take();
  }

  /** Nothing more comes. */
  destroy(): void {
    this.#encoder.on('error', () => {}).destroy();
  }

  #take(): readonly Uint8Array[] {
    const coded = this.#coded;
    this.#coded = [];
    return coded;
  }
}

/** All of a body at once. */
export async function encoded(body: Uint8Array, coding: ContentCoding): Promise<Uint8Array> {
  const encoder = new BodyEncoder(coding);
  return Buffer.concat([...(await encoder.push(body)), ...(await encoder.end())]);
}

interface Encoder extends Transform {
  flush(done: () => void): void;
}

/** Brotli at its best takes seconds for what others take milliseconds. */
const quickly = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const codings: Readonly<Record<ContentCoding, { readonly decoder: () => Transform; readonly encoder: () => Encoder }>> = {
  gzip: { decoder: createGunzip, encoder: createGzip },
  br: { decoder: createBrotliDecompress, encoder: () => createBrotliCompress(quickly) },
  zstd: { decoder: createZstdDecompress, encoder: createZstdCompress },
};
