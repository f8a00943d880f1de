import type { DataClasses, DocumentRule } from '../masking/classes.ts';
import type { MaskRule } from '../masking/mask.ts';
import {
  atStart,
  ended,
  intoElement,
  intoEntry,
  intoMember,
  intoNamedMember,
  intoOtherEntry,
  namedKeys,
  nowhere,
  ruleOf,
  together,
  type Progress,
} from './progress.ts';
import type { Field, MessageType, Method } from './schema.ts';

/** What of a message at one place is hidden. */
export interface MessagePlan {
  readonly type: MessageType;
  /** All of it, as a value of this rule's class. */
  readonly hidden: MaskRule | undefined;
  /** Undefined: the schema has no such field. */
  field(number: number): FieldPlan | undefined;
  /** Of an Any: what it holds is of this type. */
  content(type: MessageType): MessagePlan;
}

/** The same of one field. */
export interface FieldPlan {
  readonly field: Field;
  /** Each of its values. Of a message: the plan of it says so. */
  readonly hidden: MaskRule | undefined;
  /** In JSON the value stands in the place of the message itself, which has no name of its own. */
  readonly isTransparent: boolean;
  /** Of kind `message`, except for maps. */
  readonly message: MessagePlan | undefined;
  /** Of a map: the entry with this key, as JSON has keys. */
  entry(key: string): MessagePlan;
  /** The key of its entries makes a difference. */
  readonly looksAtKeys: boolean;
}

export interface PlannerOptions {
  readonly classes: DataClasses;
  /** Name of the target that the rules are of. */
  readonly target: string;
  readonly revealed: ReadonlySet<string>;
}

