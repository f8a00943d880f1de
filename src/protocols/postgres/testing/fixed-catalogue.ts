import { Definitions } from '../definitions.ts';
import type { PostgresTarget } from '../environment.ts';
import type { SchemaCatalogue } from '../schema-catalogue.ts';

/** What a target says of definitions where nothing is ever defined. */
export function fixedCatalogue(
  catalogue: SchemaCatalogue,
): Pick<
  PostgresTarget,
  | 'catalogue'
  | 'catalogueStale'
  | 'catalogueSettled'
  | 'catalogueAfterwards'
  | 'catalogueMissed'
  | 'definitions'
  | 'definitionsOver'
  | 'definitionAbandoned'
> {
  const definitions = new Definitions();
  return {
    catalogue: () => catalogue,
    catalogueStale: async () => {},
    catalogueSettled: async () => {},
    catalogueAfterwards: async () => catalogue,
    catalogueMissed: () => {},
    definitionsOver: async () => {},
    definitions: () => definitions,
    definitionAbandoned: (_, definition) => definitions.end(definition, undefined),
  };
}
