import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import type { Lineage } from '../../sql/lineage.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { MaskContext, MaskFacts } from './mask-context.ts';
import { planColumns, type ResultField } from './mask-plan.ts';
import { reachedClasses } from './mask.ts';
import { activity, customers, factsOf, fieldOf, orders, statistics, testContext, view } from './testing/masking.ts';

const context = testContext(nodeCrypto, { detect: false });
const computed = fieldOf(0, 0);

/** Columns made of these columns of `customers`. */
function lineageOf(columns: readonly (readonly string[])[], used: readonly string[] = []): Lineage {
  const sources = (names: readonly string[]) => names.map((column) => ({ relation: 20_001, column, path: [] }));
  const lookups = { parameters: new Map(), constants: [] };
  return { columns: columns.map(sources), predicates: [], used: sources(used), lookups };
}

/** The rule for one column, as `class/kind`; `-` where there is none. */
function rule(facts: Partial<MaskFacts>, field: ResultField, within: MaskContext = context): string {
  const found = planColumns(within, factsOf(facts), [field]).columns[0]!.rule;
  return found === undefined ? '-' : `${found.class}/${found.kind}`;
}

describe('a column whose origin the server names', () => {
  const cases: readonly (readonly [what: string, field: ResultField, expected: string])[] = [
    ['with a class', fieldOf(20_001, 3), 'ssn/partial-last4'],
    ['with a class, under another label', fieldOf(20_001, 3, { name: 'harmless' }), 'ssn/partial-last4'],
    ['with another class', fieldOf(20_001, 5), 'account/pseudonym'],
    ['without a class', fieldOf(20_001, 1), '-'],
    ['a system column', fieldOf(20_001, -1), '-'],
    ['of a table without classes', fieldOf(20_002, 3), '-'],
    ['of a view, tainted', fieldOf(20_003, 2), 'ssn/redact'],
    ['of a view, known to be clean', fieldOf(20_003, 1), '-'],
    ['a whole row with classes', fieldOf(20_001, 0, { typeOid: 2249 }), 'secret/null'],
    ['a whole row without classes', fieldOf(20_002, 0, { typeOid: 2249 }), '-'],
    ['a column newer than the catalogue', fieldOf(20_001, 99), 'secret/null'],
    ['a table newer than the catalogue', fieldOf(29_999, 1), 'secret/null'],
    ['statistics of values', fieldOf(12_001, 2, { typeOid: 2277 }), 'secret/null'],
    ['statistics of names', fieldOf(12_001, 1, { typeOid: 19 }), '-'],
    ['the text of another statement', fieldOf(12_002, 2), 'secret/null'],
    ['a name in an unknown system relation', fieldOf(1_259, 2, { typeOid: 19 }), '-'],
    ['text in an unknown system relation', fieldOf(12_500, 2), 'secret/null'],
  ];
  for (const [what, field, expected] of cases) {
    it(`${what}: ${expected}`, () => assert.equal(rule({ relations: [customers, orders], mentions: ['id'] }, field), expected));
  }
});

describe('a column of no table', () => {
  const cases: readonly (readonly [what: string, facts: Partial<MaskFacts>, expected: string])[] = [
    ['nothing touched', {}, '-'],
    ['a table without classes, all of it', { relations: [orders], mentionsAll: true }, '-'],
    ['a clean column of a table with classes', { relations: [customers], mentions: ['id', 'name'] }, '-'],
    ['a column with a class', { relations: [customers], mentions: ['id', 'ssn'] }, 'ssn/redact'],
    ['a column with the same name elsewhere', { relations: [orders], mentions: ['ssn'] }, '-'],
    ['names are compared exactly', { relations: [customers], mentions: ['SSN', 'ssn '] }, '-'],
    ['the document column of a path', { relations: [customers], mentions: ['profile'] }, 'ssn/redact'],
    ['a pseudonym of an expression', { relations: [customers], mentions: ['account'] }, 'account/redact'],
    ['a hash of an expression', { relations: [customers], mentions: ['digest'] }, 'digest/redact'],
    ['a class shown as null', { relations: [customers], mentions: ['secret', 'ssn'] }, 'secret/null'],
    ['everything mentioned', { relations: [orders, customers], mentionsAll: true }, 'secret/null'],
    ['code that cannot be seen', { opaque: true }, 'secret/null'],
    ['a tainted column of a view', { relations: [view], mentions: ['label'] }, 'ssn/redact'],
    ['a clean column of a view', { relations: [view], mentions: ['id'] }, '-'],
    ['statistics of values', { relations: [statistics], mentions: ['most_common_vals'] }, 'secret/null'],
    ['statistics, all of them', { relations: [statistics], mentionsAll: true }, 'secret/null'],
    ['statistics of names', { relations: [statistics], mentions: ['tablename'] }, '-'],
    ['the texts of other statements', { relations: [activity], mentions: ['query'] }, 'secret/null'],
    ['a name of Object.prototype', { relations: [customers], mentions: ['__proto__', 'constructor', 'toString'] }, '-'],
  ];
  for (const [what, facts, expected] of cases) it(`${what}: ${expected}`, () => assert.equal(rule(facts, computed), expected));
});

