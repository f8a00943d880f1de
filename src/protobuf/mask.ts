import { concatenated } from '../core/bytes.ts';
import type { DetectorSet } from '../masking/detect.ts';
import type { MaskRule } from '../masking/mask.ts';
import { encodedAny, readAny } from './any.ts';
import { Edits } from './edits.ts';
import { entryKey } from './map-key.ts';
import { classOfNumber, hiddenText, nothing, shownText, zeroOf, type ValueMasks } from './mask-value.ts';
import { mergedParts } from './merge.ts';
import type { FieldPlan, MessagePlan } from './plan.ts';
import { eachPacked, isWiredAs, type NumberKind } from './scalar.ts';
import type { Field, MessageType } from './schema.ts';
import { Cursor, DEEPEST, encodedVarint, LENGTH_DELIMITED, MalformedMessage, START_GROUP } from './wire.ts';

/** What masking of messages needs to know besides the plan. */
export interface MessageRules extends ValueMasks {
  /** The detectors that make sense for numbers. */
  readonly numbers: DetectorSet;
  readonly unknownFields: 'drop' | 'refuse' | 'keep';
  /** The type of what an Any holds, by its full name. */
  readonly type: (name: string) => MessageType | undefined;
}

/** What became of a message. */
export interface Tally {
  /** Values masked, by data class. */
  readonly masked: Map<string, number>;
  /** Fields left out because the schema does not know them, and contents of Any of unknown types. */
  dropped: number;
}

/** Something that nobody can look into, where that is refused. */
export class UnknownField extends Error {
  override readonly name = 'UnknownField';
}

/**
 * The message with everything hidden masked; every byte that is kept stays as it was, in its place. What a decoder makes of it is what was looked
 * at here, however the message is spelled: each of repeated singular fields and of the members of a oneof is masked; parts that decoders merge are
 * put together where that matters (`merge.ts`); what decoders take for unknown fields is left out. The same view where nothing changes. Throws
 * `MalformedMessage` and `UnknownField`.
 */
export function maskedMessage(plan: MessagePlan, bytes: Uint8Array, rules: MessageRules, tally: Tally, depth = 0, hint = ''): Uint8Array {
  return new Walk(bytes, rules, tally).whole(plan, depth, hint);
}

class Walk {
  readonly #bytes: Uint8Array;
  readonly #rules: MessageRules;
  readonly #tally: Tally;
  readonly #edits = new Edits();
  readonly #cursor: Cursor;
  readonly #found: (name: string) => void;

  constructor(bytes: Uint8Array, rules: MessageRules, tally: Tally) {
    this.#bytes = bytes;
    this.#rules = rules;
    this.#tally = tally;
    this.#cursor = new Cursor(bytes);
    this.#found = (name) => tally.masked.set(name, (tally.masked.get(name) ?? 0) + 1);
  }

  whole(plan: MessagePlan, depth: number, hint: string): Uint8Array {
    this.#message(plan, 0, this.#bytes.length, depth, hint);
    return this.#edits.applied(this.#bytes);
  }

