import type { DataClasses } from './classes.ts';
import {
  behindColon,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  endOfPlain,
  endOfString,
  endOfValue,
  LETTER_N,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from './json-bytes.ts';
import type { JsonPath } from './json-path.ts';
import { keepLastFourOfAscii, type MaskRule } from './mask.ts';
import { Outline } from './outline.ts';
import { splice } from './text.ts';

export interface PlaceRule {
  readonly path: JsonPath;
  readonly rule: MaskRule;
}

/**
 * The document with every value at one of the paths masked, other bytes as they were: text is masked by its rule, null stays, anything else
 * becomes null. Of several rules for one value the first one counts. Undefined where nothing is there; null for a text that is no JSON, or too
 * deep, whose value nobody may see. What is made of `rules` for that is kept as long as they are.
 */
export function maskPaths(
  classes: DataClasses,
  rules: readonly PlaceRule[],
  text: string,
): { readonly text: string; readonly classes: readonly string[]; readonly found: readonly string[] } | undefined | null {
  const bytes = outline.of(text);
  const walk = new Walk(text, bytes);
  if (!walk.document(rootOf(rules))) return null;
  if (walk.found.length === 0) return undefined;
  const found = walk.found.map(({ rule }) => rules[rule]!.rule.class);
  const others = outline.isAscii ? walk.found.filter((one) => !maskInPlace(rules[one.rule]!.rule, one, bytes)) : walk.found;
  const shown = others.length === found.length ? text : decoder.decode(bytes.subarray(0, text.length));
  return {
    text: splice(shown, others, (one) => maskValue(classes, rules[one.rule]!.rule, shown.slice(one.start, one.end))),
    classes: [...new Set(found)],
    found,
  };
}

/** What becomes a text of the same length, in a fraction of the time; false, and nothing done, for anything else. */
function maskInPlace({ kind }: MaskRule, { start, end, isPlain }: Found, bytes: Uint8Array): boolean {
  return kind === 'partial-last4' && isPlain && keepLastFourOfAscii(bytes, start + 1, end - 1);
}

function maskValue(classes: DataClasses, rule: MaskRule, json: string): string {
  if (!json.startsWith('"')) return 'null';
  const masked = classes.mask(rule, json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1));
  if (masked === null) return 'null';
  return ESCAPED.test(masked) ? JSON.stringify(masked) : `"${masked}"`;
}

interface Found {
  readonly start: number;
  readonly end: number;
  readonly rule: number;
  /** A string in which every character stands for itself. */
  readonly isPlain: boolean;
}

/** One pass over a text that may be no JSON. Values found are in order and apart; where nothing is looked for, they are only stepped over. */
class Walk {
  readonly found: Found[] = [];
  readonly #text: string;
  readonly #bytes: Uint8Array;

  /** `bytes`: its outline. */
  constructor(text: string, bytes: Uint8Array) {
    this.#text = text;
    this.#bytes = bytes;
  }

  /** False where it is no JSON, or too deep. */
  document(root: Place): boolean {
    const end = this.#value(skipSpace(this.#bytes, 0), root, 0);
    return end >= 0 && skipSpace(this.#bytes, end) === this.#text.length;
  }

  /** Gives back where the value ends, or -1, as everything here. */
  #value(start: number, place: Place, depth: number): number {
    if (depth > DEEPEST) return -1;
    const first = this.#bytes[start];
    if (place.leads) {
      if (first === OPEN_OBJECT) return this.#object(start, place, depth);
      if (first === OPEN_ARRAY) return this.#array(start, place, depth);
    }
    const end = endOfValue(this.#bytes, start, DEEPEST - depth + 1);
    if (place.rule >= 0 && end >= 0 && first !== LETTER_N) {
      const isPlain = first === QUOTE && endOfPlain(this.#bytes, start + 1) === end - 1;
      this.found.push({ start, end, rule: place.rule, isPlain });
    }
    return end;
  }

  #object(start: number, place: Place, depth: number): number {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, start + 1);
    if (bytes[at] === CLOSE_OBJECT) return at + 1;
    for (;;) {
      if (bytes[at] !== QUOTE) return -1;
      const plain = endOfPlain(bytes, at + 1);
      const isPlain = bytes[plain] === QUOTE;
      const end = isPlain ? plain + 1 : endOfString(bytes, at);
      if (end < 0) return -1;
      const next = isPlain ? place.member(this.#text, at + 1, plain) : this.#escapedMember(at, end, place);
      at = behindColon(bytes, end);
      if (at < 0) return -1;
      at = this.#value(at, next, depth + 1);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === CLOSE_OBJECT) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipSpace(bytes, at + 1);
    }
  }

  #escapedMember(start: number, end: number, place: Place): Place {
    const name = JSON.parse(this.#text.slice(start, end)) as string;
    return place.member(name, 0, name.length);
  }

  #array(start: number, place: Place, depth: number): number {
    const bytes = this.#bytes;
    let at = skipSpace(bytes, start + 1);
    if (bytes[at] === CLOSE_ARRAY) return at + 1;
    for (let index = 0; ; index += 1) {
      at = this.#value(at, place.element(index), depth + 1);
      if (at < 0) return -1;
      at = skipSpace(bytes, at);
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipSpace(bytes, at + 1);
    }
  }
}

/** How far the paths of all rules have been followed together, and where members of what stands there lead. */
class Place {
  /** The rule whose path ends here, by its index; -1: none. */
  readonly rule: number;
  /** A path goes on from here. */
  readonly leads: boolean;
  readonly #places: Places;
  /** Of each rule how many steps of its path were taken; -1: it does not come here. */
  readonly #taken: readonly number[];
  /** Members that a path names. */
  readonly #names: readonly string[];
  readonly #named: (Place | undefined)[];
  #otherMember: Place | undefined;
  readonly #numbers: readonly number[];
  readonly #numbered: (Place | undefined)[];
  #otherElement: Place | undefined;

