import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { lineageOf, parseQuery, placesOf, withoutConstants } from './index.ts';

const words = `SELECT VALUE DISTINCT TOP FROM JOIN IN WHERE GROUP ORDER BY OFFSET LIMIT AS AND NOT LIKE BETWEEN EXISTS ARRAY udf UPPER c x ssn 1 .5 'a' "b" @p ( ) [ ] { } , . : ? ?? * = < || - -- null`;
const word = fc.constantFrom(...words.split(' '));

test('whatever comes is read or refused with a reason', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      const text = `SELECT ${words.join(' ')}`;
      try {
        const { row } = lineageOf(parseQuery(text));
        assert.ok(Array.isArray(placesOf(row)));
        withoutConstants(text);
      } catch (error) {
        assert.ok(error instanceof GatewayFault && (error.code === 'unclassified' || error.code === 'limit-exceeded'), String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});

/** Expressions in which `c.secret` stands somewhere. */
const withSecret = fc.letrec<{ secret: string; plain: string }>((tie) => ({
  plain: fc.oneof(fc.constantFrom('c.name', '1', "'a'", '@p', 'null', 'c["other"]'), fc.constant('LOWER(c.name)')),
  secret: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom('c.secret', 'c["secret"]', "c['secret']", 'c["sec\\u0072et"]', 'c'),
    tie('secret').map((inner) => `(${inner})`),
    tie('secret').map((inner) => `[1, ${inner}]`),
    tie('secret').map((inner) => `{"k": ${inner}}`),
    tie('secret').map((inner) => `UPPER(${inner})`),
    tie('secret').map((inner) => `udf.f(1, ${inner})`),
    tie('secret').map((inner) => `NOT ${inner}`),
    tie('secret').map((inner) => `(SELECT VALUE ${inner})`),
    tie('secret').map((inner) => `ARRAY(SELECT VALUE ${inner})`),
    tie('secret').map((inner) => `EXISTS(SELECT VALUE x FROM x IN c.list WHERE ${inner} = x)`),
    fc
      .tuple(tie('secret'), tie('plain'))
      .chain(([a, b]) =>
        fc.constantFrom(
          `${a} ?? ${b}`,
          `${b} ?? ${a}`,
          `(${b} ? ${a} : 1)`,
          `(${a} ? ${b} : 1)`,
          `${a} || ${b}`,
          `${b} = ${a}`,
          `${a} IN (${b})`,
          `${b} BETWEEN 0 AND ${a}`,
          `${b} LIKE ${a}`,
        ),
      ),
  ),
}));

test('what a value is made of is always among its places', () => {
  fc.assert(
    fc.property(withSecret.secret, (expression) => {
      for (const query of [
        `SELECT VALUE ${expression} FROM c`,
        `SELECT ${expression} AS harmless FROM c`,
        `SELECT VALUE x FROM (SELECT VALUE ${expression} FROM c) AS x`,
      ]) {
        const places = placesOf(lineageOf(parseQuery(query)).row);
        assert.ok(
          places.some(([first]) => first === undefined || (first.kind === 'key' && first.key === 'secret')),
          query,
        );
      }
    }),
  );
});
