import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Door } from '../door.ts';
import { runProgram, type Ran } from '../program.ts';
import { startSshWorld, type SshWorld } from '../world.ts';

/**
 * Keys are exchanged anew every megabyte on both connections, by the client on one and by the target's sshd on the other, while files go through that are masked as they come. A packet
 * that goes out while keys are exchanged ends a connection; one that is held back and forgotten is missing from a file.
 */
describe('a transfer in the middle of which keys change, on both sides,', () => {
  let world: SshWorld;
  let door: Door;
  let folder: string;
  before(async () => {
    world = await startSshWorld({
      sshd: { config: ['RekeyLimit 1M', 'LogLevel DEBUG1'] },
      adjust(config) {
        config['data_classes'] = { card: { detect: 'card-number', mask: 'partial-last4' } };
      },
    });
    door = await world.behind({ config: ['RekeyLimit 1M', 'LogLevel DEBUG1'] });
    folder = join(world.folder, 'files');
    mkdirSync(folder);
    writeFileSync(join(folder, 'plain'), plain);
  });
  after(() => world.close());

  const changesIn = (log: string): number => log.match(/SSH2_MSG_NEWKEYS received/g)?.length ?? 0;
  let seen = 0;
  const changedKeys = (ran: Ran): void => {
    assert.equal(ran.code, 0, ran.stderr.toString().slice(-1_000));
    const all = changesIn(world.sshd.log());
    const [ofClient, ofTarget] = [changesIn(ran.stderr.toString()), all - seen];
    seen = all;
    assert.ok(ofClient > 3 && ofTarget > 3, `the client's ${ofClient} times, the target's ${ofTarget} times`);
  };
  const sftp = (line: string): Promise<Ran> =>
    runProgram('sftp', ['-F', door.config, '-b', '-', 'box'], { cwd: folder, input: `${line}\n`, timeoutMs: 200_000 });

  it('a command’s output comes masked, whole', async () => {
    const ran = await door.ssh([`cat ${folder}/plain`], { timeoutMs: 200_000 });
    changedKeys(ran);
    assert.equal(digest(ran.stdout), digest(masked));
  });

  it('a command’s input arrives whole', async () => {
    const ran = await door.ssh(['sha256sum'], { input: plain, timeoutMs: 200_000 });
    changedKeys(ran);
    assert.equal(ran.stdout.toString(), `${digest(plain)}  -\n`);
  });

  it('input and output at once pass each other', async () => {
    const ran = await door.ssh(['cat'], { input: plain, timeoutMs: 200_000 });
    changedKeys(ran);
    assert.equal(digest(ran.stdout), digest(masked));
  });

  it('a file comes masked by sftp, and another one goes', async () => {
    changedKeys(await sftp(`get ${folder}/plain ${folder}/got`));
    assert.equal(digest(readFileSync(join(folder, 'got'))), digest(masked));
    changedKeys(await sftp(`put ${folder}/plain ${folder}/put`));
    assert.equal(digest(readFileSync(join(folder, 'put'))), digest(plain));
  });
});

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const lines = Array.from({ length: 150_000 }, (_, line) => [
  `${line} of `,
  line % 5 === 0 ? '4111 1111 1111 1111' : 'nobody who is known',
  ' and so on\n',
]);
/** 6 MB. */
const plain = Buffer.from(lines.map((parts) => parts.join('')).join(''));
const masked = Buffer.from(plain.toString().replaceAll('4111 1111 1111 1111', '**** **** **** 1111'));
