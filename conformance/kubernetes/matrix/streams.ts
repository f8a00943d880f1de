import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { eventually, run, type Ran } from '../../harness.ts';
import { pythonForwards, type Forwarded } from '../python/forward.ts';
import { asText, type MatrixCase, type Shown, type Workplace } from './case.ts';
import { pod } from './manifests.ts';

const needsNode = true as const;

/** What goes on inside pods: logs, commands, files, ports. */
export const streamCases: readonly MatrixCase[] = [
  { name: 'logs', needsNode, failing: ['no such container', 'no such pod'], run: logs },
  { name: 'logs -f', quick: ['1.32'], needsNode, run: follow },
  {
    name: 'exec',

    needsNode,
    failing: [
      'no such container',
      'no such pod',
      'no such program',
      'exit 1',
      'exit 7',
      'exit 126',
      'exit 255',
      'killed',
      'stdin',
      'deployment',
    ],
    run: exec,
  },
  { name: 'exec, large', needsNode, failing: ['cut short'], run: large },
  { name: 'exec -it', quick: ['1.32', '1.20'], needsNode, failing: ['sizes', 'interrupted', 'shell'], run: terminal },
  { name: 'attach', needsNode, failing: ['no such pod'], run: attach },
  { name: 'cp', quick: ['1.32', '1.20'], needsNode, run: copy },
  { name: 'port-forward', quick: ['1.32', '1.20'], needsNode, failing: ['no such pod'], run: portForward },
  {
    name: 'port-forward over channels',
    quick: ['1.32'],
    needsNode,
    only: { version: '1.32', because: 'Python’s client does it, not kubectl' },
    run: portForwardOverChannels,
  },
  { name: 'port-forward to PostgreSQL', needsNode, failing: ['error'], run: postgres },
  {
    name: 'debug',
    needsNode,
    only: { version: '1.32', because: 'kubectl 1.20 knows the alpha form of ephemeral containers alone' },
    run: debug,
  },
  { name: 'run --rm -it', needsNode, failing: ['plain'], run: runAndRemove },
];

async function logs(at: Workplace): Promise<Shown> {
  await started(at, pod('talk', 'for i in 1 2 3 4 5; do echo line $i; done; sleep 0.5; echo complaint >&2; exec sleep 600'));
  await eventually('its lines', async () => ((await at.raw(['logs', 'talk'])).stdout.includes('complaint') ? true : undefined));
  return {
    whole: await at.shown('logs', 'talk'),
    tail: await at.shown('logs', 'talk', '--tail=2'),
    limited: await at.shown('logs', 'talk', '--limit-bytes=9'),
    timestamps: await at.shown('logs', 'talk', '--timestamps', '--tail=1'),
    since: await at.shown('logs', 'talk', '--since=1h'),
    selector: await at.shown('logs', '-l', 'app=web'),
    'no such container': await at.shown('logs', 'talk', '-c', 'other'),
    'no such pod': await at.shown('logs', 'nobody'),
  };
}

async function follow(at: Workplace): Promise<Shown> {
  // Goes on when a file appears, so that it is told while it is followed.
  const step = (name: string): string => `while [ ! -e ${name} ]; do sleep 0.05; done; echo ${name}`;
  await started(at, pod('talk', `echo begin; ${step('one')}; ${step('two')}`, '  restartPolicy: Never\n'));
  const following = at.kubectl.start(['logs', '-f', 'talk']);
  await eventually('the beginning', () => (following.stdout().includes('begin') ? true : undefined));
  for (const name of ['one', 'two']) {
    await at.raw(['exec', 'talk', '--', 'touch', name]);
    await eventually(name, () => (following.stdout().includes(`${name}\n`) ? true : undefined));
  }
  return { followed: at.clean(asText(await following.done)) };
}

