import type { DataClasses } from '../classes.ts';
import type { JsonPath } from '../json-path.ts';
import type { PlaceRule } from '../json-places.ts';

/**
 * JSON texts of which it is known what stands where, so that what is expected of them can be written down without reading them: names twice in an object, every spelling of a string, spaces
 * anywhere. What is written follows from `choose` alone, which gives back a whole number from 0 up to, not including, what it is asked for.
 */
export type Choose = (below: number) => number;

export interface JsonTree {
  /** Spaces around it. */
  readonly before: string;
  readonly after: string;
  readonly value:
    | { readonly kind: 'text'; readonly json: string; readonly text: string }
    /** A number, `true`, `false` or `null`. */
    | { readonly kind: 'word'; readonly json: string }
    | { readonly kind: 'array'; readonly items: readonly JsonTree[] }
    | { readonly kind: 'object'; readonly members: readonly JsonMember[] };
}

interface JsonMember {
  readonly name: string;
  /** As it is written, with spaces around it. */
  readonly json: string;
  readonly tree: JsonTree;
}

export interface TreeParts {
  readonly names: readonly string[];
  readonly texts: readonly string[];
}

export function jsonTree(choose: Choose, parts: TreeParts, deepest: number): JsonTree {
  const some = <T>(make: () => T): T[] => Array.from({ length: choose(5) }, make);
  const space = (): string => (choose(4) > 0 ? '' : pick(choose, spaces));
  const valueOf = (): JsonTree['value'] => {
    const kind = choose(deepest > 0 ? 8 : 4);
    if (kind < 2) return { kind: 'text', ...spelled(choose, parts.texts) };
    if (kind < 4) return { kind: 'word', json: pick(choose, words) };
    if (kind < 6) return { kind: 'array', items: some(() => jsonTree(choose, parts, deepest - 1)) };
    const member = (): JsonMember => {
      const { text, json } = spelled(choose, choose(6) === 0 ? parts.texts : parts.names);
      return { name: text, json: `${space()}${json}${space()}`, tree: jsonTree(choose, parts, deepest - 1) };
    };
    return { kind: 'object', members: some(member) };
  };
  return { before: space(), value: valueOf(), after: space() };
}

/** What stands in the place of something; undefined: it stays as it is written. */
export interface Replacements {
  /** `way`: the names and numbers that lead to it. */
  value?(way: readonly (string | number)[], value: JsonTree['value']): string | undefined;
  name?(name: string): string | undefined;
}

export function jsonText({ before, value, after }: JsonTree, by: Replacements = {}, way: readonly (string | number)[] = []): string {
  const inside = (): string => {
    switch (value.kind) {
      case 'text':
      case 'word':
        return value.json;
      case 'array':
        return `[${value.items.map((item, index) => jsonText(item, by, [...way, index])).join(',')}]`;
      case 'object':
        return `{${value.members.map(({ name, json, tree }) => `${by.name?.(name) ?? json}:${jsonText(tree, by, [...way, name])}`).join(',')}}`;
      default:
        return value satisfies never;
    }
  };
  return `${before}${by.value?.(way, value) ?? inside()}${after}`;
}

/** What masking by places makes of it, and the class of each value that it masks. */
export function maskedTree(
  tree: JsonTree,
  rules: readonly PlaceRule[],
  classes: DataClasses,
): { readonly text: string; readonly found: readonly string[] } {
  const found: string[] = [];
  const text = jsonText(tree, {
    value(way, value) {
      const rule = rules.find(({ path }) => leadsTo(path.steps, way))?.rule;
      if (rule === undefined || (value.kind === 'word' && value.json === 'null')) return undefined;
      found.push(rule.class);
      return value.kind === 'text' ? JSON.stringify(classes.mask(rule, value.text)) : 'null';
    },
  });
  return { text, found };
}

/** Whether the way is what the path says, apart from elements of arrays on the way to a name. */
function leadsTo(steps: JsonPath['steps'], way: readonly (string | number)[]): boolean {
  if (way.length === 0 || steps.length === 0) return way.length === steps.length;
  const [step, member] = [steps[0], way[0]];
  if (step === undefined || step === member) return leadsTo(steps.slice(1), way.slice(1));
  return typeof step === 'string' && typeof member === 'number' && leadsTo(steps, way.slice(1));
}

/** The text with some of it missing, doubled or in the place of something else. Mostly no JSON any more. */
export function broken(choose: Choose, text: string): string {
  let result = text;
  for (let left = 1 + choose(3); left > 0; left -= 1) {
    const at = choose(result.length + 1);
    const end = Math.min(result.length, at + choose(3));
    result = result.slice(0, at) + pick(choose, ['', ...debris]) + result.slice(end);
  }
  return result;
}

function spelled(choose: Choose, from: readonly string[]): { readonly text: string; readonly json: string } {
  const text = pick(choose, from);
  if (choose(2) === 0) return { text, json: JSON.stringify(text) };
  const units = text.split('').map((unit) => {
    const plain = JSON.stringify(unit).slice(1, -1);
    const long = `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return pick(choose, [plain, plain, plain, unit === '/' ? '\\/' : plain, long, long.toUpperCase().replace('U', 'u')]);
  });
  return { text, json: `"${units.join('')}"` };
}

function pick<T>(choose: Choose, from: readonly T[]): T {
  return from[choose(from.length)]!;
}

const spaces = [' ', '\n', '\t', '\r\n', '    '];
const words = [
  'true',
  'false',
  'null',
  '0',
  '-0',
  '12',
  '-1.5',
  '1e5',
  '1E-7',
  '0.10e+2',
  '4111111111111111',
  '123456789',
  '12345678901234567890123',
];
const debris = [
  ...'"\\{}[],:0-.eE+x/ \n\0\u001f\u007f'.split(''),
  'true',
  'nul',
  '00',
  '1.',
  '-',
  '\\u12',
  '\\u00zz',
  '\\x',
  '\ufeff',
  '\u00a0',
  '\u2028',
  '\ud800',
  'é',
];

/** Whether the engine takes it for JSON. */
export function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
