import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Definitions } from './definitions.ts';
import * as encode from './encode.ts';
import { answers, bind, catalogue, decisions, execute, joined, outcomes, parse, ready, sync, when } from './fixture.test.ts';
import { anything } from './footprint.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';

/** Others have made functions under every name. */
const withFunctions: SchemaCatalogue = { ...catalogue, hasUserFunction: () => true };
const question = 'select reverse(ssn) from customers';
const other = {};

describe('what others define while a statement waits for approval', () => {
  for (const [what, after, sent] of [
    ['it means something else: it is not sent', withFunctions, false],
    ['it means the same: it is sent', { ...catalogue }, true],
  ] as const) {
    it(what, () => {
      const definitions = new Definitions();
      let latest: SchemaCatalogue = catalogue;
      const gateway = ready({
        policy: when('reverse', 'hold'),
        target: { definitions: () => definitions, catalogue: () => latest, catalogueAfterwards: async () => latest },
      });
      gateway.client(encode.query(question));
      const { definition } = definitions.begin(anything, other);
      latest = after;
      definitions.end(definition, 'code');
      gateway.answer(true);
      assert.deepEqual(decisions(gateway), [`held ${question}`]);
      assert.deepEqual(gateway.server.ran, sent ? [question] : []);
      assert.equal(answers(gateway).includes('Error(40001)'), !sent);
      assert.deepEqual(outcomes(gateway), [sent ? 'succeeded' : 'cancelled']);
      assert.equal(gateway.living, 0);
    });
  }
});

describe('what others define while a statement runs', () => {
  for (const [how, messages] of [
    ['a Query', [encode.query(question)]],
    ['the extended protocol', [parse(question), bind(), execute(), sync]],
  ] as const) {
    for (const [what, after, shown] of [
      ['the answer waits for the catalogue and is shown where it means the same', { ...catalogue }, true],
      ['it is stopped where it means something else', withFunctions, false],
      ['it is stopped where the catalogue cannot be read', undefined, false],
    ] as const) {
      it(`${what} (${how})`, async () => {
        const definitions = new Definitions();
        const read = Promise.withResolvers<SchemaCatalogue | undefined>();
        const gateway = ready({
          slowServer: true,
          target: { definitions: () => definitions, catalogueAfterwards: async () => read.promise },
        });
        gateway.client(joined([...messages]));
        definitions.begin(anything, other);
        gateway.serve();
        assert.equal(shows(answers(gateway)), false);
        read.resolve(after);
        await turn();
        gateway.notify({ kind: 'cancel-delivered' });
        gateway.serve();
        const told = answers(gateway);
        assert.equal(shows(told), shown, String(told));
        assert.equal(told.includes('Error(40001)'), !shown, String(told));
      });
    }
  }

  it('ends the session where something was sent behind it, which runs as if there had been no error', async () => {
    const definitions = new Definitions();
    const gateway = ready({
      slowServer: true,
      target: { definitions: () => definitions, catalogueAfterwards: async () => withFunctions },
    });
    gateway.client(joined([parse(question), bind(), execute(), parse('delete from orders'), bind(), execute(), sync]));
    definitions.begin(anything, other);
    gateway.serve();
    await turn();
    assert.equal(shows(answers(gateway)), false);
    assert.equal((gateway.ended as { code?: string } | undefined)?.code, 'schema-changed');
  });

  it('holds nothing where the statement names nothing', () => {
    const definitions = new Definitions();
    const gateway = ready({
      slowServer: true,
      target: { definitions: () => definitions, catalogueAfterwards: () => assert.fail('asked') },
    });
    gateway.client(encode.query('select 1'));
    definitions.begin(anything, other);
    gateway.serve();
    assert.equal(shows(answers(gateway)), true);
  });

  it('is a COMMIT’s doing, and not that of a definition in an open transaction', () => {
    const definitions = new Definitions();
    const gateway = ready({ target: { definitions: () => definitions } });
    for (const text of ['begin', 'create view v as select id from orders']) gateway.client(encode.query(text));
    assert.equal(definitions.count, 0);
    gateway.client(encode.query('commit'));
    assert.equal(definitions.count, 1);
    assert.equal(definitions.mark(), 1, 'it is over');
    for (const text of ['create temp table t (id integer)', 'create index on orders (id)', 'select 1']) gateway.client(encode.query(text));
    assert.equal(definitions.count, 1);
  });
});

function shows(told: readonly string[]): boolean {
  return told.some((word) => word.startsWith('DataRow'));
}