async function exec(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const shell = (script: string): Promise<string> => at.shown('exec', 'web', '--', 'sh', '-c', script);
  const shown: Record<string, string> = {
    plain: await at.shown('exec', 'web', '--', 'echo', 'a b', 'c*'),
    environment: await shell('echo $HOSTNAME'),
    'both outputs': await shell('echo out; echo err >&2'),
    'only errors': await shell('echo err >&2'),
    nothing: await shell('true'),
    'container named': await at.shown('exec', 'web', '-c', 'main', '--', 'echo', 'here'),
    'no such container': await at.shown('exec', 'web', '-c', 'other', '--', 'echo', 'here'),
    'no such pod': await at.shown('exec', 'nobody', '--', 'echo'),
    'no such program': await at.shown('exec', 'web', '--', 'no-such-program'),
  };
  for (const code of [0, 1, 7, 126, 255]) shown[`exit ${code}`] = await shell(`exit ${code}`);
  shown['killed'] = await shell('kill -9 $$');
  shown['stdin'] = at.clean(asText(await at.raw(['exec', '-i', 'web', '--', 'sh', '-c', 'tr a-z A-Z; exit 3'], 'typed\nlines')));
  shown['stdin, empty'] = at.clean(asText(await at.raw(['exec', '-i', 'web', '--', 'wc', '-c'], '')));
  // A program that ends at once races with kubectl's sending: 1.20 then says, now and then, that it wrote to a closed stream.
  shown['stdin, not read'] = at.clean(asText(await at.raw(['exec', '-i', 'web', '--', 'sleep', '0.3'], 'not read')));
  shown['deployment'] = await at.shown('exec', 'deploy/nothing', '--', 'true');
  return shown;
}

/** More than any buffer on the way, in each direction. */
async function large(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const bytes = randomBytes(24 * 1024 * 1024);
  const file = at.file('large', bytes);
  const piped = async (input: string | undefined, ...parameters: readonly string[]): Promise<string> => {
    const child = spawn('timeout', ['90', at.kubectl.program, ...parameters], { env: at.kubectl.env });
    child.stdin.on('error', () => {});
    if (input === undefined) child.stdin.end();
    else createReadStream(input).pipe(child.stdin);
    const hash = createHash('sha256');
    let octets = 0;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      octets += chunk.length;
    }
    const status = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('close', resolve)));
    return at.clean(`status ${status}, ${octets} octets ${hash.digest('hex') === sha256(bytes) ? 'as they were' : ''}\n${errors}`);
  };
  return {
    'there and back': await piped(file, 'exec', '-i', 'web', '--', 'cat'),
    'only out': await piped(undefined, 'exec', 'web', '--', 'head', '-c', '30000000', '/dev/zero'),
    'only in': at.clean(asText(await runWith(at, file, ['exec', '-i', 'web', '--', 'wc', '-c']))),
    'cut short': (await piped(undefined, 'exec', 'web', '--', 'sh', '-c', 'yes | head -n 2000000; exit 9')).replace(/as they were/, ''),
  };
}

async function terminal(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const script =
    'until stty size | grep -x "33 91"; do sleep 0.05; done; read word; until stty size | grep -x "40 100"; do sleep 0.05; done; echo "[$word]"; tty >/dev/null && echo a terminal; echo to stderr >&2; exit 5';
  const one = await at.kubectl.onTerminal(
    ['exec', '-it', 'web', '--', 'sh', '-c', script],
    [{ after: '33 91', type: 'word\r', size: '100 40' }],
  );
  const interrupted = await at.kubectl.onTerminal(
    ['exec', '-it', 'web', '--', 'sh', '-c', 'trap "echo interrupted; exit 4" INT; echo ready; sleep 60 & wait'],
    [{ after: 'ready', type: '\u0003' }],
  );
  const shell = await at.kubectl.onTerminal(
    ['exec', '-it', 'web', '--', 'env', 'PS1=> ', 'sh'],
    [
      { after: '> ', type: 'echo $((6 * 7))\r' },
      { after: '42', type: 'exit 6\r' },
    ],
  );
  return {
    sizes: at.clean(`status ${one.status}\n${one.shown}`),
    interrupted: at.clean(`status ${interrupted.status}\n${interrupted.shown}`),
    // When busybox draws its prompt is a race with what is typed, and it draws it once more when it hears of the terminal's size.
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    shell: at.clean(`status ${shell.status}\n${shell.shown.replaceAll(/(?:> |\u001b\[6n|\u001b\[J|\r(?=> ))+/g, '')}`),
  };
}

