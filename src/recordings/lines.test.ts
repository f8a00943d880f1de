import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Operation } from '../core/operation.ts';
import { eventSchema } from './format.ts';
import { CompletedLine, DecidedLine, SampleLine } from './lines.ts';

const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('"', '\\', '\n', '\u2028', '\ud800', 'é😀'));
const cells = fc.array(fc.option(text), { maxLength: 4 });
const texts = fc.array(text, { maxLength: 3 });
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> => fc.option(value, { nil: undefined });

test('whatever a statement holds, its lines are one line each and read back as what happened', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      text,
      text,
      fc.boolean(),
      optional(cells),
      optional(texts),
      optional(text),
      (at, id, statement, textIsExact, parameters, runs, code) => {
        const operation: Operation = {
          ...someOperation,
          id,
          text: statement,
          textIsExact,
          ...(parameters === undefined ? {} : { parameters }),
          ...(runs === undefined ? {} : { runs }),
        };
        assert.deepEqual(read(new DecidedLine(at, operation, 'deny', code).compose()), {
          at,
          event: 'decided',
          operation: id,
          decision: 'deny',
          text: statement,
          text_exact: textIsExact,
          ...(code === undefined ? {} : { code }),
          ...(parameters === undefined ? {} : { parameters }),
          ...(runs === undefined ? {} : { runs }),
        });
      },
    ),
  );
  fc.assert(
    fc.property(fc.nat(), text, fc.array(text, { maxLength: 4 }), fc.array(cells, { maxLength: 4 }), (at, operationId, columns, rows) => {
      assert.deepEqual(read(new SampleLine(at, { operationId, columns, rows }).compose()), {
        at,
        event: 'sample',
        operation: operationId,
        columns,
        rows,
      });
    }),
  );
  const outcome = fc.constantFrom('succeeded' as const, 'failed' as const, 'cancelled' as const, 'unknown' as const);
  const counts = fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.nat(), { maxKeys: 3, noNullPrototype: true });
  const numbers = fc.tuple(fc.nat(), fc.maxSafeNat(), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(
      fc.nat(),
      text,
      outcome,
      optional(text),
      numbers,
      counts,
      (at, operationId, how, errorCode, [rows, bytes, took], masked) => {
        const completion = { operationId, outcome: how, rows, bytes, masked, ...(errorCode === undefined ? {} : { errorCode }) };
        assert.deepEqual(read(new CompletedLine(at, completion, took).compose()), {
          at,
          event: 'completed',
          operation: operationId,
          outcome: how,
          rows,
          bytes,
          duration_ms: took,
          masked,
          ...(errorCode === undefined ? {} : { error_code: errorCode }),
        });
      },
    ),
  );
});

function read(line: string): unknown {
  assert.ok(!line.includes('\n'));
  return eventSchema.parse(JSON.parse(line));
}

const someOperation: Operation = {
  id: '',
  sessionId: 's',
  protocol: 'postgres',
  acts: [],
  facts: {},
  pureRead: true,
  naming: false,
  text: '',
  textIsExact: true,
  dataClasses: [],
  exact: () => new Uint8Array(),
  unmasked: () => ({ text: '', runs: [], parameters: [] }),
};
