import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import type { AuditLog } from '../index.ts';
import { withoutRoom } from '../frames.ts';
import type { CheckedLog } from './harness.test.ts';
import { MemoryDisk, ROOT, checkFolder, fill, note, openOn } from './harness.test.ts';

const LIMITS = { segmentBytes: 12_000, checkpointRecords: Infinity, waitingBundles: 1 };
let parts = 0;
const SEGMENT = `${ROOT}/journal/0000000000000000.journal`;

test('a crash before any call to the disk leaves a log that opens and holds every acknowledged record', async () => {
  const disk = new MemoryDisk();
  const crashes: { disk: MemoryDisk; acknowledged: number; what: string }[] = [];
  let log: AuditLog | undefined;
  disk.before = (call, path) => {
    if (call === 'read') return;
    const acknowledged = log?.durableCount ?? 0;
    const what = `before ${call} ${path}`;
    crashes.push({ disk: disk.afterCrash('process'), acknowledged, what: `process, ${what}` });
    crashes.push({ disk: disk.afterCrash('machine'), acknowledged, what: `machine, ${what}` });
    crashes.push({ disk: disk.afterCrash('machine', somePart), acknowledged, what: `machine (partly written), ${what}` });
  };
  log = await openOn(disk, { limits: LIMITS });
  for (let i = 0; i < 300; i += 60) {
    await fill(log, i, i + 60);
    if (i % 120 === 0) await log.checkpoint();
  }
  await log.durable(log.append(note('x'.repeat(70_000))));
  await log.close();
  log = undefined;
  assert.ok(crashes.length > 300);

  for (const { disk: left, acknowledged, what } of crashes) {
    const again = await openOn(left, { limits: LIMITS }).catch((error: unknown) => {
      throw new Error(`${what}: ${error instanceof GatewayFault ? error.detail : String(error)}`);
    });
    assert.ok(again.size >= acknowledged, `${what}: ${again.size} of ${acknowledged}`);
    await fill(again, 0, 3);
    await again.close();
    const checked = await checkFolder(left).catch((error: unknown) => {
      throw new Error(`${what}: ${String(error)}`);
    });
    assert.equal(checked.signed, checked.leaves.length, what);
    const events = checked.leaves.map((leaf) => JSON.parse(leaf) as { type: string; event?: string });
    for (let i = 0; i < Math.min(acknowledged, 300); i++) assert.equal(events[i]?.event, `e${i}`, what);
  }
});

test('with durability "process" a crash of the machine leaves at least what was signed, and of the gateway everything', async () => {
  const disk = new MemoryDisk();
  const crashes: { disk: MemoryDisk; atLeast: number; what: string }[] = [];
  const more = { limits: LIMITS, durability: 'process' } as const;
  const log = await openOn(disk, more);
  let signed = 0;
  disk.before = (call, path) => {
    if (call === 'read') return;
    const what = `before ${call} ${path}`;
    crashes.push({ disk: disk.afterCrash('process'), atLeast: log.durableCount, what: `process, ${what}` });
    crashes.push({ disk: disk.afterCrash('machine', somePart), atLeast: signed, what: `machine, ${what}` });
  };
  for (let i = 0; i < 300; i += 20) {
    await fill(log, i, i + 20);
    if (i % 60 !== 0) continue;
    await log.checkpoint();
    signed = i + 20;
  }
  await log.close();
  for (const { atLeast, disk: left, what } of crashes) {
    const again = await openOn(left, more);
    assert.ok(again.size >= atLeast, what);
    await again.close();
    await checkFolder(left);
  }
});

test('a journal that ends within a frame loses that frame only, and the log says so', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: LIMITS });
  await fill(log, 0, 4);
  const acknowledged = withoutRoom(disk.file(SEGMENT).bytes).byteLength;
  await fill(log, 4, 6);
  const crashed = disk.afterCrash('process');
  const whole = withoutRoom(crashed.file(SEGMENT).bytes);
  await log.close();

  const barrier = 8;
  for (let length = acknowledged + barrier + 1; length < whole.byteLength; length++) {
    const cut = crashed.afterCrash('process');
    cut.file(SEGMENT).bytes = Buffer.from(whole.subarray(0, length));
    const again = await openOn(cut, { limits: LIMITS });
    const kept = again.size;
    await again.close();
    const leaves = (await checkFolder(cut)).leaves.map(
      (leaf) => JSON.parse(leaf) as { type: string; event?: string; dropped_bytes?: number; records?: number },
    );
    // The zeros that a length begins with are no trace of anything.
    const left = withoutRoom(whole.subarray(0, length)).byteLength;
    const dropped = Math.max(0, left - (acknowledged + barrier) - (kept - 4) * ((whole.byteLength - acknowledged - barrier) / 2));
    assert.ok(kept === 4 || kept === 5);
    assert.equal(leaves.length, dropped === 0 ? kept : kept + 1);
    if (dropped === 0) continue;
    assert.deepEqual([leaves.at(-1)!.type, leaves.at(-1)!.records, leaves.at(-1)!.dropped_bytes], ['log.recovered', kept, dropped]);
  }
});

