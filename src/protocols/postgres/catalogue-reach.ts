import type { QualifiedName } from '../../sql/statement.ts';
import type { CatalogueRelation } from './catalogue.ts';

/** What a view's definition says, as far as it was understood. */
export interface Definition {
  readonly oid: number;
  /** Every relation that it names; undefined where it could not be understood. */
  readonly relations: readonly QualifiedName[] | undefined;
  /** Where the server says that its columns come from; relation 0: computed. Undefined: could not be found out. */
  readonly origins: readonly { readonly relation: number }[] | undefined;
  /** A write to it is what its INSTEAD OF triggers or rules make of it. */
  readonly isOverridden: boolean;
}

/** By oid, of views and parts alone. Nothing but relations is in it, because a snapshot keeps it. */
export type Reaches = ReadonlyMap<number, readonly CatalogueRelation[] | undefined>;

interface Known {
  readonly definitions: readonly Definition[];
  readonly inheritance: readonly { readonly child: number; readonly parent: number }[];
  byOid(oid: number): CatalogueRelation | undefined;
  named(name: QualifiedName): readonly CatalogueRelation[];
}

/**
 * Relations whose rows change when another one is written (`SchemaCatalogue.writesThrough`). A view that the server updates by itself has
 * one relation in FROM, and every column that is not computed comes from there (manual, CREATE VIEW, "Updatable Views"). One whose columns
 * are all computed can still be deleted from, and one with triggers or rules may write anything: then all that it names count.
 */
export function writesThrough(known: Known): Reaches {
  const definitions = new Map(known.definitions.map((definition) => [definition.oid, definition]));
  const parents = new Map<number, number[]>();
  for (const { child, parent } of known.inheritance) parents.set(child, [...(parents.get(child) ?? []), parent]);

  function behind(relation: CatalogueRelation): readonly CatalogueRelation[] | undefined {
    const all = new Map<number, CatalogueRelation>();
    const waiting = [relation];
    let isKnown = true;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const steps = step(next);
      if (steps === undefined) isKnown = false;
      for (const one of steps ?? []) {
        if (one.oid === relation.oid || all.has(one.oid)) continue;
        all.set(one.oid, one);
        waiting.push(one);
      }
    }
    return isKnown ? [...all.values()] : undefined;
  }

  function step(relation: CatalogueRelation): readonly CatalogueRelation[] | undefined {
    if (relation.kind !== 'view') return byOids(parents.get(relation.oid) ?? []);
    // The server's own views cannot be written, save pg_settings, which is refused by its name.
    if (relation.schema === 'pg_catalog' || relation.schema === 'information_schema') return [];
    const definition = definitions.get(relation.oid);
    if (definition?.relations === undefined) return undefined;
    const origins = [...new Set((definition.origins ?? []).map((origin) => origin.relation).filter((oid) => oid !== 0))];
    const only = definition.isOverridden || origins.length !== 1 ? undefined : known.byOid(origins[0]!);
    return only === undefined ? definition.relations.flatMap((name) => known.named(name)) : [only];
  }

  function byOids(oids: readonly number[]): readonly CatalogueRelation[] {
    return oids.flatMap((oid) => known.byOid(oid) ?? []);
  }

  return new Map(byOids([...definitions.keys(), ...parents.keys()]).map((relation) => [relation.oid, behind(relation)]));
}
