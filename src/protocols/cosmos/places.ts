import type { Place } from '../../masking/json-document.ts';
import type { JsonPath } from '../../masking/json-path.ts';
import type { ItemPath, Step } from '../../sql/cosmos/index.ts';
import type { ItemRule } from './masks.ts';

/** Where a rule's place stands, seen from a place in an item. */
export type Reached =
  /** Below it, or at it: what is left of the rule's path. */
  | { readonly kind: 'below'; readonly rest: Place }
  /** The place is a part of what the rule hides. */
  | { readonly kind: 'around' };

/**
 * Every way in which what stands at `path` can hold what the rule hides, or be a part of it. As items are masked, arrays on the way to a key are looked
 * into; an element may be any one.
 */
export function reached(rule: JsonPath, path: ItemPath): readonly Reached[] {
  let at: ReadonlySet<number> = new Set([0]);
  let isAround = false;
  for (const step of path) {
    isAround ||= at.has(rule.steps.length);
    at = new Set([...at].flatMap((position) => after(rule, position, step)));
  }
  const below = [...at].map((position): Reached => ({ kind: 'below', rest: rule.steps.slice(position) }));
  return isAround ? [...below, { kind: 'around' }] : below;
}

/** Data classes that what stands at these places can tell of, strongest first. */
export function classesAt(rules: readonly ItemRule[], paths: readonly ItemPath[]): readonly string[] {
  const found = rules.filter(({ path: place }) => paths.some((path) => reached(place, path).length > 0));
  return [...new Set(found.map(({ rule }) => rule.class))];
}

/** A JSON pointer's tokens (RFC 6901) as steps: digits and `-` may name a member or an element. */
export function stepsOfPointer(pointer: string): ItemPath | undefined {
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((token): Step => {
      if (/^(?:\d+|-)$/.test(token)) return { kind: 'any-key' };
      return { kind: 'key', key: token.replaceAll('~1', '/').replaceAll('~0', '~') };
    });
}

function after({ steps }: JsonPath, position: number, step: Step): readonly number[] {
  if (position >= steps.length) return [];
  const wanted = steps[position];
  switch (step.kind) {
    case 'key':
      return wanted === undefined || wanted === step.key ? [position + 1] : [];
    case 'element':
      return typeof wanted === 'string' ? [position] : [position + 1];
    case 'any-key':
      return typeof wanted === 'string' ? [position, position + 1] : [position + 1];
    default:
      return step satisfies never;
  }
}
