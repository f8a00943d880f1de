import type { DataClasses } from './classes.ts';
import type { MaskRule } from './mask.ts';
import { endOfString, isSpace } from './json-text.ts';
import { splice } from './text.ts';

/** A place in a JSON document: `$`, then `.key`, `["key"]`, `[3]`, `[*]` or `.*`. Arrays on the way to a key are looked into, as in lax jsonpath. */
export interface JsonPath {
  /** Undefined stands for any key or any element. */
  readonly steps: readonly (string | number | undefined)[];
}

/** Throws `RangeError` with the place in the path. */
export function compileJsonPath(source: string): JsonPath {
  const steps: (string | number | undefined)[] = [];
  if (!source.startsWith('$')) throw new RangeError(`path '${source}' does not begin with $`);
  for (let at = 1; at < source.length;) {
    const step = STEP.exec(source.slice(at));
    if (step === null)
      throw new RangeError(`path '${source}' cannot be read at character ${at + 1}: expected .key, ["key"], [3], [*] or .*`);
    const [whole, plain, quoted, index] = step;
    steps.push(plain ?? quoted?.replaceAll(/\\(.)/g, '$1') ?? (index === undefined ? undefined : Number(index)));
    at += whole.length;
  }
  return { steps };
}

/** A step that a statement takes into a document (`sql/lineage.ts`). */
export interface PathStep {
  readonly key: string | undefined;
  readonly anyKey: boolean;
  readonly element: boolean;
  readonly lax: boolean;
}

/** Whether what stands where `steps` lead can hold a place of `path`, or be in one. */
export function mayReach(path: JsonPath, steps: readonly PathStep[]): boolean {
  let at: ReadonlySet<number> = new Set([0]);
  for (const step of steps) {
    if (at.has(path.steps.length)) return true;
    at = taken(path, at, step);
  }
  return at.size > 0;
}

/** How far the path may have been followed behind one more step. */
function taken(path: JsonPath, from: ReadonlySet<number>, step: PathStep): ReadonlySet<number> {
  const before = new Set(from);
  if (step.lax) for (const place of before) for (const next of behindElement(path, place)) before.add(next);
  const after = new Set<number>(step.lax && step.element ? before : []);
  for (const place of before) {
    const wanted = path.steps[place];
    if (place === path.steps.length) after.add(place);
    else if ((step.anyKey && typeof wanted !== 'number') || (step.key !== undefined && (wanted === undefined || wanted === step.key)))
      after.add(place + 1);
    if (step.element) for (const next of behindElement(path, place)) after.add(next);
  }
  return after;
}

/** An element is what a number or `[*]` names, and is looked into on the way to a key. */
function behindElement(path: JsonPath, place: number): readonly number[] {
  if (place >= path.steps.length) return [place];
  const wanted = path.steps[place];
  if (typeof wanted === 'string') return [place];
  return [place + 1];
}

/**
 * The document with every value at one of the paths masked, other bytes as they were: text is masked by its rule, null stays, anything else
 * becomes null. Undefined where nothing is there; null for a text that is no JSON, or too deep, whose value nobody may see.
 */
export function maskPaths(
  classes: DataClasses,
  rules: readonly { readonly path: JsonPath; readonly rule: MaskRule }[],
  text: string,
): { readonly text: string; readonly classes: readonly string[]; readonly found: readonly string[] } | undefined | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const walk = new Walk(text, rules);
  if (
    !walk.value(
      0,
      rules.map((_, index) => ({ rule: index, step: 0 })),
      0,
    )
  )
    return null;
  if (walk.found.length === 0) return undefined;
  const found = walk.found.map(({ rule }) => rules[rule]!.rule.class);
  return {
    text: splice(text, walk.found, ({ start, end, rule }) => maskValue(classes, rules[rule]!.rule, text.slice(start, end))),
    classes: [...new Set(found)],
    found,
  };
}

function maskValue(classes: DataClasses, rule: MaskRule, json: string): string {
  if (!json.startsWith('"')) return 'null';
  const masked = classes.mask(rule, JSON.parse(json) as string);
  return masked === null ? 'null' : JSON.stringify(masked);
}

/** How far one rule's path has been followed. */
interface Progress {
  readonly rule: number;
  readonly step: number;
}

/** Over a text that JSON.parse has accepted; places found are in order and apart. */
class Walk {
  readonly found: { readonly start: number; readonly end: number; readonly rule: number }[] = [];
  readonly #text: string;
  readonly #rules: readonly { readonly path: JsonPath }[];
  #at = 0;

  constructor(text: string, rules: readonly { readonly path: JsonPath }[]) {
    this.#text = text;
    this.#rules = rules;
  }

  /** Walks the value at `from`; false where it is too deep. */
  value(from: number, progress: readonly Progress[], depth: number): boolean {
    if (depth > DEEPEST) return false;
    this.#at = from;
    this.#space();
    const start = this.#at;
    const reached = progress.find(({ rule, step }) => step === this.#rules[rule]!.path.steps.length);
    const first = this.#text[start];
    if (first === '{' || first === '[') {
      const inside = reached === undefined ? progress : [];
      if (!(inside.length === 0 ? this.#skip(depth) : this.#members(first === '{', inside, depth))) return false;
    } else if (first === '"') this.#at = endOfString(this.#text, this.#at);
    else while (this.#at < this.#text.length && !',]} \t\n\r'.includes(this.#text[this.#at]!)) this.#at++;
    if (reached !== undefined && this.#text.slice(start, this.#at) !== 'null')
      this.found.push({ start, end: this.#at, rule: reached.rule });
    return true;
  }

  #members(isObject: boolean, progress: readonly Progress[], depth: number): boolean {
    const close = isObject ? '}' : ']';
    this.#at++;
    for (let index = 0; ; index++) {
      this.#space();
      if (this.#text[this.#at] === close) break;
      if (this.#text[this.#at] === ',') {
        this.#at++;
        this.#space();
      }
      let key: string | undefined;
      if (isObject) {
        key = this.#string();
        this.#space();
        this.#at++;
      }
      if (!this.value(this.#at, this.#follow(progress, key ?? index), depth + 1)) return false;
    }
    this.#at++;
    return true;
  }

  #follow(progress: readonly Progress[], member: string | number): readonly Progress[] {
    const next: Progress[] = [];
    for (const { rule, step } of progress) {
      const wanted = this.#rules[rule]!.path.steps[step];
      if (wanted === undefined || wanted === member) next.push({ rule, step: step + 1 });
      if (typeof member === 'number' && typeof wanted === 'string') next.push({ rule, step });
    }
    return next;
  }

  /** Over an object or array in which nothing is looked for; false where it is too deep. */
  #skip(depth: number): boolean {
    for (let open = 0; ;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === QUOTE) {
        this.#at = endOfString(this.#text, this.#at);
        continue;
      }
      this.#at++;
      if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
        if (depth + open > DEEPEST) return false;
        open++;
      } else if ((code === CLOSE_OBJECT || code === CLOSE_ARRAY) && --open === 0) return true;
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at = endOfString(this.#text, start);
    const inside = this.#text.slice(start + 1, this.#at - 1);
    return inside.includes('\\') ? (JSON.parse(`"${inside}"`) as string) : inside;
  }

  #space(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }
}

const STEP = /^(?:\.([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff-]*)|\[\s?["']((?:[^"'\\]|\\.){0,256})["']\s?\]|\[(\d{1,9})\]|\[\*\]|\.\*)/;
const DEEPEST = 500;
const QUOTE = 0x22;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
