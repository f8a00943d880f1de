import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Door } from './door.ts';
import { runProgram, type Ran } from './program.ts';

export const card = '4111 1111 1111 1111';
export const masked = '**** **** **** 1111';
/** Of the machine's user, with a name that is this run's own. */
export const name = `sallyport-files-${process.pid}`;
export const remote = join(userInfo().homedir, name);
export const at = (...names: readonly string[]): string => join(remote, ...names);

/** The machine's folder, the same each time. */
export function prepare(): void {
  rmSync(remote, { recursive: true, force: true });
  for (const folder of ['', 'tree', 'tree/deep', 'secret', 'held', 'in']) mkdirSync(at(folder));
  writeFileSync(at('text'), `first\nof ${card}\n`, { mode: 0o640 });
  writeFileSync(at('binary'), Buffer.from(Array.from({ length: 300_000 }, (_, byte) => (byte * byte) % 256)));
  writeFileSync(at('tree', 'a b'), 'with a blank\n');
  writeFileSync(at('tree', 'deep', 'script'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(at('secret', 'key'), 'the key\n');
  writeFileSync(at('held', 'file'), 'held\n');
  symlinkSync('secret', at('way'));
  for (const file of [at('text'), at('binary'), at('tree', 'a b'), at('tree', 'deep', 'script')])
    utimesSync(file, 1_600_000_000, 1_600_000_001);
  chmodSync(at('tree', 'deep'), 0o750);
}

/** Names, modes, contents and times of all that lies in a folder. */
function picture(folder: string): string {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => !/(?:^|\/)\.git\/|\.git\//.test(path) && !path.endsWith('way'))
    .sort()
    .map((path) => {
      const stat = lstatSync(join(folder, path));
      const content = stat.isFile()
        ? createHash('sha256')
            .update(readFileSync(join(folder, path)))
            .digest('hex')
            .slice(0, 12)
        : 'folder';
      const time = stat.isFile() && stat.mtimeMs < 1_700_000_000_000 ? ` ${Math.floor(stat.mtimeMs / 1000)}` : '';
      return `${path} ${(stat.mode & 0o7777).toString(8)} ${content}${time}`;
    })
    .join('\n');
}

export type Run = (door: Door, local: string) => Promise<Ran>;
export const sftp =
  (...lines: readonly string[]): Run =>
  (door, local) =>
    runProgram('sftp', ['-F', door.config, '-b', '-', 'box'], { cwd: local, input: lines.join('\n') });
export const scp =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('scp', ['-F', door.config, ...words], { cwd: local });
export const rsync =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('rsync', ['-e', `ssh -F ${door.config}`, ...words], { cwd: local });
export const git =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.test', '-c', 'init.defaultBranch=main', ...words], {
      cwd: local,
      env: { GIT_SSH_COMMAND: `ssh -F ${door.config}`, GIT_CONFIG_NOSYSTEM: '1', HOME: local },
    });
export const python =
  (program: string): Run =>
  (door, local) =>
    runProgram(
      '/usr/bin/python3',
      [
        '-c',
        `import paramiko, sys\nc = paramiko.SSHClient()\nc.load_host_keys(${JSON.stringify(door.knownHosts)})\nc.connect(${JSON.stringify(door.host)}, ${door.port}, ${JSON.stringify(door.user)}, pkey=paramiko.Ed25519Key.from_private_key_file(${JSON.stringify(door.identity)}), allow_agent=False, look_for_keys=False)\ns = c.open_sftp()\n${program}\nc.close()`,
      ],
      { cwd: local },
    );

/** Everything that a client and the files on both sides show of it. */
export async function shownOf(run: Run, door: Door, parent: string): Promise<string> {
  prepare();
  const local = join(parent, `local-${door.name}`);
  rmSync(local, { recursive: true, force: true });
  mkdirSync(local);
  const { code, signal, stdout, stderr } = await run(door, local);
  const texts = [stdout, stderr].map((bytes) => clean(bytes.toString(), local));
  return [`exit ${signal ?? code}`, ...texts, picture(local), '--', picture(remote)].join('\n');
}

/** Without what differs from one run to the next. */
function clean(text: string, local: string): string {
  return text.replaceAll(local, 'LOCAL').replaceAll(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d/g, 'TIME');
}

/** One after the other; the last one's answer. */
function inOrder(first: Run, ...others: readonly Run[]): Run {
  return async (door, local) => {
    let ran = await first(door, local);
    for (const run of others) ran = await run(door, local);
    return ran;
  };
}

