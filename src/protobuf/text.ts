import { readAny } from './any.ts';
import { textOf } from './mask-value.ts';
import { MAP_KEY } from './plan.ts';
import { eachPacked, isWiredAs, numberAt, type NumberKind } from './scalar.ts';
import type { Field, MessageType, Schema } from './schema.ts';
import { Cursor, DEEPEST, LENGTH_DELIMITED, MalformedMessage, START_GROUP } from './wire.ts';

export interface TextOptions {
  /** UTF-16 units, about; what is longer ends in `…`. */
  readonly maxCharacters: number;
  /** A value under this name (of a field, or a key) is not written out. */
  readonly leaveOut: (name: string) => boolean;
  /** What stands for it. */
  readonly leftOut: string;
}

/**
 * A message for people and records, like its JSON: names as in the file, in the order in which they were sent, each as often as it was sent. What the
 * schema does not know, and bytes that are no text, are only counted. Masks nothing: mask it before.
 */
export function messageText(schema: Schema, type: MessageType, bytes: Uint8Array, options: TextOptions): string {
  const printer = new Printer(schema, bytes, options);
  try {
    printer.message(type, 0, bytes.length, 0);
  } catch (error) {
    if (error instanceof Full) return `${printer.text.slice(0, options.maxCharacters)}…`;
    if (error instanceof MalformedMessage) return `(${bytes.length} bytes that cannot be read as ${type.name}: ${error.message})`;
    throw error;
  }
  return printer.text;
}

class Full extends Error {}

/** One value of a field in its record. */
interface Value {
  readonly start: number;
  readonly end: number;
}

/** What stands under one name: the values of a repeated field that came one after the other, or a single one. */
interface Member {
  readonly number: number;
  readonly field: Field | undefined;
  readonly values: readonly Value[];
}

class Printer {
  text = '';
  readonly #schema: Schema;
  readonly #bytes: Uint8Array;
  readonly #options: TextOptions;

  constructor(schema: Schema, bytes: Uint8Array, options: TextOptions) {
    this.#schema = schema;
    this.#bytes = bytes;
    this.#options = options;
  }