/** Makes plans as they are needed and keeps them. */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #rules: DocumentRule[] = [];
  readonly #indexes = new Map<DocumentRule, number>();
  readonly #ofTypes = new Map<string, Progress>();
  readonly #plans = new Map<string, MessagePlan>();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** Of a method's message. */
  root(method: Method, type: MessageType): MessagePlan {
    return this.#plan(type, this.#start([method.service, method.name]), undefined);
  }

  /** Of a message that belongs to no method. */
  message(type: MessageType): MessagePlan {
    return this.#plan(type, nowhere, undefined);
  }

  /** Classes that rules or options hide in messages of this type, wherever they are. */
  classesOf(type: MessageType): readonly string[] {
    const named = [...type.fields.values()].flatMap((field) => this.#unseen(field.classes));
    return [...this.#classes(this.#ofType(type)), ...named];
  }

  /** Classes that rules of a method itself hide. */
  classesOfMethod(method: Method): readonly string[] {
    return this.#classes(this.#start([method.service, method.name]));
  }

  #classes(progress: Progress): readonly string[] {
    return [...new Set(progress.map((one) => this.#rules[ruleOf(one)]!.class))];
  }

  #unseen(classes: readonly string[]): readonly string[] {
    return classes.filter((name) => !this.#options.revealed.has(name));
  }

  /** The rules whose place begins here, at their beginning. */
  #start(segments: readonly string[]): Progress {
    const { classes, target } = this.#options;
    return classes
      .documentRules(target, segments)
      .filter((rule) => this.#unseen([rule.class]).length > 0)
      .map((rule) => {
        let index = this.#indexes.get(rule);
        if (index === undefined) {
          index = this.#rules.push(rule) - 1;
          this.#indexes.set(rule, index);
        }
        return atStart(index);
      })
      .sort((one, other) => one - other);
  }

  #ofType({ name }: MessageType): Progress {
    let found = this.#ofTypes.get(name);
    if (found === undefined) this.#ofTypes.set(name, (found = this.#start([name])));
    return found;
  }

  #plan(type: MessageType, from: Progress, hidden: MaskRule | undefined): MessagePlan {
    const progress = type.shape === 'map-entry' ? from : together(from, this.#ofType(type));
    const key = `${type.name} ${progress.join(',')} ${hidden?.class ?? ''}`;
    const known = this.#plans.get(key);
    if (known !== undefined) return known;
    // Only messages that are made for it lead to so many places.
    if (this.#plans.size >= mostPlans) this.#plans.clear();
    const made = this.#make(type, progress, hidden ?? this.#ruleOf(progress, []));
    this.#plans.set(key, made);
    return made;
  }

  #make(type: MessageType, progress: Progress, hidden: MaskRule | undefined): MessagePlan {
    const fields = new Map<number, FieldPlan>();
    return {
      type,
      hidden,
      field: (number) => {
        const known = fields.get(number);
        if (known !== undefined) return known;
        const field = type.fields.get(number);
        if (field === undefined) return undefined;
        const made = this.#field(type, field, progress, hidden);
        fields.set(number, made);
        return made;
      },
      content: (inner) => this.#plan(inner, together(progress, intoNamedMember(this.#rules, progress, ['value'])), undefined),
    };
  }

  #field(type: MessageType, field: Field, progress: Progress, outer: MaskRule | undefined): FieldPlan {
    const isTransparent = isTransparentIn(type);
    let at = isTransparent
      ? together(progress, intoNamedMember(this.#rules, progress, field.names))
      : intoMember(this.#rules, progress, field.names);
    let hidden = this.#strongest(isTransparent ? outer : undefined, this.#ruleOf(at, field.classes));
    if (field.isMap) return this.#map(field, at, hidden, isTransparent);
    if (field.isRepeated) {
      at = intoElement(this.#rules, at);
      hidden = this.#strongest(hidden, this.#ruleOf(at, []));
    }
    return this.#planned(field, at, hidden, isTransparent);
  }

  #planned(field: Field, at: Progress, hidden: MaskRule | undefined, isTransparent: boolean): FieldPlan {
    const { message: type } = field;
    const plan = (): MessagePlan | undefined => (type === undefined ? undefined : this.#plan(type, at, hidden));
    let message: MessagePlan | undefined;
    return {
      field,
      hidden,
      isTransparent,
      get message() {
        return (message ??= plan());
      },
      looksAtKeys: false,
      entry: () => {
        throw new TypeError('not a map');
      },
    };
  }

  #map(field: Field, at: Progress, hidden: MaskRule | undefined, isTransparent: boolean): FieldPlan {
    const keys = namedKeys(this.#rules, at);
    const entries = new Map<string | undefined, MessagePlan>();
    return {
      field,
      hidden,
      isTransparent,
      message: undefined,
      looksAtKeys: keys.size > 0,
      entry: (key) => {
        const name = keys.has(key) ? key : undefined;
        let found = entries.get(name);
        if (found === undefined) entries.set(name, (found = this.#entry(field, at, name, hidden)));
        return found;
      },
    };
  }

  /** `key` undefined: one that no path names. */
  #entry(field: Field, at: Progress, key: string | undefined, hidden: MaskRule | undefined): MessagePlan {
    const type = field.message!;
    const inside = key === undefined ? intoOtherEntry(this.#rules, at) : intoEntry(this.#rules, at, key);
    const value = this.#strongest(hidden, this.#ruleOf(inside, []));
    const fields = new Map<number, FieldPlan>();
    for (const part of type.fields.values()) {
      fields.set(part.number, this.#planned(part, inside, part.number === MAP_KEY ? hidden : value, true));
    }
    return {
      type,
      hidden: undefined,
      field: (number) => fields.get(number),
      content: () => {
        throw new TypeError('not an Any');
      },
    };
  }

  #ruleOf(progress: Progress, classes: readonly string[]): MaskRule | undefined {
    if (progress.length === 0 && classes.length === 0) return undefined;
    const reached = ended(this.#rules, progress).map((index) => this.#rules[index]!.class);
    const named = [...reached, ...this.#unseen(classes)];
    const [first] = named;
    if (first === undefined) return undefined;
    // A class that nobody configured hides as much as can be.
    const unknown = named.find((name) => !this.#options.classes.names.includes(name));
    return unknown === undefined ? this.#options.classes.strongest(named) : { class: unknown, kind: 'null' };
  }

  #strongest(a: MaskRule | undefined, b: MaskRule | undefined): MaskRule | undefined {
    if (a === undefined || b === undefined) return a ?? b;
    return this.#options.classes.strongest([a.class, b.class]) ?? a;
  }
}

/** Its fields stand for the message itself in JSON. */
function isTransparentIn({ shape }: MessageType): boolean {
  return shape === 'struct' || shape === 'value' || shape === 'list' || shape === 'wrapper';
}

/** https://protobuf.dev/programming-guides/proto3/#maps */
export const MAP_KEY = 1;
const mostPlans = 20_000;
