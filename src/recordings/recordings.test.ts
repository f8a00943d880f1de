import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Operation } from '../core/operation.ts';
import type { ClockPort, RecordedSession } from '../core/ports.ts';
import { localDisk, type RecordingDisk } from './disk.ts';
import { createRecordings } from './recordings.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recordings-'));
});
after(() => rm(folder, { recursive: true }));

describe('a recording', () => {
  it('is a timeline of masked content, sealed by its digest', async () => {
    const clock = new Clock();
    const recording = createRecordings({ folder, clock }).open(session('s-1'));
    recording.decided(operation({ parameters: ['1', null] }), 'allow', undefined);
    clock.ms += 12.4;
    recording.sample({
      operationId: 's-1-1',
      columns: ['id', 'ssn'],
      rows: [
        ['1', '***-**-1234'],
        ['2', null],
      ],
    });
    const file = { bytes: 40, sha256: 'd'.repeat(64), in_order: true };
    const transfers = [
      { path: '/a', direction: 'download', ...file },
      { path: '/b', direction: 'upload', ...file },
    ] as const;
    recording.completed({ operationId: 's-1-1', outcome: 'succeeded', rows: 2, bytes: 40, masked: { ssn: 1 }, transfers }, 3.5);
    recording.note('cancel', { operation: 's-1-1' });
    clock.ms += 1000;
    recording.decided(operation({ id: 's-1-2', text: 'DROP TABLE x', textIsExact: false }), 'deny', 'policy-denied');
    const sealed = await recording.seal();

    assert.equal(sealed.file, '2027-03-05/s-1.jsonl');
    const content = await readFile(join(folder, sealed.file));
    assert.equal(sealed.bytes, content.length);
    assert.equal(sealed.sha256, createHash('sha256').update(content).digest('hex'));
    assert.equal((await stat(join(folder, sealed.file))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(folder, '2027-03-05')), ['s-1.jsonl']);
    const [header, ...events] = content
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(header, {
      format: 'sallyport-recording',
      version: 1,
      session: 's-1',
      started: '2027-03-05T23:59:59.000Z',
      target: { name: 'orders', protocol: 'postgres', labels: { env: 'production' } },
      principal: { issuer: 'github', subject: 'repo', kind: 'agent', display: 'the job', groups: ['deployers'], claims: { run: 7 } },
    });
    assert.deepEqual(events, [
      { at: 0, event: 'decided', operation: 's-1-1', decision: 'allow', text: 'SELECT 1', text_exact: true, parameters: ['1', null] },
      {
        at: 12,
        event: 'sample',
        operation: 's-1-1',
        columns: ['id', 'ssn'],
        rows: [
          ['1', '***-**-1234'],
          ['2', null],
        ],
      },
      { at: 12, event: 'transfer', operation: 's-1-1', path: '/a', direction: 'download', ...file, masked: { ssn: 1 } },
      { at: 12, event: 'transfer', operation: 's-1-1', path: '/b', direction: 'upload', ...file, masked: {} },
      { at: 12, event: 'completed', operation: 's-1-1', outcome: 'succeeded', rows: 2, bytes: 40, duration_ms: 3.5, masked: { ssn: 1 } },
      { at: 12, event: 'note', note: 'cancel', detail: { operation: 's-1-1' } },
      { at: 1012, event: 'decided', operation: 's-1-2', decision: 'deny', code: 'policy-denied', text: 'DROP TABLE x', text_exact: false },
      { at: 1012, event: 'closed' },
    ]);
  });

  it('can be read while it grows and after it is sealed, and under no other name', async () => {
    const recordings = createRecordings({ folder, clock: new Clock() });
    const recording = recordings.open(session('s-2'));
    for (let index = 0; index < 2_000; index++) recording.note('filler', { index });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const growing = await collect(recordings.read('s-2'));
    assert.match(growing, /^\{"format"/);
    await recording.seal();
    const whole = await collect(recordings.read('s-2'));
    assert.ok(whole.startsWith(growing) && whole.includes('"closed"'));
    for (const id of ['s-none', '../s-2', '2027-03-05/s-2', '', 's-2.jsonl']) assert.equal(await recordings.read(id), undefined);
    assert.equal(await createRecordings({ folder: join(folder, 'nowhere'), clock: new Clock() }).read('s-2'), undefined);
  });

  it('goes to the disk by itself', async () => {
    const recordings = createRecordings({ folder, clock: new Clock() });
    const recording = recordings.open(session('s-3'));
    recording.note('early', {});
    let stored = '';
    while (!stored.includes('early')) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      stored = await collect(recordings.read('s-3'));
    }
    await recording.seal();
  });

  it('has one write for many lines, however often they come, and none that waits longer than its time', async ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const written: string[] = [];
    let end: (() => void) | undefined;
    const disk: RecordingDisk = {
      ...localDisk,
      async write(_, bytes) {
        written.push(Buffer.from(bytes).toString());
        await new Promise<void>((resolve) => (end = resolve));
        return bytes.length;
      },
    };
    const endOfWrite = async (): Promise<void> => {
      end?.();
      await new Promise((resolve) => setImmediate(resolve));
    };
    const recording = createRecordings({ folder, clock: new Clock(), disk }).open(session('s-8'));
    recording.note('a', { text: 'x'.repeat(70_000) });
    recording.note('b', {});
    await endOfWrite();
    recording.note('c', {});
    assert.equal(written.length, 1);
    mock.timers.tick(200);
    assert.equal(written.length, 2);
    // This write takes longer than lines wait.
    recording.note('d', {});
    mock.timers.tick(200);
    recording.note('e', {});
    await endOfWrite();
    assert.equal(written.length, 3);
    const sealing = recording.seal();
    for (let write = 0; write < 2; write += 1) await endOfWrite();
    await sealing;
    assert.deepEqual(
      written.map((text) => [...text.matchAll(/"note":"(.)"|"(closed)"/g)].map((found) => found[1] ?? found[2])),
      [['a'], ['b', 'c'], ['d', 'e'], ['closed']],
    );
  });

  it('writes much at once, at whatever moment of the write before it comes', async ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    for (let moment = 0; moment < 12; moment += 1) {
      let bytesWritten = 0;
      const disk: RecordingDisk = {
        ...localDisk,
        async write(_, { length }) {
          await Promise.resolve();
          bytesWritten += length;
          return length;
        },
      };
      const recording = createRecordings({ folder, clock: new Clock(), disk }).open(session(`s-9-${moment}`));
      recording.note('a', { text: 'x'.repeat(70_000) });
      for (let at = 0; at < moment; at += 1) await Promise.resolve();
      recording.note('b', { text: 'x'.repeat(70_000) });
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(bytesWritten > 140_000, `${moment}: ${bytesWritten}`);
    }
  });

  it('never takes an existing file, nor a name that is none', async () => {
    const recordings = createRecordings({ folder, clock: new Clock() });
    const first = recordings.open(session('s-4'));
    assert.throws(() => recordings.open(session('s-4')), { code: 'recording-unavailable' });
    await first.seal();
    assert.throws(() => recordings.open(session('s-4')), { code: 'recording-unavailable' });
    for (const id of ['../x', '', 'a/b', '.hidden', 'a\0b', 'x'.repeat(101)]) {
      assert.throws(() => recordings.open(session(id)), { code: 'recording-unavailable' });
    }
  });

  it('cuts what is too large for one line, and says that it is not exact', async () => {
    const recordings = createRecordings({ folder, clock: new Clock() });
    const recording = recordings.open(session('s-5'));
    recording.decided(operation({ text: 'x'.repeat(300_000) }), 'allow', undefined);
    recording.decided(operation({ parameters: Array.from({ length: 100 }, () => 'y'.repeat(20_000)) }), 'allow', undefined);
    recording.sample({ operationId: 'o', columns: ['a'], rows: Array.from({ length: 1_000 }, () => ['z'.repeat(20_000)]) });
    const { bytes } = await recording.seal();
    assert.ok(bytes < 4_000_000, String(bytes));
    const events = (await collect(recordings.read('s-5')))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      events.filter((event) => event['event'] === 'decided').map((event) => event['text_exact']),
      [false, false],
    );
  });

  it('seals once, and takes nothing afterwards', async () => {
    const recording = createRecordings({ folder, clock: new Clock() }).open(session('s-6'));
    const [one, two] = await Promise.all([recording.seal(), recording.seal()]);
    assert.deepEqual(one, two);
    assert.throws(() => recording.note('late', {}), { code: 'recording-unavailable' });
  });
});