/** An Ansible play that copies, fills a template, fetches and looks. */
const ansible: Run = (door, local) => {
  const tasks = [
    { copy: { src: 'from', dest: at('in', 'copied'), mode: '0640' } },
    { template: { src: 'template.j2', dest: at('in', 'filled') } },
    { fetch: { src: at('text'), dest: 'fetched', flat: true } },
    { file: { path: at('in', 'made'), state: 'directory', mode: '0750' } },
  ];
  writeFileSync(join(local, 'from'), 'copied\n');
  writeFileSync(join(local, 'template.j2'), 'for {{ inventory_hostname }}\n');
  writeFileSync(join(local, 'play.yml'), JSON.stringify([{ hosts: 'box', gather_facts: false, tasks }]));
  writeFileSync(join(local, 'inventory'), 'box ansible_python_interpreter=/usr/bin/python3\n');
  return runProgram('ansible-playbook', ['-i', 'inventory', '--ssh-common-args', `-F ${door.config}`, 'play.yml'], {
    cwd: local,
    env: { ANSIBLE_NOCOLOR: '1', ANSIBLE_LOCAL_TEMP: '/tmp', ANSIBLE_SSH_CONTROL_PATH_DIR: '/tmp' },
    timeoutMs: 120_000,
  });
};

/** What clients do, without anything being hidden or refused: behind the gateway as directly. */
export const alike: readonly (readonly [name: string, run: Run, quick?: 'quick'])[] = [
  [
    'sftp lists, looks and walks',
    sftp(`cd ${name}`, 'pwd', 'ls', 'ls -l tree', 'lcd .', 'cd tree', 'ls -la deep', 'cd ..', '-ls none', 'ls way'),
  ],
  [
    'sftp gets and puts',
    sftp(`cd ${name}`, 'get text', 'get -p binary', 'get -R tree', 'put text in/', 'put -p binary in/b2', 'reget text', 'chmod 600 in/b2'),
    'quick',
  ],
  [
    'sftp changes',
    sftp(
      `cd ${name}`,
      'mkdir n',
      'rename text n/t',
      'ln -s t n/l',
      'ln n/t n/h',
      'rm n/h',
      '-rm none',
      '-rmdir n',
      'symlink x n/y',
      'copy binary n/copy',
      'rm held/file',
    ),
    'quick',
  ],
  ['sftp tells what is wrong', sftp(`get ${name}/none`)],
  ['scp', scp('-p', `box:${name}/text`, '.')],
  ['scp of a tree', scp('-r', `box:${name}/tree`, '.')],
  ['scp of what is not there', scp(`box:${name}/none`, '.')],
  ['scp there and to itself', inOrder(scp(`box:${name}/binary`, 'b'), scp('-p', 'b', `box:${name}/in/`))],
  ['the old scp', scp('-O', '-p', `box:${name}/text`, '.')],
  ['the old scp of several files and a tree', scp('-O', '-r', '-p', `box:${name}/text`, `box:${name}/tree`, '.')],
  ['the old scp of what is not there', scp('-O', `box:${name}/none`, `box:${name}/text`, '.')],
  [
    'the old scp of a tree to there',
    inOrder(scp('-O', '-r', '-p', `box:${name}/tree`, '.'), scp('-O', '-r', '-p', 'tree', `box:${name}/in`)),
    'quick',
  ],
  ['the old scp to there under another name', inOrder(scp('-O', `box:${name}/binary`, 'b'), scp('-O', 'b', `box:${name}/in/c`)), 'quick'],
  ['the old scp to where nothing can be', inOrder(scp('-O', `box:${name}/text`, '.'), scp('-O', 'text', `box:${name}/none/c`))],
  ['rsync from there', rsync('-a', `box:${name}/tree`, `box:${name}/text`, '.'), 'quick'],
  [
    'rsync to there, twice',
    inOrder(
      rsync('-a', `box:${name}/`, 'all/'),
      rsync('-rlpt', 'all/', `box:${name}/in/`),
      rsync('-rlptc', '--delete', 'all/', `box:${name}/in/`),
    ),
  ],
  [
    'git',
    async (door, local) => {
      await git('init', '-q', '--bare', at('repo.git'))(door, local);
      await git('init', '-q', 'work')(door, local);
      const inWork: Run = (one, folder) => git('commit', '-q', '--allow-empty', '-m', 'one')(one, join(folder, 'work'));
      await inWork(door, local);
      await git('push', '-q', `box:${name}/repo.git`, 'main')(door, join(local, 'work'));
      return git('clone', '-q', `box:${name}/repo`, 'again')(door, local);
    },
    'quick',
  ],
  [
    'paramiko',
    python(
      `s.get('${name}/binary', 'b')\ns.put('b', '${name}/in/b')\nf = s.open('${name}/in/b', 'r+')\nf.seek(5)\nf.write(b'xyz')\nf.seek(0)\nprint(len(f.read(200000)))\nf.close()\nprint(sorted(s.listdir('${name}')))\ns.rename('${name}/in/b', '${name}/in/c')\ntry:\n  s.stat('${name}/none')\nexcept IOError as e:\n  print(e)\nprint(s.normalize('${name}/way'))`,
    ),
    'quick',
  ],
  ['an Ansible playbook', ansible],
];
