import { gunzipSync, inflateSync } from 'node:zlib';
import type { Inflate } from '../protocols/grpc/index.ts';

/** Decodes one message with zlib, which stops at `maxBytes`. */
export const inflate: Inflate = (coding, bytes, maxBytes) => {
  try {
    const options = { maxOutputLength: maxBytes };
    const plain = coding === 'gzip' ? gunzipSync(bytes, options) : inflateSync(bytes, options);
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? 'too-long' : undefined;
  }
};
