import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { analyse } from './analyse.ts';
import { withoutComments } from './comments.ts';
import { loadParser } from './parser.ts';
import { SyntaxFault } from './syntax-fault.ts';

before(loadParser);

describe('a comment between two words that are one to the grammar', () => {
  it('is white space, as it is to the server: statements with comments in such places were refused', () => {
    for (const sql of [
      'select name from t order by name nulls /* hm */ last',
      "select '12:00'::time with -- a line\n time zone",
      'select 1 where 2 not /* c */ in (3)',
      "select U&'!0041' /* c */ uescape '!'",
      'select * from f() with /* a */ -- b\r ordinality',
    ])
      assert.equal(analyse(sql).statements.length, 1, sql);
  });

  it('is looked for in texts of up to 4 KiB: reading comments out of longer ones takes too long, so they stay refused', () => {
    const sql = 'select name from t order by name nulls /* hm */ last';
    assert.throws(() => analyse(`${sql} ${'/**/'.repeat(1_024)}`), SyntaxFault);
  });

  it('hides nothing and shows nothing: what is written behind it counts, what is written in it does not', () => {
    const { statements } = analyse('select 1 where 2 not /* ; drop table x; */ in (3); delete from orders where a is not /* b */ null');
    assert.deepEqual(
      statements.map(({ kind }) => kind),
      ['select', 'delete'],
    );
    assert.deepEqual(statements[1]?.written, [{ schema: undefined, name: 'orders' }]);
  });

  it('joins no constants: a block comment with a line break in it does not make two one, and the server refuses them', () => {
    assert.throws(() => analyse("select 1 nulls /* x */ where 'a' /* \n */ 'b'"), SyntaxFault);
    assert.throws(() => analyse("select 'a' /* \n */ 'b'"), SyntaxFault);
    assert.equal(analyse("select 1 where 2 not /* x */ in (3) and '' = 'a' -- b\n 'b'").statements.length, 1);
  });

  it('leaves the place of an error where it is, behind characters of several bytes too', () => {
    const sql = 'select 1 /* äöü ✓ 😀 */ frm x';
    assert.throws(
      () => analyse(sql),
      (error: unknown) =>
        error instanceof SyntaxFault &&
        Array.from(sql)
          .slice(error.position - 1)
          .join('') === 'x',
    );
  });
});

describe('text without its comments', () => {
  it('is not made where the tokens cannot be read or lie outside the text', () => {
    assert.equal(withoutComments('a /* b */', 'syntax error'), undefined);
    assert.equal(withoutComments('a /* b */', '{"tokens":[{"tokenName":"C_COMMENT","start":2,"end":99}]}'), undefined);
    assert.equal(
      withoutComments('a /* b */', '{"tokens":[{"tokenName":"C_COMMENT","start":5,"end":9},{"tokenName":"C_COMMENT","start":2,"end":4}]}'),
      undefined,
    );
    assert.equal(withoutComments('a b', '{"tokens":[]}'), undefined);
    assert.equal(withoutComments('ä /* b */ c', '{"tokens":[{"tokenName":"C_COMMENT","start":3,"end":10}]}'), 'ä         c');
  });
});
