import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bank, build, rows } from './catalogue.fixture.test.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';

describe('a catalogue', () => {
  it('gives a generated column the classes of what it is made from', () => {
    assert.deepEqual(rulesOf(bank, 20_001), { ssn: ['ssn'], ssn_last: ['ssn'], ssn_length: ['ssn'] });
  });

  it('gives partitions and children what their parent has, and the parent what they have', () => {
    assert.deepEqual(rulesOf(bank, 20_005), { pan: ['pan'] });
    const grandchild = { oid: 20_060, schema: 'public', name: 'events_2026_01', kind: 'r', rowSecurity: false };
    const catalogue = build({
      ...rows,
      relations: [...rows.relations, grandchild],
      columns: new Map([...rows.columns, [20_060, new Map([[2, 'pan']])]]),
      inheritance: [{ child: 20_060, parent: 20_005 }, ...rows.inheritance],
    });
    assert.deepEqual(rulesOf(catalogue, 20_060), { pan: ['pan'] });
  });

  it('taints views, and views on views, with what they can show; a column known to be clean stays so', () => {
    assert.deepEqual(bank.relationByOid(20_006)?.tainted, ['ssn']);
    assert.deepEqual(bank.relationByOid(20_006)?.columnTaint.get('id'), []);
    assert.deepEqual(bank.relationByOid(20_006)?.columnTaint.get('label'), ['ssn']);
    assert.deepEqual(bank.relationByOid(20_007)?.tainted, ['ssn']);
    assert.deepEqual(bank.relationByOid(20_008)?.tainted, []);
  });

  it('taints a view over code, or one that cannot be read, with everything', () => {
    assert.deepEqual([...(bank.relationByOid(20_009)?.tainted ?? [])].sort(), ['pan', 'ssn']);
    const catalogue = build({ ...rows, views: [{ oid: 20_008, definition: 'no sql', origins: undefined }] });
    assert.deepEqual([...(catalogue.relationByOid(20_008)?.tainted ?? [])].sort(), ['pan', 'ssn']);
  });

  it('lets a renamed column keep its classes, through any number of names', () => {
    const named = (name: string) => new Map(rows.columns).set(20_001, new Map(rows.columns.get(20_001)).set(3, name));
    const once = build({ ...rows, columns: named('harmless') }, bank);
    assert.deepEqual(rulesOf(once, 20_001)['harmless'], ['ssn']);
    const twice = build({ ...rows, columns: named('innocent') }, once);
    assert.deepEqual(rulesOf(twice, 20_001)['innocent'], ['ssn']);
    const unchanged = build({ ...rows, columns: named('innocent') }, twice);
    assert.deepEqual(rulesOf(unchanged, 20_001)['innocent'], ['ssn'], 'nor does it lose them by being read once more');
  });

  it('lets a renamed table keep its classes', () => {
    const renamed = rows.relations.map((relation) => (relation.oid === 20_001 ? { ...relation, name: 'folk' } : relation));
    const once = build({ ...rows, relations: renamed }, bank);
    assert.deepEqual(rulesOf(once, 20_001)['ssn'], ['ssn']);
    assert.deepEqual(rulesOf(build({ ...rows, relations: renamed }, once), 20_001)['ssn'], ['ssn']);
  });

  it('does not keep the one before it: a gateway that saw two thousand definitions once held two thousand catalogues', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let latest = build(rows, bank);
    const before: WeakRef<SchemaCatalogue>[] = [];
    for (let reading = 0; reading < 5; reading += 1) {
      before.push(new WeakRef(latest));
      latest = build(rows, latest);
    }
    // What a WeakRef was asked for, or made of, lives until the turn is over.
    await new Promise(setImmediate);
    collect();
    assert.deepEqual(
      before.map((reference) => reference.deref() === undefined),
      [true, true, true, true, true],
    );
    assert.deepEqual(rulesOf(latest, 20_001)['ssn'], ['ssn']);
  });
});

function rulesOf(catalogue: SchemaCatalogue, oid: number): Record<string, string[]> {
  const relation = catalogue.relationByOid(oid);
  return Object.fromEntries([...(relation?.rules ?? [])].map(([column, some]) => [column, some.map((rule) => rule.class)]));
}
