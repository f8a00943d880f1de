import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bind, execute, parse, query, guardedBank, sync, type Raw } from './guarded.ts';

const guarded = guardedBank();
let raw: Raw;

/** With backslashes that are plain characters this is a string, an operator and a string; with backslashes that escape, a DELETE. */
const doubleMeaning = String.raw`select '\' || '; delete from guarded; --'`;
const asString = 'D \\; delete from guarded; --';

describe('how the server reads text', () => {
  it('is not changed by SET in any spelling, nor by set_config, nor by the view behind it or a view on that', async () => {
    for (const text of [
      'set standard_conforming_strings = off',
      'SET LOCAL Standard_Conforming_Strings TO 0',
      'set session "standard_conforming_strings" to false',
      'set standard_conforming_strings to default',
      "select set_config('standard_conforming_strings', 'off', false)",
      "select pg_catalog.set_config('STANDARD_conforming_strings', 'of', true)",
      "select set_config(name, 'off', false) from pg_settings where name = 'standard_conforming_strings'",
      "update pg_settings set setting = 'off' where name = 'standard_conforming_strings'",
      "update pg_catalog.pg_settings set setting = 'off'",
      "update knobs set setting = 'off' where name = 'standard_conforming_strings'",
      "merge into knobs k using (values (1)) v(a) on k.name = 'standard_conforming_strings' when matched then update set setting = 'off'",
      "set client_encoding to 'SJIS'",
      "set names 'BIG5'",
      "select set_config('client_encoding', 'GBK', false)",
      "update knobs set setting = 'SJIS' where name = 'client_encoding'",
      'set backslash_quote = on',
      'begin; set local standard_conforming_strings = off; commit',
      'create schema x; set standard_conforming_strings = off',
    ]) {
      raw = await guarded.open();
      const answers = await raw.run(text);
      assert.match(answers.at(-2) ?? '', /^E (42501|0A000)$/, text);
      assert.deepEqual((await raw.run('show standard_conforming_strings'))[1], 'D on', text);
      assert.deepEqual((await raw.run('show client_encoding'))[1], 'D UTF8', text);
      raw.close();
    }
  });

  it('is not changed at start-up, by parameters or options', async () => {
    for (const [name, value] of [
      ['standard_conforming_strings', 'off'],
      ['client_encoding', 'SJIS'],
      ['options', '-c standard_conforming_strings=off'],
      ['options', '-c standard\\_conforming\\_strings=off'],
      ['options', '--standard-conforming-strings=off'],
      ['options', '-cclient_encoding=SJIS'],
      ['options', '-c search_path=public -c Standard_Conforming_Strings=off'],
      ['STANDARD_CONFORMING_STRINGS', 'off'],
    ] as const) {
      raw = await guarded.open([[name, value]]);
      assert.match(raw.signOn.at(-1) ?? '', /^E /, `${name}=${value}`);
      raw.close();
    }
    raw = await guarded.open([
      ['standard_conforming_strings', 'on'],
      ['client_encoding', 'utf-8'],
    ]);
    assert.deepEqual(raw.signOn.at(-1), 'Z I');
  });

  it('is the gateway’s own, whatever role, database or a reset say', async () => {
    await guarded.bank.direct(
      "alter role gateway set standard_conforming_strings = off; alter database orders set client_encoding = 'SJIS'",
    );
    try {
      raw = await guarded.open();
      assert.deepEqual((await raw.run(doubleMeaning))[1], asString);
      for (const reset of [
        'reset all',
        'discard all',
        'reset standard_conforming_strings',
        'reset client_encoding',
        'set session authorization default',
      ]) {
        await raw.run(reset);
        assert.deepEqual((await raw.run(doubleMeaning))[1], asString, reset);
      }
    } finally {
      await guarded.bank.direct('alter role gateway reset all; alter database orders reset all');
    }
  });

  it('that a permitted function changed ends the session before anything is read so', async () => {
    raw = await guarded.open();
    await raw.run("select apply_setting('standard_conforming_strings', 'off')");
    assert.deepEqual((await raw.answers(1)).at(-1), 'closed');
  });

  it('that a permitted function changed reads nothing that was sent behind it', async () => {
    for (const setting of ["select apply_setting('standard_conforming_strings', 'off')", 'select * from setting_view']) {
      raw = await guarded.open();
      raw.write(query(setting), query(doubleMeaning), query('select 1'));
      assert.equal((await raw.answers(3)).includes(asString), false);
      raw.close();
      await guarded.assertUntouched(setting);

      raw = await guarded.open();
      raw.write(parse(setting), bind(), execute(), sync, parse(doubleMeaning.replace(/;/g, ',')), query(doubleMeaning), sync);
      await raw.answers(4);
      raw.close();
      await guarded.assertUntouched(setting);

      raw = await guarded.open();
      raw.write(parse(setting), bind(), execute(), query(doubleMeaning));
      await raw.answers();
      raw.close();
      await guarded.assertUntouched(setting);
    }
  });

  it('is not put in doubt by a function in a pipeline where the texts behind it are plain', async () => {
    raw = await guarded.open();
    raw.write(parse("select apply_setting('app.tenant', 'x')"), bind(), execute(), parse("select 'plain'"), bind(), execute(), sync);
    assert.deepEqual(
      (await raw.answers()).filter((word) => /^[DEZ]/.test(word)),
      ['D [redacted:account-number]', 'D plain', 'Z I'],
    );
    raw.write(query("select apply_setting('app.tenant', 'y')"), query("select 'grüße'"));
    assert.deepEqual(
      (await raw.answers(2)).filter((word) => /^[DE]/.test(word)),
      ['D [redacted:account-number]', 'D grüße'],
    );
  });
});

describe('bytes that are no text', () => {
  it('are refused: ill-formed UTF-8, in which a server could find another end of a string', async () => {
    for (const bytes of [[0xc0, 0xa7], [0xe2, 0x27], [0x83, 0x5c], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff]]) {
      raw = await guarded.open();
      const text = Buffer.concat([Buffer.from("select '"), Buffer.from(bytes), Buffer.from("'; delete from guarded; --'")]);
      raw.write(query(text));
      assert.match((await raw.answers()).find((word) => word !== 'N') ?? '', /^(E|closed)/);
      raw.close();
    }
    raw = await guarded.open();
  });

  it('are refused: NUL inside a statement', async () => {
    raw = await guarded.open();
    raw.write(query(Buffer.from('select 1\0; delete from guarded')));
    assert.match((await raw.answers())[0] ?? '', /^(E|closed)/);
  });
});
