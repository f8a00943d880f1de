import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import type { MaskFacts } from './mask-context.ts';
import { maskFields, maskNotification, maskParameterStatus } from './mask-fields.ts';
import { customers, factsOf, orders, testContext } from './testing/masking.ts';

const context = testContext(nodeCrypto);
const touching = factsOf({ relations: [customers], mentions: ['ssn'] });
const elsewhere = factsOf({ relations: [orders], mentionsAll: true });
const canary = 'CANARY-81';

/** The fields of an error as the server sends them, masked. */
function masked(fields: Record<string, string>, facts: MaskFacts | undefined = touching, within = context): Record<string, string> {
  return Object.fromEntries(
    maskFields(within, facts, new Map(Object.entries({ S: 'ERROR', V: 'ERROR', F: 'x.c', L: '1', R: 'f', ...fields }))),
  );
}

describe('errors and notices of a statement that touches hidden classes', () => {
  it('carry no value of the row in any field', () => {
    const errors: readonly (readonly [what: string, fields: Record<string, string>])[] = [
      ['cast to int', { C: '22P02', M: `invalid input syntax for type integer: "${canary}"` }],
      ['cast to inet', { C: '22P02', M: `invalid input syntax for type inet: "${canary}"` }],
      ['cast to timestamp', { C: '22007', M: `invalid input syntax for type timestamp: "${canary}"` }],
      ['time zone', { C: '22023', M: `time zone "${canary}" not recognized` }],
      ['cast to regclass', { C: '42P01', M: `relation "${canary}" does not exist` }],
      ['cast to regclass, dotted', { C: '0A000', M: `cross-database references are not implemented: "${canary}"` }],
      ['cast to regprocedure', { C: '42883', M: `function "${canary}" does not exist` }],
      ['cast to regtype', { C: '42704', M: `type "${canary}" does not exist` }],
      [
        'cast to regtype of what the parser of SQL cannot read: the position is one in the value',
        {
          C: '42601',
          M: `trailing junk after numeric literal at or near "${canary}"`,
          P: '1',
          F: 'scan.l',
          W: `invalid type name "${canary}"`,
        },
      ],
      ['cast to regnamespace', { C: '3F000', M: `schema "${canary}" does not exist` }],
      ['cast to tsquery', { C: '42601', M: `syntax error in tsquery: "${canary}"` }],
      ['has_database_privilege', { C: '3D000', M: `database "${canary}" does not exist` }],
      ['cursor_to_xml', { C: '34000', M: `cursor "${canary}" does not exist` }],
      ['dblink', { C: '08003', M: `connection "${canary}" not available` }],
      [
        'check',
        { C: '23514', M: 'new row for relation "customers" violates check constraint "c"', D: `Failing row contains (1, ${canary}).` },
      ],
      ['unique', { C: '23505', M: 'duplicate key value violates unique constraint "u"', D: `Key (ssn)=(${canary}) already exists.` }],
      ['unique index', { C: '23505', M: 'could not create unique index "u"', D: `Key (ssn)=(${canary}) is duplicated.` }],
      ['RAISE NOTICE', { C: '00000', M: canary, F: 'pl_exec.c', S: 'NOTICE' }],
      ['RAISE with any code', { C: '23505', M: canary, F: 'pl_exec.c', n: canary, c: canary, t: canary, s: canary, d: canary, H: canary }],
      ['PL/Python', { C: '42501', M: canary, F: 'plpy_elog.c' }],
      [
        'EXECUTE in a function',
        { C: '42703', M: `column "${canary}" does not exist`, p: '8', q: `select "${canary}"`, W: `PL/pgSQL function f(${canary})` },
      ],
      ['context', { C: '57014', M: 'canceling statement', W: `SQL statement "select '${canary}'"`, H: canary }],
      ['a field that is not known', { C: '42501', M: 'permission denied', '?': canary }],
      ['no SQLSTATE', { M: canary }],
    ];
    for (const [what, fields] of errors) {
      const out = masked(fields);
      assert.ok(!JSON.stringify(out).includes(canary), `${what}: ${JSON.stringify(out)}`);
      assert.deepEqual(
        Object.keys(out).sort(),
        Object.keys({ S: '', V: '', F: '', L: '', R: '', ...fields }).sort(),
        'every field is still there',
      );
    }
  });

  it('keep a message that only carries names, and say the SQLSTATE otherwise', () => {
    assert.equal(masked({ C: '42703', M: 'column "x" does not exist', P: '8' }).M, 'column "x" does not exist');
    assert.equal(masked({ C: '42501', M: 'permission denied for table customers' }).M, 'permission denied for table customers');
    assert.equal(masked({ C: '23505', M: 'duplicate key', n: 'customers_pkey', t: 'customers' }).n, 'customers_pkey');
    assert.equal(masked({ C: '57014', M: 'canceling statement due to user request' }).M, 'canceling statement due to user request');
    assert.match(masked({ C: '22P02', M: canary }).M!, /withheld.*22P02/);
    assert.equal(masked({ C: '22P02', M: 'x', P: '17' }).P, '17');
  });
});

