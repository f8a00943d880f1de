import { GatewayFault } from '../../core/fault.ts';
import type { Place, PlaceRule } from '../../masking/json-document.ts';
import type { MaskRule } from '../../masking/mask.ts';
import type { MaskKind } from '../../masking/types.ts';
import { placesOf, type ItemPath, type QueryLineage, type Value } from '../../sql/cosmos/index.ts';
import type { ContainerMasks } from './masks.ts';
import { classesAt, reached } from './places.ts';

/** What is hidden in each row of a query's result. Places begin at the row. */
export interface RowMasks {
  readonly rules: readonly PlaceRule[];
  /** Where whole items stand in a row. */
  readonly items: readonly Place[];
}

/**
 * Data classes of hidden places that a query asks something of: what decides which rows there are and how they are arranged, and what something is
 * computed from, since what comes out undefined is left out of a row, which tells as much as a condition.
 */
export function askedClasses(lineage: QueryLineage, { rules }: ContainerMasks): readonly string[] {
  return classesAt(rules, [...lineage.predicates, ...lineage.arranging, ...computedFrom(lineage.row)]);
}

/**
 * What has to be masked in the rows of a query. A fault (`masking-refused`) for one whose answers cannot be masked:
 *
 * - sorting, grouping and DISTINCT by a hidden place: its values stand in continuation tokens, in whatever encoding, and in what SDKs sort by;
 * - SUM and AVG over one: SDKs add up what the partitions say, and a masked part would make a wrong sum;
 * - rows that the query makes up itself, compared with a hidden place: which of them come back is its value;
 * - in `strict` mode any use but as a part of the result by itself.
 */
export function rowMasks(lineage: QueryLineage, masks: ContainerMasks): RowMasks | GatewayFault {
  const found = new Rows(masks);
  found.add([], lineage.row);
  if (masks.masksComputed) {
    const refusal = refusalOf(lineage, masks, found);
    if (refusal !== undefined) return refusal;
  }
  return { rules: found.rules.sort((a, b) => strengthOf(a) - strengthOf(b)), items: found.items };
}

function computedFrom(value: Value): readonly ItemPath[] {
  switch (value.kind) {
    case 'stored':
      return [];
    case 'object':
      return value.members.flatMap((member) => computedFrom(member.value));
    case 'array':
      return value.elements.flatMap(computedFrom);
    case 'computed':
      return value.from;
    case 'conditioned':
      return [...computedFrom(value.value), ...value.on];
    default:
      return value satisfies never;
  }
}

function refusalOf(lineage: QueryLineage, masks: ContainerMasks, found: Rows): GatewayFault | undefined {
  const hidden = (paths: readonly ItemPath[]): string => classesAt(masks.rules, paths).join(', ');
  const arranging = hidden(lineage.arranging);
  if (arranging !== '')
    return refused(`it sorts, groups or tells rows apart by ${arranging}, whose values would stand in continuation tokens`);
  const sums = hidden(lineage.sums);
  if (sums !== '') return refused(`it adds up ${sums}, and a sum of masked parts would be wrong`);
  const predicates = hidden(lineage.predicates);
  if (predicates !== '' && lineage.makesUpRows) return refused(`it compares ${predicates} with rows of its own making`);
  if (found.unnamed !== undefined) return refused(`an expression that is computed from ${found.unnamed} has no name: give it one with AS`);
  if (!masks.isStrict) return undefined;
  if (predicates !== '') return refused(`${predicates} stands in a condition, and masking is strict`);
  return found.computed === undefined ? undefined : refused(`something is computed from ${found.computed}, and masking is strict`);
}

/** Gathers what is hidden in a row. */
class Rows {
  readonly rules: PlaceRule[] = [];
  readonly items: Place[] = [];
  computed: string | undefined;
  unnamed: string | undefined;
  readonly #masks: ContainerMasks;

  constructor(masks: ContainerMasks) {
    this.#masks = masks;
  }

  add(place: Place, value: Value): void {
    switch (value.kind) {
      case 'stored':
        this.#stored(place, value.path);
        return;
      case 'object':
        for (const { key, value: member } of value.members) {
          if (key !== undefined) this.add([...place, key], member);
          else this.unnamed ??= classesAt(this.#masks.rules, placesOf(member))[0];
        }
        return;
      case 'array':
        for (const element of value.elements) this.add([...place, undefined], element);
        return;
      case 'computed':
        this.#computed(place, value.from);
        return;
      case 'conditioned':
        if (classesAt(this.#masks.rules, value.on).length > 0) this.#computed(place, placesOf(value));
        else this.add(place, value.value);
        return;
      default:
        value satisfies never;
    }
  }

  #stored(place: Place, path: ItemPath): void {
    if (path.length === 0) this.items.push(place);
    for (const { path: hidden, rule } of this.#masks.rules) {
      for (const found of reached(hidden, path)) {
        if (found.kind === 'below') this.rules.push({ place: [...place, ...found.rest], rule });
        else this.rules.push({ place, rule: withheld(rule) });
      }
    }
  }

  #computed(place: Place, from: readonly ItemPath[]): void {
    const [strongest] = classesAt(this.#masks.rules, from);
    const rule = strongest === undefined ? undefined : this.#masks.classes.strongest([strongest]);
    if (rule === undefined || !this.#masks.masksComputed) return;
    this.computed ??= rule.class;
    this.rules.push({ place, rule: withheld(rule), isOpaque: true });
  }
}

/** What is computed from a value has not its shape. */
function withheld({ class: name, kind }: MaskRule): MaskRule {
  return { class: name, kind: kind === 'null' ? 'null' : 'redact' };
}

function refused(why: string): GatewayFault {
  return new GatewayFault('masking-refused', {
    publicMessage: `the query cannot be answered with its hidden values masked: ${why}`,
    hint: 'Leave them out, or ask the platform team for permission to see them (reveal).',
  });
}

function strengthOf({ rule, isOpaque }: PlaceRule): number {
  return isOpaque === true ? -1 : STRENGTH[rule.kind];
}

/** What shows least comes first. */
const STRENGTH: Readonly<Record<MaskKind, number>> = { null: 0, redact: 1, hash: 2, pseudonym: 3, 'partial-last4': 4 };