describe('a failing disk', () => {
  it('refuses a session whose file cannot be made', () => {
    const disk = { ...localDisk, create: () => fail('ENOSPC') };
    assert.throws(() => createRecordings({ folder, clock: new Clock(), disk }).open(session('f-1')), { code: 'recording-unavailable' });
  });

  it('makes every later call throw, and is never written to again', async () => {
    let writes = 0;
    const disk: RecordingDisk = {
      ...localDisk,
      write: () => {
        writes++;
        return Promise.reject(new Error('EIO'));
      },
    };
    const recording = createRecordings({ folder, clock: new Clock(), disk }).open(session('f-2'));
    recording.note('big', { text: 'x'.repeat(70_000) });
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(writes, 1);
    assert.throws(
      () => recording.note('next', {}),
      (error: Error & { code: string; detail: string }) => error.code === 'recording-unavailable' && /EIO/.test(error.detail),
    );
    assert.throws(() => recording.decided(operation({}), 'allow', undefined), { code: 'recording-unavailable' });
    await assert.rejects(recording.seal(), { code: 'recording-unavailable' });
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal(writes, 1);
  });

  it('that writes less than it was given is written the rest', async () => {
    const disk: RecordingDisk = { ...localDisk, write: (descriptor, bytes) => localDisk.write(descriptor, bytes.subarray(0, 7)) };
    const recordings = createRecordings({ folder, clock: new Clock(), disk });
    const recording = recordings.open(session('f-3'));
    recording.note('hello', {});
    const sealed = await recording.seal();
    const content = await readFile(join(folder, sealed.file));
    assert.equal(sealed.sha256, createHash('sha256').update(content).digest('hex'));
    assert.match(content.toString(), /hello/);
  });

  it('that does not keep up refuses events, and the recording says that some are missing', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const disk: RecordingDisk = {
      ...localDisk,
      async write(descriptor, bytes) {
        await released;
        return localDisk.write(descriptor, bytes);
      },
    };
    const recordings = createRecordings({ folder, clock: new Clock(), disk });
    const recording = recordings.open(session('f-4'));
    const filler = { text: 'x'.repeat(100_000) };
    let refusals = 0;
    for (let index = 0; index < 200; index++) {
      try {
        recording.note('filler', filler);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'recording-unavailable');
        refusals++;
      }
    }
    assert.ok(refusals > 100 && refusals < 125, String(refusals));
    release();
    while (!(await accepts(() => recording.note('again', {})))) await new Promise((resolve) => setTimeout(resolve, 5));
    await recording.seal();
    const content = await collect(recordings.read('f-4'));
    const gap = /"event":"gap","dropped":(\d+)/.exec(content);
    assert.ok(Number(gap?.[1]) >= refusals);
    assert.match(content, /"note":"again"/);
  });

  it('that is behind says so long before it refuses anything, and when there is room again', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const disk: RecordingDisk = {
      ...localDisk,
      async write(descriptor, bytes) {
        await released;
        return localDisk.write(descriptor, bytes);
      },
    };
    const recording = createRecordings({ folder, clock: new Clock(), disk }).open(session('f-7'));
    const part = { stream: 'input', text: '\0'.repeat(32_768) } as const;
    let parts = 1;
    let room = recording.transcript('f-7-1', part);
    for (; room === undefined; parts += 1) room = recording.transcript('f-7-1', part);
    assert.ok(parts > 3 && parts < 10, String(parts));
    let isRoom = false;
    void room.then(() => (isRoom = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isRoom, false);
    release();
    await room;
    assert.equal(recording.transcript('f-7-1', part), undefined);
    await recording.seal();
  });

  it('that cannot make it durable or rename it does not seal', async () => {
    for (const broken of [{ sync: () => Promise.reject(new Error('EIO')) }, { rename: () => Promise.reject(new Error('EROFS')) }]) {
      const id = 'sync' in broken ? 'f-5' : 'f-6';
      const recording = createRecordings({ folder, clock: new Clock(), disk: { ...localDisk, ...broken } }).open(session(id));
      await assert.rejects(recording.seal(), { code: 'recording-unavailable' });
      assert.ok((await readdir(join(folder, '2027-03-05'))).includes(`${id}.jsonl.open`));
    }
  });
});

