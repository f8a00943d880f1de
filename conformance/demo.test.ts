import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually, run, start, type Running } from './harness.ts';
import { ensureDebian } from './parts/debian.ts';

ensureDebian(['openssh-client', 'openssh-server']);

/** Where the demo under test makes its folder, and nobody else: what is left in it, or runs from it, was left by the demo. */
let place: string;
const demos: Running[] = [];

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'sallyport-demo-test-'));
  chmodSync(place, 0o711);
  mkdirSync(join(place, 'tmp'), { mode: 0o711 });
});
afterEach(() => {
  // Of a test that failed: what still runs would keep this one from ending.
  for (const { process } of demos.splice(0)) process.kill('SIGKILL');
  rmSync(place, { recursive: true, force: true });
});

describe('sallyport demo --tour', () => {
  it('plays every step with the psql of this machine, if any, and leaves nothing', { timeout: 290_000 }, async () => {
    await playsWell(demo(['--tour']));
  });

  it('plays every step without psql and ssh', { timeout: 290_000 }, async () => {
    const { stdout } = await playsWell(demo(['--tour'], { PATH: '/nonexistent' }));
    assert.match(stdout, /no psql is installed/);
  });

  it('interrupted in the middle, ends with 1 and leaves nothing', { timeout: 290_000 }, async () => {
    const tour = demo(['--tour']);
    await says(tour, 'waiting for approval');
    tour.process.kill('SIGINT');
    assert.equal((await tour.done).status, 1);
    await nothingIsLeft();
  });
});

describe('sallyport demo', () => {
  it('invites with lines that can be pasted; Ctrl-C ends it', { timeout: 290_000 }, async () => {
    const running = demo([]);
    await says(running, 'Ctrl-C stops everything');
    const lines = running.stdout().split('\n');
    const folder = /in (\/\S+)/.exec(running.stdout())?.[1] ?? '';

    // A psql that shows what bash made of the line.
    writeFileSync(join(place, 'psql'), '#!/bin/sh\nprintf "%s\\n" "$#" "$1" "$PGPASSWORD"\n', { mode: 0o755 });
    const first = lines.findIndex((line) => line.includes('PGPASSWORD='));
    const pasted = await run('bash', ['-c', lines.slice(first, lines.indexOf('', first)).join('\n')], { PATH: `${place}:/usr/bin:/bin` });
    const [count, connection, password] = pasted.stdout.split('\n');
    assert.equal(count, '1', pasted.stderr);
    assert.match(connection ?? '', /^host=localhost port=\d+ dbname=orders user=ci +sslmode=verify-full sslrootcert=\/\S+\/ca\.crt$/);
    assert.equal(password, readFileSync(join(folder, 'pipeline.token'), 'utf8'));

    const http = lines.findIndex((line) => line.includes('curl --cacert'));
    const customer = await run('bash', ['-c', lines.slice(http, http + 2).join('\n')], { PATH: '/usr/bin:/bin', HOME: place });
    assert.match(customer.stdout, /^\{"id":7,.*"ssn":"\*\*\*-\*\*-\d{4}"/, customer.stderr);

    const machine = lines.findIndex((line) => line.includes('pipeline.sh'));
    const log = await run('bash', ['-c', lines.slice(machine, machine + 2).join('\n')], { PATH: '/usr/bin:/bin', HOME: place });
    assert.match(log.stdout, /^(?:.* ssn=\*{3}-\*\*-\d{4} card=\*{12}\d{4}\n){3}$/, log.stderr);

    const sourced = lines.filter((line) => /source \/.*erin/.test(line) || line.trim() === 'sallyport approvals list');
    const reviewer = await run('bash', ['-c', sourced.slice(0, 2).join('\n')], { PATH: '/usr/bin:/bin', HOME: place });
    assert.deepEqual([reviewer.stdout, reviewer.stderr], ['nothing waits for approval\n', '']);

    running.process.kill('SIGINT');
    assert.equal((await running.done).status, 0);
    await nothingIsLeft();
  });

  for (const step of ['certificates', 'PostgreSQL 18']) {
    it(`ended while it starts, after: ${step}`, { timeout: 290_000 }, async () => {
      const running = demo([]);
      await says(running, step);
      running.process.kill('SIGTERM');
      assert.equal((await running.done).status, 0);
      await nothingIsLeft();
    });
  }
});

function demo(options: readonly string[], variables: Readonly<Record<string, string>> = {}): Running {
  const env = { PATH: process.env['PATH'], HOME: place, TMPDIR: join(place, 'tmp'), ...variables };
  const running = start(process.execPath, [main, 'demo', ...options], env);
  demos.push(running);
  return running;
}

async function playsWell(tour: Running): Promise<{ stdout: string }> {
  const { status, stdout, stderr } = await tour.done;
  assert.deepEqual([status, stderr], [0, ''], `${stdout.slice(-3_000)}\n${stderr}`);
  await nothingIsLeft();
  return { stdout };
}

async function says({ stdout, process, done }: Running, part: string): Promise<void> {
  const said = async (): Promise<true | undefined> => {
    if (stdout().includes(part)) return true;
    if (process.exitCode !== null) assert.fail(`it ended: ${JSON.stringify(await done)}`);
    return undefined;
  };
  await eventually(`the demo says ${part}`, said, 60_000);
}

async function nothingIsLeft(): Promise<void> {
  assert.deepEqual(readdirSync(join(place, 'tmp')), []);
  // Grandchildren that were told to end may take a moment.
  await eventually('no process of the demo runs', () => (processesOf(place).length === 0 ? true : undefined), 5_000).catch(() => {
    assert.deepEqual(processesOf(place), []);
  });
}

/** Command lines that name something in the folder. */
function processesOf(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((id) => {
      try {
        return readFileSync(join('/proc', id, 'cmdline'), 'utf8').replaceAll('\0', ' ');
      } catch {
        // It has ended meanwhile.
        return '';
      }
    })
    .filter((line) => line.includes(folder));
}

const main = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url));
