import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { SshCase } from './case.ts';

/** Every value of a byte, and enough of them for several windows. */
const binary = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, value) => value)), randomBytes(3_000_000)]);

/** Commands without a terminal: how they end, what goes in and what comes out. */
export const commandCases: readonly SshCase[] = [
  { name: 'exec: output and error output', quick: true, run: ({ ssh }) => ssh(['echo out; echo err >&2']) },
  ...[0, 1, 7, 126, 255].map((status): SshCase => ({
    name: `exec: exit status ${status}`,
    ...(status === 0 ? {} : { fails: true }),
    ...(status === 7 ? { quick: true } : {}),
    run: ({ ssh }) => ssh([`exit ${status}`]),
  })),
  ...['TERM', 'KILL', 'SEGV', 'USR1'].map((signal): SshCase => ({
    name: `exec: dies of SIG${signal}`,
    fails: true,
    run: ({ ssh }) => ssh([`kill -${signal} $$`]),
  })),
  {
    name: 'exec: words with blanks, quotes and non-ASCII',
    run: ({ ssh }) => ssh(['printf', '"%s|"', '"a b"', `'c "d"'`, 'é', '"€ ✓"', '$((1+1))']),
  },
  { name: 'exec: an empty line of output, and none', run: async ({ ssh }) => ({ empty: await ssh(['echo']), none: await ssh(['true']) }) },
  {
    name: 'exec: several lines, substitutions, here-documents',
    run: ({ ssh }) => ssh(['cat <<E\n$(echo one)\ntwo\nE\nfor i in 1 2 3; do echo $i; done | tac']),
  },
  { name: 'exec: a command that is not there', fails: true, run: ({ ssh }) => ssh(['no-such-command-here']) },
  {
    name: 'exec: a long command line',
    exception: 'a command line may have some 35,000 bytes, which is what a packet of ssh2 holds',
    run: ({ ssh }) => ssh([`echo ${'x'.repeat(100_000)} | wc -c`]),
  },
  { name: 'stdin: binary, through cat', quick: true, run: ({ ssh }) => ssh(['cat'], { input: binary }) },
  { name: 'stdin: read by a program that ends before it is at its end', run: ({ ssh }) => ssh(['head -c 10 | od -c'], { input: binary }) },
  { name: 'stdin: empty', run: ({ ssh }) => ssh(['cat; echo over']) },
  { name: 'stdin: not read (-n)', run: ({ ssh }) => ssh(['cat; echo over'], { options: ['-n'], input: 'unread' }) },
  {
    name: 'stdin: its end comes before output begins',
    run: ({ ssh }) => ssh(['cat >/dev/null; sleep 0.3; echo after the end'], { input: 'x' }),
  },
  { name: 'stdin: output is closed first', run: ({ ssh }) => ssh(['exec 1>&-; cat >&2'], { input: 'to the other stream' }) },
  { name: 'output: 60 MB', run: ({ ssh }) => ssh(['head -c 60000000 /dev/zero | tr "\\0" x']) },
  { name: 'output: both streams at once', run: ({ ssh }) => ssh(['(seq 1 200000) & (seq 1 200000 >&2) & wait']) },
  { name: 'output: lines that come slowly', run: ({ ssh }) => ssh(['for i in 1 2 3; do echo $i; sleep 0.1; done']) },
  {
    name: 'output: error output after the end of output',
    run: ({ ssh }) => ssh(['echo a; exec 1>&-; sleep 0.2; echo b >&2; exit 3']),
    fails: true,
  },
  {
    name: 'output: a reader that goes away',
    run: ({ program, door }) =>
      program('bash', [
        '-c',
        `set -o pipefail; ssh -F ${door.config} box 'seq 1 3000000' | head -n 3; test $? -eq 0 && echo ended || echo broken off`,
      ]),
  },
  {
    name: 'a process that goes on in the background does not hold the session',
    run: ({ ssh }) => ssh(['nohup sleep 30 >/dev/null 2>&1 </dev/null & echo started']),
  },
  {
    name: 'a shell without a terminal, commands as input',
    quick: true,
    run: ({ ssh }) => ssh([], { input: 'echo in a shell\nexit 5\n' }),
    fails: true,
  },
  {
    name: 'environment: what the machine takes',
    quick: true,
    run: ({ ssh }) =>
      ssh(['echo "$SALLYPORT_TEST|$LC_TIME"'], {
        options: ['-o', 'SendEnv=SALLYPORT_TEST', '-o', 'SetEnv=LC_TIME=C'],
        env: { SALLYPORT_TEST: 'a b ü' },
      }),
  },
  {
    name: 'environment: what the machine does not take',
    run: ({ ssh }) => ssh(['echo "[$LD_PRELOAD$OTHER]"'], { options: ['-o', 'SetEnv=OTHER=x'] }),
  },
  {
    name: 'the client is interrupted, and the command ends',
    fails: true,
    async run({ door, folder, raw }) {
      const pid = `${folder}/pid`;
      const begun = async (child: ChildProcess): Promise<void> => {
        while (!existsSync(pid) && child.exitCode === null) await pause(20);
      };
      const { code, signal } = await door.ssh([`echo $$ > ${pid}; exec sleep 60`], {
        started: (child) => void begun(child).then(() => child.kill('SIGINT')),
      });
      const alive = await raw('sh', ['-c', `kill -0 "$(cat ${pid})" 2>/dev/null && echo alive || echo gone`]);
      // What runs without a terminal may outlive its connection: that is the machine's business.
      return { ends: `exit ${signal ?? code}`, command: alive.stdout.length > 0 ? 'told' : 'unknown' };
    },
  },
  {
    name: 'twenty at once',
    run: async ({ ssh }) => (await Promise.all(Array.from({ length: 20 }, (_, number) => ssh([`echo ${number}; exit 0`])))).join('\n'),
  },
  { name: 'compression is asked for', run: ({ ssh }) => ssh(['seq 1 1000'], { options: ['-C'] }) },
  { name: 'keys are exchanged anew every 300 KB', run: ({ ssh }) => ssh(['cat'], { options: ['-o', 'RekeyLimit=300K'], input: binary }) },
  {
    name: 'the client asks whether the server is alive',
    run: ({ ssh }) => ssh(['sleep 3; echo there'], { options: ['-o', 'ServerAliveInterval=1', '-o', 'ServerAliveCountMax=3'] }),
  },
];