describe('errors elsewhere', () => {
  it('pass whole, searched by the detectors', () => {
    assert.equal(masked({ C: '22P02', M: `bad "${canary}"`, D: 'detail' }, elsewhere).M, `bad "${canary}"`);
    const out = masked({ C: '22P02', M: 'bad "4111111111111111"', D: 'Key (pan)=(4111 1111 1111 1111)' }, elsewhere);
    assert.deepEqual([out.M, out.D], ['bad "[redacted:card]"', 'Key (pan)=([redacted:card])']);
  });

  it('are treated as touching everything where nothing is known', () => {
    assert.match(masked({ C: '22P02', M: canary }, factsOf({ opaque: true })).M!, /withheld/);
    assert.match(maskFields(context, undefined, new Map([['M', canary]])).get('M')!, /withheld/);
    const idle = maskFields(
      context,
      undefined,
      new Map([
        ['C', '26000'],
        ['F', 'prepare.c'],
        ['M', 'prepared statement "s" does not exist'],
      ]),
    );
    assert.equal(idle.get('M'), 'prepared statement "s" does not exist');
  });

  it('are left alone where there is nothing to hide', () => {
    const all = testContext(nodeCrypto, { revealed: context.classes.names });
    const fields = new Map([
      ['C', '22P02'],
      ['M', canary],
    ]);
    assert.equal(maskFields(all, touching, fields), fields);
    assert.equal(
      masked({ C: '22P02', M: canary }, touching, testContext(nodeCrypto, { columns: false, revealed: context.classes.names })).M,
      canary,
    );
  });
});

describe('notifications and settings', () => {
  const none = testContext(nodeCrypto, { columns: false });

  it('a payload is withheld while a column class is hidden', () => {
    assert.equal(maskNotification(context, canary), '[withheld by masking]');
    assert.equal(maskNotification(context, ''), '');
    assert.equal(maskNotification(none, 'card 4111111111111111'), 'card [redacted:card]');
    assert.equal(
      maskNotification(testContext(nodeCrypto, { revealed: context.classes.names }), 'card 4111111111111111'),
      'card 4111111111111111',
    );
  });

  it('a setting is withheld that is not known to be the client’s own, unless the server limits its values', () => {
    assert.equal(maskParameterStatus(context, 'application_name', canary, false), '[withheld by masking]');
    assert.equal(maskParameterStatus(context, 'application_name', 'psql', true), 'psql');
    assert.equal(maskParameterStatus(context, 'application_name', '4111111111111111', true), '[redacted:card]');
    assert.equal(maskParameterStatus(context, 'DateStyle', 'ISO, MDY', false), 'ISO, MDY');
    assert.equal(maskParameterStatus(context, 'TimeZone', `<${canary}>5`, false), '[withheld by masking]');
  });
});

