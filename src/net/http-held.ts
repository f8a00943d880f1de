import type { ClientExchange } from './http-client.ts';

/**
 * Tells a client by informational answers that its request waits, so that neither it nor what stands between takes the connection for dead. Four of them in all, at
 * growing distances: older clients of Go give up at the sixth (`max1xxResponses` of net/http), where 100 (Continue) counts as well.
 */
export function tellHeld(client: ClientExchange): { stop(): void } {
  let told = 0;
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    client.waiting();
    const next = distancesMs[told];
    told += 1;
    timer = next === undefined ? undefined : setTimeout(tell, next);
  };
  tell();
  return { stop: () => clearTimeout(timer) };
}

const distancesMs = [10_000, 50_000, 240_000];
