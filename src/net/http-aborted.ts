import type { StopSignal } from './stop.ts';

/** Whoever waits may go away; what is waited for comes for the next one. Rejects with the reason of `signal`. */
export async function untilAborted<T>(work: Promise<T>, signal: StopSignal): Promise<T> {
  // A failure that nobody waits for any more must not end the process.
  if (signal.aborted) work.catch(() => {});
  signal.throwIfAborted();
  const gone = Promise.withResolvers<never>();
  const abort = (): void => gone.reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
