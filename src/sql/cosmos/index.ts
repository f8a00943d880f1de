export { lineageOf, type QueryLineage } from './lineage.ts';
export { parseCondition, parseQuery } from './parser.ts';
export { withoutConstants } from './text.ts';
export { placesOf, type ItemPath, type Step, type Value } from './values.ts';
