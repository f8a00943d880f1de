import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Door } from './door.ts';
import { runProgram, type Ran } from './program.ts';
import { startSshWorld, type SshWorld } from './world.ts';

const card = '4111 1111 1111 1111';
const masked = '**** **** **** 1111';
/** Of the machine's user, with a name that is this run's own. */
const name = `sallyport-files-${process.pid}`;
const remote = join(homedir(), name);
const at = (...names: readonly string[]): string => join(remote, ...names);
const policies = `
@id("pipelines may do everything")
permit (principal in Group::"deployers", action, resource);
@id("secret files")
forbid (principal, action, resource in File::"box${remote}/secret");
@id("removals are looked at") @review("dba")
forbid (principal, action == Action::"ssh:remove-file", resource in File::"box${remote}/held");
`;

/** The machine's folder, the same each time. */
function prepare(): void {
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

type Run = (door: Door, local: string) => Promise<Ran>;
const sftp =
  (...lines: readonly string[]): Run =>
  (door, local) =>
    runProgram('sftp', ['-F', door.config, '-b', '-', 'box'], { cwd: local, input: lines.join('\n') });
const scp =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('scp', ['-F', door.config, ...words], { cwd: local });
const rsync =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('rsync', ['-e', `ssh -F ${door.config}`, ...words], { cwd: local });
const git =
  (...words: readonly string[]): Run =>
  (door, local) =>
    runProgram('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.test', '-c', 'init.defaultBranch=main', ...words], {
      cwd: local,
      env: { GIT_SSH_COMMAND: `ssh -F ${door.config}`, GIT_CONFIG_NOSYSTEM: '1', HOME: local },
    });
const python =
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