test('the room behind the last record is no part of the log; a byte in it that is not zero is dropped, and the log says so', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  await fill(log, 0, 3);
  const crashed = disk.afterCrash('process');
  await log.close();
  const { bytes } = crashed.file(SEGMENT);
  const end = withoutRoom(bytes).byteLength;
  assert.equal(bytes.byteLength, end + 256 * 1024);

  const again = await openOn(crashed.afterCrash('process'));
  assert.equal(again.size, 3);
  await again.close();

  crashed.file(SEGMENT).bytes[end + 100] = 1;
  const told = await openOn(crashed);
  assert.equal(told.size, 3);
  await told.close();
  assert.match((await checkFolder(crashed)).leaves.at(-1)!, /"dropped_bytes":101,.*"type":"log\.recovered"/);
});

test('any changed byte in what was acknowledged is refused or, in the last batch alone, dropped and told', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: LIMITS });
  for (let i = 0; i < 3; i++) await fill(log, i, i + 1);
  const crashed = disk.afterCrash('process');
  await log.close();
  const whole = withoutRoom(crashed.file(SEGMENT).bytes);
  const lastBarrier = whole.lastIndexOf(Buffer.from('00000000ffffffff', 'hex'));
  for (let at = 0; at < whole.byteLength; at++) {
    const altered = crashed.afterCrash('process');
    altered.file(SEGMENT).bytes[at]! ^= 0x41;
    const opened = await openOn(altered, { limits: LIMITS }).catch((error: unknown) => {
      assert.ok(isUnavailable(error), String(error));
      return undefined;
    });
    if (opened === undefined) {
      assert.ok(at < lastBarrier + 8, `byte ${at} was refused`);
      continue;
    }
    assert.ok(at >= lastBarrier, `byte ${at} went unnoticed`);
    assert.equal(opened.size, 2);
    await opened.close();
    assert.match((await checkFolder(altered)).leaves.at(-1)!, /"type":"log\.recovered"/);
  }
});

test('it refuses to open what is smaller than or different from its checkpoint', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk, { limits: { checkpointRecords: Infinity } });
  await fill(log, 0, 100);
  await log.checkpoint();
  await fill(log, 100, 300);
  const old = disk.afterCrash('process');
  await log.close();
  const journal = disk.file(SEGMENT).bytes;
  const checkpoint = disk.file(`${ROOT}/checkpoint`).bytes;

  const alterations: Record<string, (copy: MemoryDisk) => unknown> = {
    'cut journal': (copy) => (copy.file(SEGMENT).bytes = journal.subarray(0, journal.byteLength / 2)),
    'missing journal': (copy) => copy.remove(`${ROOT}/journal`),
    'missing segment file': (copy) => copy.remove(SEGMENT),
    'journal of an earlier day': (copy) => (copy.file(SEGMENT).bytes = old.file(SEGMENT).bytes.subarray(0, 5_000)),
    'missing checkpoint': (copy) => copy.remove(`${ROOT}/checkpoint`),
    'missing history': (copy) => copy.remove(`${ROOT}/checkpoints`),
    'missing checkpoint and history': async (copy) => {
      await copy.remove(`${ROOT}/checkpoint`);
      await copy.remove(`${ROOT}/checkpoints`);
    },
    'checkpoint rolled back': (copy) => (copy.file(`${ROOT}/checkpoint`).bytes = firstNote(old)),
    'checkpoint with another size': (copy) =>
      (copy.file(`${ROOT}/checkpoint`).bytes = Buffer.from(checkpoint.toString().replace('\n300\n', '\n200\n'))),
    'history with another length': (copy) => (copy.file(`${ROOT}/checkpoints`).bytes[1]! ^= 1),
    'history with another byte at its end': (copy) =>
      (copy.file(`${ROOT}/checkpoints`).bytes[copy.file(`${ROOT}/checkpoints`).bytes.byteLength - 9]! ^= 1),
    'history cut by an entry': (copy) => (copy.file(`${ROOT}/checkpoints`).bytes = old.file(`${ROOT}/checkpoints`).bytes),
    'another tile': (copy) => (copy.file(`${ROOT}/tile/1/000.p/1`).bytes[3]! ^= 1),
    'missing tiles': (copy) => copy.remove(`${ROOT}/tile`),
    'missing private key': (copy) => copy.remove('/data/log-key.pem'),
    'another public key': (copy) => (copy.file(`${ROOT}/log.pub`).bytes[40]! ^= 1),
    'a public key in place of the private one': (copy) => (copy.file('/data/log-key.pem').bytes = Buffer.from('no key')),
    'a renamed segment': (copy) => copy.rename(SEGMENT, `${ROOT}/journal/0000000000000100.journal`),
  };
  for (const [what, alter] of Object.entries(alterations)) {
    const copy = disk.afterCrash('process');
    await alter(copy);
    await assert.rejects(openOn(copy), isUnavailable, what);
  }
  const untouched = await openOn(disk.afterCrash('process'));
  assert.equal(untouched.size, 300);
  await untouched.close();
});

