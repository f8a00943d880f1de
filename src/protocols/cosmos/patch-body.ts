import { GatewayFault } from '../../core/fault.ts';
import { lineageOf, parseCondition, type ItemPath, type QueryLineage } from '../../sql/cosmos/index.ts';
import { isObject, type Json } from './json-body.ts';
import { writeRefusal } from './mask-write.ts';
import type { ContainerMasks, ItemRule } from './masks.ts';
import { classesAt, reached, stepsOfPointer } from './places.ts';

/** A partial update (Microsoft Learn, "Partial document update"). */
export interface PatchBody {
  readonly operations: readonly PatchOperation[];
  /** Undefined: it has none. */
  readonly condition: QueryLineage | undefined;
  readonly conditionText: string | undefined;
  /** The operations as they came. */
  readonly source: readonly Json[];
}

interface PatchOperation {
  readonly op: string;
  readonly path: ItemPath;
  /** Of a move. */
  readonly from: ItemPath | undefined;
  readonly value: Json | undefined;
}

/** Throws `unclassified` for a body of another form, or an operation that is not known. */
export function patchBodyOf(body: Json | undefined): PatchBody {
  const whole = Array.isArray(body) ? { operations: body as readonly Json[] } : body;
  if (!isObject(whole) || !Array.isArray(whole['operations'])) throw unknownForm('expected operations');
  if (Object.keys(whole).some((key) => key !== 'operations' && key !== 'condition')) throw unknownForm('expected operations and condition');
  const condition = whole['condition'];
  if (condition !== undefined && typeof condition !== 'string') throw unknownForm('expected a condition in words');
  const source = whole['operations'] as readonly Json[];
  return {
    source,
    operations: source.map(operationOf),
    condition: condition === undefined ? undefined : lineageOf(parseCondition(condition)),
    conditionText: condition,
  };
}

/** Why it must not be done where places of the item are hidden: it would carry a hidden value to where no rule masks it, or write a mask. */
export function patchRefusal({ operations }: PatchBody, masks: ContainerMasks): GatewayFault | undefined {
  for (const { from, path, value } of operations) {
    const [carried] = from === undefined || !masks.masksComputed ? [] : classesAt(masks.rules, [from]);
    if (carried !== undefined) {
      return new GatewayFault('masking-refused', {
        publicMessage: `the partial update moves ${carried} to another place, where no rule would mask it`,
      });
    }
    const refusal = value === undefined ? undefined : writeRefusal(value, { ...masks, rules: masks.rules.flatMap(below(path)) }, false);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** A rule as seen from the value that is written at `path`. */
function below(path: ItemPath): (rule: ItemRule) => readonly ItemRule[] {
  return ({ path: place, rule }) =>
    reached(place, path).map((found) => ({ path: { steps: found.kind === 'below' ? found.rest : [] }, rule }));
}

function operationOf(operation: Json): PatchOperation {
  if (!isObject(operation)) throw unknownForm('an operation is no object');
  const { op, path, from, value } = operation;
  if (typeof op !== 'string' || !KNOWN.has(op)) throw unknownForm('an operation is not one of add, set, replace, remove, incr, move');
  if (Object.keys(operation).some((key) => !MEMBERS.has(key))) throw unknownForm('an operation has a member that is not known');
  if ((from !== undefined) !== (op === 'move')) throw unknownForm('"from" is for move');
  return { op, path: pathOf(path), from: from === undefined ? undefined : pathOf(from), value };
}

function pathOf(pointer: Json | undefined): ItemPath {
  const steps = typeof pointer === 'string' ? stepsOfPointer(pointer) : undefined;
  if (steps === undefined) throw unknownForm('a path is no JSON pointer');
  return steps;
}

function unknownForm(problem: string): GatewayFault {
  return new GatewayFault('unclassified', { publicMessage: `the partial update cannot be understood with certainty: ${problem}` });
}

const KNOWN: ReadonlySet<string> = new Set(['add', 'set', 'replace', 'remove', 'incr', 'move']);
const MEMBERS: ReadonlySet<string> = new Set(['op', 'path', 'from', 'value']);