/** What clients do, without anything being hidden or refused: behind the gateway as directly. */
const alike: readonly (readonly [name: string, run: Run])[] = [
  [
    'sftp lists, looks and walks',
    sftp(`cd ${name}`, 'pwd', 'ls', 'ls -l tree', 'lcd .', 'cd tree', 'ls -la deep', 'cd ..', 'ls none', 'ls way'),
  ],
  [
    'sftp gets and puts',
    sftp(`cd ${name}`, 'get text', 'get -p binary', 'get -R tree', 'put text in/', 'put -p binary in/b2', 'reget text', 'chmod 600 in/b2'),
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
  ],
  ['sftp tells what is wrong', sftp(`get ${name}/none`)],
  ['scp', scp('-p', `box:${name}/text`, '.')],
  ['scp of a tree', scp('-r', `box:${name}/tree`, '.')],
  ['scp of what is not there', scp(`box:${name}/none`, '.')],
  [
    'scp there and to itself',
    async (door, local) => (await scp(`box:${name}/binary`, 'b')(door, local), scp('-p', 'b', `box:${name}/in/`)(door, local)),
  ],
  ['the old scp', scp('-O', '-p', `box:${name}/text`, '.')],
  ['the old scp of several files and a tree', scp('-O', '-r', '-p', `box:${name}/text`, `box:${name}/tree`, '.')],
  ['the old scp of what is not there', scp('-O', `box:${name}/none`, `box:${name}/text`, '.')],
  [
    'the old scp of a tree to there',
    async (door, local) => (
      await scp('-O', '-r', '-p', `box:${name}/tree`, '.')(door, local),
      scp('-O', '-r', '-p', 'tree', `box:${name}/in`)(door, local)
    ),
  ],
  [
    'the old scp to there under another name',
    async (door, local) => (await scp('-O', `box:${name}/binary`, 'b')(door, local), scp('-O', 'b', `box:${name}/in/c`)(door, local)),
  ],
  [
    'the old scp to where nothing can be',
    async (door, local) => (await scp('-O', `box:${name}/text`, '.')(door, local), scp('-O', 'text', `box:${name}/none/c`)(door, local)),
  ],
  ['rsync from there', rsync('-a', `box:${name}/tree`, `box:${name}/text`, '.')],
  [
    'rsync to there, twice',
    async (door, local) => (
      await rsync('-a', `box:${name}/`, 'all/')(door, local),
      await rsync('-rlpt', 'all/', `box:${name}/in/`)(door, local),
      rsync('-rlptc', '--delete', 'all/', `box:${name}/in/`)(door, local)
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
  ],
  [
    'paramiko',
    python(
      `s.get('${name}/binary', 'b')\ns.put('b', '${name}/in/b')\nf = s.open('${name}/in/b', 'r+')\nf.seek(5)\nf.write(b'xyz')\nf.seek(0)\nprint(len(f.read(200000)))\nf.close()\nprint(sorted(s.listdir('${name}')))\ns.rename('${name}/in/b', '${name}/in/c')\ntry:\n  s.stat('${name}/none')\nexcept IOError as e:\n  print(e)\nprint(s.normalize('${name}/way'))`,
    ),
  ],
];

describe('files over SSH', () => {
  after(() => rmSync(remote, { recursive: true, force: true }));

  describe('of which nothing is hidden', () => {
    let world: SshWorld;
    let behind: Door;
    before(async () => {
      prepare();
      world = await startSshWorld();
      behind = await world.behind();
    });
    after(() => world?.close());

    for (const [title, run] of alike) {
      it(`${title}, as without a gateway`, async () => {
        const shown: string[] = [];
        for (const door of [world.direct, behind]) {
          prepare();
          const local = join(world.folder, `local-${door.name}`);
          rmSync(local, { recursive: true, force: true });
          mkdirSync(local);
          const { code, signal, stdout, stderr } = await run(door, local);
          const texts = [stdout, stderr].map((bytes) =>
            bytes
              .toString()
              .replaceAll(local, 'LOCAL')
              .replaceAll(/[A-Z][a-z]{2} [ \d]\d \d\d:\d\d/g, 'TIME'),
          );
          shown.push([`exit ${signal ?? code}`, ...texts, picture(local), '--', picture(remote)].join('\n'));
        }
        assert.equal(shown[1], shown[0]);
      });
    }

    it('asks about each file and has its digest on record', async () => {
      prepare();
      const records = await world.records(['operation.decided', 'operation.completed']);
      const acts = new Set(
        records.flatMap(({ acts: all }) =>
          ((all ?? []) as { action: string; object: string }[]).map(({ action, object }) => `${action} ${object}`),
        ),
      );
      for (const expected of [
        `ssh:read-file File::"box${at('text')}"`,
        `ssh:write-file File::"box${at('in', 'b2')}"`,
        `ssh:rename-file File::"box${at('n', 't')}"`,
        `ssh:list-files File::"box${at('tree', 'deep')}"`,
        `ssh:read-file File::"box${at('repo.git')}"`,
        `ssh:write-file File::"box${at('repo.git')}"`,
        `ssh:write-file File::"box${at('in', 'tree', 'a b')}"`,
      ])
        assert(acts.has(expected), expected);
      const sha256 = createHash('sha256')
        .update(readFileSync(at('binary')))
        .digest('hex');
      const transfers = records.flatMap(
        ({ transfers: all }) => (all ?? []) as { path: string; direction: string; sha256: string; in_order: boolean }[],
      );
      for (const [path, direction] of [
        [at('binary'), 'download'],
        [at('in', 'b2'), 'upload'],
        [at('in', 'binary'), 'upload'],
        [at('in', 'c', 'b'), 'upload'],
      ])
        assert(
          transfers.some((one) => one.path === path && one.direction === direction && one.sha256 === sha256 && one.in_order),
          `${direction} ${path}`,
        );
      assert(transfers.some(({ path, direction }) => path === `rsync ${name}/tree ${name}/text` && direction === 'download'));
    });
  });

  describe('of which something is hidden, refused or held', () => {
    let world: SshWorld;
    let behind: Door;
    let local = '';
    const ran = (run: Run): Promise<Ran> => run(behind, local);
    before(async () => {
      prepare();
      world = await startSshWorld({
        policies,
        adjust: (config) => {
          config['data_classes'] = { card: { detect: 'card-number', mask: 'partial-last4' } };
        },
      });
      behind = await world.behind();
      local = join(world.folder, 'local');
      mkdirSync(local);
    });
    after(() => world?.close());

    it('comes masked, in its length, whatever fetches it', async () => {
      const fetches: readonly (readonly [string, Run])[] = [
        ['sftp', sftp(`get ${name}/text`)],
        ['scp', scp(`box:${name}/text`, '.')],
        ['the old scp', scp('-O', `box:${name}/text`, '.')],
        ['paramiko', python(`s.get('${name}/text', 'text')`)],
        [
          'paramiko in small pieces',
          python(`f = s.open('${name}/text')\no = open('text', 'wb')\nd = f.read(11)\nwhile d:\n  o.write(d)\n  d = f.read(5)`),
        ],
      ];
      for (const [title, run] of fetches) {
        rmSync(join(local, 'text'), { force: true });
        const { code, stderr } = await ran(run);
        assert.equal(code, 0, `${title}: ${stderr.toString()}`);
        assert.equal(readFileSync(join(local, 'text'), 'utf8'), `first\nof ${masked}\n`, title);
      }
    });

    it('is refused where it cannot be looked into, with the reason', async () => {
      const refused: readonly (readonly [string, Run, string])[] = [
        ['sftp', sftp(`get ${name}/binary`), 'binary'],
        ['scp', scp(`box:${name}/binary`, 'b'), 'b'],
        ['the old scp', scp('-O', `box:${name}/binary`, 'c'), ''],
        ['rsync', rsync(`box:${name}/text`, 'r'), 'r'],
        ['git', git('clone', `box:${name}/repo.git`, 'g'), 'g'],
      ];
      for (const [title, run, file] of refused) {
        const { code, stderr } = await ran(run);
        assert.notEqual(code, 0, title);
        assert.match(stderr.toString(), /what is hidden from you could not be found in/, title);
        if (file !== '') assert.equal(existsSync(join(local, file)), false, title);
      }
      assert.equal(existsSync(join(local, 'c')) && statSync(join(local, 'c')).size > 0, false);
    });

    it('is refused by the file, whatever way leads to it and whatever asks', async () => {
      for (const path of [`${name}/secret/key`, `${name}/way/key`, `${name}/tree/../way/key`]) {
        for (const run of [sftp(`get ${path} k`), scp(`box:${path}`, 'k')]) {
          const { code, stderr } = await ran(run);
          assert.notEqual(code, 0);
          assert.match(stderr.toString(), /forbidden by policy "secret files"/);
          assert.equal(existsSync(join(local, 'k')), false);
        }
      }
      const old = await ran(scp('-O', `box:${name}/secret/key`, 'k'));
      assert.notEqual(old.code, 0);
      assert.match(old.stderr.toString(), /forbidden by policy "secret files"/);
    });

    it('is refused one by one within a tree, and the rest of it comes', async () => {
      mkdirSync(join(local, 'whole'));
      const old = await ran(scp('-O', '-r', `box:${name}`, 'whole'));
      assert.notEqual(old.code, 0);
      assert.match(old.stderr.toString(), /forbidden by policy "secret files"/);
      assert.equal(existsSync(join(local, 'whole', name, 'secret')), false);
      // What is no text ended it, or it came to the text before that.
      rmSync(at('binary'));
      rmSync(at('way'));
      rmSync(join(local, 'whole', name), { recursive: true, force: true });
      await ran(scp('-O', '-r', `box:${name}`, 'whole'));
      assert.equal(readFileSync(join(local, 'whole', name, 'text'), 'utf8'), `first\nof ${masked}\n`);
      assert.equal(existsSync(join(local, 'whole', name, 'secret')), false);
      assert.equal(readFileSync(join(local, 'whole', name, 'tree', 'a b'), 'utf8'), 'with a blank\n');
      prepare();
    });

    it('waits for people, who see what is asked, while the rest goes on', async () => {
      const running = ran(sftp(`rm ${name}/held/file`));
      const request = await world.answer('dba-erin', 'approve', 'fine');
      assert.match(JSON.stringify(request), new RegExp(`remove ${at('held', 'file')}`));
      const { code, stderr } = await running;
      assert.equal(code, 0, stderr.toString());
      assert.match(stderr.toString(), /waiting for approval by dba/);
      assert.equal(existsSync(at('held', 'file')), false);
      prepare();
      const denied = ran(sftp(`rm ${name}/held/file`));
      await world.answer('dba-erin', 'deny', 'not now');
      const refusal = await denied;
      assert.notEqual(refusal.code, 0);
      assert.match(refusal.stderr.toString(), /refused by .*not now/);
      assert.equal(existsSync(at('held', 'file')), true);
    });

    it('goes both ways unharmed where it is long', async () => {
      const lines = Array.from(
        { length: 40_000 },
        (_, line) => `${line} ${randomBytes(12).toString('hex').replaceAll(/[0-9]/g, 'x')} ${line % 3 === 0 ? card : 'none'}\n`,
      );
      writeFileSync(at('long'), lines.join(''));
      for (const run of [sftp(`get ${name}/long`), scp('-O', `box:${name}/long`, '.')]) {
        rmSync(join(local, 'long'), { force: true });
        const { code, stderr } = await ran(run);
        assert.equal(code, 0, stderr.toString());
        assert.equal(readFileSync(join(local, 'long'), 'utf8'), lines.join('').replaceAll(card, masked));
      }
      writeFileSync(join(local, 'up'), lines.join(''));
      assert.equal((await ran(sftp(`put up ${name}/up`))).code, 0);
      assert.equal(readFileSync(at('up'), 'utf8'), lines.join(''));
    });
  });
});
