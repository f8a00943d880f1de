import { create, createFileRegistry, fromJson, toBinary, type FileRegistry, type JsonObject } from '@bufbuild/protobuf';
import {
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorSet,
} from '@bufbuild/protobuf/wkt';
import { encodedRecord } from '../wire.ts';

/** Descriptors as protoc would write them, made and read by another implementation than ours. */
export interface Described {
  /** A serialized `FileDescriptorSet`. */
  readonly set: Uint8Array;
  readonly registry: FileRegistry;
}

/** Full name of the option that `[class]` behind a field sets. */
export const fieldOption = 'acme.security.data_class';

/**
 * One file of the package `acme.v1`, and what it imports. Types by name, each a list of fields such as `string name = 1`, `repeated Owner owners = 2`,
 * `map<string, Owner> by_name = 3`, `group Old = 4` (of a message type), `string a = 5 in choice` (a oneof), `string ssn = 6 [ssn]` (field option). A type
 * with a dot at its end of the name is nested: `Account.Owner`. `methods`: `Get(GetRequest) returns (stream Account)` of the service Accounts.
 */
export function describe(
  types: Readonly<Record<string, readonly string[]>>,
  methods: readonly string[] = [],
  syntax: 'proto2' | 'proto3' = 'proto3',
): Described {
  const file = fromJson(FileDescriptorProtoSchema, {
    name: 'acme.proto',
    package: 'acme.v1',
    syntax,
    dependency: [...wellKnown.map(({ proto }) => proto.name), 'security.proto'],
    messageType: Object.entries(types).map(([name, fields]) => messageOf(name, fields, types)),
    enumType: [
      {
        name: 'Level',
        value: [
          { name: 'LEVEL_NONE', number: 0 },
          { name: 'LEVEL_HIGH', number: 2 },
        ],
      },
    ],
    service: [{ name: 'Accounts', method: methods.map(methodOf) }],
  });
  for (const [index, fields] of Object.values(types).entries()) {
    for (const [place, text] of fields.entries()) {
      const marked = / \[([\w-]+)\]$/.exec(text)?.[1];
      if (marked === undefined) continue;
      const data = encodedRecord(OPTION, new TextEncoder().encode(marked)).subarray(tagLength);
      const field = file.messageType[index]!.field[place]!;
      field.options = fromJsonOptions();
      field.options.$unknown = [{ no: OPTION, wireType: 2, data }];
    }
  }
  const set = create(FileDescriptorSetSchema, { file: [...wellKnown.map(({ proto }) => proto), security, file] });
  return { set: toBinary(FileDescriptorSetSchema, set), registry: createFileRegistry(set) };
}

function fromJsonOptions(): NonNullable<FileDescriptorSet['file'][number]['messageType'][number]['field'][number]['options']> {
  return fromJson(FileDescriptorProtoSchema, { messageType: [{ field: [{ options: {} }] }] }).messageType[0]!.field[0]!.options!;
}

function messageOf(name: string, fields: readonly string[], types: Readonly<Record<string, readonly string[]>>): JsonObject {
  const oneofs = [...new Set(fields.flatMap((text) => / in (\w+)/.exec(text)?.[1] ?? []))];
  const entries: JsonObject[] = [];
  const field = fields.map((text): JsonObject => {
    const read = /^(?:(repeated|required) )?(?:map<(\w+), ([\w.]+)>|(group )?([\w.]+)) (\w+) = (\d+)(?: in (\w+))?(?: \[[\w-]+\])?$/.exec(
      text,
    );
    if (read === null) throw new Error(`no field: ${text}`);
    const [, label, key, value, group, plain, fieldName = '', number, oneof] = read;
    const common = { name: fieldName, number: Number(number), jsonName: camelCase(fieldName) };
    if (key !== undefined && value !== undefined) {
      const entry = `${pascalCase(fieldName)}Entry`;
      entries.push({
        name: entry,
        options: { mapEntry: true },
        field: [
          { name: 'key', number: 1, jsonName: 'key', label: 'LABEL_OPTIONAL', ...typeOf(key, types) },
          { name: 'value', number: 2, jsonName: 'value', label: 'LABEL_OPTIONAL', ...typeOf(value, types) },
        ],
      });
      return { ...common, label: 'LABEL_REPEATED', type: 'TYPE_MESSAGE', typeName: `.acme.v1.${name}.${entry}` };
    }
    return {
      ...common,
      label: label === undefined ? 'LABEL_OPTIONAL' : `LABEL_${label.toUpperCase()}`,
      ...typeOf(plain!, types),
      ...(group === undefined ? {} : { type: 'TYPE_GROUP' }),
      ...(oneof === undefined ? {} : { oneofIndex: oneofs.indexOf(oneof) }),
    };
  });
  return { name, field, nestedType: entries, oneofDecl: oneofs.map((one) => ({ name: one })) };
}

function typeOf(name: string, types: Readonly<Record<string, readonly string[]>>): JsonObject {
  if (name === 'Level') return { type: 'TYPE_ENUM', typeName: '.acme.v1.Level' };
  if (Object.hasOwn(types, name)) return { type: 'TYPE_MESSAGE', typeName: `.acme.v1.${name}` };
  if (name.startsWith('google.')) return { type: 'TYPE_MESSAGE', typeName: `.${name}` };
  return { type: `TYPE_${name.toUpperCase()}` };
}

function methodOf(text: string): JsonObject {
  const read = /^(\w+)\((stream )?([\w.]+)\) returns \((stream )?([\w.]+)\)$/.exec(text);
  if (read === null) throw new Error(`no method: ${text}`);
  const [, name = '', clientStreaming, input, serverStreaming, output] = read;
  return {
    name,
    inputType: `.acme.v1.${input}`,
    outputType: `.acme.v1.${output}`,
    clientStreaming: clientStreaming !== undefined,
    serverStreaming: serverStreaming !== undefined,
  };
}

function camelCase(name: string): string {
  return name.replaceAll(/_(.)/g, (_, next: string) => next.toUpperCase());
}

function pascalCase(name: string): string {
  return camelCase(`_${name}`);
}

const wellKnown = [
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];
const OPTION = 50_001;
const tagLength = 3;
const security = fromJson(FileDescriptorProtoSchema, {
  name: 'security.proto',
  package: 'acme.security',
  syntax: 'proto3',
  dependency: ['google/protobuf/descriptor.proto'],
  extension: [
    {
      name: 'data_class',
      extendee: '.google.protobuf.FieldOptions',
      number: OPTION,
      label: 'LABEL_OPTIONAL',
      type: 'TYPE_STRING',
    },
  ],
});
