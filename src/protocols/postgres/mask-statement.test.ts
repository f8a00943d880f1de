import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { loadModule, parseSync } from 'libpg-query';
import { nodeCrypto } from '../../net/crypto.ts';
import type { MaskFacts } from './mask-context.ts';
import { lexSql } from './mask-lexer.ts';
import { redactParameters, redactStatement } from './mask-statement.ts';
import { customers, factsOf, orders, testContext } from './testing/masking.ts';

await loadModule();
const context = testContext(nodeCrypto);
const touching = factsOf({ relations: [customers], mentions: ['ssn'] });
const elsewhere = factsOf({ relations: [orders], mentions: ['id'] });
const redacted = (sql: string, facts: MaskFacts = touching) => redactStatement(context, facts, sql).text;

describe('a statement that could hold a hidden value', () => {
  const cases: readonly (readonly [sql: string, shown: string])[] = [
    ["select * from customers where ssn = '123-45-6789'", "select * from customers where ssn = '…'"],
    ['select 1, 2.5e-3, .5, 0xFF, 1_000, t1.c2 from t1', 'select …, …, …, …, …, t1.c2 from t1'],
    ["select E'a\\'b', 'it''s', B'01', x'ff', N'n', U&'\\0041' UESCAPE '!'", "select '…', '…', '…', '…', N'…', '…' UESCAPE '…'"],
    ["select $$a'b$$, $t$ $$ $t$, x$$y, $1", "select '…', '…', x$$y, $1"],
    // What is shown stays a statement: N is a word of its own to the server, so a name may stand before it.
    ["select s.n'a'", "select s.n'…'"],
    ["select E'a'\n  'b\\'c' from t", "select '…' from t"],
    ["select E'a' -- note\n'b\\'c' from t", "select '…' from t"],
    ["select 'a' 'b'", "select '…' '…'"],
    ['select "a 1""b", U&"d\\0061t"', 'select "a 1""b", U&"d\\0061t"'],
    ['select 1 -- ssn 5\n, 2 /* a /* b */ c */ from t', 'select … --…\n, … /*…*/ from t'],
    ['select 1 --x\r, 2', 'select … --…\r, …'],
    ["select 'open", 'select …'],
    ["select /* open 'x'", 'select …'],
    ['select "open 1', 'select …'],
    ['select $t$ open $t', 'select …'],
    ["select 1;select 'a'", "select …;select '…'"],
    ['', ''],
  ];
  for (const [sql, shown] of cases) {
    it(JSON.stringify(sql), () => assert.deepEqual(redactStatement(context, touching, sql), { text: shown, exact: sql === shown }));
  }

  it('is one that names such a column, writes to such a table, means everything or cannot be seen through', () => {
    const sql = "select 'x'";
    for (const facts of [
      { written: [customers], relations: [customers] },
      { relations: [customers], mentionsAll: true },
      { opaque: true },
    ]) {
      assert.equal(redacted(sql, factsOf(facts)), "select '…'");
    }
    assert.equal(redacted(sql, factsOf({ relations: [customers], mentions: ['id'] })), sql);
    assert.equal(redacted(sql, factsOf({ relations: [orders], written: [orders], mentionsAll: true })), sql);
  });

  it('is judged anew with each text and in each context, though statements of one shape share their facts', () => {
    const card = 'select 4111111111111111';
    for (let round = 0; round < 2; round += 1) {
      assert.equal(redacted(card, elsewhere), 'select [redacted:card]');
      assert.equal(redacted('select 1', elsewhere), 'select 1');
      assert.equal(redacted("select password('x')", elsewhere), "select password('…')");
      assert.deepEqual(redactParameters(context, elsewhere, 'select $1', [{ bytes: Buffer.from('x'), format: 0, typeOid: 25 }]), ['x']);
      assert.deepEqual(redactParameters(context, elsewhere, 'select password($1)', [{ bytes: Buffer.from('x'), format: 0, typeOid: 25 }]), [
        '…',
      ]);
      assert.equal(redactStatement(testContext(nodeCrypto, { detect: false }), elsewhere, card).text, card);
    }
  });

  it('is so for the record whatever is revealed to the client', () => {
    const seeing = testContext(nodeCrypto, { revealed: context.classes.names });
    assert.equal(redactStatement(seeing, touching, "select 'x'").text, "select '…'");
    assert.equal(redactStatement(seeing, elsewhere, 'select 4111111111111111').text, 'select [redacted:card]');
  });
});

describe('other statements', () => {
  it('are exact, save for what the detectors find', () => {
    assert.deepEqual(redactStatement(context, elsewhere, "select 'x' /* y */"), { text: "select 'x' /* y */", exact: true });
    assert.deepEqual(redactStatement(context, elsewhere, "select '4111-1111-1111-1111' -- 123-45-6789"), {
      text: "select '[redacted:card]' -- ***-**-6789",
      exact: false,
    });
  });

  it('lose their constants where they carry credentials', () => {
    const statements = [
      "create role r login password 'S3CRET'",
      "ALTER USER u WITH ENCRYPTED PASSWORD 'S3CRET' valid until 'x'",
      "create user mapping for u server s options (user 'u', pass $$S3CRET$$)",
      "create user mapping for u server s options (user 'u', \"key\" 'S3CRET')",
      "create server s foreign data wrapper w options (dbname 'S3CRET')",
      "create subscription s connection 'host=h password=S3CRET' publication p",
      'alter/**/subscription s connection $$S3CRET$$',
      "alter system set ssl_passphrase_command = 'echo S3CRET'",
      "set my.api_key = 'S3CRET'",
      "select dblink_connect('host=h S3CRET')",
      "select 1 from f('postgresql://u:S3CRET@h/d')",
      "select pgp_sym_encrypt(a, 'S3CRET')",
      "select crypt('S3CRET', gen_salt('bf'))",
      'select U&"f\\0061"(\'S3CRET\')',
      'create role r password $x$S3CRET$x$ -- S3CRET',
    ];
    for (const sql of statements) {
      const { text, exact } = redactStatement(context, elsewhere, sql);
      assert.ok(!text.includes('S3CRET') && !exact, text);
    }
  });
});

