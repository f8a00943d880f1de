import { once } from 'node:events';
import { createServer } from 'node:net';
import { usage } from '../failure.ts';

export interface Ports {
  /** What is left out is left to `startDemoWorld`, which takes any free port. */
  readonly chosen: { readonly postgresPort?: number; readonly apiPort?: number; readonly httpsPort?: number };
  readonly remarks: readonly string[];
}

/** `asked` and the next two; else the usual ones where they are free, and any for the tour, which nobody else connects to. */
export async function choosePorts(asked: number | undefined, tour: boolean): Promise<Ports> {
  if (asked !== undefined) {
    const step = asked + 2 > 65_535 ? -1 : 1;
    const [api, https] = [asked + step, asked + 2 * step];
    for (const port of [asked, api, https]) {
      if (!(await isFree(port))) throw usage(`port ${port} is taken`, 'give another --port, or none');
    }
    return { chosen: { postgresPort: asked, apiPort: api, httpsPort: https }, remarks: [] };
  }
  if (tour) return { chosen: {}, remarks: [] };
  const [postgres, api, https] = [await isFree(usualPorts.postgres), await isFree(usualPorts.api), await isFree(usualPorts.https)];
  return {
    chosen: {
      ...(postgres ? { postgresPort: usualPorts.postgres } : {}),
      ...(api ? { apiPort: usualPorts.api } : {}),
      ...(https ? { httpsPort: usualPorts.https } : {}),
    },
    remarks: [
      ...(postgres ? [] : [`Port ${usualPorts.postgres} is taken: another one serves PostgreSQL clients.`]),
      ...(api ? [] : [`Port ${usualPorts.api} is taken: another one serves the API.`]),
      ...(https ? [] : [`Port ${usualPorts.https} is taken: another one serves HTTP clients.`]),
    ],
  };
}

/** On both loopback addresses: clients that are told `localhost` may try either first. */
async function isFree(port: number): Promise<boolean> {
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer();
    try {
      server.listen(port, host);
      await once(server, 'listening');
    } catch (error) {
      // A machine without IPv6 has no such address.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') return false;
    } finally {
      server.close();
    }
  }
  return true;
}

const usualPorts = { postgres: 6432, api: 8080, https: 8443 };
