import type { DataClasses } from './classes.ts';
import type { DetectorSet } from './detect.ts';
import { isJson } from './json-bytes.ts';
import type { MaskRule } from './mask.ts';
import { maskText } from './text.ts';

/** A place in a JSON text: keys, or undefined for any key and any element. Arrays on the way to a key are looked into. */
export type Place = readonly (string | number | undefined)[];

export interface PlaceRule {
  readonly place: Place;
  readonly rule: MaskRule;
  /** Every value there, null as well, is shown as the same text: even its type would tell something. Only with `redact` and `null`. */
  readonly isOpaque?: boolean;
}

export interface DocumentMasks {
  readonly classes: DataClasses;
  readonly detectors: DetectorSet;
  /** Of several for one value the first one counts. */
  readonly rules: readonly PlaceRule[];
  /** Objects whose members of these names are the database's own: no detector looks at them. */
  readonly systemOf: readonly Place[];
  readonly systemKeys: ReadonlySet<string>;
  /** Told each text and number that is hidden: a value at a place, or what a detector has found in one. */
  readonly tell?: ((hidden: string) => void) | undefined;
}

export interface MaskedDocument {
  /** The same text where nothing was found. */
  readonly text: string;
  /** Values masked, by data class. */
  readonly masked: ReadonlyMap<string, number>;
}

/**
 * Masks a JSON text in one pass: values at a place by its rule (text as the rule says, null stays, anything else becomes null), everything else by what the
 * detectors find in each value, with its key as the hint, and in each key. Other characters stay as they were. Undefined for a text that is no JSON, or is
 * deeper than `deepest`.
 */
export function maskDocument(masks: DocumentMasks, text: string): MaskedDocument | undefined {
  if (!isJson(text)) return undefined;
  const walk = new Walk(masks, text);
  if (!walk.document()) return undefined;
  return { text: walk.shown(), masked: walk.masked };
}

/** How far the place of one rule (or of the database's own members) has been followed. */
interface Progress {
  readonly place: Place;
  readonly step: number;
  /** Undefined: of a place of `systemOf`. */
  readonly rule: PlaceRule | undefined;
}

/** Over a text that JSON.parse has accepted. */
class Walk {
  readonly masked = new Map<string, number>();
  readonly #masks: DocumentMasks;
  readonly #text: string;
  readonly #parts: string[] = [];
  #copied = 0;
  #at = 0;

  constructor(masks: DocumentMasks, text: string) {
    this.#masks = masks;
    this.#text = text;
  }

  /** False where it is too deep. */
  document(): boolean {
    const { rules, systemOf } = this.#masks;
    const progress: Progress[] = rules.map((rule) => ({ place: rule.place, step: 0, rule }));
    for (const place of systemOf) progress.push({ place, step: 0, rule: undefined });
    return this.#value(progress, '', false, 0);
  }

  shown(): string {
    return this.#parts.length === 0 ? this.#text : this.#parts.join('') + this.#text.slice(this.#copied);
  }

