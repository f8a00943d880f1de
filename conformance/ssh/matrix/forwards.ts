import type { ChildProcess } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import type { Ran } from '../program.ts';
import type { SshCase, SshWorkplace } from './case.ts';

/** A port, or a socket, at which everything comes back, with a greeting. It is beyond the machine as well as here. */
export async function withEcho<T>(work: (port: number) => Promise<T>, socket?: string): Promise<T> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('echo\n');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => {
    if (socket === undefined) server.listen(reserved.echo, '127.0.0.1', resolve);
    else server.listen({ path: socket, readableAll: true, writableAll: true }, resolve);
  });
  try {
    return await work(reserved.echo);
  } finally {
    server.close();
  }
}

/** Runs `ssh` with these options in the background, does `work` when the shell command `ready` succeeds, and ends it. */
export function whileForwarding(at: SshWorkplace, options: readonly string[], ready: string, work: () => Promise<string>): Promise<string> {
  return whileRunning(
    at,
    (started) => at.door.ssh(['sleep 30'], { options: ['-o', 'ExitOnForwardFailure=yes', ...options], started }),
    ready,
    work,
  );
}

export async function whileRunning(
  at: SshWorkplace,
  run: (started: (child: ChildProcess) => void) => Promise<Ran>,
  ready: string,
  work: () => Promise<string>,
): Promise<string> {
  let stop = (): void => {};
  const running = run((child) => (stop = () => void child.kill('SIGTERM')));
  const over = running.then(({ stderr }) => `the client ended: ${stderr.toString()}`);
  try {
    for (let tries = 0; ; tries++) {
      const { code } = await at.raw('bash', ['-c', ready]);
      if (code === 0) break;
      const ended = await Promise.race([over, pause(100).then(() => undefined)]);
      if (ended !== undefined) return ended;
      if (tries > 100) return 'the port did not open';
    }
    return await work();
  } finally {
    stop();
    await running;
  }
}

export const talk = (port: number): readonly string[] => [
  '-c',
  `exec 3<>/dev/tcp/127.0.0.1/${port}; head -n 1 <&3; echo hello >&3; head -n 1 <&3`,
];
export const opens = (port: number): string => `exec 3<>/dev/tcp/127.0.0.1/${port}`;
/** What curl is told first at an echoing port. */
export async function greeting(at: SshWorkplace, options: readonly string[], port = 80): Promise<string> {
  const { stdout } = await at.raw('curl', ['-s', '--http0.9', '-m', '3', ...options, `http://127.0.0.1:${port}/`]);
  return stdout.toString().split('\n')[0] ?? '';
}

/** Connections through the machine. The gateway's configuration names the echoing ports' address, else loopback is refused. */
export const forwardCases: readonly SshCase[] = [
  {
    name: 'forwarding: -L to a port beyond the machine',
    run: async (at) =>
      await withEcho(async (echo) => {
        const port = await freePort();
        return await whileForwarding(
          at,
          ['-L', `127.0.0.1:${port}:127.0.0.1:${echo}`],
          opens(port),
          async () => await at.program('bash', talk(port)),
        );
      }),
  },
  {
    quick: true,
    name: 'forwarding: -L to a socket of the machine',
    run: async (at) =>
      await withEcho(async () => {
        const port = await freePort();
        return await whileForwarding(
          at,
          ['-L', `127.0.0.1:${port}:${at.folder}/echo.sock`],
          opens(port),
          async () => await at.program('bash', talk(port)),
        );
      }, `${at.folder}/echo.sock`),
  },
  {
    name: 'forwarding: -L from a socket here',
    packages: ['curl'],
    run: async (at) =>
      await withEcho(async (echo) => {
        const socket = `${at.folder}/here.sock`;
        return await whileForwarding(
          at,
          ['-L', `${socket}:127.0.0.1:${echo}`],
          `test -S ${socket}`,
          async () => await greeting(at, ['--unix-socket', socket]),
        );
      }),
  },
  {
    name: 'forwarding: -D, a SOCKS proxy',
    packages: ['curl'],
    run: async (at) =>
      await withEcho(async (echo) => {
        const port = await freePort();
        return await whileForwarding(at, ['-D', `127.0.0.1:${port}`], opens(port), async () => {
          return await greeting(at, ['--socks5-hostname', `127.0.0.1:${port}`], echo);
        });
      }),
  },
  {
    quick: true,
    name: 'forwarding: -W, standard input and output as the connection',
    run: async ({ ssh }) =>
      await withEcho(async (echo) =>
        (await ssh([], { options: ['-W', `127.0.0.1:${echo}`], input: 'through\n' })).replaceAll(String(echo), 'PORT'),
      ),
  },
  {
    name: 'forwarding: a port that nobody listens on',
    fails: true,
    async run({ door }) {
      const port = reserved.silent;
      const { code } = await door.ssh([], { options: ['-W', `127.0.0.1:${port}`] });
      return `exit ${code}`;
    },
  },
];

/** Ports that the gateway's configuration names: one at which everything comes back, one that nobody listens at. Set by whoever runs the cases. */
export const reserved = { echo: 0, silent: 0 };