test('a log that ends with a full tile is compared as well', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  await fill(log, 0, 512);
  await log.close();
  disk.file(`${ROOT}/tile/1/000.p/2`).bytes[3]! ^= 1;
  await assert.rejects(openOn(disk), isUnavailable);
});

test('another origin is refused', async () => {
  const disk = new MemoryDisk();
  await (await openOn(disk)).close();
  await assert.rejects(openOn(disk, { origin: 'gw.bank.example/other' }), isUnavailable);
  await assert.rejects(openOn(new MemoryDisk(), { origin: 'with space' }), isUnavailable);
});

test('a lost partial tile is derived from the full tiles below it', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  await fill(log, 0, 600);
  await log.close();
  await disk.remove(`${ROOT}/tile/1/000.p`);
  await disk.remove(`${ROOT}/tile/0/002.p`);
  const again = await openOn(disk);
  await fill(again, 600, 700);
  await again.close();
  assert.equal((await checkFolder(disk)).signed, 700);
});

test('one writer a log; a lock is free again when its holder is gone', async () => {
  const disk = new MemoryDisk();
  const log = await openOn(disk);
  await assert.rejects(openOn(disk), isUnavailable);
  const lock = disk.file(`${ROOT}/lock`).bytes.toString();
  await log.close();
  assert.deepEqual((await disk.list(ROOT)).includes('lock'), false);

  const holder = JSON.parse(lock) as { host: string; pid: number; started: string; token: string };
  const gone = [
    { ...holder, token: 'of an earlier process that had our id' },
    { ...holder, pid: 2 ** 22 + 1 },
    { ...holder, pid: process.ppid, started: 'another boot' },
  ];
  for (const stale of gone.map((value) => JSON.stringify(value)).concat('{"half written')) {
    await disk.createExclusive(`${ROOT}/lock`, Buffer.from(stale));
    await (await openOn(disk)).close();
  }
  await disk.createExclusive(`${ROOT}/lock`, Buffer.from(JSON.stringify({ ...holder, host: 'elsewhere' })));
  await assert.rejects(openOn(disk), isUnavailable);
});

test('it continues over many runs', async () => {
  const disk = new MemoryDisk();
  let size = 0;
  let checked: CheckedLog | undefined;
  for (const count of [0, 1, 255, 1, 256, 300, 0, 512, 7]) {
    const log = await openOn(disk, { limits: { segmentBytes: 20_000 } });
    assert.equal(log.size, size);
    await fill(log, size, size + count);
    size += count;
    await log.close();
    checked = await checkFolder(disk);
    assert.equal(checked.signed, size);
  }
  assert.equal(checked?.leaves.length, size);
});

/** A part of what was not flushed survives; which one changes from file to file. */
function somePart(): number {
  return (parts++ * 0.37) % 1;
}

function firstNote(disk: MemoryDisk): Buffer {
  const history = disk.file(`${ROOT}/checkpoints`).bytes.toString();
  const newline = history.indexOf('\n');
  return Buffer.from(history.slice(newline + 1)).subarray(0, Number(history.slice(0, newline)));
}

function isUnavailable(error: unknown): boolean {
  return error instanceof GatewayFault && error.code === 'audit-unavailable';
}
