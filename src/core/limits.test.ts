import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { noLimits, Usage, UsageBook } from './limits.ts';

describe('operations in a minute', () => {
  it('has no limit where none is set', () => {
    const usage = new Usage();
    for (let times = 0; times < 1_000; times += 1) assert.equal(usage.admit(noLimits, 0), undefined);
  });

  it('says which limit, its value and when to try again, and is right about it', () => {
    const usage = new Usage();
    const limits = { operationsPerMinute: 3 };
    for (const at of [10_500, 11_000, 12_999]) assert.equal(usage.admit(limits, at), undefined);
    const over = usage.admit(limits, 20_250);
    assert.deepEqual(over, { limit: 'operations_per_minute', value: 3, seconds: 51 });
    assert.notEqual(usage.admit(limits, 20_250 + 50_000), undefined);
    assert.equal(usage.admit(limits, 20_250 + 51_000), undefined);
  });

  it('what is refused does not count', () => {
    const usage = new Usage();
    const limits = { operationsPerMinute: 1 };
    usage.admit(limits, 0);
    for (let at = 1_000; at < 61_000; at += 1_000) assert.notEqual(usage.admit(limits, at), undefined);
    assert.equal(usage.admit(limits, 61_000), undefined);
  });

  it('never passes the limit in any minute, and is right about when, whatever comes when', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (waits, most) => {
        const usage = new Usage();
        const admitted: number[] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          const over = usage.admit({ operationsPerMinute: most }, now);
          if (over === undefined) admitted.push(now);
          else assert.equal(usage.rowsLeft({ rowsPerMinute: 1 }, now), 1);
          assert.ok(admitted.filter((at) => at > now - 60_000).length <= most);
          if (over !== undefined) {
            now += over.seconds * 1_000;
            assert.equal(usage.admit({ operationsPerMinute: most }, now), undefined);
            admitted.push(now);
          }
        }
      }),
    );
  });
});

describe('rows in a minute', () => {
  it('are what is left of the limit, and come back', () => {
    const usage = new Usage();
    const limits = { rowsPerMinute: 100 };
    usage.countRows(60, 5_000);
    assert.equal(usage.rowsLeft(limits, 6_000), 40);
    usage.countRows(40, 30_000);
    assert.equal(usage.rowsLeft(limits, 30_000), 0);
    assert.deepEqual(usage.admit(limits, 30_000), { limit: 'rows_per_minute', value: 100, seconds: 36 });
    assert.equal(usage.rowsLeft(limits, 66_000), 60);
    assert.equal(usage.rowsLeft(limits, 1_000_000), 100);
    assert.equal(usage.rowsLeft(noLimits, 30_000), Number.POSITIVE_INFINITY);
  });
});

describe('the usage of many principals', () => {
  it('is one for each principal and target, and is forgotten when nothing of it counts', () => {
    const book = new UsageBook();
    const limits = { operationsPerMinute: 1 };
    const first = book.of('ci|job', 'orders', 0);
    assert.equal(first.admit(limits, 0), undefined);
    assert.equal(book.of('ci|job', 'orders', 0), first);
    assert.notEqual(book.of('ci|job', 'cards', 0), first);
    first.sessions = 1;
    for (let number = 0; number < 5_000; number += 1) book.of(`ci|${number}`, 'orders', 70_000);
    assert.equal(book.of('ci|job', 'orders', 70_000), first, 'its session is open');
    first.sessions = 0;
    for (let number = 0; number < 5_000; number += 1) book.of(`other|${number}`, 'orders', 140_000);
    assert.notEqual(book.of('ci|job', 'orders', 140_000), first);
  });
});

describe('several processes of one gateway', () => {
  it('count what the others used, each report once', () => {
    const [here, there] = [new UsageBook(), new UsageBook()];
    const limits = { operationsPerMinute: 3, rowsPerMinute: 100 };
    const tell = (): void => there.addElsewhere(1, here.takeUntold(), 1_000);
    const used = here.of('ci|job', 'orders', 0);
    used.sessions = 2;
    for (let times = 0; times < 2; times += 1) assert.equal(used.admit(limits, 1_000), undefined);
    used.countRows(40, 1_000);
    tell();
    tell();
    const other = there.of('ci|job', 'orders', 1_000);
    other.sessions = 1;
    assert.equal(other.allSessions, 3);
    assert.equal(other.rowsLeft(limits, 1_000), 60);
    assert.equal(other.admit(limits, 1_000), undefined);
    assert.equal(other.admit(limits, 1_000)?.limit, 'operations_per_minute');
    assert.deepEqual(
      there.takeUntold().map(({ operations, rows, sessions }) => [operations, rows, sessions]),
      [[1, 0, 1]],
      'what came from elsewhere is not told on',
    );
    used.sessions = 0;
    tell();
    assert.equal(other.allSessions, 1);
    used.sessions = 5;
    tell();
    there.endedElsewhere(1, 2_000);
    assert.equal(other.allSessions, 1);
  });

  it('do not forget a session before the others know that it is over', () => {
    const book = new UsageBook();
    const usage = book.of('ci|job', 'orders', 0);
    usage.sessions = 1;
    book.takeUntold();
    usage.sessions = 0;
    for (let number = 0; number < 5_000; number += 1) book.of(`ci|${number}`, 'orders', 70_000);
    assert.deepEqual(book.takeUntold(), [{ key: 'orders ci|job', operations: 0, rows: 0, sessions: 0 }]);
  });
});
