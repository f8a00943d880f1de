import { flagAt, readable, stringsAt, type FieldDescription, type FileDescription } from './descriptor.ts';
import type { Field, MessageShape, MessageType, Method, Schema, SchemaOptions } from './schema.ts';
import { statusTypes } from './status-types.ts';

/** A type while it is being made. */
export interface Draft extends MessageType {
  readonly fields: Map<number, Field>;
  reachesAny: boolean;
}

/** The schema of these files. Throws `RangeError`. */
export function linked(files: readonly FileDescription[], options: SchemaOptions): Schema {
  const types = new Map<string, Draft>();
  const enums = new Map<string, ReadonlyMap<number, string>>();
  const own = files.flatMap((file) => file.messages);
  const names = new Set(own.map(({ name }) => name));
  const messages = [...own, ...statusTypes.messages.filter(({ name }) => !names.has(name))];
  for (const { name, isMapEntry } of messages) {
    if (types.has(name)) throw new RangeError(`the type ${name} stands in the descriptors twice`);
    types.set(name, { name, shape: isMapEntry ? 'map-entry' : (SHAPES.get(name) ?? 'plain'), fields: new Map(), reachesAny: false });
  }
  for (const file of files) for (const { name, values } of file.enums) enums.set(name, values);
  const fullName = referenceReader([...types.keys(), ...enums.keys()]);
  const option = optionReader(files, options, fullName);
  const add = (type: Draft, description: FieldDescription): void => {
    if (type.fields.has(description.number))
      throw new RangeError(`the type ${type.name} has two fields of the number ${description.number}`);
    type.fields.set(description.number, fieldOf(description, { types, enums, fullName, option }, type.shape === 'map-entry'));
  };
  for (const { name, fields } of messages) for (const field of fields) add(types.get(name)!, field);
  for (const file of files) {
    for (const extension of file.extensions) {
      const extended = types.get(fullName(extension.extendee, extension.scope));
      if (extended !== undefined) add(extended, extension);
    }
  }
  for (const type of types.values()) checkShape(type);
  markThoseReachingAny(types);
  const services = files.flatMap((file) => file.services);
  const methods = services.flatMap(({ name: service, methods }) =>
    methods.map(({ name, input, output, ...rest }): Method => {
      const request = typeNamed(types, fullName(input, service), `${service}/${name}`);
      const response = typeNamed(types, fullName(output, service), `${service}/${name}`);
      return { path: `/${service}/${name}`, service, name, request, response, ...rest };
    }),
  );
  return assembled(services.map(({ name }) => name).sort(), methods, types);
}

/** A schema of these parts. */
export function assembled(services: readonly string[], methods: readonly Method[], types: ReadonlyMap<string, MessageType>): Schema {
  const byPath = new Map(methods.map((method) => [method.path, method]));
  if (byPath.size < methods.length) throw new RangeError('a service stands in the descriptors twice');
  const each = [...types.values()];
  const classes = each.flatMap((type) => [...type.fields.values()].flatMap((field) => field.classes));
  return {
    services,
    methods,
    method: (path) => byPath.get(path),
    type: (name) => types.get(name),
    types: each,
    optionClasses: [...new Set(classes)].sort(),
    lines: [...methods.map(methodLine), ...each.flatMap(typeLines)].sort(),
  };
}

interface Definitions {
  readonly types: ReadonlyMap<string, MessageType>;
  readonly enums: ReadonlyMap<string, ReadonlyMap<number, string>>;
  readonly fullName: FullName;
  /** Reads the data classes off a `FieldOptions`. */
  readonly option: (options: Uint8Array) => readonly string[];
}

function fieldOf(description: FieldDescription, { types, enums, fullName, option }: Definitions, isInEntry: boolean): Field {
  const { name, jsonName, number, isRepeated, isGroup, scope, oneof, options } = description;
  const typeName = fullName(description.typeName, scope);
  const kind = description.kind ?? (enums.has(typeName) ? 'enum' : 'message');
  const message = kind === 'message' ? typeNamed(types, typeName, name) : undefined;
  if (kind === 'enum' && !enums.has(typeName)) throw missing(typeName, name);
  return {
    number,
    name,
    names: description.extendee === '' ? [...new Set([name, jsonName])] : [`[${name}]`],
    kind,
    isRepeated,
    oneof,
    message,
    // Maps and their values are never delimited, whatever the file says.
    isGroup: isGroup && message !== undefined && message.shape !== 'map-entry' && !isInEntry,
    isMap: isRepeated && message?.shape === 'map-entry',
    values: kind === 'enum' ? enums.get(typeName) : undefined,
    classes: readable(() => option(options)),
  };
}

