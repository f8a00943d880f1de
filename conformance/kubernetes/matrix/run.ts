import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { KubectlVersion } from '../../parts/kubectl.ts';
import type { Kubectl } from '../clients.ts';
import { asText, cleaner, httpAnswer, type MatrixCase, type Shown, type Workplace } from './case.ts';

/** Where kubectl is pointed. */
export interface Way {
  readonly name: 'direct' | 'behind';
  readonly server: string;
  kubectl(version: KubectlVersion, namespace: string): Promise<Kubectl> | Kubectl;
}

export interface Surroundings {
  readonly folder: string;
  /** Directly, whatever the way. */
  makeNamespace(name: string): Promise<void> | void;
  readonly node: string;
  readonly httpPort: number;
  readonly postgres: Workplace['postgres'];
}

/** Does a case on one way, in a namespace made for it. */
export async function runCase(one: MatrixCase, version: KubectlVersion, way: Way, number: number, around: Surroundings): Promise<Shown> {
  const namespace = `${way.name}-${String(number).padStart(3, '0')}`;
  const folder = join(around.folder, namespace);
  mkdirSync(folder, { recursive: true });
  await around.makeNamespace(namespace);
  const kubectl = await way.kubectl(version, namespace);
  const clean = cleaner({ namespace, folder, servers: [way.server] });
  const { pathname } = new URL(way.server);
  const raw: Workplace['raw'] = (parameters, input) => kubectl.run(parameters, input === undefined ? {} : { input });
  try {
    return await one.run({
      kubectl,
      namespace,
      folder,
      basePath: pathname === '/' ? '' : pathname,
      node: around.node,
      httpPort: around.httpPort,
      postgres: around.postgres,
      raw,
      clean,
      shown: async (...parameters) => clean(asText(await raw(parameters))),
      file(name, content) {
        const path = join(folder, name);
        writeFileSync(path, content);
        return path;
      },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Parts that fail without the gateway and should not, or the other way round: then there is nothing to compare with. */
export function wrongControl(one: MatrixCase, control: Shown): readonly string[] {
  return Object.entries(control)
    .filter(([part, text]) => /^status (?!0\b)/.test(text) !== (one.failing?.includes(part) ?? false))
    .map(([part, text]) => `${part}: ${text.replaceAll('\n', ' ')}`.slice(0, 400));
}

/** What is different, part by part; empty: nothing is. */
export function differences(direct: Shown, behind: Shown): readonly { readonly part: string; readonly difference: string }[] {
  return [...new Set([...Object.keys(direct), ...Object.keys(behind)])]
    .filter((part) => direct[part] !== behind[part])
    .map((part) => ({ part, difference: firstDifference(direct[part] ?? '', behind[part] ?? '') }));
}

function firstDifference(direct: string, behind: string): string {
  const [before, after] = [direct.split('\n'), behind.split('\n')];
  const at = before.findIndex((line, index) => line !== after[index]);
  const index = at < 0 ? before.length : at;
  return `line ${index + 1}: ${JSON.stringify(before[index] ?? '')} became ${JSON.stringify(after[index] ?? '')}`.slice(0, 600);
}

/** An HTTP server for forwarded ports. */
export async function startHttpBehind(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const large = Buffer.alloc(8_000_000, httpAnswer);
  const server = createServer((request, response) => {
    let octets = 0;
    request.on('data', (chunk: Buffer) => (octets += chunk.length));
    request.on('end', () => response.end(request.url === '/large' ? large : request.url === '/count' ? String(octets) : httpAnswer));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
