import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../../src/cli/demo/free-port.ts';
import type { SshCase, SshWorkplace } from './case.ts';
import { dropbearKey, plinkWords } from './clients.ts';
import { greeting, opens, reserved, talk, whileForwarding, whileRunning, withEcho } from './forwards.ts';

/** Connections from the machine to here: it listens. */
export const listeningCases: readonly SshCase[] = [
  {
    quick: true,
    name: 'listening: -R, a port at the machine',
    run: (at) => atPort((port, echo) => listening(at, ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`], port)),
  },
  {
    name: 'listening: -R without an address, and with -N',
    run: (at) =>
      atPort((port, echo) =>
        whileRunning(
          at,
          (started) => at.door.ssh([], { options: ['-N', '-o', 'ExitOnForwardFailure=yes', '-R', `${port}:127.0.0.1:${echo}`], started }),
          opens(port),
          () => at.program('bash', talk(port)),
        ),
      ),
  },
  {
    name: 'listening: -R "*:port", all addresses',
    run: (at) => atPort((port, echo) => listening(at, ['-R', `*:${port}:127.0.0.1:${echo}`], port)),
  },
  {
    quick: true,
    name: 'listening: -R with a port alone, a SOCKS proxy for the machine',
    packages: ['curl'],
    run: (at) =>
      atPort((port, echo) =>
        whileForwarding(at, ['-R', `127.0.0.1:${port}`], opens(port), () => greeting(at, ['--socks5-hostname', `127.0.0.1:${port}`], echo)),
      ),
  },
  {
    quick: true,
    name: 'listening: -R, a socket at the machine',
    packages: ['curl'],
    run: (at) =>
      withEcho((echo) => {
        const socket = `${at.folder}/there.sock`;
        return whileForwarding(at, ['-R', `${socket}:127.0.0.1:${echo}`], `test -S ${socket}`, () =>
          greeting(at, ['--unix-socket', socket]),
        );
      }),
  },
  {
    name: 'listening: a socket at the machine to a socket here',
    packages: ['curl'],
    run: (at) => {
      const [here, there] = [`${at.folder}/echo.sock`, `${at.folder}/there.sock`];
      return withEcho(
        () => whileForwarding(at, ['-R', `${there}:${here}`], `test -S ${there}`, () => greeting(at, ['--unix-socket', there])),
        here,
      );
    },
  },
  {
    name: 'listening: much, both ways, over several connections at once',
    run: (at) =>
      atPort((port, echo) =>
        whileForwarding(at, ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`], opens(port), async () => {
          const one = `exec 3<>/dev/tcp/127.0.0.1/${port}; head -n 1 <&3; (head -c 3000000 /dev/zero | tr '\\0' x >&3) & head -c 3000000 <&3 | sha256sum`;
          return (await Promise.all(Array.from({ length: 6 }, () => at.program('bash', ['-c', one])))).join('\n');
        }),
      ),
  },
  {
    name: 'listening: to a port here at which nobody is',
    run: (at) =>
      atPort((port) =>
        whileForwarding(at, ['-R', `127.0.0.1:${port}:127.0.0.1:${reserved.silent}`], opens(port), () =>
          at.program('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; cat <&3`]),
        ),
      ),
  },
  {
    name: 'listening: a port that is in use, with ExitOnForwardFailure and without it',
    fails: true,
    run: (at) =>
      withEcho(async (echo) => {
        const options = ['-R', `127.0.0.1:${echo}:127.0.0.1:${echo}`];
        const exits = await at.door.ssh(['echo ran'], { options: ['-o', 'ExitOnForwardFailure=yes', ...options] });
        const goesOn = await at.door.ssh(['echo ran'], { options });
        const text = (bytes: Buffer): string => bytes.toString().replaceAll(String(echo), 'PORT');
        return `exit ${exits.code} ${text(exits.stdout)}${text(exits.stderr)}\nexit ${goesOn.code} ${text(goesOn.stdout)}${text(goesOn.stderr)}`;
      }),
  },
  {
    name: 'listening: two sessions want the same port',
    run: (at) =>
      atPort((port, echo) => {
        const options = ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`];
        return whileForwarding(at, options, opens(port), async () => {
          const { code } = await at.door.ssh(['true'], { options: ['-o', 'ExitOnForwardFailure=yes', ...options] });
          return `the second ends with ${code}; ${await at.program('bash', talk(port))}`;
        });
      }),
  },
  {
    quick: true,
    name: 'listening: asked for over a connection that is there already, and cancelled; a port of the machine’s choice',
    run: (at) =>
      atPort(async (port, echo) => {
        const { door, folder } = at;
        const control = ['-o', `ControlPath=${folder}/c`];
        const master = door.ssh([], { options: ['-M', '-N', ...control, '-o', 'ControlPersist=no'], timeoutMs: 120_000 });
        const command = (verb: string, words: readonly string[] = []) => door.ssh([], { options: [...control, '-O', verb, ...words] });
        for (let tries = 0; tries < 100 && (await command('check')).code !== 0; tries++) await pause(100);
        const place = ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`];
        const { code } = await command('forward', place);
        const there = await at.program('bash', talk(port));
        const cancelled = await command('cancel', place);
        const gone = await isGone(at, port);
        const chosen = Number((await command('forward', ['-R', `127.0.0.1:0:127.0.0.1:${echo}`])).stdout.toString().trim());
        const atChosen = await at.program('bash', talk(chosen));
        await command('exit');
        await master;
        return `forward ${code}; ${there}; cancel ${cancelled.code}; ${gone}; ${atChosen}`;
      }),
  },
  {
    name: 'listening: ended with its client',
    run: (at) =>
      atPort(async (port, echo) => {
        const said = await listening(at, ['-R', `127.0.0.1:${port}:127.0.0.1:${echo}`], port);
        return `${said}, then ${await isGone(at, port)}`;
      }),
  },
  {
    name: 'listening: PuTTY’s plink -R',
    packages: ['putty-tools'],
    run: (at) =>
      atPort(async (port, echo) => {
        await at.raw('puttygen', [at.door.identity, '-O', 'private', '-o', `${at.folder}/key.ppk`]);
        const options = ['-i', `${at.folder}/key.ppk`, '-N', '-R', `127.0.0.1:${port}:127.0.0.1:${echo}`];
        const words = await plinkWords(at, options, []);
        return await whileRunning(
          at,
          (started) => at.raw('plink', words, { env: { HOME: at.folder }, started }),
          opens(port),
          () => at.program('bash', talk(port)),
        );
      }),
  },
  {
    name: 'listening: dropbear’s dbclient -R',
    packages: ['dropbear-bin'],
    run: (at) =>
      atPort(async (port, echo) => {
        await dropbearKey(at);
        const { host, port: door, user } = at.door;
        const words = [
          '-y',
          '-N',
          '-i',
          'dropbear.key',
          '-R',
          `127.0.0.1:${port}:127.0.0.1:${echo}`,
          '-p',
          String(door),
          `${user}@${host}`,
        ];
        return await whileRunning(
          at,
          (started) => at.raw('dbclient', words, { env: { HOME: at.folder }, started }),
          opens(port),
          () => at.program('bash', talk(port)),
        );
      }),
  },
  ...['paramiko', 'asyncssh'].map((name): SshCase => ({
    name: `listening: ${name}, a port of the machine’s choice, and cancelled`,
    packages: [`python3-${name}`],
    run: ({ program, door }) =>
      program('/usr/bin/python3', [
        join(import.meta.dirname, '..', 'peers', 'listen.py'),
        name,
        door.host,
        String(door.port),
        door.user,
        door.identity,
        door.knownHosts,
      ]),
  })),
];

const atPort = (work: (port: number, echo: number) => Promise<string>): Promise<string> =>
  withEcho(async (echo) => await work(await freePort(), echo));

function listening(at: SshWorkplace, options: readonly string[], port: number): Promise<string> {
  return whileForwarding(at, options, opens(port), () => at.program('bash', talk(port)));
}

async function isGone(at: SshWorkplace, port: number): Promise<string> {
  for (let tries = 0; tries < 50; tries++) {
    if ((await at.raw('bash', ['-c', opens(port)])).code !== 0) return 'gone';
    await pause(100);
  }
  return 'still there';
}
