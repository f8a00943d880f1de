import type { SshCase } from './case.ts';

/** A shell that shows the same to everyone. */
const plainShell = 'env -i TERM=xterm-256color PS1=ready: /bin/bash --norc --noprofile -i';
const prompt = { expect: 'ready:' } as const;

/** People at terminals. */
export const terminalCases: readonly SshCase[] = [
  {
    name: 'terminal: an interactive shell, line editing and history',
    quick: true,
    fails: true,
    run: ({ terminal }) =>
      terminal([plainShell], {
        steps: [
          prompt,
          { send: 'echo onx\x7fe\r' },
          { expect: 'one\r\n' },
          prompt,
          { send: '\x1b[A' },
          { expect: 'echo one' },
          { send: '\r' },
          { expect: 'one\r\n' },
          prompt,
          { send: 'exit 4\r' },
          { end: true },
        ],
      }),
  },
  {
    name: 'terminal: the login shell',
    async run({ terminal }) {
      const steps = [
        { expect: '' },
        { send: 'echo "in a shell: $((40+2))"; exit\r' },
        { expect: 'in a shell: 42' },
        { end: true },
      ] as const;
      const text = await terminal([], { steps });
      return /in a shell: 42/.test(text) ? 'a shell answered' : text;
    },
  },
  {
    name: 'terminal: its size at the start and when it changes',
    quick: true,
    run: ({ terminal }) =>
      terminal([`stty size; trap 'stty size; exit 0' WINCH; echo waiting; while :; do sleep 0.1; done`], {
        size: [101, 37],
        steps: [{ expect: 'waiting' }, { resize: [133, 51] }, { expect: '51 133' }, { end: true }],
      }),
  },
  {
    name: 'terminal: Ctrl-C ends what runs, not the session',
    quick: true,
    run: ({ terminal }) =>
      terminal([plainShell], {
        steps: [
          prompt,
          // It may be interrupted from before it says so.
          { send: `sh -c 'trap "exit 130" INT; echo up; sleep 60'\r` },
          { expect: 'up\r\n' },
          { send: '\x03' },
          { expect: '^C' },
          prompt,
          { send: 'echo still here; exit 0\r' },
          { expect: 'here\r\n' },
          { end: true },
        ],
      }),
  },
  {
    name: 'terminal: Ctrl-D is the end of input',
    run: ({ terminal }) =>
      terminal(['cat; echo over'], {
        steps: [{ send: 'a line\r' }, { expect: 'a line\r\na line' }, { send: '\x04' }, { expect: 'over' }, { end: true }],
      }),
  },
  {
    name: 'terminal: job control',
    run: ({ terminal }) =>
      terminal([plainShell], {
        steps: [
          prompt,
          { send: '(echo up; exec sleep 60)\r' },
          { expect: 'up\r\n' },
          { send: '\x1a' },
          { expect: 'Stopped' },
          prompt,
          { send: 'fg\r' },
          { expect: 'sleep 60 )' },
          { send: '\x03' },
          prompt,
          { send: 'exit 0\r' },
          { end: true },
        ],
      }),
  },
  {
    name: 'terminal: hidden input (a password prompt)',
    run: ({ terminal }) =>
      terminal([`stty -echo; printf 'secret? '; read -r x; stty echo; echo; echo "\${#x} characters"`], {
        steps: [{ expect: 'secret? ' }, { send: 'hunter2\r' }, { expect: '7 characters' }, { end: true }],
      }),
  },
  {
    name: 'terminal: a full-screen program (less), searched and left',
    packages: ['less'],
    run: ({ terminal }) =>
      terminal([`seq 1 500 | LESS= LESSHISTFILE=- less -X`], {
        size: [60, 20],
        steps: [{ expect: '19\r\n' }, { send: '/^250$\r' }, { expect: '250' }, { send: 'q' }, { end: true }],
      }).then((text) => (/"?exit 0/.test(text) ? 'shown, searched and left' : text)),
  },
  {
    name: 'terminal: a full-screen editor (vi) writes a file',
    packages: ['vim-tiny'],
    async run({ terminal, folder, raw }) {
      const text = await terminal([`vim.tiny -u NONE -N ${folder}/edited`], {
        steps: [{ expect: '~' }, { send: 'ihello\x1b' }, { send: ':wq\r' }, { end: true }],
      });
      return { ends: text.split('\n')[0] ?? '', file: (await raw('cat', [`${folder}/edited`])).stdout.toString() };
    },
  },
  {
    name: 'terminal: colours and sequences arrive as they are',
    run: ({ terminal }) =>
      terminal([`printf '\\033[1;31mred\\033[0m \\033[2K\\033[10;20H\\033]0;title\\007 \\342\\234\\223 done\\n'`], {
        steps: [{ expect: 'done' }, { end: true }],
      }),
  },
  {
    name: 'terminal: modes that the client has set reach the machine',
    run: ({ terminal }) =>
      terminal(['stty -a | tr ";" "\\n" | grep -E "erase|intr|speed"'], { steps: [{ expect: 'erase' }, { end: true }] }),
  },
  {
    name: 'terminal: 1 MB of it',
    run: ({ terminal }) =>
      terminal(['seq 1 150000; echo finished'], { steps: [{ expect: 'finished' }, { end: true }] }).then(
        (text) => `${text.split('\n')[0]} ${text.length}`,
      ),
  },
  {
    name: 'terminal: the escape ~. leaves',
    fails: true,
    run: ({ terminal }) => terminal(['cat'], { steps: [{ send: '\r~.' }, { end: true }] }).then((text) => text.split('\n')[0] ?? ''),
  },
];