async function attach(at: Workplace): Promise<Shown> {
  const echo = 'while read word; do echo "heard $word"; [ "$word" = end ] && exit 0; done';
  await started(at, pod('ears', echo, '      stdin: true\n  restartPolicy: Never\n'));
  const child = at.kubectl.start(['attach', '-i', 'ears'], { input: 'one\ntwo\nend\n' });
  const ran = await child.done;
  const heard = (await at.raw(['logs', 'ears'])).stdout;
  return { attached: at.clean(asText({ ...ran, stderr: '' })), logs: at.clean(heard), 'no such pod': await at.shown('attach', 'nobody') };
}

async function copy(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const bytes = randomBytes(3 * 1024 * 1024);
  const [there, back] = [at.file('there', bytes), `${at.folder}/back`];
  const shown: Record<string, string> = {
    in: await at.shown('cp', there, 'web:copied'),
    digest: (await at.raw(['exec', 'web', '--', 'sha256sum', 'copied'])).stdout.startsWith(sha256(bytes)) ? 'same' : 'other',
    out: await at.shown('cp', 'web:copied', back),
    back: sha256(readFileSync(back)) === sha256(bytes) ? 'same' : 'other',
    // Whether tar's complaint is still shown is a race of kubectl's own.
    missing: `status ${(await at.raw(['cp', 'web:nothing', `${at.folder}/nothing`])).status}`,
  };
  await run(
    'sh',
    ['-c', `mkdir -p '${at.folder}/tree/deep' && echo one > '${at.folder}/tree/a' && echo two > '${at.folder}/tree/deep/b'`],
    process.env,
  );
  shown['folder in'] = await at.shown('cp', `${at.folder}/tree`, 'web:tree');
  shown['folder'] = await at.shown('exec', 'web', '--', 'sh', '-c', 'cd tree && cat a deep/b && find . | sort');
  shown['folder out'] = await at.shown('cp', 'web:tree', `${at.folder}/tree2`);
  shown['same folder'] = at.clean(asText(await run('diff', ['-r', `${at.folder}/tree`, `${at.folder}/tree2`], process.env)));
  return shown;
}

async function portForward(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const shown: Record<string, string> = {};
  await forwarded(at, at.httpPort, async (port) => {
    const get = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();
    shown['one'] = await get();
    shown['at once'] = (await Promise.all(Array.from({ length: 8 }, get))).join('');
    const large = Buffer.from(await (await fetch(`http://127.0.0.1:${port}/large`)).arrayBuffer());
    shown['large'] = `${large.length} octets ${sha256(large)}`;
    const sent = await fetch(`http://127.0.0.1:${port}/count`, { method: 'POST', body: Buffer.alloc(5_000_000, 'x') });
    shown['sent'] = await sent.text();
  });
  const refused = at.kubectl.start(['port-forward', 'pod/web', ':9']);
  const port = await eventually('a port', () => /127\.0\.0\.1:(\d+) ->/.exec(refused.stdout())?.[1]);
  await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
  await eventually('the reason', () => (refused.stderr().includes('refused') ? true : undefined));
  refused.process.kill();
  shown['refused'] = /connect: connection refused/.exec((await refused.done).stderr)?.[0] ?? '';
  shown['no such pod'] = await at.shown('port-forward', 'pod/nobody', ':80');
  return shown;
}

/** As clients in other languages than Go do it: Python's `kubernetes`. */
async function portForwardOverChannels(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const requests = [
    ['GET', '/', 0],
    ['GET', '/large', 0],
    ['POST', '/count', 5_000_000],
    ['GET', '/', 0],
  ] as const;
  const port = at.httpPort;
  const [one, both, refused] = await pythonForwards(at.kubectl.env, { pod: 'web', namespace: at.namespace }, [
    { ports: [port], requests },
    { ports: [9, port], requests },
    { ports: [9], waits: true },
  ]);
  const shown = (forwarded: Forwarded | undefined): string =>
    `status ${forwarded !== undefined && 'refused' in forwarded ? 1 : 0}\n${JSON.stringify(forwarded).replaceAll(String(port), 'PORT')}`;
  return { one: shown(one), both: shown(both), refused: shown(refused) };
}

