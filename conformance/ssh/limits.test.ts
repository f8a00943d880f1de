import assert from 'node:assert/strict';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import type { Door } from './door.ts';
import { runProgram, type Ran } from './program.ts';
import { endless, isBroken, Underway } from './transport/running.ts';
import { startSshWorld, type SshWorld } from './world.ts';

/** What one principal may take from a machine: of bytes, of time, at once and in a minute. Clients are told, the record says why, and what comes next is none the worse. */
describe('a limit of an SSH target', () => {
  let world: SshWorld;
  let folder: string;
  let pouring: Server;
  const port = (): number => (pouring.address() as AddressInfo).port;
  before(async () => {
    pouring = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(Buffer.alloc(3_000_000, 'x'));
    });
    await new Promise<void>((resolve) => {
      pouring.listen(0, '127.0.0.1', resolve);
    });
    world = await startSshWorld({
      adjust(config) {
        // The disk of a busy machine may not answer for seconds: then operations are denied, which is right, and no limit's doing.
        config['audit'] = { durability: 'process' };
        const { box } = config['targets']!;
        const limited = (limits: object): object => ({ ...(box as object), forwards: [{ to: `127.0.0.1:${port()}` }], limits });
        Object.assign(config['targets']!, {
          little: limited({ bytes: 1_000_000 }),
          brief: limited({ statement_timeout: '10s' }),
          single: limited({ concurrent_sessions: 1 }),
          rare: limited({ operations_per_minute: 3 }),
        });
      },
    });
    folder = join(world.folder, 'files');
    mkdirSync(folder);
    writeFileSync(join(folder, 'large'), Buffer.alloc(3_000_000, 'x'));
    writeFileSync(join(folder, 'small'), 'small');
  });
  after(async () => {
    pouring.close();
    await world.close();
  });

  const reasonOf = async (text: string, target: string): Promise<readonly [outcome: unknown, reason: unknown]> => {
    const { outcome, reason } = await eventually(`the end of ${text}`, async () => {
      const records = await world.records(['operation.decided', 'operation.completed']);
      const decided = records.findLast((record) => record['target'] === target && String(record['text']).startsWith(text));
      return records.find((record) => record['type'] === 'operation.completed' && record['operation'] === decided?.['operation']);
    });
    return [outcome, reason];
  };

  describe('on bytes', () => {
    const exceeded = 'bytes (1000000) of target little is exceeded';
    const says = /sallyport: bytes \(1000000\) of target little is exceeded\. Ask for less at a time/;
    let door: Door;
    before(async () => {
      door = await world.behind({ target: 'little' });
    });
    const cut = ({ code, stdout, stderr }: Ran): void => {
      assert.equal(code, 126, stderr.toString());
      assert.ok(stdout.length > 0 && stdout.length <= 1_000_000, `${stdout.length} bytes`);
      assert.match(stderr.toString(), says);
    };

    it('ends a command whose output passes it, wherever that goes, and counts each channel for itself', async () => {
      cut(await door.ssh([`cat ${folder}/large`]));
      assert.deepEqual(await reasonOf(`cat ${folder}/large`, 'little'), ['failed', exceeded]);
      const { code, stdout, stderr } = await door.ssh([`cat ${folder}/large >&2`]);
      assert.deepEqual([code, stdout.length], [126, 0]);
      assert.match(stderr.toString().slice(-500), says);
      const half = await door.ssh([`head -c 600000 ${folder}/large; head -c 300000 ${folder}/large >&2`]);
      assert.deepEqual([half.code, half.stdout.length, half.stderr.length], [0, 600_000, 300_000]);
    });

    it('ends a shell', async () => {
      const { code, stdout, stderr } = await door.ssh([], { options: ['-tt'], input: `cat ${folder}/large\nexit\n` });
      assert.equal(code, 126, stderr.toString());
      assert.match(`${stdout.toString().slice(-500)}${stderr.toString()}`, says);
      assert.deepEqual(await reasonOf('shell', 'little'), ['failed', exceeded]);
    });

    it('ends downloads, by every way, and no upload', async () => {
      const local = join(world.folder, 'local');
      mkdirSync(local);
      const sftp = (line: string): Promise<Ran> =>
        runProgram('sftp', ['-F', door.config, '-b', '-', 'box'], { cwd: local, input: `${line}\n` });
      const ways: Readonly<Record<string, () => Promise<Ran>>> = {
        sftp: () => sftp(`get ${folder}/large`),
        scp: () => runProgram('scp', ['-F', door.config, '-O', `box:${folder}/large`, 'by-scp'], { cwd: local }),
        rsync: () => runProgram('rsync', ['-e', `ssh -F ${door.config}`, `box:${folder}/large`, 'by-rsync'], { cwd: local }),
      };
      const stopped = async () => (await world.records(['operation.completed'])).filter(({ reason }) => reason === exceeded);
      for (const [way, run] of Object.entries(ways)) {
        const { length } = await stopped();
        const { code, stderr } = await run();
        assert.notEqual(code, 0, way);
        assert.match(stderr.toString(), says, way);
        const last = await eventually('the record', async () => (await stopped())[length]);
        assert.equal(last['outcome'], 'failed', way);
      }
      assert.equal((await sftp(`get ${folder}/small`)).code, 0);
      const up = await sftp(`put ${folder}/large ${folder}/up`);
      assert.deepEqual([up.code, statSync(join(folder, 'up')).size], [0, 3_000_000]);
    });

    it('ends a forward, and the record says why', async () => {
      const { stdout } = await door.ssh([], { options: ['-W', `127.0.0.1:${port()}`] });
      assert.ok(stdout.length > 0 && stdout.length <= 1_000_000, `${stdout.length} bytes`);
      assert.deepEqual(await reasonOf('connect to', 'little'), ['failed', exceeded]);
    });
  });

  describe('on time', { concurrency: true }, () => {
    const exceeded = 'statement_timeout (10 s) of target brief is exceeded';
    let cases = 0;
    for (const { name, text, begin } of endless(() => 0)) {
      if (name === 'a forward') continue;
      it(`ends ${name} that takes longer`, async () => {
        const own = join(world.folder, `case-${(cases += 1)}`);
        mkdirSync(own);
        const running = await begin(await world.behind({ target: 'brief' }), own);
        assert.ok(isBroken(running, await running.over), running.text);
        assert.match(
          running.text,
          /sallyport: statement_timeout \(10 s\) of target brief is exceeded\. What was asked may or may not have taken effect\./,
        );
        const records = await eventually('the record', async () => {
          const all = await world.records(['operation.decided', 'operation.completed', 'session.closed']);
          const { session } = all.findLast((record) => text.test(String(record['text']))) ?? {};
          return all.some((record) => record['type'] === 'session.closed' && record['session'] === session)
            ? all.filter((record) => record['session'] === session && record['type'] === 'operation.completed')
            : undefined;
        });
        assert.ok(
          records.some(({ outcome, reason }) => outcome === 'failed' && reason === exceeded),
          JSON.stringify(records),
        );
      });
    }

    it('leaves alone what is quicker, in a connection that lasts longer', async () => {
      const { code, stdout } = await (await world.behind({ target: 'brief' })).ssh(['echo quick']);
      assert.deepEqual([code, stdout.toString()], [0, 'quick\n']);
    });
  });

  it('on sessions at a time refuses the next one, and lets it in when there is room', async () => {
    // OpenSSH shows what servers say at sign-in from this level on.
    const door = await world.behind({ target: 'single', config: ['LogLevel INFO'] });
    const first = new Underway('ssh', ['-F', door.config, 'box', 'echo begun; cat'], folder);
    await eventually('the first', () => first.text.includes('begun') || undefined);
    const second = await door.ssh(['echo second']);
    assert.deepEqual([second.code, second.stdout.toString()], [255, '']);
    assert.match(second.stderr.toString(), /concurrent_sessions \(1\) of target single/);
    first.child.stdin.end();
    assert.equal(await first.over, 0);
    await eventually('room', async () => (await door.ssh(['echo third'])).stdout.toString() === 'third\n' || undefined);
  });

  it('on operations in a minute refuses the next one, and says when to come again', async () => {
    const door = await world.behind({ target: 'rare' });
    for (let count = 0; count < 3; count += 1) assert.equal((await door.ssh([`echo ${count}`])).code, 0);
    const { code, stderr } = await door.ssh(['echo 3']);
    assert.equal(code, 126);
    assert.match(stderr.toString(), /operations_per_minute \(3\) of target rare is reached; try again in \d+ s/);
  });
});
