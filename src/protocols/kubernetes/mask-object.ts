import { maskJson } from '../../masking/json.ts';
import { redaction, type MaskRule } from '../../masking/mask.ts';
import { maskText, splice } from '../../masking/text.ts';
import { LEFT_OUT, speaksOfCredential } from '../http/credentials.ts';
import type { MaskedCounts } from '../http/mask-text.ts';
import { fromBase64, toBase64 } from '../base64.ts';
import { memberOf, parseTree, textOfMember, type JsonMember, type JsonNode } from './json-tree.ts';
import { MaskWalk, type Leaf, type Visitor } from './mask-walk.ts';
import type { KubernetesMasks, ObjectPlace, PlaceRule } from './masks.ts';

/**
 * The JSON text of an object, a list, a Table or a Status with everything hidden masked, all other characters as they were: what is written in base64 is
 * looked into, and stays base64, so that clients decode it as before. Undefined for a text that is no JSON, or too deep, of which nothing may be shown.
 */
export function maskedObject(masks: KubernetesMasks, place: ObjectPlace, text: string, counts: MaskedCounts): string | undefined {
  return masked(masks, text, counts, (walk, node) => walk.document(node, place));
}

/** The same of one element of a list, or one row of a Table. */
export function maskedElement(masks: KubernetesMasks, place: ObjectPlace, text: string, counts: MaskedCounts): string | undefined {
  return masked(masks, text, counts, (walk, node) => walk.element(node, place));
}

/** The same of one event of a watch: `{ "type": …, "object": … }`. */
export function maskedEvent(masks: KubernetesMasks, place: ObjectPlace, text: string, counts: MaskedCounts): string | undefined {
  return masked(masks, text, counts, (walk, node) => {
    const object = memberOf(node, 'object');
    if (object !== undefined) walk.document(object, textOfMember(node, 'type') === 'ERROR' ? nowhere : place);
  });
}

/** A range of a text, and what is shown in its place. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What `maskedObject` would replace, in order. */
export function objectEdits(masks: KubernetesMasks, place: ObjectPlace, text: string): readonly Edit[] | undefined {
  const node = parseTree(text);
  if (node === undefined) return undefined;
  const edits = new Edits(masks, new Map());
  new MaskWalk(masks, edits).document(node, place);
  return edits.inOrder();
}

function masked(
  masks: KubernetesMasks,
  text: string,
  counts: MaskedCounts,
  run: (walk: MaskWalk, node: JsonNode) => void,
): string | undefined {
  const node = parseTree(text);
  if (node === undefined) return undefined;
  const edits = new Edits(masks, counts);
  run(new MaskWalk(masks, edits), node);
  return edits.applied(text);
}

class Edits implements Visitor {
  readonly #masks: KubernetesMasks;
  readonly #counts: MaskedCounts;
  readonly #edits: Edit[] = [];
  readonly #replaced = new Set<number>();

  constructor(masks: KubernetesMasks, counts: MaskedCounts) {
    this.#masks = masks;
    this.#counts = counts;
  }

  applied(text: string): string {
    return this.#edits.length === 0 ? text : splice(text, this.inOrder(), (edit) => edit.text);
  }

  inOrder(): readonly Edit[] {
    return this.#edits.sort((a, b) => a.start - b.start);
  }

  hidden({ node, isCoded }: Leaf, rule: PlaceRule['rule']): void {
    if (node.kind === 'literal') {
      if (node.text !== 'null') this.#put(node, 'null', rule);
      return;
    }
    const bytes = isCoded ? decoded(node.value) : undefined;
    const text = isCoded ? (bytes === undefined ? undefined : textOf(bytes)) : node.value;
    // What is no text cannot be shown in part.
    const value = rule === undefined ? LEFT_OUT : text === undefined ? redaction(rule.class) : this.#masks.classes.mask(rule, text);
    this.#put(node, value === null ? 'null' : JSON.stringify(isCoded ? toBase64(encoder.encode(value)) : value), rule);
  }

  open(leaf: Leaf): void {
    const { node, isCoded, name } = leaf;
    if (this.#masks.isRecord && isCredential(name) && !FLAGS.has(node.kind === 'literal' ? node.text : '')) {
      return this.#replace(node, JSON.stringify(LEFT_OUT));
    }
    if (node.kind === 'literal') return this.#number(node);
    if (isCoded) return this.#coded(node);
    const shown = this.#text(node.value, name);
    if (shown !== node.value) this.#replace(node, JSON.stringify(shown));
  }