function optionReader(
  files: readonly FileDescription[],
  { fieldOption, redactClass }: SchemaOptions,
  fullName: FullName,
): Definitions['option'] {
  const all = files.flatMap((file) => file.extensions);
  const extension = all.find(({ name, extendee, scope }) => name === fieldOption && fullName(extendee, scope) === FIELD_OPTIONS);
  if (fieldOption !== undefined && extension === undefined) {
    throw new RangeError(`the descriptors have no extension ${fieldOption} of google.protobuf.FieldOptions`);
  }
  if (extension !== undefined && extension.kind !== 'string') throw new RangeError(`the option ${fieldOption} is no string`);
  return (options) => {
    if (options.length === 0) return [];
    const named = extension === undefined ? [] : stringsAt(options, extension.number);
    // Of a single string sent twice the last one holds.
    const held = extension?.isRepeated === true ? named : named.slice(-1);
    return [...held.filter((name) => name !== ''), ...(redactClass !== undefined && flagAt(options, DEBUG_REDACT) ? [redactClass] : [])];
  };
}

/** Types that are read by what they are known to be, not by what the descriptors say, must be what they are known to be. */
function checkShape({ name, shape, fields }: MessageType): void {
  const kinds = [...fields.values()].map(({ number, kind }) => `${number} ${kind}`).sort();
  const isKnown =
    (shape === 'any' && kinds.join() === '1 string,2 bytes') ||
    (shape === 'value' && kinds.join() === '1 enum,2 double,3 string,4 bool,5 message,6 message') ||
    (shape === 'map-entry' && fields.size === 2 && fields.has(1) && fields.has(2) && !['message', 'bytes'].includes(fields.get(1)!.kind));
  const isRead = shape === 'any' || shape === 'value' || shape === 'map-entry';
  if (isRead && !isKnown) throw new RangeError(`the descriptors define ${name} in another way than Protocol Buffers do`);
}

function markThoseReachingAny(types: ReadonlyMap<string, Draft>): void {
  const holders = new Map<MessageType, Draft[]>();
  for (const type of types.values()) {
    for (const { message } of type.fields.values()) {
      if (message === undefined) continue;
      const known = holders.get(message);
      if (known === undefined) holders.set(message, [type]);
      else known.push(type);
    }
  }
  const open = [...types.values()].filter(({ shape }) => shape === 'any');
  for (let type = open.pop(); type !== undefined; type = open.pop()) {
    if (type.reachesAny) continue;
    type.reachesAny = true;
    open.push(...(holders.get(type) ?? []));
  }
}

function methodLine({ path, request, response, clientStreaming, serverStreaming }: Method): string {
  return `${path} (${clientStreaming ? 'stream ' : ''}${request.name}) returns (${serverStreaming ? 'stream ' : ''}${response.name})`;
}

function typeLines({ name, fields }: MessageType): readonly string[] {
  return [
    `${name} is a message`,
    ...[...fields.values()].map((field) => {
      const type = field.message?.name ?? field.kind;
      const repeated = field.isRepeated ? 'repeated ' : '';
      const marks = [field.oneof === undefined ? '' : ` oneof ${field.oneof}`, ...field.classes.map((one) => ` [${one}]`)].join('');
      return `${name}.${field.number}: ${repeated}${field.isGroup ? 'group ' : ''}${type} ${field.names.join(' ')}${marks}`;
    }),
  ];
}

type FullName = (reference: string, scope: string) => string;

/** What a reference means: from a leading dot, or in the innermost scope that has such a type (descriptor.proto, `type_name`). */
function referenceReader(names: readonly string[]): FullName {
  const known = new Set([...names, FIELD_OPTIONS]);
  return (reference, scope) => {
    if (reference.startsWith('.')) return reference.slice(1);
    for (let outer = scope; outer !== ''; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
      if (known.has(`${outer}.${reference}`)) return `${outer}.${reference}`;
    }
    return reference;
  };
}

function typeNamed<T extends MessageType>(types: ReadonlyMap<string, T>, name: string, by: string): T {
  const found = types.get(name);
  if (found === undefined) throw missing(name, by);
  return found;
}

function missing(name: string, by: string): RangeError {
  return new RangeError(`${by} refers to ${name}, which is not in the descriptors: protoc writes it with --include_imports`);
}

const FIELD_OPTIONS = 'google.protobuf.FieldOptions';
/** `FieldOptions.debug_redact` */
const DEBUG_REDACT = 16;
const SHAPES: ReadonlyMap<string, MessageShape> = new Map([
  ['google.protobuf.Any', 'any'],
  ['google.protobuf.Struct', 'struct'],
  ['google.protobuf.Value', 'value'],
  ['google.protobuf.ListValue', 'list'],
  ['google.protobuf.Timestamp', 'time'],
  ['google.protobuf.Duration', 'time'],
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map((name): [string, MessageShape] => [
    `google.protobuf.${name}Value`,
    'wrapper',
  ]),
]);