describe('recovery', () => {
  it('seals what was left open, wherever the file was cut', async () => {
    const own = await mkdtemp(join(tmpdir(), 'recover-'));
    const recordings = createRecordings({ folder: own, clock: new Clock() });
    const whole = recordings.open(session('whole'));
    whole.note('first', {});
    whole.note('second', { é: 'ü' });
    const { file } = await whole.seal();
    const content = await readFile(join(own, file));
    const day = join(own, '2027-03-05');
    for (let length = 0; length <= content.length; length++) {
      await writeFile(join(day, `cut-${length}.jsonl.open`), content.subarray(0, length));
    }
    const { recovered, failed } = await recordings.recover();
    assert.deepEqual(failed, []);
    assert.equal(recovered.length, content.length + 1);
    for (const { session: id, recording, droppedBytes } of recovered) {
      const length = Number(id.slice('cut-'.length));
      const after = await readFile(join(own, recording.file));
      assert.equal(recording.sha256, createHash('sha256').update(after).digest('hex'));
      assert.equal(recording.bytes, after.length);
      const kept = content.subarray(0, length - droppedBytes);
      assert.deepEqual(after.subarray(0, kept.length), kept);
      assert.ok(kept.length === 0 || kept.at(-1) === 0x0a);
      const added = after.subarray(kept.length).toString();
      if (length === content.length) assert.equal(added, '');
      else assert.deepEqual({ ...(JSON.parse(added) as object), at: 0 }, { at: 0, event: 'recovered', dropped_bytes: droppedBytes });
    }
    assert.deepEqual(
      (await readdir(day)).filter((name) => name.endsWith('.open')),
      [],
    );
    assert.deepEqual(await recordings.recover(), { recovered: [], failed: [] });
    await rm(own, { recursive: true });
  });

  it('has nothing to do where there is no folder', async () => {
    assert.deepEqual(await createRecordings({ folder: join(folder, 'nowhere'), clock: new Clock() }).recover(), {
      recovered: [],
      failed: [],
    });
  });

  it('finds what a killed process wrote', async () => {
    const own = await mkdtemp(join(tmpdir(), 'killed-'));
    const recording = createRecordings({ folder: own, clock: new Clock() }).open(session('k-1'));
    recording.note('written', { text: 'x'.repeat(70_000) });
    const path = join(own, '2027-03-05', 'k-1.jsonl.open');
    while ((await stat(path)).size < 70_000) await new Promise((resolve) => setTimeout(resolve, 5));
    await truncate(path, 70_000);
    const { recovered } = await createRecordings({ folder: own, clock: new Clock() }).recover();
    assert.deepEqual(
      recovered.map((entry) => entry.session),
      ['k-1'],
    );
    await rm(own, { recursive: true });
  });
});

