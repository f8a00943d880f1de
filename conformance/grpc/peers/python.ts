import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { run } from '../../harness.ts';
import type { CaseName, Way } from './cases.ts';
import type { RunningServer } from './server.ts';

/** A grpcio server of the interoperability tests. `certificate`: files in PEM. */
export async function startPythonServer(
  descriptorSet: string,
  certificate: { readonly cert: string; readonly key: string } | undefined,
): Promise<RunningServer> {
  const parameters = certificate === undefined ? [] : [certificate.cert, certificate.key];
  const server = spawn(python, [script('server.py'), descriptorSet, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = (await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'exit').then(() => Promise.reject(new Error('the grpcio server did not start'))),
  ])) as [Buffer];
  // It ends with its input.
  return { port: Number(String(port)), close: () => server.stdin.end() };
}

/** Runs the cases with grpcio. */
export async function runPythonCases(descriptorSet: string, way: Way): Promise<Readonly<Record<CaseName, string>>> {
  const { status, stdout, stderr } = await run(python, [script('client.py'), descriptorSet, JSON.stringify(way)], process.env);
  if (status !== 0) throw new Error(`the grpcio client failed: ${stderr}`);
  return JSON.parse(stdout) as Readonly<Record<CaseName, string>>;
}

function script(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** Debian's, which has grpcio; another one may come first in PATH. */
const python = '/usr/bin/python3';
