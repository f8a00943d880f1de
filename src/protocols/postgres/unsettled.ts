import type { CatalogueRelation } from './catalogue.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';

/** What was defined since a catalogue was read. */
export type Unsettled = 'relations' | 'code';

/**
 * A catalogue while something was defined that it has not seen: views may mean other columns than it says, so they are not believed,
 * and after `code` any name may be a function or an operator made here. What the server names as a table's column stays true.
 */
export function unsettled(catalogue: SchemaCatalogue, what: Unsettled): SchemaCatalogue {
  const cache = caches[what];
  const known = cache.get(catalogue);
  if (known !== undefined) return known;
  const code = what === 'code';
  const made: SchemaCatalogue = {
    ...catalogue,
    relationByOid(oid) {
      const relation = catalogue.relationByOid(oid);
      return relation?.kind === 'view' || relation?.kind === 'materialized-view' ? undefined : relation;
    },
    hasUserFunction: (name) => code || catalogue.hasUserFunction(name),
    hasUserOperator: (name) => code || catalogue.hasUserOperator(name),
    runsCode: () => true,
    runsCodeAsRead: (relation) => catalogue.runsCode(relation),
    isUnsettled: true,
  };
  cache.set(catalogue, made);
  return made;
}

/**
 * A catalogue for a session that made relations which it has not seen: an oid that it does not know is presumed to be one of them. They
 * hold only what the gateway let through, and it lets no hidden class be copied. It may be another that was made around the gateway a
 * moment ago: what a statement names beside those made here has its say (`findOrigin`).
 */
export function withMade(catalogue: SchemaCatalogue, base: SchemaCatalogue): SchemaCatalogue {
  return {
    ...catalogue,
    relationByOid: (oid) => (oid >= firstUserOid && base.relationByOid(oid) === undefined ? madeHere(oid) : catalogue.relationByOid(oid)),
  };
}

function madeHere(oid: number): CatalogueRelation {
  return {
    oid,
    presumed: true,
    schema: '',
    name: '',
    kind: 'table',
    columns: { get: () => 'column', has: () => true, size: 0 } as unknown as ReadonlyMap<number, string>,
    rules: new Map(),
    columnTaint: new Map(),
    tainted: [],
  };
}

const caches = { relations: new WeakMap<SchemaCatalogue, SchemaCatalogue>(), code: new WeakMap<SchemaCatalogue, SchemaCatalogue>() };
/** FirstNormalObjectId of the server: lower oids belong to the server itself. */
const firstUserOid = 16_384;
