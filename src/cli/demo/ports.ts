import { once } from 'node:events';
import { createServer } from 'node:net';
import { usage } from '../failure.ts';

export interface Ports {
  /** What is left out is left to `startDemoWorld`, which takes any free port. */
  readonly chosen: { readonly postgresPort?: number; readonly apiPort?: number; readonly httpsPort?: number; readonly sshPort?: number };
  readonly remarks: readonly string[];
}

/** `asked` and the next three; else the usual ones where they are free, and any for the tour, which nobody else connects to. */
export async function choosePorts(asked: number | undefined, tour: boolean): Promise<Ports> {
  if (asked !== undefined) {
    const step = asked + 3 > 65_535 ? -1 : 1;
    const [api, https, ssh] = [asked + step, asked + 2 * step, asked + 3 * step];
    for (const port of [asked, api, https, ssh]) {
      if (!(await isFree(port))) throw usage(`port ${port} is taken`, 'give another --port, or none');
    }
    return { chosen: { postgresPort: asked, apiPort: api, httpsPort: https, sshPort: ssh }, remarks: [] };
  }
  if (tour) return { chosen: {}, remarks: [] };
  const { postgres: sql, api: console, https: web, ssh: shell } = usualPorts;
  const [postgres, api, https, ssh] = [await isFree(sql), await isFree(console), await isFree(web), await isFree(shell)];
  return {
    chosen: {
      ...(postgres ? { postgresPort: usualPorts.postgres } : {}),
      ...(api ? { apiPort: usualPorts.api } : {}),
      ...(https ? { httpsPort: usualPorts.https } : {}),
      ...(ssh ? { sshPort: usualPorts.ssh } : {}),
    },
    remarks: [
      ...(postgres ? [] : [`Port ${usualPorts.postgres} is taken: another one serves PostgreSQL clients.`]),
      ...(api ? [] : [`Port ${usualPorts.api} is taken: another one serves the API.`]),
      ...(https ? [] : [`Port ${usualPorts.https} is taken: another one serves HTTP clients.`]),
      ...(ssh ? [] : [`Port ${usualPorts.ssh} is taken: another one serves SSH clients.`]),
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

const usualPorts = { postgres: 6432, api: 8080, https: 8443, ssh: 2222 };
