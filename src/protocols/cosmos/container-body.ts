import { GatewayFault } from '../../core/fault.ts';
import { lineageOf, parseQuery, placesOf } from '../../sql/cosmos/index.ts';
import { isObject, type Json } from './json-body.ts';
import type { ContainerMasks } from './masks.ts';
import { classesAt } from './places.ts';

/**
 * Why a container must not be defined in this way: a computed property or a view gives a hidden value another name. Faults: `masking-refused`, and
 * `unclassified` for what a definition may not hold, as far as the gateway knows. `masks`: those of the container itself.
 */
export function containerRefusal(body: Json, masks: ContainerMasks): GatewayFault | undefined {
  if (!isObject(body)) return unclassified('it is no object');
  const unknown = Object.keys(body).find((key) => !key.startsWith('_') && !KNOWN.has(key));
  if (unknown !== undefined) return unclassified(`the property ${unknown.slice(0, 64)} is not known`);
  const properties = body['computedProperties'] ?? [];
  if (!Array.isArray(properties)) return unclassified('computedProperties is no list');
  for (const property of properties as readonly Json[]) {
    const query = isObject(property) ? property['query'] : undefined;
    if (typeof query !== 'string') return unclassified('a computed property has no query');
    const lineage = lineageOf(parseQuery(query));
    const [hidden] = classesAt(masks.rules, [...placesOf(lineage.row), ...lineage.predicates]);
    if (hidden !== undefined && masks.masksComputed) {
      return new GatewayFault('masking-refused', {
        publicMessage: `a computed property would show ${hidden} under another name`,
        hint: 'Name the property in the configuration and have it defined by someone who may see the class.',
      });
    }
  }
  return undefined;
}

function unclassified(problem: string): GatewayFault {
  return new GatewayFault('unclassified', {
    publicMessage: `the definition of the container cannot be understood with certainty: ${problem}`,
  });
}

const KNOWN: ReadonlySet<string> = new Set([
  'id',
  'analyticalStorageTtl',
  'changeFeedPolicy',
  'clientEncryptionPolicy',
  'computedProperties',
  'conflictResolutionPolicy',
  'defaultTtl',
  'fullTextPolicy',
  'geospatialConfig',
  'indexingPolicy',
  'partitionKey',
  'uniqueKeyPolicy',
  'vectorEmbeddingPolicy',
]);
