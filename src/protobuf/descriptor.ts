import { concatenated } from '../core/bytes.ts';
import type { FieldKind } from './scalar.ts';
import { Cursor, LENGTH_DELIMITED, MalformedMessage, VARINT } from './wire.ts';

/**
 * What is read of a `FileDescriptorProto` (google/protobuf/descriptor.proto). References are as they stand: full with a leading dot, as protoc writes
 * them, or relative to their scope.
 */
export interface FileDescription {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly messages: readonly MessageDescription[];
  readonly enums: readonly EnumDescription[];
  readonly services: readonly ServiceDescription[];
  readonly extensions: readonly FieldDescription[];
}

export interface MessageDescription {
  readonly name: string;
  readonly fields: readonly FieldDescription[];
  readonly isMapEntry: boolean;
}

export interface FieldDescription {
  /** Of an extension: its full name. */
  readonly name: string;
  readonly jsonName: string;
  readonly number: number;
  /** Undefined: what the type's name says, a message or an enum. */
  readonly kind: FieldKind | undefined;
  readonly isRepeated: boolean;
  /** `TYPE_GROUP`; of an edition, `features.message_encoding = DELIMITED`. */
  readonly isGroup: boolean;
  readonly typeName: string;
  /** Where its references are looked up first: the message that it stands in, or the package. */
  readonly scope: string;
  /** Of an extension: the message that it extends. */
  readonly extendee: string;
  readonly oneof: number | undefined;
  /** `FieldOptions`, as it stands. */
  readonly options: Uint8Array;
}

export interface EnumDescription {
  readonly name: string;
  /** Names by number. The first is the default. */
  readonly values: ReadonlyMap<number, string>;
}

export interface ServiceDescription {
  readonly name: string;
  readonly methods: readonly {
    readonly name: string;
    readonly input: string;
    readonly output: string;
    readonly clientStreaming: boolean;
    readonly serverStreaming: boolean;
    readonly noSideEffects: boolean;
  }[];
}

/** The files of a `FileDescriptorSet`. Throws `MalformedMessage`. */
export function filesOfSet(set: Uint8Array): readonly Uint8Array[] {
  return all(recordsOf(set), 1);
}

/** Throws `MalformedMessage`. */
export function readFile(bytes: Uint8Array): FileDescription {
  const file = recordsOf(bytes);
  const scope = text(file, 2);
  const encoding = messageEncoding(merged(file, 8), FILE_FEATURES);
  const readFieldOf = (proto: Uint8Array, outer: string): FieldDescription => readField(proto, outer, encoding);
  const messages: MessageDescription[] = [];
  const enums: EnumDescription[] = [];
  const extensions: FieldDescription[] = [];
  const readMessage = (proto: Uint8Array, outer: string, depth: number): void => {
    if (depth > DEEPEST_TYPES) throw new MalformedMessage('types are nested too deep');
    const message = recordsOf(proto);
    const name = within(outer, text(message, 1));
    const options = recordsOf(merged(message, 7));
    messages.push({ name, fields: all(message, 2).map((field) => readFieldOf(field, name)), isMapEntry: flag(options, 7) });
    for (const nested of all(message, 3)) readMessage(nested, name, depth + 1);
    for (const nested of all(message, 4)) enums.push(readEnum(nested, name));
    for (const extension of all(message, 6)) extensions.push(readFieldOf(extension, name));
  };
  for (const message of all(file, 4)) readMessage(message, scope, 0);
  for (const one of all(file, 5)) enums.push(readEnum(one, scope));
  for (const extension of all(file, 7)) extensions.push(readFieldOf(extension, scope));
  return {
    name: text(file, 1),
    dependencies: all(file, 3).map((name) => utf8.decode(name)),
    messages,
    enums,
    services: all(file, 6).map((service) => readService(service, scope)),
    extensions,
  };
}

/** The strings that stand in a message under this number. */
export function stringsAt(message: Uint8Array, number: number): readonly string[] {
  return all(recordsOf(message), number).map((value) => utf8.decode(value));
}

/** Whether the bool of this number is set in a message. */
export function flagAt(message: Uint8Array, number: number): boolean {
  return flag(recordsOf(message), number);
}

/** What `read` gives; bytes that are no message are a `RangeError`, for whoever configured them. */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
    throw new RangeError(`the descriptors cannot be read: ${error.message}`);
  }
}

