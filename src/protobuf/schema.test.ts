import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fromBinary, fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { schemaOf, schemaOfFiles } from './schema.ts';
import { described, schema } from './testing/accounts.ts';
import { describe, fieldOption } from './testing/describe.ts';

const file = (json: JsonObject): Uint8Array => toBinary(FileDescriptorProtoSchema, fromJson(FileDescriptorProtoSchema, json));

it('methods by their exact path', () => {
  const watch = schema.method('/acme.v1.Accounts/Watch')!;
  assert.deepEqual([watch.request.name, watch.response.name], ['acme.v1.Owner', 'acme.v1.Wrapped']);
  assert.deepEqual([watch.clientStreaming, watch.serverStreaming, watch.noSideEffects], [false, true, false]);
  for (const path of ['acme.v1.Accounts/Watch', '/acme.v1.Accounts/watch', '/acme.v1.Accounts/Watch/', '/Accounts/Watch']) {
    assert.equal(schema.method(path), undefined);
  }
  assert.deepEqual(schema.services, ['acme.v1.Accounts']);
});

it('a method without side effects', () => {
  const read = schemaOfFiles([
    file({
      name: 'a',
      messageType: [{ name: 'M' }],
      service: [
        { name: 'S', method: [{ name: 'Get', inputType: '.M', outputType: '.M', options: { idempotencyLevel: 'NO_SIDE_EFFECTS' } }] },
      ],
    }),
  ]);
  assert.equal(read.method('/S/Get')!.noSideEffects, true);
});

it('references that are relative to their scope, innermost first, and do not say what they are', () => {
  const read = schemaOfFiles([
    file({
      name: 'a',
      package: 'p.q',
      messageType: [
        { name: 'Kind', field: [] },
        {
          name: 'Outer',
          nestedType: [{ name: 'Inner' }],
          enumType: [{ name: 'Kind', value: [{ name: 'A', number: 3 }] }],
          field: [
            { name: 'a', number: 1, typeName: 'Inner' },
            { name: 'b', number: 2, typeName: 'Kind' },
            { name: 'c', number: 3, typeName: 'q.Kind' },
            { name: 'd', number: 4, typeName: '.p.q.Kind' },
          ],
        },
      ],
      service: [{ name: 'S', method: [{ name: 'Get', inputType: 'Outer', outputType: 'Outer.Inner' }] }],
    }),
  ]);
  const fields = read.type('p.q.Outer')!.fields;
  assert.equal(fields.get(1)!.message!.name, 'p.q.Outer.Inner');
  assert.equal(fields.get(2)!.kind, 'enum');
  assert.equal(fields.get(3)!.message!.name, 'p.q.Kind');
  assert.equal(fields.get(4)!.message!.name, 'p.q.Kind');
  assert.equal(read.method('/p.q.S/Get')!.response.name, 'p.q.Outer.Inner');
});

it('a field option, and debug_redact as a class', () => {
  const marked = {
    name: 'a',
    messageType: [{ name: 'M', field: [{ name: 'f', number: 1, type: 'TYPE_STRING', options: { debugRedact: true } }] }],
  };
  assert.deepEqual(schemaOfFiles([file(marked)], { redactClass: 'secret' }).optionClasses, ['secret']);
  assert.deepEqual(schemaOfFiles([file(marked)]).optionClasses, []);
  assert.deepEqual(schema.optionClasses, ['secret']);
  assert.throws(
    () => schemaOf([described.set], { fieldOption: 'acme.other' }),
    /no extension acme\.other of google\.protobuf\.FieldOptions/,
  );
});

it('an edition whose messages are delimited, but for maps', () => {
  const read = schemaOfFiles([
    file({
      name: 'a',
      syntax: 'editions',
      edition: 'EDITION_2023',
      options: { features: { messageEncoding: 'DELIMITED' } },
      messageType: [
        {
          name: 'M',
          nestedType: [
            {
              name: 'E',
              options: { mapEntry: true },
              field: [
                { name: 'key', number: 1, type: 'TYPE_STRING' },
                { name: 'value', number: 2, type: 'TYPE_MESSAGE', typeName: '.M' },
              ],
            },
          ],
          field: [
            { name: 'a', number: 1, type: 'TYPE_MESSAGE', typeName: '.M' },
            { name: 'b', number: 2, type: 'TYPE_MESSAGE', typeName: '.M', options: { features: { messageEncoding: 'LENGTH_PREFIXED' } } },
            { name: 'c', number: 3, type: 'TYPE_MESSAGE', typeName: '.M.E', label: 'LABEL_REPEATED' },
          ],
        },
      ],
    }),
  ]);
  const fields = read.type('M')!.fields;
  assert.deepEqual(
    [1, 2, 3].map((number) => fields.get(number)!.isGroup),
    [true, false, false],
  );
  assert.equal(fields.get(3)!.message!.fields.get(2)!.isGroup, false);
});

it('what lacks something, contradicts itself or is no descriptor says so', () => {
  const set = fromBinary(FileDescriptorSetSchema, described.set);
  const own = toBinary(FileDescriptorProtoSchema, set.file.at(-1)!);
  const other = describe({ Owner: ['string a = 1'] });
  assert.throws(() => schemaOfFiles([own]), /refers to google\.protobuf\.\w+, which is not in the descriptors: .*--include_imports/);
  assert.throws(() => schemaOf([described.set, other.set]), /acme\.proto stands in the descriptors twice, with different contents/);
  assert.deepEqual(schemaOf([described.set, described.set], { fieldOption }).lines, schema.lines);
  assert.throws(() => schemaOf([Buffer.from('no descriptors')]), {
    name: 'RangeError',
    message: /expected a FileDescriptorSet, as protoc/,
  });
  assert.throws(
    () =>
      schemaOfFiles([
        file({
          name: 'a',
          package: 'google.protobuf',
          messageType: [{ name: 'Any', field: [{ name: 'a', number: 1, type: 'TYPE_STRING' }] }],
        }),
      ]),
    /define google\.protobuf\.Any in another way/,
  );
  assert.throws(() => schemaOf([new Uint8Array(17 * 1024 * 1024)]), RangeError);
});