describe('bound parameters', () => {
  const int4 = { bytes: Buffer.from('0000002a', 'hex'), format: 1, typeOid: 23 } as const;
  const text = (value: string) => ({ bytes: Buffer.from(value), format: 0, typeOid: 0 }) as const;

  it('are withheld with the constants, NULL stays', () => {
    assert.deepEqual(redactParameters(context, touching, 'select $1', [int4, text('x'), { ...int4, bytes: null }]), ['…', '…', null]);
    assert.deepEqual(
      redactParameters(context, elsewhere, 'alter role r password $1', [{ bytes: Buffer.from('x'), format: 0, typeOid: 25 }]),
      ['…'],
    );
  });

  it('are shown elsewhere, searched and cut', () => {
    assert.deepEqual(
      redactParameters(context, elsewhere, 'select $1', [int4, text('x'), text('4111111111111111'), text('y'.repeat(300))]),
      ['42', 'x', '[redacted:card]', `${'y'.repeat(256)}…`],
    );
    const unknown = (bytes: Buffer) => redactParameters(context, elsewhere, '', [{ bytes, format: 1, typeOid: 0 }]);
    assert.deepEqual(unknown(Buffer.from([1, 2])), ['\\x0102']);
    assert.deepEqual(unknown(Buffer.from('4111111111111111')), ['…']);
  });
});

describe('the lexer', () => {
  const fragment = fc.constantFrom(
    "'",
    "''",
    '"',
    '\\',
    '$',
    '$$',
    '$t$',
    'E',
    "e'",
    "U&'",
    'x',
    'select',
    ' ',
    '\n',
    '\r',
    '--',
    '/*',
    '*/',
    '1',
    '.',
    'e5',
    ',',
    '(',
    ')',
    '+',
    'QQCANARYQQ',
    ';',
    '\f',
    'é',
  );

  it('covers every text without gaps', () => {
    fc.assert(
      fc.property(fc.array(fragment), (parts) => {
        const sql = parts.join('');
        let at = 0;
        for (const token of lexSql(sql)) {
          assert.equal(token.start, at);
          assert.ok(token.end > at);
          at = token.end;
        }
        assert.equal(at, sql.length);
      }),
    );
  });

  it('agrees with the real grammar: no constant of a text that it accepts is left', () => {
    const literal = fc.constantFrom(
      "'QQCANARYQQ'",
      "E'\\'QQCANARYQQ'",
      "'a'\n'QQCANARYQQ'",
      "E'a'\n'\\'QQCANARYQQ'",
      '$$QQCANARYQQ$$',
      "$t$'QQCANARYQQ$t$",
      "U&'QQCANARYQQ'",
      "'''QQCANARYQQ'''",
      "'\\', 'QQCANARYQQ'",
      "'\\' --QQCANARYQQ\n",
      "/*'*/'QQCANARYQQ'",
      "/*/**/'*/'QQCANARYQQ'",
      "--'\r$$QQCANARYQQ$$",
      "\"'\", 'QQCANARYQQ'",
      "a$$, 'QQCANARYQQ', b$$",
      '123456',
      "n'QQCANARYQQ'",
    );
    const glue = fc.constantFrom(', ', ',\n', '||', ' + ', ',/* x */', ',--\n', '=', ',(select ', ')');
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 3, arbitrary: literal }, glue, fragment), { maxLength: 9 }), (parts) => {
        const sql = `select ${parts.join('')}`;
        const tree = parsed(sql);
        if (tree === undefined) return;
        accepted++;
        const shown = redacted(sql);
        if (constantsOf(tree).some((value) => value.includes('QQCANARYQQ'))) {
          const names = lexSql(sql)
            .filter((token) => token.kind === 'word')
            .map((token) => sql.slice(token.start, token.end))
            .join(' ');
          if (!names.includes('QQCANARYQQ')) assert.ok(!shown.includes('QQCANARYQQ'), `${sql} became ${shown}`);
        }
        assert.notEqual(parsed(shown.replaceAll("'…'", "''").replaceAll('…', '1')), undefined, `${sql} became ${shown}`);
      }),
      { numRuns: 3000 },
    );
    assert.ok(accepted > 100, `only ${accepted} texts were accepted`);
  });
});

function parsed(sql: string): unknown {
  try {
    return parseSync(sql);
  } catch {
    return undefined;
  }
}

/** Every string constant in a parse tree. */
function constantsOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = (node as { A_Const?: { sval?: { sval?: string } } }).A_Const?.sval?.sval;
  return [...(own === undefined ? [] : [own]), ...Object.values(node).flatMap(constantsOf)];
}