  #value(progress: readonly Progress[], key: string, isSystem: boolean, depth: number): boolean {
    if (depth > deepest) return false;
    this.#space();
    const start = this.#at;
    const rule = progress.find((one) => one.step === one.place.length && one.rule !== undefined)?.rule;
    const first = this.#text[start];
    if (first === '{' || first === '[') {
      // What is hidden whole is only skipped.
      if (rule !== undefined) this.#skip();
      else if (!(first === '{' ? this.#object(progress, depth) : this.#array(progress, key, depth))) return false;
    } else if (first === '"') this.#string();
    else this.#word();
    const json = this.#text.slice(start, this.#at);
    if (rule !== undefined) {
      if (json !== 'null' || rule.isOpaque === true) this.#replace(start, this.#ruled(rule, json), [rule.rule.class]);
      if (this.#masks.tell !== undefined) tellScalars(JSON.parse(json), this.#masks.tell);
    } else if (!isSystem && first !== '{' && first !== '[') this.#detect(start, json, key);
    return true;
  }

  #object(progress: readonly Progress[], depth: number): boolean {
    const isItem = progress.some(({ place, step, rule }) => rule === undefined && step === place.length);
    this.#at += 1;
    for (;;) {
      this.#space();
      const character = this.#text[this.#at];
      if (character === '}') break;
      if (character === ',') {
        this.#at += 1;
        continue;
      }
      const start = this.#at;
      const key = this.#string();
      const json = this.#text.slice(start, this.#at);
      this.#detect(start, json, '');
      this.#space();
      this.#at += 1;
      if (!this.#value(follow(progress, key), key, isItem && this.#masks.systemKeys.has(key), depth + 1)) return false;
    }
    this.#at += 1;
    return true;
  }

  #array(progress: readonly Progress[], key: string, depth: number): boolean {
    this.#at += 1;
    for (let index = 0; ;) {
      this.#space();
      const character = this.#text[this.#at];
      if (character === ']') break;
      if (character === ',') {
        this.#at += 1;
        continue;
      }
      if (!this.#value(follow(progress, index), key, false, depth + 1)) return false;
      index += 1;
    }
    this.#at += 1;
    return true;
  }

  #ruled({ rule, isOpaque }: PlaceRule, json: string): string {
    if (isOpaque !== true && !json.startsWith('"')) return 'null';
    const masked = this.#masks.classes.mask(rule, isOpaque === true ? '' : (JSON.parse(json) as string));
    return masked === null ? 'null' : JSON.stringify(masked);
  }

  /** Of a key or a value that is no object and no array. */
  #detect(start: number, json: string, hint: string): void {
    const { classes, detectors } = this.#masks;
    if (json.startsWith('"')) {
      if (!json.includes('\\') && !detectors.mayContainText(json)) return;
      const value = JSON.parse(json) as string;
      const found = maskText(classes, detectors, value, hint);
      if (found === undefined) return;
      // A key cannot be nothing at all.
      this.#replace(start, found.text === null ? (hint === '' ? '""' : 'null') : JSON.stringify(found.text), found.found);
      if (this.#masks.tell !== undefined)
        for (const { start: from, end } of detectors.scan(value, hint)) this.#masks.tell(value.slice(from, end));
    } else if (json !== 'null' && json !== 'true' && json !== 'false') {
      const found = detectors.forNumbers.mayContainText(json) ? detectors.forNumbers.scan(json, hint) : [];
      if (found.length === 0) return;
      this.#replace(start, 'null', [found[0]!.class]);
      this.#masks.tell?.(json);
    }
  }

  #replace(start: number, by: string, classes: readonly string[]): void {
    this.#parts.push(this.#text.slice(this.#copied, start), by);
    this.#copied = this.#at;
    for (const name of classes) this.masked.set(name, (this.masked.get(name) ?? 0) + 1);
  }

  #skip(): void {
    let level = 0;
    do {
      const character = this.#text[this.#at]!;
      if (character === '"') this.#passString();
      else {
        if (character === '{' || character === '[') level += 1;
        else if (character === '}' || character === ']') level -= 1;
        this.#at += 1;
      }
    } while (level > 0);
  }

  #string(): string {
    const start = this.#at;
    this.#passString();
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  #passString(): void {
    this.#at += 1;
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1;
    this.#at += 1;
  }

  #word(): void {
    while (this.#at < this.#text.length && !',]} \t\n\r'.includes(this.#text[this.#at]!)) this.#at += 1;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at += 1;
  }
}

function tellScalars(json: unknown, tell: (hidden: string) => void): void {
  if (typeof json === 'object' && json !== null) for (const inner of Object.values(json)) tellScalars(inner, tell);
  else if (typeof json === 'string' || typeof json === 'number') tell(String(json));
}

function follow(progress: readonly Progress[], member: string | number): readonly Progress[] {
  const next: Progress[] = [];
  for (const one of progress) {
    const wanted = one.place[one.step];
    if (one.step === one.place.length) continue;
    if (wanted === undefined || wanted === member) next.push({ ...one, step: one.step + 1 });
    if (typeof member === 'number' && typeof wanted === 'string') next.push(one);
  }
  return next;
}

const deepest = 500;
