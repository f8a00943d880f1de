import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import ssh2 from 'ssh2';
import { publishedHostKey } from '../../../identity/ssh-host-key.ts';
import type { Scene } from './scene.ts';

export interface MachineAnswer {
  readonly status: number;
  /** Both outputs, as a terminal shows them. */
  readonly lines: readonly string[];
}

/** `sallyport connect app-1 -- …` as the pipeline; `heard` is given each line as it comes. Without the stock client: what it would do, by ssh2. */
export async function onMachine(scene: Scene, command: string, heard: (line: string) => void): Promise<MachineAnswer> {
  scene.signal.throwIfAborted();
  const lines: string[] = [];
  const take = (line: string): void => {
    lines.push(line);
    heard(line);
  };
  const status = hasSsh() ? await byConnect(scene, command, take) : await byLibrary(scene, command, take);
  return { status, lines };
}

function hasSsh(): boolean {
  return spawnSync('ssh', ['-V']).status === 0;
}

async function byConnect({ passes, world, signal }: Scene, command: string, heard: (line: string) => void): Promise<number> {
  const { program, parameters, env } = await passes.commandLine('pipeline');
  const options = { cwd: world.folder, env: { PATH: process.env['PATH'], TMPDIR: world.folder, ...env }, signal };
  const child = spawn(program, [...parameters, 'connect', 'app-1', '--', command], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', heard);
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function byLibrary(scene: Scene, command: string, heard: (line: string) => void): Promise<number> {
  const { world, signal } = scene;
  const identity = join(world.folder, 'pipeline.key');
  const made = await scene.quietCli('pipeline', 'token', '--target', 'app-1', '--ssh', '--out', identity);
  if (made.code !== 0) throw new Error(made.text);
  const hostKey = publishedHostKey(join(world.folder, 'data'));
  const client = new ssh2.Client();
  const stop = (): void => void client.destroy();
  signal.addEventListener('abort', stop);
  try {
    return await new Promise<number>((resolve, reject) => {
      client.on('error', reject);
      client.on('ready', () =>
        client.exec(command, (error, channel) => {
          if (error !== undefined) return reject(error);
          let status = 1;
          for (const stream of [channel, channel.stderr]) createInterface({ input: stream }).on('line', heard);
          channel.on('exit', (code: number | null) => (status = code ?? 1)).on('close', () => setImmediate(() => resolve(status)));
          channel.end();
        }),
      );
      client.connect({
        host: '127.0.0.1',
        port: world.gateway.ports.ssh ?? 0,
        username: 'app-1',
        privateKey: readFileSync(identity),
        hostVerifier: (key: Buffer) => hostKey === `ssh-ed25519 ${key.toString('base64')}`,
      });
    });
  } finally {
    signal.removeEventListener('abort', stop);
    client.end();
  }
}
