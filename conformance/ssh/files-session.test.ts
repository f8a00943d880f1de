import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Operation } from '../../src/core/operation.ts';
import type { DataClass } from '../../src/masking/types.ts';
import { packet } from '../../src/protocols/ssh/sftp/encode.ts';
import { OPEN, TYPE, type Answer } from '../../src/protocols/ssh/sftp/messages.ts';
import { killAll } from './files-direct.ts';
import { noAttributes, permissions, RawClient, size, statusText } from './files-client.ts';

const card = '4111 1111 1111 1111';
const cards: DataClass = {
  name: 'card',
  columns: [],
  paths: [],
  detect: [{ kind: 'recogniser', name: 'card-number' }],
  mask: 'partial-last4',
};
const noneHeld = (): undefined => undefined;
const acts = (operation: Operation | undefined): string =>
  (operation?.acts ?? []).map(({ action, object }) => `${action} ${object.id}`).join(', ');

/** Each request against the real server of OpenSSH, with a client that keeps to nothing. */
describe('a session of SFTP', () => {
  let folder = '';
  const at = (...names: readonly string[]): string => join(folder, ...names);
  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'sallyport-sftp-')));
  });
  after(() => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Refuses what is asked of `secret` and below it, as a policy about `File` would. */
  const secretly = (operation: Operation): string | undefined =>
    operation.acts.some(({ object }) => `${object.id}/`.startsWith(`web-1${at('secret')}/`)) ? 'secret files are not for you' : undefined;

  before(() => {
    mkdirSync(at('secret'));
    writeFileSync(at('secret', 'key'), 'the key\n');
    mkdirSync(at('open'));
    writeFileSync(at('open', 'text'), `hello ${card}\n`);
    symlinkSync('../secret', at('open', 'link'));
    symlinkSync(at('secret', 'key'), at('open', 'key'));
    symlinkSync(at('secret', 'new'), at('open', 'dangling'));
  });

  it('asks about the file itself, whatever path leads to it', async () => {
    const client = await RawClient.open({ folder, decide: secretly });
    const key = at('secret', 'key');
    for (const path of [
      key,
      'secret/key',
      './secret//key',
      'open/../secret/key',
      'open/link/key',
      'open/link/../secret/key',
      'open/key',
      `//${key}`,
      `${folder}/open/./link/./key`,
      `open/link/../../../../../../../../${key}`,
    ]) {
      assert.match(
        await client.status(TYPE.open, path, OPEN.read, noAttributes),
        /^permissionDenied: secret files are not for you\./,
        path,
      );
      assert.match(await client.status(TYPE.stat, path), /^permissionDenied/, path);
      assert.equal(acts(client.direct.recorded.asked.at(-1)), `ssh:list-files web-1${key}`, path);
    }
    // The name itself is no secret, nor where it leads to.
    assert.equal(await client.status(TYPE.lstat, 'open/key'), 'attributes');
    assert.match(await client.status(TYPE.open, 'open/dangling', OPEN.write | OPEN.create, noAttributes), /^permissionDenied/);
    assert.match(await client.status(TYPE.opendir, 'open/link'), /^permissionDenied/);
    assert.match(await client.status(TYPE.realpath, 'open/link'), /^permissionDenied/);
    assert.equal(existsSync(at('secret', 'new')), false);
    await client.close();
  });

  it('does not tell whether what is refused exists', async () => {
    const client = await RawClient.open({ folder, decide: secretly });
    const answers: string[] = [];
    for (const name of ['key', 'none', 'none/further']) {
      const path = at('secret', name);
      for (const [type, ...fields] of [
        [TYPE.stat],
        [TYPE.lstat],
        [TYPE.opendir],
        [TYPE.readlink],
        [TYPE.realpath],
        [TYPE.remove],
        [TYPE.rmdir],
      ] as const)
        answers.push((await client.status(type, path, ...fields)).replace(/\[operation [^\]]*\]/, ''));
      answers.push((await client.status(TYPE.open, path, OPEN.read, noAttributes)).replace(/\[operation [^\]]*\]/, ''));
    }
    assert.deepEqual(
      [...new Set(answers)].map((text) => text.slice(0, 45)),
      ['permissionDenied: secret files are not for yo'],
    );
    await client.close();
  });

  it('goes on with the path that was decided on', async () => {
    // While the request is held, the link is turned to the secret file.
    writeFileSync(at('open', 'harmless'), 'harmless\n');
    symlinkSync('harmless', at('open', 'turning'));
    let release: (refused: undefined) => void = noneHeld;
    const client = await RawClient.open({
      folder,
      decide: ({ text }) => (text.startsWith('read ') ? new Promise((resolve) => (release = resolve)) : undefined),
    });
    const opening = client.open('open/turning', OPEN.read);
    while (client.asked.at(-1) !== `read ${at('open', 'harmless')}`) await new Promise((resolve) => setTimeout(resolve, 5));
    rmSync(at('open', 'turning'));
    symlinkSync(at('secret', 'key'), at('open', 'turning'));
    release(undefined);
    assert.equal(await client.read(await opening, 0, 100), 'harmless\n');
    await client.close();
  });

  it('has an act for each thing that can be asked, about every path that it touches', async () => {
    const client = await RawClient.open({ folder });
    const asked = async (type: number, ...fields: Parameters<RawClient['ask']>[1][]): Promise<string> => {
      await client.ask(type, ...fields);
      return acts(client.direct.recorded.asked.at(-1)).replaceAll(`web-1${folder}`, '');
    };
    mkdirSync(at('acts'));
    writeFileSync(at('acts', 'a'), 'a');
    assert.equal(await asked(TYPE.open, 'acts/a', OPEN.read, noAttributes), 'ssh:read-file /acts/a');
    assert.equal(await asked(TYPE.open, 'acts/a', OPEN.read | OPEN.write, noAttributes), 'ssh:read-file /acts/a, ssh:write-file /acts/a');
    for (const flag of ['write', 'append', 'create', 'truncate', 'exclusive'] as const)
      assert.equal(await asked(TYPE.open, 'acts/a', OPEN[flag], noAttributes), 'ssh:write-file /acts/a', flag);
    assert.equal(await asked(TYPE.open, 'acts/a', 0, noAttributes), 'ssh:read-file /acts/a');
    assert.equal(await asked(TYPE.lstat, 'acts/a'), 'ssh:list-files /acts/a');
    assert.equal(await asked(TYPE.stat, 'acts'), 'ssh:list-files /acts');
    assert.equal(await asked(TYPE.setstat, 'acts/a', permissions(0o4755)), 'ssh:set-file-attributes /acts/a');
    assert.equal(client.direct.recorded.asked.at(-1)?.facts['file_mode'], '4755');
    assert.equal(await asked(TYPE.setstat, 'acts/a', size(0n)), 'ssh:set-file-attributes /acts/a, ssh:write-file /acts/a');
    assert.equal(await asked(TYPE.opendir, 'acts'), 'ssh:list-files /acts');
    assert.equal(await asked(TYPE.mkdir, 'acts/d', noAttributes), 'ssh:make-folder /acts/d');
    assert.equal(await asked(TYPE.rmdir, 'acts/d'), 'ssh:remove-folder /acts/d');
    assert.equal(await asked(TYPE.realpath, 'acts/../acts'), 'ssh:list-files /acts');
    assert.equal(await asked(TYPE.rename, 'acts/a', 'acts/b'), 'ssh:rename-file /acts/a, ssh:rename-file /acts/b');
    assert.equal(
      await asked(TYPE.extended, 'posix-rename@openssh.com', 'acts/b', 'acts/a'),
      'ssh:rename-file /acts/b, ssh:rename-file /acts/a, ssh:remove-file /acts/a',
    );
    assert.equal(await asked(TYPE.symlink, '../secret/key', 'acts/l'), 'ssh:link-file /acts/l, ssh:link-file /secret/key');
    assert.equal(client.direct.recorded.asked.at(-1)?.facts['link_target'], '../secret/key');
    assert.equal(await asked(TYPE.readlink, 'acts/l'), 'ssh:list-files /acts/l');
    assert.equal(
      await asked(TYPE.extended, 'hardlink@openssh.com', 'secret/key', 'acts/h'),
      'ssh:link-file /secret/key, ssh:link-file /acts/h',
    );
    assert.equal(await asked(TYPE.extended, 'statvfs@openssh.com', 'acts'), 'ssh:list-files /acts');
    assert.equal(await asked(TYPE.extended, 'lsetstat@openssh.com', 'acts/l', permissions(0o777)), 'ssh:set-file-attributes /acts/l');
    assert.equal(
      await asked(TYPE.extended, 'expand-path@openssh.com', '~/acts'),
      `ssh:list-files ${client.direct.recorded.asked.at(-1)?.acts[0]?.object.id}`.replaceAll(`web-1${folder}`, ''),
    );
    assert.equal(await asked(TYPE.extended, 'users-groups-by-id@openssh.com', new Uint8Array(4), new Uint8Array(0)), 'ssh:sftp web-1');
    assert.equal(await asked(TYPE.remove, 'acts/h'), 'ssh:remove-file /acts/h');
    assert.equal(readFileSync(at('secret', 'key'), 'utf8'), 'the key\n');
    await client.close();
  });

  it('has handles of its own, that die with their file and are good for what they were opened for', async () => {
    const client = await RawClient.open({ folder });
    writeFileSync(at('open', 'w'), 'old');
    const reading = await client.open('open/text', OPEN.read);
    const writing = await client.open('open/w', OPEN.write);
    assert.equal(await client.status(TYPE.write, reading, 0n, 'x'), 'failure');
    assert.equal(await client.read(writing, 0, 3), 'failure');
    assert.equal(await client.status(TYPE.close, reading), 'ok');
    for (const handle of [reading, Uint8Array.of(0, 0, 0, 0), Uint8Array.of(0, 0, 0, 99), new Uint8Array(0), new Uint8Array(256)]) {
      assert.equal(await client.read(handle, 0, 5), 'failure');
      assert.equal(await client.status(TYPE.close, handle), 'failure');
      assert.equal(await client.status(TYPE.fsetstat, handle, permissions(0o777)), 'failure');
      assert.equal(await client.status(TYPE.readdir, handle), 'failure');
      assert.equal(await client.status(TYPE.extended, 'fsync@openssh.com', handle), 'failure');
      assert.equal(await client.status(TYPE.extended, 'copy-data', handle, 0n, 0n, writing, 0n), 'failure');
    }
    assert.equal(await client.status(TYPE.close, writing), 'ok');
    for (const old of [reading, writing]) assert.notDeepEqual(await client.open('open/text', OPEN.read), old);
    await client.close();
  });

  it('does not let a close overtake what waits for people, so that no other file is hit', async () => {
    writeFileSync(at('open', 'first'), 'first');
    writeFileSync(at('open', 'second'), 'second');
    chmodSync(at('open', 'first'), 0o644);
    chmodSync(at('open', 'second'), 0o644);
    let release: (refused: undefined) => void = noneHeld;
    const client = await RawClient.open({
      folder,
      decide: ({ text }) => (text.startsWith('set of ') ? new Promise((resolve) => (release = resolve)) : undefined),
    });
    const first = await client.open('open/first', OPEN.write);
    const setting = client.status(TYPE.fsetstat, first, permissions(0o4777));
    const closing = client.status(TYPE.close, first);
    // The handle of the target would be given to this one, had the first been closed.
    const second = await client.open('open/second', OPEN.write);
    assert.match(client.stderr, /set of \S+first: mode 4777: waiting for approval by dba/);
    release(undefined);
    assert.equal(await setting, 'ok');
    assert.equal(await closing, 'ok');
    assert.equal(statSync(at('open', 'first')).mode & 0o7777, 0o4777);
    assert.equal(statSync(at('open', 'second')).mode & 0o7777, 0o644);
    await client.status(TYPE.close, second);
    await client.close();
  });

  it('keeps the order of what changes one path, and lets everything else pass what waits', async () => {
    writeFileSync(at('open', 'held'), 'held');
    let release: (refused: undefined) => void = noneHeld;
    const client = await RawClient.open({
      folder,
      decide: ({ text }) => (text.startsWith('rename ') ? new Promise((resolve) => (release = resolve)) : undefined),
    });
    const order: string[] = [];
    const note = (name: string, answer: Promise<string>): Promise<unknown> => answer.then((text) => order.push(`${name} ${text}`));
    const all = [
      note('rename', client.status(TYPE.rename, 'open/held', 'open/renamed')),
      note('stat of the new name', client.status(TYPE.stat, 'open/renamed')),
      note('remove', client.status(TYPE.remove, 'open/held')),
      note('other', client.status(TYPE.stat, 'secret/key')),
    ];
    await all[3];
    assert.deepEqual(order, ['other attributes']);
    release(undefined);
    await Promise.all(all);
    assert.deepEqual(order.slice(1).sort(), ['remove noSuchFile', 'rename ok', 'stat of the new name attributes']);
    await client.close();
  });

  it('tells where it begins to whoever may open it, and nothing else', async () => {
    const client = await RawClient.open({ folder, decide: () => 'nothing is for you' });
    for (const path of ['.', './', '']) assert.equal(await client.path(TYPE.realpath, path), folder);
    assert.deepEqual(client.asked, []);
    assert.match(await client.path(TYPE.realpath, '..'), /^permissionDenied/);
    assert.match(await client.status(TYPE.opendir, '.'), /^permissionDenied/);
    await client.close();
  });

  it('answers the same id twice where it is asked twice', async () => {
    const client = await RawClient.open({ folder });
    const answers = await Promise.all([
      client.askAs(7, TYPE.stat, 'open/text'),
      client.askAs(7, TYPE.stat, 'open/none'),
      client.askAs(7, TYPE.lstat, '.'),
    ]);
    assert.deepEqual(answers.map(statusText).sort(), ['attributes', 'attributes', 'noSuchFile']);
    await client.close();
  });

  it('refuses what it does not know, on record, and goes on', async () => {
    const client = await RawClient.open({ folder });
    assert.match(
      await client.status(TYPE.extended, 'md5-hash@openssh.com', 'open/text', 0n, 0n),
      /^unsupported: extension md5-hash@openssh.com is not known here/,
    );
    assert.match(await client.status(22, 'open/text', 'x'), /^unsupported: packet type 22/);
    assert.match(await client.status(TYPE.extended, 'posix-rename@openssh.com', 'open/text'), /^badMessage/);
    assert.match(await client.status(TYPE.remove, Uint8Array.of(0x61, 0xff)), /^badMessage: packet type 13: a path that is no UTF-8/);
    assert.match(await client.status(TYPE.remove, 'a\0b'), /^badMessage: packet type 13: a path with NUL/);
    assert.match(await client.status(TYPE.open, 'open/text', 0x100, noAttributes), /^badMessage/);
    assert.match(await client.status(TYPE.status, 0, '', ''), /^unsupported/);
    assert.equal(client.direct.recorded.notes.length, 7);
    assert.deepEqual(client.asked, []);
    assert.equal(await client.status(TYPE.stat, 'open/text'), 'attributes');
    await client.close();
  });

  it('ends with a reason where the protocol is broken', async () => {
    const broken: readonly (readonly [string, (client: RawClient) => void, RegExp])[] = [
      [
        'a huge packet',
        (client) => client.direct.send(Uint8Array.of(0, 5, 0, 0, 1)),
        /a packet of 327680 bytes, where 1 to 262144 are allowed/,
      ],
      ['an empty one', (client) => client.direct.send(Uint8Array.of(0, 0, 0, 0)), /a packet of 0 bytes/],
      ['a request without an id', (client) => client.direct.send(Uint8Array.of(0, 0, 0, 3, 17, 0, 0)), /ends before its last field/],
    ];
    for (const [name, breakIt, expected] of broken) {
      const client = await RawClient.open({ folder });
      breakIt(client);
      assert.equal(await client.over, 255, name);
      assert.match(client.stderr, expected, name);
    }
    const old = new RawClient({ folder });
    void old.greet(2);
    assert.equal(await old.over, 126);
    assert.match(old.stderr, /version 2 of SFTP, where 3 is spoken/);
    const rude = new RawClient({ folder });
    rude.direct.send(packet(TYPE.stat, 1, '/etc'));
    assert.equal(await rude.over, 255);
    assert.deepEqual(rude.asked, []);
  });

  it('takes a newer client, and requests that come before VERSION was answered', async () => {
    const client = new RawClient({ folder });
    const greeted = client.greet(6);
    const early = client.status(TYPE.stat, 'open/text');
    assert((await greeted).includes('posix-rename@openssh.com'));
    assert.equal(await early, 'attributes');
    await client.close();
  });

  it('offers no more than it understands, and no larger packets than it takes', async () => {
    const client = new RawClient({ folder });
    const known = new Set([
      'posix-rename@openssh.com',
      'statvfs@openssh.com',
      'fstatvfs@openssh.com',
      'hardlink@openssh.com',
      'fsync@openssh.com',
      'lsetstat@openssh.com',
      'limits@openssh.com',
      'expand-path@openssh.com',
      'copy-data',
      'home-directory',
      'users-groups-by-id@openssh.com',
    ]);
    for (const name of await client.greet()) assert(known.has(name), name);
    const limits = await client.ask(TYPE.extended, 'limits@openssh.com');
    assert(limits.kind === 'extended-reply');
    assert.deepEqual(
      [0, 8, 16].map((from) => Number(Buffer.from(limits.bytes).readBigUInt64BE(from))),
      [262144, 261120, 261120],
    );
    await client.close();
  });

  it('stops reading from a client that asks for too much at once', async () => {
    let release: (refused: undefined) => void = noneHeld;
    const held = new Promise<undefined>((resolve) => (release = resolve));
    const client = await RawClient.open({ folder, decide: () => held });
    const answers = Array.from({ length: 1100 }, () => client.status(TYPE.stat, 'open/text'));
    assert.equal(client.direct.isPaused, true);
    release(undefined);
    assert.deepEqual([...new Set(await Promise.all(answers))], ['attributes']);
    assert.equal(client.direct.isPaused, false);
    await client.close();
  });

  it('writes to nothing on a target that is read-only', async () => {
    const client = await RawClient.open({ folder, readOnly: true });
    assert.equal(await client.status(TYPE.stat, 'open/text'), 'attributes');
    const handle = await client.open('open/text', OPEN.read);
    for (const refused of [
      client.status(TYPE.fsetstat, handle, permissions(0o777)),
      client.status(TYPE.remove, 'open/text'),
      client.status(TYPE.mkdir, 'open/d', noAttributes),
      client.status(TYPE.open, 'open/n', OPEN.write | OPEN.create, noAttributes),
      client.status(TYPE.setstat, 'open/text', size(0n)),
      client.status(TYPE.rename, 'open/text', 'open/t'),
      client.status(TYPE.symlink, 'a', 'open/s'),
    ])
      assert.match(await refused, /^permissionDenied: target web-1 is read-only/);
    assert.equal(readFileSync(at('open', 'text'), 'utf8'), `hello ${card}\n`);
    await client.close();
  });

  describe('whose contents are masked', () => {
    const masked = (more: object = {}): Promise<RawClient> => RawClient.open({ folder, dataClasses: [cards], ...more });

    it('gives text with masks of the same length, and tells its true size', async () => {
      const client = await masked();
      const handle = await client.open('open/text', OPEN.read);
      assert.equal(await client.read(handle, 0, 100), 'hello **** **** **** 1111\n');
      for (let cut = 6; cut < 25; cut += 1)
        assert.equal((await client.read(handle, 0, cut)) + (await client.read(handle, cut, 100)), 'hello **** **** **** 1111\n');
      const stat = await client.ask(TYPE.fstat, handle);
      assert(stat.kind === 'attributes');
      assert.equal(stat.attributes.size, 26n);
      await client.status(TYPE.close, handle);
      const completed = client.direct.recorded.completed.at(-1);
      assert.deepEqual(completed?.masked, { card: 1 });
      assert.equal(completed?.transfers?.[0]?.in_order, false);
      await client.close();
    });

    it('refuses a file that is no text where it is opened, before the client has made one of its own', async () => {
      writeFileSync(at('open', 'binary'), Buffer.from([1, 2, 0, 4]));
      const client = await masked();
      assert.match(await client.status(TYPE.open, 'open/binary', OPEN.read, noAttributes), /^permissionDenied: the file is no text/);
      await client.close();
      assert(client.direct.recorded.completed.some(({ errorCode }) => errorCode === 'masking-refused'));
      const open = await masked({ opaqueTransfers: true });
      assert.equal(await open.read(await open.open('open/binary', OPEN.read), 0, 9), '\u0001\u0002\0\u0004');
      await open.close();
    });

    it('does not move part of a file into another, where no detector would know it again', async () => {
      writeFileSync(at('open', 'half'), '');
      const client = await masked();
      const [from, to] = [await client.open('open/text', OPEN.read), await client.open('open/half', OPEN.write)];
      for (const [offset, length, into] of [
        [0n, 15n, 0n],
        [15n, 0n, 0n],
        [0n, 0n, 5n],
      ] as const)
        assert.match(await client.status(TYPE.extended, 'copy-data', from, offset, length, to, into), /^permissionDenied: part of a file/);
      assert.equal(readFileSync(at('open', 'half'), 'utf8'), '');
      const copied = await client.status(TYPE.extended, 'copy-data', from, 0n, 0n, to, 0n);
      // OpenSSH 9.2 knows it; an older server does not offer it.
      assert.equal(copied, 'ok');
      assert.equal(await client.read(await client.open('open/half', OPEN.read), 0, 100), 'hello **** **** **** 1111\n');
      await client.close();
    });

    it('shows what was written through the same handle, masked too', async () => {
      writeFileSync(at('open', 'rw'), 'nothing here\n');
      const client = await masked();
      const handle = await client.open('open/rw', OPEN.read | OPEN.write);
      assert.equal(await client.read(handle, 0, 100), 'nothing here\n');
      assert.equal(await client.status(TYPE.write, handle, 0n, `now ${card}\n`), 'ok');
      assert.equal(await client.read(handle, 0, 100), 'now **** **** **** 1111\n');
      await client.close();
    });

    it('keeps nothing of what was read ahead over a write', async () => {
      const block = 128 * 1024;
      writeFileSync(at('open', 'long'), 'words\n'.repeat(70_000));
      const client = await masked();
      const handle = await client.open('open/long', OPEN.read | OPEN.write);
      await client.read(handle, 0, block);
      assert.equal(await client.status(TYPE.write, handle, BigInt(block), `now ${card} `), 'ok');
      assert.equal(await client.read(handle, block, 23), 'now **** **** **** 1111');
      await client.close();
    });

    it('masks names in lists and links; whoever writes the name itself is told nothing new', async () => {
      mkdirSync(at('names'));
      writeFileSync(at('names', `of ${card}.txt`), '');
      symlinkSync(`of ${card}.txt`, at('names', 'link'));
      const client = await masked();
      const opened = await client.ask(TYPE.opendir, 'names');
      assert(opened.kind === 'handle');
      const list = await client.ask(TYPE.readdir, opened.handle);
      assert(list.kind === 'name');
      const shown = list.names.map(({ name, longName }) => `${Buffer.from(name).toString()} ${Buffer.from(longName).toString()}`).join();
      assert.match(shown, /of \*{4} \*{4} \*{4} 1111\.txt/);
      assert.equal(shown.includes('4111'), false);
      assert.equal(await client.path(TYPE.readlink, 'names/link'), 'of **** **** **** 1111.txt');
      assert.equal((await client.path(TYPE.realpath, 'names/link')).includes('4111'), false);
      assert.equal(await client.path(TYPE.realpath, `names/of ${card}.txt`), at('names', `of ${card}.txt`));
      assert.equal(
        client.asked.some((text) => text.includes('4111')),
        false,
        'not on record either',
      );
      await client.close();
    });
  });

  it('puts every file that goes through on record with its size and digest', async () => {
    const client = await RawClient.open({ folder });
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, byte) => byte % 251));
    const sha256 = createHash('sha256').update(content).digest('hex');
    const handle = await client.open('open/upload', OPEN.write | OPEN.create | OPEN.truncate, permissions(0o600));
    const written = [0, 1, 2, 3].map((part) =>
      client.status(TYPE.write, handle, BigInt(part * 25_000), content.subarray(part * 25_000, (part + 1) * 25_000)),
    );
    await Promise.all(written);
    await client.status(TYPE.close, handle);
    const path = at('open', 'upload');
    assert.deepEqual(client.direct.recorded.completed.at(-1)?.transfers, [
      { path, direction: 'upload', bytes: 100_000, sha256, in_order: true },
    ]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const reading = await client.open('open/upload', OPEN.read);
    const parts = await Promise.all([0, 1, 2, 3, 4].map((part) => client.ask(TYPE.read, reading, BigInt(part * 25_000), 25_000)));
    assert.deepEqual(
      parts.map((part: Answer) => (part.kind === 'data' ? part.data.length : statusText(part))),
      [25_000, 25_000, 25_000, 25_000, 'endOfFile'],
    );
    await client.status(TYPE.close, reading);
    assert.deepEqual(client.direct.recorded.completed.at(-1)?.transfers, [
      { path, direction: 'download', bytes: 100_000, sha256, in_order: true },
    ]);
    const cut = await client.open('open/upload', OPEN.read);
    await client.read(cut, 10, 10);
    await client.close();
    const [last] = client.direct.recorded.completed.filter(({ outcome }) => outcome === 'cancelled');
    assert.equal(last?.transfers?.[0]?.in_order, false);
    assert.equal(last?.transfers?.[0]?.sha256, createHash('sha256').update(content.subarray(10, 20)).digest('hex'));
  });

  it('gives no more than the limit of its target', async () => {
    const client = await RawClient.open({ folder, limits: { bytes: 20 } });
    const handle = await client.open('open/text', OPEN.read);
    assert.equal(await client.read(handle, 0, 20), 'hello 4111 1111 1111');
    assert.match(await client.read(handle, 20, 20), /^failure: bytes \(20\) of target web-1 is exceeded/);
    await client.status(TYPE.close, handle);
    assert.equal(client.direct.recorded.completed.at(-1)?.errorCode, 'limit-exceeded');
    await client.close();
  });

  it('binds an approval to everything that it was given for', async () => {
    const client = await RawClient.open({ folder });
    const exact = async (type: number, ...fields: Parameters<RawClient['ask']>[1][]): Promise<string> => {
      await client.ask(type, ...fields);
      return Buffer.from(client.direct.recorded.asked.at(-1)!.exact()).toString('latin1');
    };
    mkdirSync(at('bind'));
    const bound = [
      await exact(TYPE.open, 'bind/a', OPEN.write, noAttributes),
      await exact(TYPE.open, 'bind/b', OPEN.write, noAttributes),
      await exact(TYPE.open, 'bind/a', OPEN.write | OPEN.append, noAttributes),
      await exact(TYPE.open, 'bind/a', OPEN.write | OPEN.truncate, noAttributes),
      await exact(TYPE.open, 'bind/a', OPEN.write | OPEN.truncate, permissions(0o600)),
      await exact(TYPE.open, 'bind/a', OPEN.write | OPEN.truncate, permissions(0o4755)),
      await exact(TYPE.setstat, 'bind/a', permissions(0o600)),
      await exact(TYPE.setstat, 'bind/a', permissions(0o4755)),
      await exact(TYPE.setstat, 'bind/a', size(1n)),
      await exact(TYPE.setstat, 'bind/a', size(2n)),
      await exact(TYPE.mkdir, 'bind/a', permissions(0o700)),
      await exact(TYPE.mkdir, 'bind/a', permissions(0o777)),
      await exact(TYPE.rename, 'bind/x', 'bind/y'),
      await exact(TYPE.rename, 'bind/y', 'bind/x'),
      await exact(TYPE.extended, 'posix-rename@openssh.com', 'bind/x', 'bind/y'),
      await exact(TYPE.symlink, 'x', 'bind/l'),
      await exact(TYPE.symlink, './x', 'bind/l2'),
      await exact(TYPE.remove, 'bind/x'),
      await exact(TYPE.rmdir, 'bind/x'),
    ];
    assert.equal(new Set(bound).size, bound.length);
    // Also what no text for people tells.
    assert.notEqual(
      await exact(TYPE.open, 'bind/a', OPEN.read, permissions(0o600)),
      await exact(TYPE.open, 'bind/a', OPEN.read, noAttributes),
    );
    // What is asked once more is bound alike, whatever its id.
    assert.equal(await exact(TYPE.remove, 'bind/x'), bound.at(-2));
    assert.equal((await exact(TYPE.symlink, 'y/../x', 'bind/l3')) === (await exact(TYPE.symlink, 'x', 'bind/l3')), false);
    await client.close();
  });

  it('links and renames only where both ends are allowed', async () => {
    const client = await RawClient.open({ folder, decide: secretly });
    for (const refused of [
      client.status(TYPE.symlink, '../secret/key', 'open/s1'),
      client.status(TYPE.symlink, at('secret'), 'open/s2'),
      client.status(TYPE.extended, 'hardlink@openssh.com', 'secret/key', 'open/h'),
      client.status(TYPE.rename, 'secret/key', 'open/k'),
      client.status(TYPE.rename, 'secret', 'open/k'),
      client.status(TYPE.extended, 'posix-rename@openssh.com', 'open/text', 'secret/key'),
      client.status(TYPE.extended, 'posix-rename@openssh.com', 'open/link/key', 'open/k'),
    ])
      assert.match(await refused, /^permissionDenied/);
    for (const name of ['s1', 's2', 'h', 'k']) assert.equal(lstatSync(at('open', name), { throwIfNoEntry: false }), undefined, name);
    assert.equal(await client.status(TYPE.symlink, 'text', 'open/fine'), 'ok');
    assert.equal(readlinkSync(at('open', 'fine')), 'text');
    await client.close();
  });
});
