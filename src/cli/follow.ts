import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient, ServerEvent } from './client.ts';
import { Failure } from './failure.ts';
import { note } from './terminal.ts';

/**
 * Follows an event stream until the gateway ends it for good. A line that breaks is taken up again, after the last event seen; the
 * first connection must succeed, and a refusal is final.
 */
export async function follow(client: ApiClient, path: string, handle: (event: ServerEvent) => void): Promise<void> {
  let lastEventId: string | undefined;
  let connected = false;
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      for await (const event of client.events(path, lastEventId)) {
        connected = true;
        waitMs = firstWaitMs;
        lastEventId = event.id ?? lastEventId;
        if (event.event === 'end') finish(event);
        else handle(event);
      }
    } catch (error) {
      if (!connected || error instanceof Ended || (error instanceof Failure && error.cause === undefined)) throw error;
      note('the connection broke, trying again');
    }
    await pause(waitMs);
  }
}

/** The gateway said why it ends the stream. While it restarts, trying again is right; everything else is the end. */
function finish(event: ServerEvent): void {
  const { reason } = JSON.parse(event.data) as { reason: string };
  if (reason === 'shutting-down') return note('the gateway is stopping, trying again');
  throw new Ended(reason === 'token-expired' ? 'your sign-in has expired' : `the gateway ended the stream: ${reason}`, {
    hint: reason === 'token-expired' ? 'run: sallyport login' : 'run it again',
  });
}

class Ended extends Failure {}

const firstWaitMs = 500;
const longestWaitMs = 15_000;