async function postgres(at: Workplace): Promise<Shown> {
  if (at.postgres === undefined) throw new Error('there is no PostgreSQL server in this world');
  const { user, password, port: target } = at.postgres;
  await started(at, pod('database', 'exec sleep 600'));
  const shown: Record<string, string> = {};
  await forwarded(at, target, async (port) => {
    const env = {
      ...process.env,
      PGPASSWORD: password,
      PGHOST: '127.0.0.1',
      PGPORT: port,
      PGUSER: user,
      PGDATABASE: 'postgres',
      PGSSLMODE: 'disable',
    };
    const sql = async (text: string): Promise<string> =>
      asText(await run('psql', ['-X', '-A', '-t', '-c', text], env)).replaceAll(port, 'PORT');
    shown['select'] = await sql('select 6 * 7');
    shown['rows'] = await sql("select sum(n), md5(string_agg(n::text, ',')) from generate_series(1, 200000) n");
    shown['error'] = await sql('select 1 / 0');
  });
  return shown;
}

async function debug(at: Workplace): Promise<Shown> {
  await started(at, pod('web', 'exec sleep 600'));
  const parameters = ['debug', 'web', '--image=busybox', '--profile=general', '-c', 'looking'];
  return {
    debugged: at.clean(asText(await at.raw([...parameters, '-i', '--', 'sh', '-c', 'read word; echo "heard $word"'], 'word\n'))),
    containers: await at.shown(
      'get',
      'pod',
      'web',
      '-o',
      'jsonpath={.spec.ephemeralContainers[*].name} {.spec.ephemeralContainers[*].image}',
    ),
    again: await at.shown(...parameters, '--', 'true'),
    copied: await at.shown(
      'debug',
      'web',
      '--image=busybox',
      '--profile=general',
      '--copy-to=web-copy',
      '-c',
      'looking',
      '--',
      'sleep',
      '600',
    ),
    pods: await at.shown('get', 'pods', '-o', 'name'),
  };
}

async function runAndRemove(at: Workplace): Promise<Shown> {
  const plain = await at.raw(
    ['run', 'once', '--rm', '-i', '--restart=Never', '--image=busybox', '--', 'sh', '-c', 'read word; echo "heard $word"; exit 3'],
    'word\n',
  );
  const onTerminal = await at.kubectl.onTerminal(
    ['run', 'twice', '--rm', '-it', '--restart=Never', '--image=busybox', '--', 'sh', '-c', 'read word; echo "heard $word"'],
    [{ after: 'press', type: 'again\r' }],
  );
  return {
    // Whether its first words come from the stream or from its log is a race of kubectl's own.
    plain: at.clean(`status ${plain.status} ${plain.stdout.match(/heard \w+/g)?.[0]}`),
    terminal: at.clean(`status ${onTerminal.status} ${onTerminal.shown.match(/heard \w+/g)?.[0]}`),
    left: await at.shown('get', 'pods', '-o', 'name'),
  };
}

async function forwarded(at: Workplace, target: number, use: (port: string) => Promise<void>): Promise<void> {
  const running = at.kubectl.start(['port-forward', 'pod/' + (await firstPod(at)), `:${target}`]);
  const port = await eventually('a port', () => /127\.0\.0\.1:(\d+) ->/.exec(running.stdout())?.[1]).catch((error: Error) => {
    throw new Error(`${error.message}: ${running.stderr()}`);
  });
  try {
    await use(port);
  } finally {
    running.process.kill();
    await running.done;
  }
}

async function firstPod(at: Workplace): Promise<string> {
  return (await at.raw(['get', 'pods', '-o', 'jsonpath={.items[0].metadata.name}'])).stdout;
}

async function runWith(at: Workplace, file: string, parameters: readonly string[]): Promise<Ran> {
  return run('sh', ['-c', 'exec timeout 90 "$@" < "$FILE"', 'sh', at.kubectl.program, ...parameters], { ...at.kubectl.env, FILE: file });
}

async function started(at: Workplace, manifest: string): Promise<void> {
  const file = at.file('pod.yaml', manifest);
  const ran = await at.raw(['apply', '-f', file]);
  if (ran.status !== 0) throw new Error(`kubectl apply: ${ran.stderr}`);
  await eventually('the pod', async () => {
    const { stdout } = await at.raw(['get', '-f', file, '-o', 'jsonpath={.status.phase}']);
    return stdout === 'Running' || stdout === 'Succeeded' ? true : undefined;
  });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
