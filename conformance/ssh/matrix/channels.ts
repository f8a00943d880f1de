import { setTimeout as pause } from 'node:timers/promises';
import type { SshCase } from './case.ts';

/** More than one channel, and what is no session. */
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

/** The machine that `ProxyJump` leads to: set by whoever runs the cases. */
export const beyond = { port: 0, user: '', identity: '' };
