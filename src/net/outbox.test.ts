import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { GatewayFault } from '../core/fault.ts';
import type { Grant } from '../core/grant.ts';
import { TestAudit } from '../core/testing/ports.ts';
import { Outbox } from './outbox.ts';

describe('the outbox', () => {
  it('writes nothing before its record is durable, nothing out of order, and in the end everything, in whatever order things happen', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put' as const), lag: fc.integer({ min: 0, max: 4 }), free: fc.boolean() }),
      fc.constant({ kind: 'flush' as const }),
      fc.record({ kind: fc.constant('durable' as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.constant({ kind: 'turn' as const }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { audit, outbox, written, faults } = bench();
        const needs: number[] = [];
        for (const one of steps) {
          if (one.kind === 'put') {
            const sequence = one.free ? -1 : Math.max(0, append(audit) - one.lag);
            outbox.put(new Uint8Array([needs.length]), sequence < 0 ? undefined : grant(sequence));
            needs.push(sequence);
          } else if (one.kind === 'flush') outbox.flush();
          else if (one.kind === 'durable') audit.makeDurable(Math.min(audit.records.length, audit.durableCount + one.count));
          else await Promise.resolve();
          for (const index of written) assert.ok(audit.durableCount > needs[index]!, `answer ${index} before record ${needs[index]}`);
        }
        audit.makeDurable();
        const emptied = new Promise<void>((resolve) => outbox.whenEmpty(resolve));
        await emptied;
        assert.deepEqual(written, [...needs.keys()]);
        assert.deepEqual(faults, []);
      }),
      { numRuns: 1_000 },
    );
  });

  it('throws away what it withheld when the log fails, and says so once', async () => {
    const { audit, outbox, written, faults } = bench();
    append(audit);
    outbox.put(new Uint8Array([0]), undefined);
    outbox.put(new Uint8Array([1]), grant(0));
    outbox.put(new Uint8Array([2]), undefined);
    outbox.flush();
    audit.fail();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    assert.deepEqual(written, [0]);
    assert.deepEqual(
      faults.map(({ code }) => code),
      ['audit-unavailable'],
    );
    outbox.put(new Uint8Array([3]), undefined);
    outbox.flush();
    assert.deepEqual(written, [0, 3]);
  });

  it('asks its producer to stop while much is withheld, and to go on when it is not', async () => {
    const { audit, outbox, sink } = bench();
    append(audit);
    let drained = 0;
    sink.on('drain', () => (drained += 1));
    outbox.put(new Uint8Array(4 * 1024 * 1024), grant(0));
    assert.equal(outbox.flush(), 'open');
    outbox.put(new Uint8Array(1), grant(0));
    assert.equal(outbox.flush(), 'full');
    audit.makeDurable();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    assert.ok(drained > 0);
    assert.equal(outbox.flush(), 'open');
  });

  it('writes pieces apart where they are to stay so, also those that had to wait for the one before', async () => {
    const writes = async (isApart: boolean): Promise<readonly string[]> => {
      const written: string[] = [];
      const sink = new Writable({
        write: (chunk: Buffer, _encoding, done) => void setImmediate(() => (written.push(chunk.toString()), done())),
        writev: (chunks, done) => void setImmediate(() => (written.push(chunks.map(({ chunk }) => String(chunk)).join('')), done())),
      });
      const outbox = new Outbox(
        sink,
        new TestAudit(),
        () => {},
        () => {},
        isApart,
      );
      for (const text of ['a', 'b']) outbox.put(Buffer.from(text), undefined);
      outbox.flush();
      for (const text of ['c', 'd']) {
        outbox.put(Buffer.from(text), undefined);
        outbox.flush();
      }
      await new Promise<void>((resolve) => void sink.end(resolve));
      return written;
    };
    assert.deepEqual(await writes(false), ['ab', 'cd']);
    assert.deepEqual(await writes(true), ['a', 'b', 'c', 'd']);
  });
});

function bench(): { audit: TestAudit; outbox: Outbox; written: number[]; faults: GatewayFault[]; sink: Writable } {
  const audit = new TestAudit();
  audit.immediate = false;
  const written: number[] = [];
  const faults: GatewayFault[] = [];
  const sink = new Writable({
    highWaterMark: 16 * 1024 * 1024,
    write(chunk: Uint8Array, _encoding, done): void {
      // Answers of one byte each may come together; a large one is told by its first.
      written.push(...chunk.subarray(0, chunk.length > 1_000 ? 1 : undefined));
      done();
    },
  });
  return { audit, outbox: new Outbox(sink, audit, (fault) => faults.push(fault)), written, faults, sink };
}

function append(audit: TestAudit): number {
  return audit.append({ type: 'gateway.stopped', reason: '' });
}

function grant(sequence: number): Grant {
  return { sessionId: 's', operationId: 'o', sequence };
}
