import type { IssuedToken } from '../api/schema.ts';
import { messageOf } from './failure.ts';

/**
 * Has a credential renewed well before it ends, for as long as a client runs that reads it anew. `renew` puts the new one in place; `report`: one line, where there is none.
 * Returns what ends it. Keeps no process alive.
 */
export function keepFresh(issued: IssuedToken, renew: () => Promise<IssuedToken>, report: (line: string) => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (expiresInSeconds: number): void => {
    timer = setTimeout(
      () =>
        void renew().then(
          (next) => wait(next.expires_in),
          (error: unknown) => {
            report(`the credential could not be renewed: ${messageOf(error)}`);
            wait(0);
          },
        ),
      Math.max(expiresInSeconds * 600, leastWaitMs),
    );
    timer.unref();
  };
  wait(issued.expires_in);
  return () => clearTimeout(timer);
}

const leastWaitMs = 10_000;
