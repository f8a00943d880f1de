import type { JsonMember, JsonNode } from './json-tree.ts';
import { memberOf, textOfMember } from './json-tree.ts';
import { isConfigMap, isSecret, type KubernetesMasks, type ObjectPlace, type PlaceRule } from './masks.ts';

/** A string, a number, true or false of an object. */
export interface Leaf {
  readonly node: JsonNode & { readonly kind: 'string' | 'literal' };
  /** It is written in base64: a value of a Secret's `data`, of a ConfigMap's `binaryData`. */
  readonly isCoded: boolean;
  /** The name of the member that holds it, or that holds its array. */
  readonly name: string;
}

/** What a walk over an object comes by. */
export interface Visitor {
  /** A rule hides it. */
  hidden(leaf: Leaf, rule: PlaceRule['rule']): void;
  /** No rule hides it; the detectors may. */
  open(leaf: Leaf): void;
  /** The name of a member. */
  name(member: JsonMember): void;
  /** The text of an object of the same place (the annotation of `kubectl apply`). */
  nested(leaf: Leaf, place: ObjectPlace): void;
  /** A cell of a Table whose object has hidden places: it may show any of them. */
  cell(node: JsonNode, rules: readonly PlaceRule[]): void;
  /** A name in managedFields that holds a value of a list, of an object with hidden places. */
  managed(member: JsonMember, rules: readonly PlaceRule[]): void;
}

/**
 * Walks what the API server answers with, or what is sent to it: an object, a list of them, a Table (meta.k8s.io/v1) or a row of one. Names, versions and
 * times that the API server itself gives an object are not looked at: nothing sensitive has their form, and a client whose `resourceVersion` were masked
 * could not go on.
 */
export class MaskWalk {
  readonly #masks: KubernetesMasks;
  readonly #visitor: Visitor;

  constructor(masks: KubernetesMasks, visitor: Visitor) {
    this.#masks = masks;
    this.#visitor = visitor;
  }

  document(node: JsonNode, place: ObjectPlace): void {
    const apiVersion = textOfMember(node, 'apiVersion') ?? '';
    const kind = textOfMember(node, 'kind') ?? '';
    // Some kinds of objects are called lists too, but no list has a name.
    if (node.kind === 'object' && textOfMember(memberOf(node, 'metadata'), 'name') === undefined) {
      if (kind === 'Table' && apiVersion.startsWith('meta.k8s.io/')) return this.#list(node, place, 'rows');
      if (kind.endsWith('List') && memberOf(node, 'items') !== undefined) return this.#list(node, place, 'items');
    }
    this.#object(node, place);
  }

  /** An element of a list, or a row of a Table. */
  element(node: JsonNode, place: ObjectPlace): void {
    if (memberOf(node, 'cells') === undefined) this.document(node, place);
    else this.#row(node, place);
  }