describe('who may see', () => {
  it('what is revealed is not masked, what is not revealed still is', () => {
    const seeing = testContext(nodeCrypto, { detect: false, revealed: ['ssn'] });
    assert.equal(rule({}, fieldOf(20_001, 3), seeing), '-');
    assert.equal(rule({}, fieldOf(20_001, 5), seeing), 'account/pseudonym');
    assert.equal(rule({ relations: [customers], mentions: ['ssn'] }, computed, seeing), '-');
    assert.equal(rule({ relations: [view], mentions: ['label'] }, computed, seeing), '-');
    assert.equal(rule({ relations: [customers], mentions: ['ssn', 'note'] }, computed, seeing), 'note/redact');
    const all = testContext(nodeCrypto, { detect: false, revealed: context.classes.names });
    assert.equal(rule({ opaque: true }, computed, all), '-');
    assert.equal(rule({}, fieldOf(29_999, 1), all), '-');
    assert.equal(planColumns(all, factsOf({ opaque: true }), [computed, fieldOf(20_001, 3)]).isIdentity, true);
  });

  it('for the record nobody may', () => {
    const seeing = testContext(nodeCrypto, { detect: false, revealed: ['ssn'] });
    const plan = planColumns(seeing, factsOf({}), [fieldOf(20_001, 3)]);
    assert.equal(plan.record.columns[0]!.rule?.class, 'ssn');
    const same = planColumns(context, factsOf({}), [fieldOf(20_001, 3)]);
    assert.equal(same.record, same);
  });

  it('a target without classes in columns masks nothing by origin', () => {
    const none = testContext(nodeCrypto, { detect: false, columns: false });
    assert.equal(rule({ opaque: true }, computed, none), '-');
    assert.equal(rule({}, fieldOf(29_999, 1), none), '-');
    assert.equal(planColumns(none, factsOf({}), [computed]).isIdentity, true);
  });

  it('unsafe_origin masks only what the server names', () => {
    const lax = testContext(nodeCrypto, { detect: false, mode: 'unsafe_origin' });
    assert.equal(rule({ relations: [customers], mentions: ['ssn'] }, computed, lax), '-');
    assert.equal(rule({}, fieldOf(20_001, 3), lax), 'ssn/partial-last4');
    assert.equal(
      planColumns(lax, factsOf({ relations: [customers], mentions: ['ssn'] }), [computed]).record.columns[0]!.rule?.kind,
      'redact',
    );
  });
});

describe('lineage', () => {
  const touching: Partial<MaskFacts> = { relations: [customers], mentions: ['name', 'ssn'] };

  it('narrows what a computed column can hold', () => {
    assert.equal(rule({ ...touching, lineage: lineageOf([['name']]) }, computed), '-');
    assert.equal(rule({ ...touching, lineage: lineageOf([[]]) }, computed), '-');
    assert.equal(rule({ ...touching, lineage: lineageOf([['name', 'ssn']]) }, computed), 'ssn/redact');
    assert.equal(rule({ ...touching, lineage: lineageOf([['secret']]) }, computed), 'secret/null');
  });

  it('says nothing of a column whose origin the server names', () =>
    assert.equal(rule({ ...touching, lineage: lineageOf([['ssn']]) }, fieldOf(20_001, 3)), 'ssn/partial-last4'));

  it('is not believed where the server sees another number of columns', () => {
    assert.equal(rule({ ...touching, lineage: lineageOf([['name'], ['name']]) }, computed), 'ssn/redact');
    assert.equal(rule({ ...touching, lineage: lineageOf([]) }, computed), 'ssn/redact');
  });

  it('is not believed at all where the server names another origin than it', () => {
    const shifted = factsOf({ ...touching, lineage: lineageOf([['name'], ['id']]) });
    const agreeing = factsOf({ ...touching, lineage: lineageOf([['name'], ['ssn']]) });
    const fields = [computed, fieldOf(20_001, 3)];
    assert.equal(planColumns(context, shifted, fields).columns[0]!.rule?.class, 'ssn');
    assert.equal(planColumns(context, agreeing, fields).columns[0]!.rule, undefined);
    const row = [computed, fieldOf(20_001, 0)];
    assert.equal(planColumns(context, factsOf({ ...touching, lineage: lineageOf([['name'], ['ssn']]) }), row).columns[0]!.rule, undefined);
    assert.equal(planColumns(context, factsOf({ ...touching, lineage: lineageOf([['name'], []]) }), row).columns[0]!.rule?.class, 'ssn');
  });

  it('of a relation that the catalogue does not have is of anything', () =>
    assert.equal(
      rule({ ...touching, lineage: { ...lineageOf([]), columns: [[{ relation: 1, column: 'x', path: [] }]] } }, computed),
      'secret/null',
    ));

  it('follows the way into a document', () => {
    const at = (...keys: string[]) => ({
      ...lineageOf([]),
      columns: [
        [
          {
            relation: 20_001,
            column: 'profile',
            path: keys.map((key) => ({ key, anyKey: key === '*', element: key === '*', lax: false })),
          },
        ],
      ],
    });
    const holding: Partial<MaskFacts> = { relations: [customers], mentions: ['profile'] };
    assert.equal(rule({ ...holding, lineage: at('country') }, computed), '-');
    assert.equal(rule({ ...holding, lineage: at('ssn') }, computed), 'ssn/redact');
    assert.equal(rule({ ...holding, lineage: at('ssn', 'area') }, computed), 'ssn/redact');
    assert.equal(rule({ ...holding, lineage: at('*') }, computed), 'ssn/redact');
    assert.equal(rule({ ...holding, lineage: at() }, computed), 'ssn/redact');
  });
});

