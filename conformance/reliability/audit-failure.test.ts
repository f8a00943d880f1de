import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync, appendFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyLog } from '../../verifier/index.ts';
import { eventually, startBank, type Bank } from '../harness.ts';
import { connected, killLeftovers, newSite, recordsFrom, serve, type ServingProcess, type Site } from './child.ts';

/** A real way in which the audit log runs out of space. */
interface Scarcity {
  readonly name: string;
  prepare(site: Site): void;
  begin(site: Site, served: ServingProcess): void;
  end(site: Site, served: ServingProcess): void;
  cleanUp(site: Site): void;
}

let bank: Bank;
before(async () => {
  bank = await startBank();
  await bank.gateway.close();
  await bank.direct('create table scarce (word text primary key); alter table scarce owner to gateway');
});
after(async () => {
  killLeftovers();
  await bank.close();
});

describe('a disk without room for the audit log', () => {
  for (const [index, scarcity] of scarcities().entries()) {
    it(`lets nothing through, says so, and serves again by itself once there is room (${scarcity.name})`, async () => {
      const site = await newSite(bank, `scarce${index}`);
      scarcity.prepare(site);
      try {
        await starveAndRecover(site, scarcity, `t${index}`);
      } finally {
        killLeftovers();
        scarcity.cleanUp(site);
      }
    });
  }
});

async function starveAndRecover(site: Site, scarcity: Scarcity, run: string): Promise<void> {
  const served = await serve(site);
  const answered = new Set<string>();
  const open = await connected(await site.client('pipeline'));
  let count = 0;
  const write = async (client = open): Promise<void> => {
    const word = `${run}w${(count += 1)}`;
    await client.query('insert into scarce values ($1)', [word]);
    answered.add(word);
  };
  const read = async (client = open): Promise<void> => {
    const word = `${run}r${(count += 1)}`;
    await client.query(`select count(*) from scarce where word = '${word}'`);
    answered.add(word);
  };
  for (let i = 0; i < 60; i++) await write();
  const reader = await connected(await site.client('pipeline'));
  await read(reader);
  assert.equal(await ready(site), 200);

  scarcity.begin(site, served);
  const denial = await untilDenied(write);
  assert.match(denial, /audit log cannot be written/);
  const executedBefore = await executed(run);
  assert.equal(await ready(site), 503);
  for (let i = 0; i < 10; i++) {
    await assert.rejects(write(), unavailable);
    await assert.rejects(read(reader), unavailable);
    await assert.rejects(connected(await site.client('pipeline')), unavailable);
  }
  assert.equal(await ready(site), 503);
  assert.deepEqual(await executed(run), executedBefore, 'something was executed in between');
  for (const word of executedBefore) assert.ok(answered.has(word), `${word} was executed and its client was told that it was denied`);

  scarcity.end(site, served);
  await eventually('readiness', async () => ((await ready(site)) === 200 ? true : undefined));
  const again = await connected(await site.client('pipeline'));
  await write(again);
  await read(again);
  await write();
  await again.end();

  const allowed = new Set<string>();
  for (const { record } of await recordsFrom(site, 0, ['operation.decided'])) {
    if (record['decision'] !== 'allow') continue;
    for (const [word] of JSON.stringify([record['text'], record['parameters']]).matchAll(/t\d[wr]\d+/g)) allowed.add(word);
  }
  for (const word of [...answered, ...(await executed(run))]) assert.ok(allowed.has(word), `no record of ${word}`);
  served.signal('SIGTERM');
  assert.equal(await served.ended, 0, served.log());
  const report = await verifyLog({ folder: join(site.data, 'audit'), recordings: join(site.data, 'recordings') });
  assert.ok(report.ok, JSON.stringify(report.problems));
}

/** There is room for some more records. */
async function untilDenied(write: () => Promise<void>): Promise<string> {
  for (let i = 0; i < 5_000; i++) {
    try {
      await write();
    } catch (error) {
      return String(error);
    }
  }
  return assert.fail('nothing was ever denied');
}

/** The session either lives and is refused, or has ended for that reason. */
function unavailable(error: Error): boolean {
  return /audit log cannot be written|not queryable|terminated/.test(error.message);
}

async function executed(run: string): Promise<readonly string[]> {
  const { rows } = await bank.direct(`select word from scarce where word like '${run}w%' order by word`);
  return rows.map(({ word }) => word as string);
}

async function ready(site: Site): Promise<number> {
  await (await site.api('auditor-uma')).get('/healthz');
  return (await fetch(`${site.apiUrl}/readyz`)).status;
}

/** A limit on the size of files works for everyone; a file system of its own needs root and the right to mount. */
function scarcities(): readonly Scarcity[] {
  return [fileSizeLimit(), ...(mayMount() ? [smallFileSystem()] : [])];
}

function journal(site: Site): string {
  return join(site.data, 'audit', 'journal', '0000000000000000.journal');
}

function fileSizeLimit(): Scarcity {
  return {
    name: 'RLIMIT_FSIZE',
    prepare: () => {},
    begin(site, { pid }) {
      prlimit(pid, `${statSync(journal(site)).size + 2_000}:unlimited`);
    },
    end(_site, { pid }) {
      prlimit(pid, 'unlimited:unlimited');
    },
    cleanUp: () => {},
  };
}

function smallFileSystem(): Scarcity {
  return {
    name: 'a full file system',
    prepare(site) {
      mkdirSync(join(site.data, 'audit'), { recursive: true, mode: 0o700 });
      assert.equal(mount(join(site.data, 'audit')), 0);
    },
    begin(site) {
      const filler = join(site.data, 'audit', 'filler');
      writeFileSync(filler, '');
      for (const size of [65_536, 4_096]) {
        try {
          for (;;) appendFileSync(filler, Buffer.alloc(size));
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
        }
      }
    },
    end(site) {
      rmSync(join(site.data, 'audit', 'filler'));
    },
    cleanUp(site) {
      spawnSync('umount', ['-l', join(site.data, 'audit')]);
    },
  };
}

function mayMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const place = mkdtempSync(join(tmpdir(), 'sallyport-mount-'));
  try {
    if (mount(place) !== 0) return false;
    return spawnSync('umount', [place]).status === 0;
  } finally {
    rmSync(place, { recursive: true });
  }
}

function mount(place: string): number | null {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', place]).status;
}

function prlimit(pid: number, limit: string): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${limit}`], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}