  /** From `start` to `end`, where the cursor is afterwards. `hint`: the name of what the message stands for. */
  #message(plan: MessagePlan, start: number, end: number, depth: number, hint: string): void {
    if (depth > DEEPEST) throw new MalformedMessage(`it is nested more than ${DEEPEST} deep`);
    const cursor = this.#cursor;
    const { shape } = plan.type;
    if (plan.hidden !== undefined && shape !== 'value' && shape !== 'wrapper') {
      this.#edits.replace(start, end, nothing);
      this.#found(plan.hidden.class);
    } else if (shape === 'any') this.#any(plan, start, end, depth);
    else if (!this.#mergedMessage(plan, start, end, depth, hint)) {
      const outer = cursor.end;
      cursor.at = start;
      cursor.end = end;
      while (cursor.at < end) this.#record(plan, depth, hint);
      cursor.end = outer;
    }
    cursor.at = end;
  }

  /** A message whose parts lie apart is masked as what they make together. */
  #mergedMessage(plan: MessagePlan, start: number, end: number, depth: number, hint: string): boolean {
    const merged = plan.type.reachesAny ? mergedParts(plan.type, this.#bytes, start, end) : undefined;
    if (merged !== undefined) this.#edits.replace(start, end, this.#inner(plan, merged, depth, hint));
    return merged !== undefined;
  }

  #record(plan: MessagePlan, depth: number, hint: string): void {
    const cursor = this.#cursor;
    const from = cursor.at;
    const tag = cursor.tag();
    const wireType = tag % 8;
    const field = plan.field(Math.floor(tag / 8));
    if (field === undefined || !isWiredAs(field.field, wireType)) {
      cursor.skipValue(tag, depth);
      this.#unknown(from, field !== undefined);
      return;
    }
    const words = field.isTransparent ? hint : field.field.name;
    const valueAt = cursor.at;
    if (plan.type.shape === 'value' && plan.hidden !== undefined) {
      cursor.skipValue(tag, depth);
      this.#hiddenValue(field.field, plan.hidden, from, valueAt, cursor.at);
    } else if (wireType === START_GROUP) {
      const contentEnd = cursor.skipGroup(tag, depth + 1);
      const end = cursor.at;
      this.#message(field.message!, valueAt, contentEnd, depth + 1, words);
      cursor.at = end;
    } else if (wireType !== LENGTH_DELIMITED) {
      cursor.skipValue(tag);
      this.#number(plan, field, from, valueAt, words);
    } else this.#lengthDelimited(field, depth, words);
  }

  #lengthDelimited(plan: FieldPlan, depth: number, hint: string): void {
    const cursor = this.#cursor;
    const edits = this.#edits;
    const lengthAt = cursor.at;
    const length = cursor.length();
    const start = cursor.at;
    const end = start + length;
    if (plan.field.kind !== 'message') {
      const shown = this.#shown(plan, start, end, hint);
      if (shown !== undefined) edits.replace(lengthAt, end, concatenated([encodedVarint(shown.length), shown]));
    } else {
      const place = edits.reserve(lengthAt, start);
      const before = edits.growth;
      if (plan.field.isMap) this.#entry(plan, start, end, depth + 1, hint);
      else this.#message(plan.message!, start, end, depth + 1, hint);
      const growth = edits.growth - before;
      if (growth === 0) edits.release(place);
      else edits.fill(place, encodedVarint(length + growth));
    }
    cursor.at = end;
  }

  /** Of a map. Its key says what its value is. */
  #entry(map: FieldPlan, start: number, end: number, depth: number, hint: string): void {
    if (!map.looksAtKeys && !this.#rules.detectors.mayContain(this.#bytes, start, end)) {
      return this.#message(map.entry(''), start, end, depth, hint);
    }
    const { text, isText, single } = entryKey(map.field.message!, this.#bytes, start, end);
    const entry = map.entry(text);
    const words = isText ? text : hint;
    if (single === undefined) this.#message(entry, start, end, depth, words);
    else this.#edits.replace(start, end, this.#inner(entry, single, depth, words));
  }

  /** What is shown in place of a value that is no message; undefined: itself. */
  #shown({ field, hidden }: FieldPlan, start: number, end: number, hint: string): Uint8Array | undefined {
    const isBytes = field.kind === 'bytes';
    if (!isBytes && field.kind !== 'string') return this.#packed(field, hidden, start, end, hint);
    const { detectors, hidesOpaqueBytes } = this.#rules;
    if (hidden === undefined && !(isBytes && hidesOpaqueBytes) && !detectors.mayContain(this.#bytes, start, end)) return undefined;
    const value = this.#bytes.subarray(start, end);
    if (hidden === undefined) return shownText(this.#rules, value, isBytes, hint, this.#found);
    this.#found(hidden.class);
    return hiddenText(this.#rules.classes, hidden, value);
  }

  /** Numbers of a repeated field in one record. */
  #packed(field: Field, hidden: MaskRule | undefined, start: number, end: number, hint: string): Uint8Array | undefined {
    const bytes = this.#bytes;
    const kind = field.kind as NumberKind;
    if (hidden === undefined && (this.#rules.numbers.isEmpty || kind === 'bool' || kind === 'enum')) return undefined;
    const edits = new Edits();
    eachPacked(kind, bytes, start, end, (from, to) => {
      const name = hidden?.class ?? classOfNumber(this.#rules.numbers, kind, bytes, from, to, hint);
      if (name === undefined) return;
      this.#found(name);
      edits.replace(from - start, to - start, zeroOf(field));
    });
    const value = bytes.subarray(start, end);
    const shown = edits.applied(value);
    return shown === value ? undefined : shown;
  }

  #number({ type }: MessagePlan, { field, hidden }: FieldPlan, from: number, valueAt: number, hint: string): void {
    const { at } = this.#cursor;
    const kind = field.kind as NumberKind;
    if (hidden === undefined && (this.#rules.numbers.isEmpty || kind === 'bool' || kind === 'enum' || type.shape === 'time')) return;
    const name = hidden?.class ?? classOfNumber(this.#rules.numbers, kind, this.#bytes, valueAt, at, hint);
    if (name === undefined) return;
    this.#found(name);
    if (type.shape === 'value') this.#edits.replace(from, at, NULL_VALUE);
    else this.#edits.replace(valueAt, at, zeroOf(field));
  }

  /** A member of a hidden `google.protobuf.Value`: text is masked as text, anything else becomes null, as in JSON. */
  #hiddenValue(field: Field, rule: MaskRule, from: number, valueAt: number, end: number): void {
    if (field.kind === 'enum') return;
    this.#found(rule.class);
    const start = new Cursor(this.#bytes, valueAt, end);
    const masked = field.kind === 'string' && rule.kind !== 'null';
    if (!masked) return this.#edits.replace(from, end, NULL_VALUE);
    start.length();
    const text = hiddenText(this.#rules.classes, rule, this.#bytes.subarray(start.at, end));
    this.#edits.replace(valueAt, end, concatenated([encodedVarint(text.length), text]));
  }

  /** What an Any holds is masked as what it is. Its type and its bytes stand in one record each, in this order, if anything of it changes. */
  #any(plan: MessagePlan, start: number, end: number, depth: number): void {
    const any = readAny(this.#bytes, start, end);
    const type = this.#rules.type(any.typeName);
    const { unknownFields } = this.#rules;
    if (unknownFields === 'keep' && type === undefined) return;
    const unknown = any.unknown + (type === undefined && any.value.length > 0 ? 1 : 0);
    if (unknown > 0 && unknownFields === 'refuse') throw new UnknownField();
    this.#tally.dropped += unknown;
    const url = shownText(this.#rules, any.url, false, '', this.#found) ?? any.url;
    const value = type === undefined ? nothing : this.#inner(plan.content(type), any.value, depth + 1, '');
    if (unknown === 0 && any.isPlain && url === any.url && value === any.value) return;
    this.#edits.replace(start, end, encodedAny(url, value));
  }

  #unknown(from: number, isMiswired: boolean): void {
    const { unknownFields } = this.#rules;
    // Some decoders read a field of another wire type as if it had its own.
    if (unknownFields === 'keep' && !isMiswired) return;
    if (unknownFields === 'refuse') throw new UnknownField();
    this.#edits.replace(from, this.#cursor.at, nothing);
    this.#tally.dropped += 1;
  }

  /** A message of its own, not a part of these bytes. */
  #inner(plan: MessagePlan, bytes: Uint8Array, depth: number, hint: string): Uint8Array {
    return maskedMessage(plan, bytes, this.#rules, this.#tally, depth, hint);
  }
}

/** A `google.protobuf.Value` of the kind null. */
const NULL_VALUE = Uint8Array.of(0x08, 0x00);
