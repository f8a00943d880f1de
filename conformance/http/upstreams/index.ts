import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { eventually } from '../../harness.ts';
import { haproxyConfiguration } from './haproxy.ts';
import { nginxConfiguration } from './nginx.ts';
import { Reporter } from './reporter.ts';

/** A way to the reporter: through a real server, which normalises as it does, or straight. */
export interface Way {
  readonly name: string;
  /** Unix socket. */
  readonly path: string;
}

/** The same by a port of loopback. */
export interface PortWay {
  readonly name: string;
  readonly port: number;
}

/** Real upstreams on Unix sockets below one temporary folder. */
export interface Upstreams {
  readonly reporter: Reporter;
  /** To a server that reads the request, forwards it as it came, and says what it understood in fields of its own. */
  readonly nginx: Way;
  /** To the same nginx in HTTP/2, with prior knowledge. */
  readonly nginxHttp2: PortWay;
  /** To an nginx that forwards the path as it understands it, spelled anew. */
  readonly nginxRewriting: Way;
  /** To an HAProxy with all of its normalisation on. */
  readonly haproxy: Way;
  /** To Node's own server. */
  readonly node: Way;
  readonly all: readonly Way[];
  close(): Promise<void>;
}

export async function startUpstreams(): Promise<Upstreams> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-http-'));
  const socket = (name: string): Way => ({ name, path: join(folder, `${name}.sock`) });
  const node = socket('direct');
  const nginx = socket('nginx');
  const nginxRewriting = socket('nginx-rewriting');
  const nginxHttp2 = { name: 'nginx-http2', port: await freePort() };
  const haproxy = socket('haproxy');
  const reporter = new Reporter();
  await reporter.listen(node.path);
  writeFileSync(join(folder, 'nginx.conf'), nginxConfiguration(folder, node, nginx, nginxRewriting, nginxHttp2));
  writeFileSync(join(folder, 'haproxy.cfg'), haproxyConfiguration(node, haproxy));
  const servers = [
    startServer('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']),
    startServer('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')]),
  ];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
    await reporter.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const all = [node, nginx, nginxRewriting, haproxy];
  try {
    for (const way of all) await eventually(`${way.name} listens`, () => listens(way, servers));
  } catch (error) {
    await close();
    throw error;
  }
  return { reporter, nginx, nginxHttp2, nginxRewriting, haproxy, node, all, close };
}

interface Server {
  readonly process: ChildProcess;
  readonly stderr: () => string;
  stop(): Promise<void>;
}

function startServer(command: string, parameters: readonly string[]): Server {
  const process = spawn(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  process.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<void>((resolve) => {
    process.once('error', (error) => {
      stderr += String(error);
      resolve();
    });
    process.once('exit', () => resolve());
  });
  return {
    process,
    stderr: () => stderr,
    stop() {
      process.kill('SIGTERM');
      return ended;
    },
  };
}

async function listens(way: Way, servers: readonly Server[]): Promise<true | undefined> {
  const dead = servers.find(({ process }) => process.exitCode !== null);
  if (dead !== undefined) throw new Error(`${dead.process.spawnfile} ended: ${dead.stderr()}`);
  return new Promise((resolve) => {
    const socket = connect(way.path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
}