  message(type: MessageType, start: number, end: number, depth: number): void {
    if (depth > DEEPEST) throw new MalformedMessage(`it is nested more than ${DEEPEST} deep`);
    if (type.shape === 'any') return this.#any(start, end, depth);
    const members = this.#members(type, start, end);
    const last = members.at(-1);
    switch (type.shape) {
      case 'value':
      case 'wrapper':
        // Of a oneof, and of a field that was sent twice, the last one holds.
        if (last === undefined || last.field?.kind === 'enum') this.#put('null');
        else this.#value(last, last.values.at(-1)!, depth);
        return;
      case 'struct':
        return this.#entries(type.fields.get(1)!.message!, members.flatMap(valuesOf), depth);
      case 'list':
        return this.#list(members, depth);
      case 'plain':
      case 'time':
      case 'map-entry':
        return this.#braced('{}', members, depth, (member) => {
          this.#put(`${JSON.stringify(member.field?.name ?? `#${member.number}`)}: `);
          if (member.field !== undefined && this.#options.leaveOut(member.field.name)) this.#put(JSON.stringify(this.#options.leftOut));
          else this.#member(member, depth + 1);
        });
      default:
        return type.shape satisfies never;
    }
  }

  #member(member: Member, depth: number): void {
    const { field, values } = member;
    if (field?.isMap === true) this.#entries(field.message!, values, depth);
    else if (field?.isRepeated === true) this.#list([member], depth);
    else this.#value(member, values[0]!, depth);
  }

  #list(members: readonly Member[], depth: number): void {
    const each = members.flatMap((member) => member.values.map((value) => ({ member, value })));
    this.#braced('[]', each, depth, ({ member, value }) => this.#value(member, value, depth + 1));
  }

  /** Of a map. */
  #entries(entry: MessageType, values: readonly Value[], depth: number): void {
    this.#braced('{}', values, depth, ({ start, end }) => {
      const members = this.#members(entry, start, end);
      const key = members.findLast(({ number }) => number === MAP_KEY);
      const name = key === undefined ? '' : this.#keyText(key);
      const value = members.findLast(({ number }) => number !== MAP_KEY);
      this.#put(`${JSON.stringify(name)}: `);
      if (this.#options.leaveOut(name)) this.#put(JSON.stringify(this.#options.leftOut));
      else if (value === undefined) this.#put('(not sent)');
      else this.#value(value, value.values.at(-1)!, depth + 1);
    });
  }

  #keyText({ field, values }: Member): string {
    const { start, end } = values.at(-1)!;
    if (field?.kind === 'string') return textOf(this.#bytes.subarray(start, end)) ?? '(no text)';
    return String(numberAt(field!.kind as NumberKind, this.#bytes, start, end));
  }

  #value({ field }: Member, { start, end }: Value, depth: number): void {
    const bytes = this.#bytes.subarray(start, end);
    if (field === undefined) return this.#put(`(not in the schema, ${bytes.length} bytes)`);
    if (field.kind === 'message') return this.message(field.message!, start, end, depth);
    if (field.kind === 'string' || field.kind === 'bytes') {
      const text = textOf(bytes);
      return this.#put(text === undefined ? `(${bytes.length} bytes that are no text)` : JSON.stringify(text));
    }
    const number = numberAt(field.kind, this.#bytes, start, end);
    const name = field.kind === 'enum' ? field.values?.get(Number(number)) : undefined;
    this.#put(name === undefined ? String(number) : JSON.stringify(name));
  }

  #any(start: number, end: number, depth: number): void {
    const { url, typeName, value } = readAny(this.#bytes, start, end);
    const type = this.#schema.type(typeName);
    this.#put(`{ "@type": ${JSON.stringify(textOf(url) ?? '(no text)')}, "value": `);
    if (type === undefined) this.#put(`(${value.length} bytes of a type that is not in the schema)`);
    else this.message(type, value.byteOffset - this.#bytes.byteOffset, value.byteOffset - this.#bytes.byteOffset + value.length, depth + 1);
    this.#put(' }');
  }

  #members(type: MessageType, start: number, end: number): readonly Member[] {
    const members: { number: number; field: Field | undefined; values: Value[] }[] = [];
    const cursor = new Cursor(this.#bytes, start, end);
    // Each value is a character at least: more than fit need not be kept.
    for (let count = 0; cursor.at < end && count <= this.#options.maxCharacters;) {
      const tag = cursor.tag();
      const number = Math.floor(tag / 8);
      const wireType = tag % 8;
      const known = type.fields.get(number);
      const field = known !== undefined && isWiredAs(known, wireType) ? known : undefined;
      const values = valuesAt(cursor, tag, field, this.#options.maxCharacters);
      count += values.length;
      const last = members.at(-1);
      if (last !== undefined && field?.isRepeated === true && last.field === field) for (const value of values) last.values.push(value);
      else if (values.length > 0) members.push({ number, field, values });
    }
    return members;
  }

  #braced<T>(braces: string, items: readonly T[], depth: number, print: (item: T) => void): void {
    if (items.length === 0) return this.#put(braces);
    const line = `\n${'  '.repeat(depth)}`;
    let before = `${braces[0]}${line}  `;
    for (const item of items) {
      this.#put(before);
      print(item);
      before = `,${line}  `;
    }
    this.#put(`${line}${braces[1]}`);
  }

  #put(text: string): void {
    this.text += text;
    if (this.text.length > this.#options.maxCharacters) throw new Full();
  }
}

/** Past a record's value: what it holds, several of a packed field. */
function valuesAt(cursor: Cursor, tag: number, field: Field | undefined, most: number): Value[] {
  const wireType = tag % 8;
  const from = cursor.at;
  if (wireType === START_GROUP) return [{ start: from, end: cursor.skipGroup(tag, 1) }];
  if (wireType !== LENGTH_DELIMITED) {
    cursor.skipValue(tag);
    return [{ start: from, end: cursor.at }];
  }
  const length = cursor.length();
  const start = cursor.at;
  cursor.at = start + length;
  if (field === undefined || field.kind === 'string' || field.kind === 'bytes' || field.kind === 'message') {
    return [{ start, end: cursor.at }];
  }
  const values: Value[] = [];
  eachPacked(field.kind, cursor.bytes, start, cursor.at, (from, end) => {
    if (values.length <= most) values.push({ start: from, end });
  });
  return values;
}

function valuesOf({ values }: Member): readonly Value[] {
  return values;
}