  constructor(places: Places, taken: readonly number[]) {
    this.#places = places;
    this.#taken = taken;
    this.rule = taken.findIndex((step, rule) => step === places.paths[rule]!.length);
    this.leads = this.rule < 0 && taken.some((step) => step >= 0);
    const wanted = taken.map((step, rule) => places.paths[rule]![step]);
    this.#names = [...new Set(wanted.filter((one) => typeof one === 'string'))];
    this.#numbers = [...new Set(wanted.filter((one) => typeof one === 'number'))];
    this.#named = this.#names.map(() => undefined);
    this.#numbered = this.#numbers.map(() => undefined);
  }

  /** Where a member leads whose name stands in `text` from `start` up to `end`. */
  member(text: string, start: number, end: number): Place {
    const names = this.#names;
    const length = end - start;
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index]!;
      // Most others differ in their length or at once, which is told faster here than there.
      if (name.length !== length || (length > 0 && name.charCodeAt(0) !== text.charCodeAt(start))) continue;
      if (text.startsWith(name, start)) return (this.#named[index] ??= this.#follow(name));
    }
    return (this.#otherMember ??= this.#follow(undefined));
  }

  /** Where an element of an array leads. */
  element(index: number): Place {
    const at = this.#numbers.length === 0 ? -1 : this.#numbers.indexOf(index);
    return at < 0 ? (this.#otherElement ??= this.#follow(-1)) : (this.#numbered[at] ??= this.#follow(index));
  }

  /** Undefined: a member that no path names; -1: an element that none does. */
  #follow(member: string | number | undefined): Place {
    const next = this.#taken.map((step, rule) => {
      const path = this.#places.paths[rule]!;
      if (step < 0 || step === path.length) return -1;
      const wanted = path[step];
      if (wanted === undefined || wanted === member) return step + 1;
      // Arrays on the way to a name are looked into.
      return typeof member === 'number' && typeof wanted === 'string' ? step : -1;
    });
    return this.#places.at(next);
  }
}

/** The places to which some paths lead, made when a document has them. */
class Places {
  readonly paths: readonly JsonPath['steps'][];
  readonly root: Place;
  readonly #known = new Map<string, Place>();

  constructor(rules: readonly PlaceRule[]) {
    this.paths = rules.map(({ path }) => path.steps);
    this.root = this.at(rules.map(() => 0));
  }

  /** More than rules have by themselves: documents have combined them. */
  get areMany(): boolean {
    return this.#known.size > mostPlaces;
  }

  at(taken: readonly number[]): Place {
    const key = taken.join();
    let place = this.#known.get(key);
    if (place === undefined) this.#known.set(key, (place = new Place(this, taken)));
    return place;
  }
}

function rootOf(rules: readonly PlaceRule[]): Place {
  let places = compiled.get(rules);
  if (places === undefined || places.areMany) compiled.set(rules, (places = new Places(rules)));
  return places.root;
}

const outline = new Outline();
const decoder = new TextDecoder();
const compiled = new WeakMap<readonly PlaceRule[], Places>();
const mostPlaces = 10_000;
const DEEPEST = 500;
/** What JSON.stringify does not leave as it is, and more. */
const ESCAPED = /[^ !#-[\]-~]/;