describe('errors that come from elsewhere than the statement says', () => {
  it('withhold the row of a table behind a view that is written, and of a table of the same name in another schema', () => {
    const D = `Failing row contains (1, ${canary}).`;
    const check = { C: '44000', M: 'new row violates check option for view "v"', D };
    assert.equal(masked(check, factsOf({ relations: [orders], behind: [customers] })).D, '[withheld by masking]');
    const named = factsOf({ relations: [{ ...orders, schema: 'mine', name: 'customers' }] });
    assert.equal(masked({ C: '23502', M: 'null value', D, s: 'public', t: 'customers' }, named).D, '[withheld by masking]');
    assert.equal(masked({ C: '23502', M: 'null value', D, s: 'mine', t: 'customers' }, named).D, D);
  });

  it('withhold everything where expressions over any relation may have run: ANALYZE, ALTER DOMAIN, COMMIT of a cursor WITH HOLD', () => {
    const out = masked({ C: '22P02', M: `invalid input syntax for type integer: "${canary}"` }, factsOf({ beyond: true }));
    assert.match(out.M!, /withheld.*22P02/);
  });

  it('withhold names that code made of values, and what is meant for logs', () => {
    const opaque = factsOf({ opaque: true });
    const W = 'PL/pgSQL function inline_code_block line 1 at EXECUTE';
    const said: readonly Record<string, string>[] = [
      { C: '42P07', S: 'NOTICE', V: 'NOTICE', M: `relation "${canary}" already exists, skipping`, F: 'heap.c', W },
      { C: '00000', S: 'NOTICE', V: 'NOTICE', M: `table "${canary}" does not exist, skipping`, F: 'dropcmds.c', W },
      { C: '42710', M: `type "${canary}" already exists`, F: 'typecmds.c' },
      { C: '00000', S: 'LOG', V: 'LOG', M: `duration: 1 ms plan: Query Text: select '${canary}'`, F: 'auto_explain.c' },
    ];
    for (const fields of said) assert.ok(!JSON.stringify(masked(fields, opaque)).includes(canary), fields['M']);
    assert.ok(!JSON.stringify(masked(said[3]!, touching)).includes(canary));
    assert.equal(
      masked({ C: '23505', M: 'duplicate key value violates unique constraint "k"', W }, opaque).M,
      'duplicate key value violates unique constraint "k"',
    );
    assert.equal(masked({ C: '42P07', M: 'relation "customers" already exists' }).M, 'relation "customers" already exists');
  });

  it('believe no SQLSTATE that another server sent: dblink and postgres_fdw pass RAISE on as their own', () => {
    for (const F of ['dblink.c', 'connection.c', 'libpqwalreceiver.c'])
      for (const C of ['25000', '42501', '23505']) assert.match(masked({ C, M: canary, F }).M!, /withheld/, `${C} in ${F}`);
  });

  const trigger = 'PL/pgSQL function tells() line 3 at RAISE';

  it('withhold what a trigger of a harmless table says', () => {
    const said: readonly Record<string, string>[] = [
      { C: 'P0001', M: `failed ${canary}`, F: 'pl_exec.c', W: trigger },
      { C: '00000', S: 'NOTICE', M: `noticed ${canary}`, F: 'pl_exec.c', W: trigger },
      { C: '22P02', M: `invalid input syntax for type integer: "${canary}"`, W: trigger },
      { C: '22P02', M: `invalid input syntax for type integer: "${canary}"`, W: `SQL function "f" statement 1` },
      { C: '22P02', M: `invalid input syntax for type integer: "${canary}"`, W: `${trigger}\nCOPY orders, line 1: "1"` },
    ];
    for (const fields of said) assert.ok(!JSON.stringify(masked(fields, elsewhere)).includes(canary), JSON.stringify(fields));
  });

  it('withhold the key of a constraint that is checked at COMMIT, or of a table that the statement does not name', () => {
    const fields = {
      C: '23503',
      M: 'update or delete on table "customers" violates foreign key',
      D: `Key (secret)=(${canary}) is still referenced.`,
    };
    assert.equal(masked({ ...fields, t: 'cards' }, factsOf({}))['D'], '[withheld by masking]');
    assert.equal(masked({ ...fields, t: 'cards' }, elsewhere)['D'], '[withheld by masking]');
  });

  it('keep the place in the input of a harmless COPY', () => {
    const fields = { C: '22P02', M: 'invalid input syntax for type integer: "x"', W: 'COPY orders, line 1, column id: "x"' };
    assert.deepEqual(masked(fields, elsewhere), { S: 'ERROR', V: 'ERROR', F: 'x.c', L: '1', R: 'f', ...fields });
  });
});