  #list(node: JsonNode & { kind: 'object' }, place: ObjectPlace, elements: 'items' | 'rows'): void {
    for (const { name, value } of node.members) {
      if (name === elements && value.kind === 'array') for (const item of value.items) this.element(item, place);
      else if (name === 'metadata') this.#inside(value, [], { ...nothing, trail: ['metadata'] });
      else if (name !== 'kind' && name !== 'apiVersion') this.#inside(value, [], { ...nothing, trail: [name] });
    }
  }

  #row(row: JsonNode, place: ObjectPlace): void {
    if (row.kind !== 'object') return;
    const object = memberOf(row, 'object');
    const of = this.#placed(object, place);
    const rules = this.#masks.rulesOf(of);
    const mayShow = rules.some(({ steps }) => !(isSecret(of) || isConfigMap(of)) || !VALUES.has(steps[0] as string));
    const name = of.name;
    for (const member of row.members) {
      if (member.name === 'object') this.element(member.value, place);
      else if (member.name === 'cells' && mayShow && member.value.kind === 'array') {
        for (const cell of member.value.items) {
          if (cell.kind === 'string' && cell.value === name) continue;
          this.#visitor.cell(cell, rules);
        }
      } else this.#inside(member.value, [], { ...nothing, trail: [member.name] });
    }
  }

  #object(node: JsonNode, place: ObjectPlace): void {
    const of = this.#placed(node, place);
    const progress = this.#masks.rulesOf(of).map((rule) => ({ ...rule, at: 0 }));
    this.#inside(node, progress, { place: of, trail: [] });
  }

  /** Where an object is, as it says itself, else as the request does. */
  #placed(node: JsonNode | undefined, place: ObjectPlace): ObjectPlace {
    const metadata = memberOf(node, 'metadata');
    return {
      ...place,
      namespace: textOfMember(metadata, 'namespace') ?? place.namespace,
      name: textOfMember(metadata, 'name') ?? place.name,
    };
  }

  #inside(node: JsonNode, progress: readonly Progress[], at: Position): void {
    const reached = progress.find(({ steps, at: step }) => step === steps.length);
    if (reached !== undefined) return this.#hide(node, reached.rule, at);
    switch (node.kind) {
      case 'object': {
        const [inner, position] = this.#embedded(node, progress, at);
        for (const member of node.members) this.#member(member, inner, position);
        return;
      }
      case 'array':
        for (const [index, item] of node.items.entries()) this.#inside(item, follow(progress, index), at);
        return;
      default:
        return this.#visitor.open(leafOf(node, at));
    }
  }

  #member(member: JsonMember, progress: readonly Progress[], { place, trail }: Position): void {
    const { name, value } = member;
    const followed = follow(progress, name);
    const position = { place, trail: [...trail, name] };
    if (followed.length === 0 && isOfTheServer(trail, name)) return;
    if (trail[0] === 'metadata' && trail.length === 1 && name === 'managedFields') {
      // Its names are those of members, save for elements of lists, which it names by their values.
      return this.#managed(value, place === undefined ? [] : this.#masks.rulesOf(place));
    }
    this.#visitor.name(member);
    if (value.kind === 'string' && place !== undefined && trail[0] === 'metadata' && trail[1] === 'annotations' && name === LAST_APPLIED) {
      const reached = followed.find(({ steps, at }) => at === steps.length);
      if (reached !== undefined) this.#hide(value, reached.rule, position);
      else this.#visitor.nested(leafOf(value, position), place);
      return;
    }
    this.#inside(value, followed, position);
  }

  #managed(node: JsonNode, rules: readonly PlaceRule[]): void {
    if (node.kind === 'array') for (const item of node.items) this.#managed(item, rules);
    if (node.kind !== 'object') return;
    for (const member of node.members) {
      if (/^[vk]:/.test(member.name)) {
        if (rules.length > 0) this.#visitor.managed(member, rules);
        else this.#visitor.name(member);
      }
      this.#managed(member.value, rules);
    }
  }

  /** A Secret or ConfigMap inside of another object (of what a package manager or an operator keeps) is hidden by its own rules too. */
  #embedded(node: JsonNode & { kind: 'object' }, progress: readonly Progress[], at: Position): [readonly Progress[], Position] {
    const resource = EMBEDDED.get(`${textOfMember(node, 'apiVersion')} ${textOfMember(node, 'kind')}`);
    if (resource === undefined || (at.trail.length === 0 && at.place?.resource === resource)) return [progress, at];
    const place = this.#placed(node, { group: '', resource, namespace: undefined, name: undefined });
    const own = this.#masks.rulesOf(place).map((rule) => ({ ...rule, at: 0 }));
    return [[...progress, ...own], { place, trail: [] }];
  }

  /** What stands below a hidden place is hidden leaf by leaf: its form stays. */
  #hide(node: JsonNode, rule: PlaceRule['rule'], at: Position): void {
    if (node.kind === 'object') for (const { name, value } of node.members) this.#hide(value, rule, { ...at, trail: [...at.trail, name] });
    else if (node.kind === 'array') for (const item of node.items) this.#hide(item, rule, at);
    else this.#visitor.hidden(leafOf(node, at), rule);
  }
}

/** How far one rule's path has been followed. */
interface Progress extends PlaceRule {
  readonly at: number;
}

interface Position {
  /** The object that it belongs to. */
  readonly place: ObjectPlace | undefined;
  /** Names of members from that object on. */
  readonly trail: readonly string[];
}

function leafOf(node: Leaf['node'], { place, trail }: Position): Leaf {
  const isCoded =
    place !== undefined &&
    trail.length === 2 &&
    node.kind === 'string' &&
    ((trail[0] === 'data' && isSecret(place)) || (trail[0] === 'binaryData' && isConfigMap(place)));
  return { node, isCoded, name: trail.at(-1) ?? '' };
}

/** As in lax jsonpath: arrays on the way to a member are looked into. */
function follow(progress: readonly Progress[], member: string | number): readonly Progress[] {
  if (progress.length === 0) return progress;
  const next: Progress[] = [];
  for (const one of progress) {
    const wanted = one.steps[one.at];
    if (wanted === undefined || wanted === member) next.push({ ...one, at: one.at + 1 });
    if (typeof member === 'number' && typeof wanted === 'string') next.push(one);
  }
  return next;
}

function isOfTheServer(trail: readonly string[], name: string): boolean {
  if (trail.length === 0) return name === 'apiVersion' || name === 'kind';
  return trail.length === 1 && trail[0] === 'metadata' && OF_THE_SERVER.has(name);
}

const nothing = { place: undefined };
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Kinds by their version. */
const EMBEDDED: ReadonlyMap<string, string> = new Map([
  ['v1 Secret', 'secrets'],
  ['v1 ConfigMap', 'configmaps'],
]);
/** What a Table of Secrets or ConfigMaps shows nothing of: it counts them. */
const VALUES: ReadonlySet<string> = new Set(['data', 'stringData', 'binaryData']);
const OF_THE_SERVER: ReadonlySet<string> = new Set([
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'selfLink',
  'continue',
  'remainingItemCount',
  'ownerReferences',
]);
