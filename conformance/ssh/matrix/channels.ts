import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import type { SshCase, SshWorkplace } from './case.ts';

/** A port at which everything comes back, with a greeting. It is beyond the machine as well as here. */
async function withEcho<T>(work: (port: number) => Promise<T>): Promise<T> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('echo\n');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(reserved.echo, '127.0.0.1', resolve));
  try {
    return await work(reserved.echo);
  } finally {
    server.close();
  }
}

/** Runs a client that forwards in the background, does `work`, and ends it. */
async function whileForwarding(at: SshWorkplace, options: readonly string[], ready: string, work: () => Promise<string>): Promise<string> {
  let stop = (): void => {};
  const running = at.door.ssh([`sleep 30`], {
    options: ['-o', 'ExitOnForwardFailure=yes', ...options],
    started: (child) => (stop = () => void child.kill('SIGTERM')),
  });
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

const talk = (port: number): readonly string[] => [
  '-c',
  `exec 3<>/dev/tcp/127.0.0.1/${port}; head -n 1 <&3; echo hello >&3; head -n 1 <&3`,
];
const opens = (port: number): string => `exec 3<>/dev/tcp/127.0.0.1/${port}`;

/** More than one channel, and what is no session. The gateway's configuration names the echoing ports' address, else loopback is refused. */
export const channelCases: readonly SshCase[] = [
  {
    name: 'multiplexing: many commands over one connection',
    async run({ door, folder, ssh }) {
      const control = ['-o', `ControlPath=${folder}/c`];
      const master = door.ssh([], { options: ['-M', '-N', ...control, '-o', 'ControlPersist=no'], timeoutMs: 120_000 });
      for (let tries = 0; tries < 100; tries++) {
        if ((await door.ssh([], { options: [...control, '-O', 'check'] })).code === 0) break;
        await pause(100);
      }
      const many = await Promise.all(
        Array.from({ length: 12 }, (_, number) => ssh([`echo ${number}; echo e${number} >&2; exit ${number}`], { options: control })),
      );
      const left = await door.ssh([], { options: [...control, '-O', 'exit'] });
      await master;
      return { many: many.join('\n'), left: String(left.code) };
    },
  },
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
    name: 'forwarding: -D, a SOCKS proxy',
    packages: ['curl'],
    run: async (at) =>
      await withEcho(async (echo) => {
        const port = await freePort();
        return await whileForwarding(at, ['-D', `127.0.0.1:${port}`], opens(port), async () => {
          const { stdout } = await at.raw('curl', [
            '-s',
            '--http0.9',
            '-m',
            '3',
            '--socks5-hostname',
            `127.0.0.1:${port}`,
            `http://127.0.0.1:${echo}/`,
          ]);
          return stdout.toString().split('\n')[0] ?? '';
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
  {
    name: 'forwarding: -R, a port at the machine',
    exception: 'listening at the target is not served: refused, and on record',
    run: async (at) =>
      await withEcho(async (echo) => {
        const port = reserved.remote;
        return await whileForwarding(
          at,
          ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`],
          opens(port),
          async () => await at.program('bash', talk(port)),
        );
      }),
  },
  {
    name: 'ProxyJump: through this machine to another one',
    async run({ door, folder, program, file }) {
      // The other machine is this one's own sshd again.
      const config = file(
        'jump',
        `${(await import('node:fs')).readFileSync(door.config, 'utf8')}Host beyond\n  HostName 127.0.0.1\n  Port ${beyond.port}\n  User ${beyond.user}\n  IdentityFile ${beyond.identity}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile ${folder}/known\n  StrictHostKeyChecking no\n  LogLevel ERROR\n  BatchMode yes\n  ProxyJump box\n`,
      );
      return await program('ssh', ['-F', config, 'beyond', 'echo beyond; exit 0']);
    },
  },
  {
    name: 'agent: asked for (-A)',
    exception: 'an agent is never forwarded to the target',
    run: ({ program, door }) =>
      program('ssh-agent', [
        'sh',
        '-c',
        `ssh-add -q ${door.identity}; ssh -F ${door.config} -o IdentityAgent=SSH_AUTH_SOCK -A box 'test -n "$SSH_AUTH_SOCK" && echo agent || echo none'`,
      ]),
  },
  {
    name: 'X11: asked for (-X)',
    packages: ['xauth'],
    exception: 'X11 is never forwarded: refused, and on record',
    run: async ({ door }) =>
      (await door.ssh(['test -n "$DISPLAY" && echo display || echo none'], { options: ['-X'], env: { DISPLAY: ':99' } })).stdout.toString(),
  },
];

/** Ports that the gateway's configuration names: one at which everything comes back, one to listen at on the machine, one that nobody listens at. Set by whoever runs the cases. */
export const reserved = { echo: 0, remote: 0, silent: 0 };

/** The machine that `ProxyJump` leads to: set by whoever runs the cases. */
export const beyond = { port: 0, user: '', identity: '' };