function readField(bytes: Uint8Array, scope: string, encodingOfFile: number | undefined): FieldDescription {
  const field = recordsOf(bytes);
  const type = number(field, 5) ?? 0;
  const kind = KINDS[type];
  const name = text(field, 1);
  const extendee = text(field, 2);
  const options = merged(field, 8);
  const typeName = text(field, 6);
  if (kind === undefined && (type !== 0 || typeName === ''))
    throw new MalformedMessage(`field ${name} has type ${type}, which does not exist`);
  return {
    name: extendee === '' ? name : within(scope, name),
    jsonName: text(field, 10) || camelCase(name),
    number: number(field, 3) ?? 0,
    kind,
    isRepeated: number(field, 4) === 3,
    isGroup: type === GROUP || (messageEncoding(options, FIELD_FEATURES) ?? encodingOfFile) === DELIMITED,
    typeName,
    scope,
    extendee,
    oneof: number(field, 9),
    options,
  };
}

/** `FeatureSet.message_encoding` in options whose features have this number. */
function messageEncoding(options: Uint8Array, features: number): number | undefined {
  return options.length === 0 ? undefined : number(recordsOf(merged(recordsOf(options), features)), 5);
}

function readEnum(bytes: Uint8Array, scope: string): EnumDescription {
  const description = recordsOf(bytes);
  const values = all(description, 2).map((proto): [number, string] => {
    const value = recordsOf(proto);
    return [number(value, 2) ?? 0, text(value, 1)];
  });
  return { name: within(scope, text(description, 1)), values: new Map(values) };
}

function readService(bytes: Uint8Array, scope: string): ServiceDescription {
  const service = recordsOf(bytes);
  return {
    name: within(scope, text(service, 1)),
    methods: all(service, 2).map((proto) => {
      const method = recordsOf(proto);
      return {
        name: text(method, 1),
        input: text(method, 2),
        output: text(method, 3),
        clientStreaming: flag(method, 5),
        serverStreaming: flag(method, 6),
        // MethodOptions.idempotency_level = NO_SIDE_EFFECTS
        noSideEffects: number(recordsOf(merged(method, 4)), 34) === 1,
      };
    }),
  };
}

interface RawRecord {
  readonly number: number;
  /** Of a length-delimited record. */
  readonly payload: Uint8Array | undefined;
  /** Of a varint. */
  readonly value: number | undefined;
}

function recordsOf(bytes: Uint8Array): readonly RawRecord[] {
  const records: RawRecord[] = [];
  const cursor = new Cursor(bytes);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    const field = Math.floor(tag / 8);
    if (tag % 8 === LENGTH_DELIMITED) {
      const length = cursor.length();
      records.push({ number: field, payload: bytes.subarray(cursor.at, cursor.at + length), value: undefined });
      cursor.at += length;
    } else if (tag % 8 === VARINT) {
      records.push({ number: field, payload: undefined, value: Number(BigInt.asIntN(32, cursor.varint())) });
    } else cursor.skipValue(tag);
  }
  return records;
}

function all(records: readonly RawRecord[], field: number): readonly Uint8Array[] {
  return records.flatMap(({ number: one, payload }) => (one === field && payload !== undefined ? [payload] : []));
}

/** A message that was sent in parts is their concatenation. */
function merged(records: readonly RawRecord[], field: number): Uint8Array {
  return concatenated(all(records, field));
}

function text(records: readonly RawRecord[], field: number): string {
  const last = all(records, field).at(-1);
  return last === undefined ? '' : utf8.decode(last);
}

function number(records: readonly RawRecord[], field: number): number | undefined {
  return records.findLast((record) => record.number === field && record.value !== undefined)?.value;
}

function flag(records: readonly RawRecord[], field: number): boolean {
  return (number(records, field) ?? 0) !== 0;
}

function within(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}

/** As protoc derives `json_name`. */
function camelCase(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

const utf8 = new TextDecoder();
const DEEPEST_TYPES = 32;
const FILE_FEATURES = 50;
const FIELD_FEATURES = 21;
const GROUP = 10;
const DELIMITED = 2;
/** By `FieldDescriptorProto.Type`. */
const KINDS: readonly (FieldKind | undefined)[] = [
  undefined,
  'double',
  'float',
  'int64',
  'uint64',
  'int32',
  'fixed64',
  'fixed32',
  'bool',
  'string',
  'message',
  'message',
  'bytes',
  'uint32',
  'enum',
  'sfixed32',
  'sfixed64',
  'sint32',
  'sint64',
];