describe('strict', () => {
  const strict = testContext(nodeCrypto, { detect: false, mode: 'strict' });
  const refusal = (facts: Partial<MaskFacts>, fields: readonly ResultField[]) => planColumns(strict, factsOf(facts), fields).refusal;

  it('lets bare columns pass', () => {
    const both = lineageOf([['id'], ['ssn']]);
    assert.equal(
      refusal({ relations: [customers], mentions: ['id', 'ssn'], lineage: both }, [fieldOf(20_001, 1), fieldOf(20_001, 3)]),
      undefined,
    );
    assert.equal(
      refusal({ relations: [customers], mentions: ['id'], mentionsAll: true, lineage: lineageOf([['ssn']]) }, [fieldOf(20_001, 3)]),
      undefined,
    );
    assert.equal(refusal({ relations: [orders], mentions: ['amount'] }, [computed]), undefined);
    assert.equal(refusal({ relations: [customers], mentions: ['id'] }, [computed]), undefined);
  });

  it('refuses every other use, naming column and class', () => {
    const cases: readonly (readonly [Partial<MaskFacts>, readonly ResultField[], RegExp])[] = [
      [{ relations: [customers], mentions: ['ssn'] }, [computed], /output column "column" \(an expression\).*"ssn"/],
      [
        { relations: [customers], mentions: ['id', 'ssn'] },
        [fieldOf(20_001, 1)],
        /"public\.customers\.ssn" in this statement is not certain.*"ssn"/,
      ],
      [{ relations: [customers], mentions: ['ssn'] }, [], /"public\.customers\.ssn"/],
      [{ relations: [customers], mentionsAll: true }, [fieldOf(20_001, 3)], /cannot be followed/],
      [
        { relations: [customers], mentions: ['ssn'], lineage: lineageOf([['ssn']], ['ssn']) },
        [fieldOf(20_001, 3)],
        /"public\.customers\.ssn" used otherwise than as an output column by itself.*"ssn"/,
      ],
      [{ relations: [customers], mentionsAll: true }, [fieldOf(20_001, 0)], /a whole row of public\.customers/],
      [{ relations: [customers], mentionsAll: true }, [fieldOf(20_001, 3), computed], /an expression/],
      [{ opaque: true }, [], /effects cannot be seen/],
      [{ relations: [view], mentions: ['label'] }, [fieldOf(20_003, 2)], /public\.customer_view\.label/],
    ];
    for (const [facts, fields, message] of cases) {
      const fault = refusal(facts, fields);
      assert.ok(fault instanceof GatewayFault);
      assert.equal(fault.code, 'masking-refused');
      assert.match(fault.publicMessage, message);
      assert.ok(fault.hint !== undefined);
    }
  });

  it('refuses nothing that is revealed', () => {
    const all = testContext(nodeCrypto, { detect: false, mode: 'strict', revealed: strict.classes.names });
    assert.equal(planColumns(all, factsOf({ opaque: true, relations: [customers], mentions: ['ssn'] }), [computed]).refusal, undefined);
  });
});

describe('reachedClasses', () => {
  it('names what a statement can compute with', () => {
    assert.deepEqual(reachedClasses(context, factsOf({ relations: [customers, orders], mentions: ['id', 'account', 'ssn', 'ssn'] })), [
      'account',
      'ssn',
    ]);
    assert.deepEqual(reachedClasses(context, factsOf({ opaque: true })), context.hidden);
    assert.deepEqual(reachedClasses(context, factsOf({ relations: [orders], mentionsAll: true })), []);
  });
});