  name({ name, nameStart, nameEnd, value }: JsonMember): void {
    if (this.#masks.isRecord && value.kind === 'object') this.#named(value);
    if (this.#masks.isRecord && value.kind === 'array') for (const item of value.items) if (item.kind === 'object') this.#named(item);
    const shown = this.#found(name);
    if (shown !== name) this.#replace({ start: nameStart, end: nameEnd }, JSON.stringify(shown));
  }

  nested({ node, name }: Leaf, place: ObjectPlace): void {
    if (node.kind !== 'string') return;
    const shown = maskedObject(this.#masks, place, node.value, this.#counts);
    if (shown === undefined) this.#withhold(node, this.#masks.rulesOf(place), name);
    else if (shown !== node.value) this.#replace(node, JSON.stringify(shown));
  }

  cell(node: JsonNode, rules: readonly PlaceRule[]): void {
    this.#withhold(node, rules, '');
  }

  managed({ nameStart, nameEnd }: JsonMember, rules: readonly PlaceRule[]): void {
    this.#replace({ start: nameStart, end: nameEnd }, JSON.stringify(`f:${this.#wordFor(rules)}`));
  }

  /** The value of an environment variable whose name speaks of a credential: `{ name: DB_PASSWORD, value: … }`. */
  #named(node: JsonNode): void {
    const value = memberOf(node, 'value');
    if (value?.kind === 'string' && speaksOfCredential(textOfMember(node, 'name') ?? '')) this.#replace(value, JSON.stringify(LEFT_OUT));
  }

  #coded(node: JsonNode & { kind: 'string' }): void {
    const bytes = decoded(node.value);
    const text = bytes === undefined ? node.value : textOf(bytes);
    if (text === undefined) return;
    const shown = this.#text(text, '');
    if (shown !== text) this.#replace(node, JSON.stringify(bytes === undefined ? shown : toBase64(encoder.encode(shown))));
  }

  #number(node: JsonNode & { kind: 'literal' }): void {
    const { forNumbers } = this.#masks.detectors;
    if (!forNumbers.mayContainText(node.text)) return;
    const [span] = forNumbers.scan(node.text);
    if (span !== undefined) this.#put(node, 'null', { class: span.class });
  }

  /** A text that is an object again is looked into as one, one that is other JSON as JSON. */
  #text(text: string, hint: string): string {
    if (/^\s*[{[]/.test(text)) {
      const tree = parseTree(text);
      if (tree !== undefined && textOfMember(tree, 'kind') !== undefined && textOfMember(tree, 'apiVersion') !== undefined) {
        return maskedObject(this.#masks, nowhere, text, this.#counts) ?? text;
      }
      const found = maskJson(this.#masks.classes, this.#masks.detectors, text, hint);
      if (found === undefined) return text;
      this.#count(found.found);
      return found.text ?? '';
    }
    return this.#found(text, hint);
  }

  #found(text: string, hint?: string): string {
    const found = maskText(this.#masks.classes, this.#masks.detectors, text, hint);
    if (found === undefined) return text;
    this.#count(found.found);
    return found.text ?? '';
  }

  #withhold(node: JsonNode, rules: readonly PlaceRule[], hint: string): void {
    if (node.kind === 'literal' && node.text === 'null') return;
    if (rules.length === 0 && node.kind === 'string') return this.#replace(node, JSON.stringify(this.#found(node.value, hint)));
    this.#put(node, JSON.stringify(this.#wordFor(rules)), this.#strongest(rules));
  }

  #wordFor(rules: readonly PlaceRule[]): string {
    const rule = this.#strongest(rules);
    return rule === undefined ? LEFT_OUT : redaction(rule.class);
  }

  #strongest(rules: readonly PlaceRule[]): MaskRule | undefined {
    return this.#masks.classes.strongest(rules.flatMap(({ rule }) => rule?.class ?? []));
  }

  #put(node: JsonNode, text: string, rule: Pick<MaskRule, 'class'> | undefined): void {
    if (rule !== undefined) this.#count([rule.class]);
    this.#replace(node, text);
  }

  /** The first word on a place counts: a walk comes by the value of an environment variable twice. */
  #replace({ start, end }: { readonly start: number; readonly end: number }, text: string): void {
    if (this.#replaced.has(start)) return;
    this.#replaced.add(start);
    this.#edits.push({ start, end, text });
  }

  #count(found: readonly string[]): void {
    for (const name of found) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
}

/** Names of secrets are none: `secretName`, `tokenRef`. */
function isCredential(name: string): boolean {
  return speaksOfCredential(name) && !/(?:name|names|ref|kind|type|path|seconds)$/i.test(name);
}

/** Go reads line breaks anywhere in it. */
function decoded(text: string): Uint8Array | undefined {
  return fromBase64(text.replaceAll(/[\r\n]/g, ''));
}

/** Undefined for what is no UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const nowhere: ObjectPlace = { group: undefined, resource: '', namespace: undefined, name: undefined };
const FLAGS: ReadonlySet<string> = new Set(['true', 'false', 'null']);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
