import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import type { Door } from './door.ts';
import { alike, at, card, git, masked, name, prepare, python, remote, rsync, scp, sftp, shownOf, type Run } from './files-cases.ts';
import type { Ran } from './program.ts';
import { startSshWorld, type SshWorld } from './world.ts';

const policies = `
@id("pipelines may do everything")
permit (principal in Group::"deployers", action, resource);
@id("secret files")
forbid (principal, action, resource in File::"box${remote}/secret");
@id("removals are looked at") @review("dba")
forbid (principal, action == Action::"ssh:remove-file", resource in File::"box${remote}/held");
`;

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

    for (const [title, run] of alike.filter(([, , quick]) => quick)) {
      it(`${title}, as without a gateway`, async () => {
        const direct = await shownOf(run, world.direct, world.folder);
        assert.equal(await shownOf(run, behind, world.folder), direct);
      });
    }

    it('asks about each file and has its digest on record', async () => {
      prepare();
      // The last of the clients is gone, and its end is written a moment later.
      const records = await eventually('the end of everything', async () => {
        const all = await world.records(['operation.decided', 'operation.completed']);
        const completed = new Set(all.flatMap(({ type, operation }) => (type === 'operation.completed' ? [operation] : [])));
        return all.every(({ decision, operation }) => decision !== 'allow' || completed.has(operation)) ? all : undefined;
      });
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
