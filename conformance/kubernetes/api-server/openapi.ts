import { isObject, listAt, textAt, plain, type Json, type JsonObject } from './json.ts';
import { booleanField, bytesField, message, messageField, textField } from './protobuf.ts';
import { apiVersion, groups, resources, type Resource } from './resources.ts';
import type { ListSchema, ObjectSchema, Schema } from './schema.ts';

/** OpenAPI documents of the kinds of this server: version 2 as JSON and as the protobuf that older clients insist on, version 3 by group. */

type Generation = 2 | 3;

/** `/openapi/v2`. */
export function openApi2(): JsonObject {
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.32.3' },
    paths: paths(resources, 2),
    definitions: definitions(resources, 2),
  };
}

/** `/openapi/v3`. */
export function openApi3Index(): JsonObject {
  const names = ['api/v1', ...groups.map((group) => `apis/${group}/v1`)];
  return { paths: Object.fromEntries(names.map((name) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=1` }])) };
}

/** `/openapi/v3/api/v1` and so on. */
export function openApi3(group: string): JsonObject | undefined {
  if (group !== '' && !groups.includes(group)) return undefined;
  const own = resources.filter((one) => one.group === group);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.32.3' },
    paths: paths(own, 3),
    components: { schemas: definitions(own, 3) },
  };
}

/**
 * `/openapi/v2` as `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`: message `Document` of gnostic's `openapiv2/OpenAPIv2.proto`.
 * Of the paths only PATCH and its parameters, by which clients know whether there is a dry run.
 */
export function openApi2Protobuf(): Buffer {
  const document = openApi2();
  const named = Object.entries(document['definitions'] as Record<string, JsonObject>);
  return message([
    textField(1, '2.0'),
    messageField(2, [textField(1, 'Kubernetes'), textField(2, 'v1.32.3')]),
    messageField(
      8,
      Object.entries(document['paths'] as JsonObject).flatMap(([path, item]) =>
        isObject(item) && isObject(item['patch'])
          ? [messageField(2, [textField(1, path), messageField(2, [messageField(8, operationFields(item['patch']))])])]
          : [],
      ),
    ),
    messageField(
      9,
      named.map(([name, schema]) => messageField(1, [textField(1, name), messageField(2, schemaFields(schema))])),
    ),
  ]);
}

/** Message `Operation`. */
function operationFields(operation: JsonObject): (Buffer | undefined)[] {
  return [
    ...listAt(operation, 'parameters').map((parameter) => {
      const query = messageField(3, [textField(2, 'query'), textField(4, textAt(parameter, 'name')), textField(6, 'string')]);
      return messageField(8, [messageField(1, [bytesField(2, query)])]);
    }),
    ...extensions(13, operation),
  ];
}

function extensions(number: number, of: JsonObject): Buffer[] {
  return Object.entries(of)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => messageField(number, [textField(1, name), messageField(2, [textField(2, JSON.stringify(value))])]));
}

/** Message `Schema`. */
function schemaFields(schema: JsonObject): (Buffer | undefined)[] {
  const [type, items, properties, more] = [schema['type'], schema['items'], schema['properties'], schema['additionalProperties']];
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return [
    textField(1, plain(schema['$ref'])),
    textField(2, plain(schema['format'])),
    textField(4, plain(schema['description'])),
    ...required.map((name) => textField(19, plain(name))),
    isObject(more)
      ? messageField(21, [messageField(1, schemaFields(more))])
      : more === true
        ? messageField(21, [booleanField(2, true)])
        : undefined,
    typeof type === 'string' ? messageField(22, [textField(1, type)]) : undefined,
    isObject(items) ? messageField(23, [messageField(1, schemaFields(items))]) : undefined,
    isObject(properties)
      ? messageField(
          25,
          Object.entries(properties).map(([name, of]) =>
            messageField(1, [textField(1, name), messageField(2, schemaFields(of as JsonObject))]),
          ),
        )
      : undefined,
    ...extensions(31, schema),
  ];
}

function definitions(of: readonly Resource[], generation: Generation): JsonObject {
  const found: JsonObject = {};
  const define = (schema: Schema): void => {
    if (schema.kind === 'map' || schema.kind === 'list') return define(schema.of);
    if (schema.kind !== 'object' || Object.hasOwn(found, schema.name)) return;
    found[schema.name] = {};
    for (const field of Object.values(schema.fields)) define(field);
    found[schema.name] = definition(schema, generation);
  };
  for (const one of of) {
    define(one.schema);
    const kinds = [{ group: one.group, version: one.version, kind: one.kind }];
    (found[one.schema.name] as JsonObject)['x-kubernetes-group-version-kind'] = kinds;
  }
  return found;
}

function definition(schema: ObjectSchema, generation: Generation): JsonObject {
  return {
    description: schema.about,
    type: 'object',
    ...(schema.required.length > 0 ? { required: [...schema.required] } : {}),
    properties: Object.fromEntries(
      Object.entries(schema.fields).map(([name, field]): [string, JsonObject] => [name, property(field, generation)]),
    ),
    ...(schema.isAtomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  };
}

function property(schema: Schema, generation: Generation): JsonObject {
  switch (schema.kind) {
    case 'string':
    case 'integer':
    case 'boolean':
      return { type: schema.kind };
    case 'time':
      return { type: 'string', format: 'date-time' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'int-or-string':
      return generation === 2
        ? { type: 'string', format: 'int-or-string' }
        : { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' };
    case 'quantity':
      return generation === 2 ? { type: 'string' } : { oneOf: [{ type: 'string' }, { type: 'number' }] };
    case 'any':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    case 'map':
      return { type: 'object', additionalProperties: property(schema.of, generation) };
    case 'list':
      return { type: 'array', items: property(schema.of, generation), ...listExtensions(schema) };
    case 'object':
      return generation === 2
        ? { $ref: `#/definitions/${schema.name}` }
        : { allOf: [{ $ref: `#/components/schemas/${schema.name}` }], default: {} };
  }
}

function listExtensions({ mergeKey, mapKeys }: ListSchema): Record<string, Json> {
  return {
    ...(mapKeys === undefined ? { 'x-kubernetes-list-type': 'atomic' } : {}),
    ...(mapKeys === 'set' ? { 'x-kubernetes-list-type': 'set' } : {}),
    ...(Array.isArray(mapKeys) ? { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...mapKeys] } : {}),
    ...(mergeKey === undefined ? {} : { 'x-kubernetes-patch-strategy': 'merge' }),
    ...(mergeKey === undefined || mergeKey === '' ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
  };
}

/** As many paths as tell clients which query parameters there are (`fieldValidation`, `dryRun`, `fieldManager`). */
function paths(of: readonly Resource[], generation: Generation): JsonObject {
  return Object.fromEntries(of.flatMap((one) => pathsOf(one, generation)));
}

function pathsOf(one: Resource, generation: Generation): [string, JsonObject][] {
  const root = one.group === '' ? '/api/v1' : `/apis/${apiVersion(one)}`;
  const collection = `${root}${one.isNamespaced ? '/namespaces/{namespace}' : ''}/${one.name}`;
  const kind = { group: one.group, version: one.version, kind: one.kind };
  const operation = (action: string): JsonObject => ({
    description: `${action} a ${one.kind}`,
    parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({
      name,
      in: 'query',
      ...(generation === 2 ? { type: 'string', uniqueItems: true } : { schema: { type: 'string', uniqueItems: true } }),
    })),
    responses: { '200': { description: 'OK' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  });
  return [
    [collection, { post: operation('post') }],
    [`${collection}/{name}`, { put: operation('put'), patch: operation('patch') }],
  ];
}
