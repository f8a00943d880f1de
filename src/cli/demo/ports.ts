import { once } from 'node:events';
import { createServer } from 'node:net';
import { usage } from '../failure.ts';

export interface Ports {
  /** What is left out is left to `startDemoWorld`, which takes any free port. */
  readonly chosen: { readonly postgresPort?: number; readonly apiPort?: number };
  readonly remarks: readonly string[];
}

/** `asked` and the next one; else the usual ones where they are free, and any for the tour, which nobody else connects to. */
export async function choosePorts(asked: number | undefined, tour: boolean): Promise<Ports> {
  if (asked !== undefined) {
    const api = asked + 1 > 65_535 ? asked - 1 : asked + 1;
    for (const port of [asked, api]) {
      if (!(await isFree(port))) throw usage(`port ${port} is taken`, 'give another --port, or none');
    }
    return { chosen: { postgresPort: asked, apiPort: api }, remarks: [] };
  }
  if (tour) return { chosen: {}, remarks: [] };
  const [postgres, api] = [await isFree(usualPorts.postgres), await isFree(usualPorts.api)];
  return {
    chosen: { ...(postgres ? { postgresPort: usualPorts.postgres } : {}), ...(api ? { apiPort: usualPorts.api } : {}) },
    remarks: [
      ...(postgres ? [] : [`Port ${usualPorts.postgres} is taken: another one serves PostgreSQL clients.`]),
      ...(api ? [] : [`Port ${usualPorts.api} is taken: another one serves the API.`]),
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

const usualPorts = { postgres: 6432, api: 8080 };
