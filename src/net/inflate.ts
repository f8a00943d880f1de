import { constants, inflateRawSync } from 'node:zlib';
import type { Inflate } from '../protocols/spdy/index.ts';

/** Node's zlib for what is compressed block by block (`protocols/spdy/header-block.ts`). */
export const nodeInflate: Inflate = (block, window, maxBytes) =>
  inflateRawSync(block, {
    finishFlush: constants.Z_SYNC_FLUSH,
    maxOutputLength: maxBytes,
    ...(window.length === 0 ? {} : { dictionary: window }),
  });
