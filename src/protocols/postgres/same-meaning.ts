import type { CatalogueRelation } from './catalogue.ts';
import type { Understanding } from './understanding.ts';

/** Columns that were added do not matter: nobody who did not know of them has named one, and each is masked by the newer catalogue. */
export function meansTheSame(before: Understanding, after: Understanding): boolean {
  if (meaning(before) !== meaning(after)) return false;
  return relationsOf(before).every((lists, which) => {
    const others = relationsOf(after)[which] ?? [];
    return lists.length === others.length && lists.every((relation, index) => isTheSame(relation, others[index]!));
  });
}

function meaning({ acts, facts, classes, pureRead, refusal, lookups, needsFields, runsUnseen, maskFacts }: Understanding): string {
  const { mentions, mentionsAll, beyond, opaque, lineage } = maskFacts;
  return JSON.stringify(
    [
      acts,
      facts,
      classes,
      pureRead,
      refusal?.publicMessage,
      lookups,
      needsFields,
      runsUnseen,
      mentions,
      mentionsAll,
      beyond,
      opaque,
      lineage,
    ],
    (_, value: unknown) => (value instanceof Map || value instanceof Set ? [...value] : value),
  );
}

function relationsOf({ maskFacts: { relations, written, behind } }: Understanding): readonly (readonly CatalogueRelation[])[] {
  return [relations, written, behind];
}

function isTheSame(before: CatalogueRelation, after: CatalogueRelation): boolean {
  if (before === after) return true;
  return (
    before.oid === after.oid &&
    before.kind === after.kind &&
    before.schema === after.schema &&
    before.name === after.name &&
    before.hasRules === after.hasRules &&
    JSON.stringify(before.tainted) === JSON.stringify(after.tainted) &&
    [...before.columns].every(([number, name]) => after.columns.get(number) === name && describe(before, name) === describe(after, name))
  );
}

function describe({ rules, columnTaint, textColumns }: CatalogueRelation, column: string): string {
  return JSON.stringify([rules.get(column), columnTaint.get(column), textColumns?.get(column)]);
}
