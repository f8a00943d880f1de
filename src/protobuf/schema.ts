import { filesOfSet, readable, readFile, type FileDescription } from './descriptor.ts';
import { linked } from './link.ts';
import type { FieldKind } from './scalar.ts';
import { MalformedMessage } from './wire.ts';

/** What a gRPC target's messages are made of. Immutable; read anew, it is another schema. */
export interface Schema {
  /** Full names, sorted. */
  readonly services: readonly string[];
  /** Exactly `/package.Service/Method`. */
  method(path: string): Method | undefined;
  readonly methods: readonly Method[];
  /** By full name. */
  type(name: string): MessageType | undefined;
  readonly types: readonly MessageType[];
  /** Data classes that field options name, sorted. One that is not configured hides its fields whole, from everybody. */
  readonly optionClasses: readonly string[];
  /** Everything that masking depends on, a line each, sorted: equal lines mean an equal schema. */
  readonly lines: readonly string[];
}

export interface Method {
  /** `/package.Service/Method` */
  readonly path: string;
  /** Full name. */
  readonly service: string;
  readonly name: string;
  readonly request: MessageType;
  readonly response: MessageType;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  /** `idempotency_level = NO_SIDE_EFFECTS`. */
  readonly noSideEffects: boolean;
}

export interface MessageType {
  /** Full name. */
  readonly name: string;
  readonly shape: MessageShape;
  readonly fields: ReadonlyMap<number, Field>;
  /**
   * What its bytes mean depends on more than one record: an Any is in it. Where such a message comes in parts, which decoders merge, the parts
   * must be looked at together.
   */
  readonly reachesAny: boolean;
}

/** Types whose JSON is not an object with a member for each field (https://protobuf.dev/programming-guides/json), and the entries of maps. */
export type MessageShape = 'plain' | 'map-entry' | 'any' | 'struct' | 'value' | 'list' | 'wrapper' | 'time';

export interface Field {
  readonly number: number;
  readonly name: string;
  /** How paths may name it: as in the file, as in JSON, and as earlier readings of the schema did. An extension is `[its.full.name]`. */
  readonly names: readonly string[];
  readonly kind: FieldKind;
  readonly isRepeated: boolean;
  readonly oneof: number | undefined;
  /** Of kind `message`. */
  readonly message: MessageType | undefined;
  /** Its messages stand between tags: a group of proto2, or what an edition calls delimited. */
  readonly isGroup: boolean;
  /** Its messages are the entries of a map. */
  readonly isMap: boolean;
  /** Of kind `enum`: names by number, the default first. */
  readonly values: ReadonlyMap<number, string> | undefined;
  /** Data classes that its options name. */
  readonly classes: readonly string[];
}

export interface SchemaOptions {
  /** Full name of an extension of `google.protobuf.FieldOptions`, a string or strings: the field's data class. */
  readonly fieldOption?: string | undefined;
  /** The class of fields with `debug_redact = true`. Undefined: the option means nothing. */
  readonly redactClass?: string | undefined;
}

/**
 * The schema in serialized `FileDescriptorSet`s, as `protoc --include_imports --descriptor_set_out` writes them. Throws `RangeError` where one
 * cannot be read or lacks what it refers to.
 */
export function schemaOf(sets: readonly Uint8Array[], options: SchemaOptions = {}): Schema {
  return schemaOfFiles(sets.flatMap(filesOfDescriptors), options);
}

/** The serialized `FileDescriptorProto`s in a `FileDescriptorSet`. Throws `RangeError` for bytes that are none. */
export function filesOfDescriptors(set: Uint8Array): readonly Uint8Array[] {
  try {
    const files = filesOfSet(set);
    if (files.length > 0) return files;
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error;
  }
  throw new RangeError('expected a FileDescriptorSet, as protoc --include_imports --descriptor_set_out=FILE writes it');
}

/** The same from serialized `FileDescriptorProto`s, as reflection answers with them. */
export function schemaOfFiles(files: readonly Uint8Array[], options: SchemaOptions = {}): Schema {
  if (files.reduce((sum, file) => sum + file.length, 0) > mostBytes)
    throw new RangeError(`the descriptors have more than ${mostBytes} bytes`);
  const descriptions = new Map<string, { readonly bytes: Uint8Array; readonly file: FileDescription }>();
  for (const bytes of files) {
    const file = readable(() => readFile(bytes));
    const earlier = descriptions.get(file.name);
    if (earlier !== undefined && !areEqual(earlier.bytes, bytes))
      throw new RangeError(`the file ${file.name} stands in the descriptors twice, with different contents`);
    descriptions.set(file.name, { bytes, file });
  }
  return linked(
    [...descriptions.values()].map(({ file }) => file),
    options,
  );
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const mostBytes = 16 * 1024 * 1024;
