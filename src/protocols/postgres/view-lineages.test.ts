import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LineageCatalogue } from '../../sql/lineage.ts';
import { analyse } from './fixture.test.ts';
import { ViewLineages } from './view-lineages.ts';

const definition = 'select upper(p.name) || p.note as shout from public.people p';

/** A catalogue in which `people` is relation 1 with these columns. */
function catalogue(columns: readonly string[], more: Partial<LineageCatalogue> & { readonly id?: number } = {}): LineageCatalogue {
  const { id = 1, ...rest } = more;
  return { relation: () => ({ id, columns }), hasUserFunction: () => false, hasUserOperator: () => false, ...rest };
}

describe('the lineage of a view', () => {
  const before = catalogue(['name', 'note']);
  const cases: Readonly<Record<string, LineageCatalogue>> = {
    'its table is another of the same name': catalogue(['name', 'note'], { id: 2 }),
    'the oid of its table is used again, by one with other columns': catalogue(['id', 'name', 'note']),
    'two columns changed places': catalogue(['note', 'name']),
    'its table’s name may mean several': catalogue([], { relation: () => undefined }),
    'a function was made under the name of one that it calls': catalogue(['name', 'note'], { hasUserFunction: (name) => name === 'upper' }),
    'an operator was made': catalogue(['name', 'note'], { hasUserOperator: (name) => name === '||' }),
  };
  for (const [story, after] of Object.entries(cases)) {
    it(`is traced anew where ${story}`, () => {
      const lineages = new ViewLineages();
      const of = (from: LineageCatalogue) => {
        const lineage = lineages.of(definition, analyse(definition).statements[0]!, from);
        lineages.settle();
        return lineage;
      };
      const fresh = analyse(definition).statements[0]!.lineage(after);
      assert.notEqual(of(before), undefined);
      assert.deepEqual(of(after), fresh);
      assert.deepEqual(of(before), analyse(definition).statements[0]!.lineage(before));
    });
  }

  it('is kept where nothing of that changed, and forgotten after a reading without it', () => {
    const lineages = new ViewLineages();
    const statement = analyse(definition).statements[0]!;
    const first = lineages.of(definition, statement, before);
    lineages.settle();
    assert.equal(lineages.of(definition, statement, catalogue(['name', 'note'])), first);
    lineages.settle();
    lineages.settle();
    assert.notEqual(lineages.of(definition, statement, before), first);
  });
});