class Clock implements ClockPort {
  ms = 500;
  now(): number {
    return Date.UTC(2027, 2, 5, 23, 59, 59) + this.ms;
  }
  monotonic(): number {
    return this.ms;
  }
}

function session(sessionId: string): RecordedSession {
  return {
    sessionId,
    target: { name: 'orders', protocol: 'postgres', labels: { env: 'production' }, masking: 'taint', hold: 'wait' },
    principal: {
      issuer: 'github',
      issuerUrl: 'https://issuer.example',
      subject: 'repo',
      kind: 'agent',
      groups: ['deployers'],
      groupsKnown: true,
      claims: { run: 7 },
      display: 'the job',
      tokenId: 'secret-ish',
      expiresAtMs: 0,
      authenticatedBy: 'oidc-token',
    },
    startedAtMs: Date.UTC(2027, 2, 5, 23, 59, 59),
  };
}

function operation(changes: Partial<Operation>): Operation {
  return {
    id: 's-1-1',
    sessionId: 's-1',
    protocol: 'postgres',
    acts: [],
    facts: {},
    pureRead: true,
    naming: false,
    text: 'SELECT 1',
    textIsExact: true,
    dataClasses: [],
    exact: () => new Uint8Array(),
    unmasked: () => ({ text: 'SELECT 1', runs: [], parameters: [] }),
    ...changes,
  };
}

async function collect(reading: Promise<AsyncIterable<Uint8Array> | undefined>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await reading) ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function accepts(call: () => void): Promise<boolean> {
  try {
    call();
    return Promise.resolve(true);
  } catch {
    return Promise.resolve(false);
  }
}

function fail(code: string): never {
  throw new Error(code);
}
