import type { GatewayFault } from '../../core/fault.ts';
import type { Act, Facts } from '../../core/operation.ts';
import type { MaskingMode } from '../../core/target.ts';
import type { Analysis } from '../../sql/statement.ts';
import type { PostgresTarget } from './environment.ts';
import { maskContext } from './mask.ts';
import { policyFacts } from './policy-facts.ts';
import { understand } from './understanding.ts';

export interface Meaning {
  readonly acts: readonly Act[];
  readonly facts: Facts;
  /** Data classes that would be masked. */
  readonly classes: readonly string[];
  readonly refusal: GatewayFault | undefined;
}

/** What a statement would mean in a fresh session at the target's own database; without one, what connecting means. Runs nothing. */
export function explainPostgres(options: {
  readonly statement: string | undefined;
  readonly target: Pick<PostgresTarget, 'name' | 'database' | 'classes' | 'catalogue'>;
  readonly masking: MaskingMode;
  readonly readOnly: boolean | undefined;
  readonly revealed: ReadonlySet<string>;
  readonly analyse: (sql: string) => Analysis;
}): Meaning {
  const { statement, target } = options;
  const connect: Act = { action: 'connect', object: { type: 'Target', id: target.name } };
  if (statement === undefined) return { acts: [connect], facts: { protocol: 'postgres' }, classes: [], refusal: undefined };
  const catalogue = target.catalogue(target.database);
  const masks = maskContext(target.classes, catalogue, options.masking, options.revealed);
  const place = { target: target.name, database: undefined, databaseName: target.database };
  const nothingNamed = { statement: () => undefined, cursor: () => undefined };
  const understanding = understand(
    options.analyse(statement),
    { place, catalogue, masks, made: new Set(), readOnly: options.readOnly === true },
    nothingNamed,
  );
  const { acts, classes, refusal } = understanding;
  return { acts: acts.length === 0 ? [connect] : acts, facts: policyFacts(understanding), classes, refusal };
}
