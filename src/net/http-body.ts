import type { ServerHttp2Stream } from 'node:http2';
import type { Readable } from 'node:stream';

/** What was read of a body. */
export interface Gathered {
  readonly bytes: Buffer;
  /** False: there is more, and the stream is paused behind `bytes`. */
  readonly isWhole: boolean;
}

/** Reads a body up to its end, or until it is longer than `maxBytes`. Rejects where the sender goes away, or says nothing for a minute. */
export async function gather(body: Readable, maxBytes: number): Promise<Gathered> {
  const chunks: Buffer[] = [];
  let length = 0;
  const isWhole = await new Promise<boolean>((resolve, reject) => {
    const idle = setTimeout(() => onError(new Error('nothing of the body came for a minute')), bodyIdleMs);
    const settle = (act: () => void): void => {
      clearTimeout(idle);
      body.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      act();
    };
    const onData = (chunk: Buffer): void => {
      idle.refresh();
      chunks.push(chunk);
      length += chunk.length;
      if (length <= maxBytes) return;
      body.pause();
      settle(() => resolve(false));
    };
    const onEnd = (): void => (isCutOff(body) ? onClose() : settle(() => resolve(true)));
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => settle(() => reject(new Error('the body ended before its end')));
    if (body.readableEnded && !isCutOff(body)) {
      clearTimeout(idle);
      resolve(true);
      return;
    }
    if (body.destroyed || body.readableEnded) {
      onClose();
      return;
    }
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
  return { bytes: Buffer.concat(chunks, length), isWhole };
}

/**
 * What is left of a body, as it comes. Whoever stops reading leaves it as it is: an answer may still go to its sender. `idleMs`: how long nothing may come; undefined: for
 * ever, since streams of messages rest. Throws as `gather` rejects.
 */
export async function* rest(body: Readable, begun: Uint8Array, idleMs: number | undefined): AsyncGenerator<Uint8Array> {
  if (begun.length > 0) yield begun;
  let idle: NodeJS.Timeout | undefined;
  const wait = (): void => {
    if (idleMs !== undefined) idle = setTimeout(() => endReading(body, new Error('nothing of the body came for a minute')), idleMs);
  };
  try {
    wait();
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      clearTimeout(idle);
      yield chunk;
      wait();
    }
    if (isCutOff(body)) throw new Error('the body ended before its end');
  } finally {
    clearTimeout(idle);
  }
}

/** A stream of HTTP/2 that is reset, or whose connection is gone, ends like one that is over. */
function isCutOff(body: Readable): boolean {
  return 'session' in body && (body as ServerHttp2Stream).aborted;
}

/** A stream of HTTP/2 is the way of the answer as well, and only whoever reads from it is told. */
function endReading(body: Readable, error: Error): void {
  if ('session' in body) body.emit('error', error);
  else body.destroy(error);
}

/** How long nothing of a body may come. */
export const bodyIdleMs = 60_000;
