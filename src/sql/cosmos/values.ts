/** One step into an item: to the member of this key, to a member of any key, to any element of an array. Elements are not told apart. */
export type Step = { readonly kind: 'key'; readonly key: string } | { readonly kind: 'any-key' } | { readonly kind: 'element' };

/** A place in an item of the container, with everything below it; no steps: the whole item. */
export type ItemPath = readonly Step[];

/** Where a value comes from. */
export type Value =
  /** It is what stands there, unchanged. */
  | { readonly kind: 'stored'; readonly path: ItemPath }
  | { readonly kind: 'object'; readonly members: readonly Member[] }
  /** An array of these values, in whatever order and number: what is undefined is left out. */
  | { readonly kind: 'array'; readonly elements: readonly Value[] }
  /** It is computed from everything at these places. */
  | { readonly kind: 'computed'; readonly from: readonly ItemPath[] }
  /** `value`, and whether it is there, or how often, is decided by what stands at `on`. */
  | { readonly kind: 'conditioned'; readonly value: Value; readonly on: readonly ItemPath[] };

export interface Member {
  /** Undefined: the server makes one up. */
  readonly key: string | undefined;
  readonly value: Value;
}

export const constant: Value = { kind: 'computed', from: [] };

/** Every place that a value can tell of. */
export function placesOf(value: Value): readonly ItemPath[] {
  switch (value.kind) {
    case 'stored':
      return [value.path];
    case 'object':
      return value.members.flatMap((member) => placesOf(member.value));
    case 'array':
      return value.elements.flatMap(placesOf);
    case 'computed':
      return value.from;
    case 'conditioned':
      return [...placesOf(value.value), ...value.on];
    default:
      return value satisfies never;
  }
}

/** What a step leads to. */
export function stepInto(value: Value, step: Step): Value {
  switch (value.kind) {
    case 'stored':
      return { kind: 'stored', path: [...value.path, step] };
    case 'object':
      return memberOf(value.members, step);
    case 'array':
      return step.kind === 'key' ? constant : oneOf(value.elements);
    case 'computed':
      return value;
    case 'conditioned':
      return conditioned(stepInto(value.value, step), value.on);
    default:
      return value satisfies never;
  }
}

export function computedFrom(values: readonly Value[]): Value {
  return { kind: 'computed', from: values.flatMap(placesOf) };
}

export function conditioned(value: Value, on: readonly ItemPath[]): Value {
  return on.length === 0 ? value : { kind: 'conditioned', value, on };
}

function memberOf(members: readonly Member[], step: Step): Value {
  if (step.kind === 'element') return constant;
  return oneOf(members.filter(({ key }) => key === undefined || step.kind === 'any-key' || key === step.key).map(({ value }) => value));
}

/** Any of several values: as good as computed from all. */
function oneOf(values: readonly Value[]): Value {
  return values.length === 1 ? values[0]! : computedFrom(values);
}
