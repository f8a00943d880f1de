import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after } from 'node:test';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import { eventually } from '../../harness.ts';
import type { Door } from '../door.ts';

/** Something that a real client does for as long as nobody ends it. */
export interface Endless {
  readonly name: string;
  /** What its operation says of itself on record. */
  readonly text: RegExp;
  /** Resolves once it runs at the target, and bytes have come. */
  readonly begin: (door: Door, folder: string) => Promise<Underway>;
}

const all: Underway[] = [];
// One that a failed test has left, stopped it may be, would keep the process alive.
after(() => {
  for (const { child } of all) child.kill('SIGKILL');
});

export class Underway {
  readonly child: ChildProcessWithoutNullStreams;
  /** How it ends. */
  readonly over: Promise<number | NodeJS.Signals | null>;
  /** What it shows besides a file's contents. */
  text = '';

  constructor(program: string, args: readonly string[], cwd: string) {
    this.child = spawn(program, args, { cwd, env: { ...process.env, LC_ALL: 'C.UTF-8' } });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (part: Buffer) => (this.text += part.toString()));
    this.child.stdin.on('error', () => {});
    all.push(this);
    this.over = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(code ?? signal)));
  }
}

/** One of each kind of channel. The echo's port has to be named in the target's forwards. */
export function endless(echo: () => number): readonly Endless[] {
  return [
    {
      name: 'a shell',
      text: /^shell$/,
      async begin(door, folder) {
        const shell = new Underway('ssh', ['-F', door.config, '-tt', 'box'], folder);
        shell.child.stdin.write('echo be$((1))gun\n');
        await eventually('the shell', () => shell.text.includes('be1gun') || undefined);
        return shell;
      },
    },
    {
      name: 'a command',
      text: /^echo begun; exec sleep 600$/,
      async begin(door, folder) {
        const command = new Underway('ssh', ['-F', door.config, 'box', 'echo begun; exec sleep 600'], folder);
        await eventually('the command', () => command.text.includes('begun') || undefined);
        return command;
      },
    },
    {
      name: 'a download',
      text: /^read /,
      async begin(door, folder) {
        const [from, to] = [join(folder, 'large'), join(folder, 'got')];
        large(from);
        return await transfer(door, folder, `get ${from} ${to}`, to);
      },
    },
    {
      name: 'an upload',
      text: /^write /,
      async begin(door, folder) {
        const [from, to] = [join(folder, 'large'), join(folder, 'put')];
        large(from);
        return await transfer(door, folder, `put ${from} ${to}`, to);
      },
    },
    {
      name: 'a copy by the old protocol',
      text: /^write /,
      async begin(door, folder) {
        const [from, to] = [join(folder, 'large'), join(folder, 'copied')];
        large(from);
        const scp = new Underway('scp', ['-F', door.config, '-O', '-l', '8000', from, `box:${to}`], folder);
        await grows(to);
        return scp;
      },
    },
    {
      name: 'a forward',
      text: /connect/,
      async begin(door, folder) {
        const port = await freePort();
        const forward = new Underway('ssh', ['-F', door.config, '-N', '-L', `127.0.0.1:${port}:127.0.0.1:${echo()}`, 'box'], folder);
        const socket = await eventually('the forward', () => connected(port));
        socket.on('error', () => {});
        socket.write('there');
        await new Promise((resolve) => socket.once('data', resolve));
        // The client itself goes on without its connection.
        const closed = new Promise((resolve) => socket.once('close', resolve));
        void forward.over.then(() => socket.destroy());
        return Object.assign(forward, { closed });
      },
    },
  ];
}

/** So ssh ends whose connection is over. What runs it has written to an ssh that is gone, or says that it failed. */
export function isBroken({ child }: Underway, over: number | NodeJS.Signals | null): boolean {
  return over === 255 || (child.spawnfile !== 'ssh' && (over === 'SIGPIPE' || over === 1));
}

/** Sends back what it gets. */
export async function startEcho(): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** At a megabyte a second it takes minutes. */
async function transfer(door: Door, folder: string, line: string, to: string): Promise<Underway> {
  const sftp = new Underway('sftp', ['-F', door.config, '-l', '8000', '-b', '-', 'box'], folder);
  sftp.child.stdin.end(`${line}\n`);
  await grows(to);
  return sftp;
}

async function grows(file: string): Promise<void> {
  await eventually('the transfer', () => (existsSync(file) && statSync(file).size > 0) || undefined);
}

function large(file: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, '');
  truncateSync(file, 512 * 1024 * 1024);
}

function connected(port: number): Promise<Socket | undefined> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(socket)).once('error', () => resolve(undefined));
  });
}
