import type { SchemaCatalogue } from './schema-catalogue.ts';

/**
 * A catalogue while something was defined that it has not seen: views may mean other columns than it says, and functions may have come,
 * so neither is believed. What the server names as a table's column stays true.
 */
export function unsettled(catalogue: SchemaCatalogue): SchemaCatalogue {
  const known = cache.get(catalogue);
  if (known !== undefined) return known;
  const made: SchemaCatalogue = {
    ...catalogue,
    relationByOid(oid) {
      const relation = catalogue.relationByOid(oid);
      return relation?.kind === 'view' || relation?.kind === 'materialized-view' ? undefined : relation;
    },
    relationsNamed: (name) => catalogue.relationsNamed(name),
    hasUserFunction: () => true,
    runsCode: () => true,
  };
  cache.set(catalogue, made);
  return made;
}

const cache = new WeakMap<SchemaCatalogue, SchemaCatalogue>();
