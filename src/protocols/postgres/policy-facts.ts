import type { Facts } from '../../core/operation.ts';
import type { Understanding } from './understanding.ts';

/**
 * What policy is told of a statement. `cascade` only where it is true, which spares every record of another statement a word; what runs by
 * a name given earlier cannot say it. The same object for the same understanding, by which the log knows what it has encoded already.
 */
export function policyFacts(understanding: Understanding): Facts {
  if (!understanding.statements.some(({ cascade }) => cascade)) return understanding.facts;
  let facts = cascading.get(understanding);
  if (facts === undefined) cascading.set(understanding, (facts = { ...understanding.facts, cascade: true }));
  return facts;
}

const cascading = new WeakMap<Understanding, Facts>();
