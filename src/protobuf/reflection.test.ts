import assert from 'node:assert/strict';
import { it } from 'node:test';
import { concatenated } from '../core/bytes.ts';
import { createReflectionReader, reflectionPaths } from './reflection.ts';
import { filesOfSet, readFile } from './descriptor.ts';
import { schemaOfFiles } from './schema.ts';
import { described, schema } from './testing/accounts.ts';
import { fieldOption } from './testing/describe.ts';
import { Cursor, encodedRecord, encodedTag, encodedVarint } from './wire.ts';

const files = filesOfSet(described.set);
const text = (value: string): Uint8Array => Buffer.from(value);

/** A target that describes itself, as grpc-go and C++ do: one file an answer. */
function answerTo(request: Uint8Array): Uint8Array {
  const cursor = new Cursor(request);
  const number = Math.floor(cursor.tag() / 8);
  cursor.length();
  const name = Buffer.from(request.subarray(cursor.at)).toString();
  if (number === 7) {
    const services = ['acme.v1.Accounts', 'acme.v1.Secret'].map((service) => encodedRecord(1, encodedRecord(1, text(service))));
    return concatenated([encodedRecord(2, request), encodedRecord(6, concatenated(services))]);
  }
  const found = files.find((file) =>
    number === 4 ? name === 'acme.v1.Accounts' && readFile(file).name === 'acme.proto' : readFile(file).name === name,
  );
  if (found === undefined) return encodedRecord(7, concatenated([encodedTag(1, 0), encodedVarint(5), encodedRecord(2, text('not found'))]));
  return encodedRecord(4, encodedRecord(1, found));
}

it('services, then their files, then what those import, each once', () => {
  const reader = createReflectionReader();
  let questions = 0;
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    assert.deepEqual(reader.next(), next);
    reader.take(answerTo(next));
    questions += 1;
  }
  assert.equal(questions, 1 + 2 + files.length - 1);
  assert.deepEqual(reader.undescribed, ['acme.v1.Secret']);
  assert.deepEqual(schemaOfFiles(reader.files, { fieldOption }).lines, schema.lines);
});

it('the call has the same name in both versions', () => {
  assert.deepEqual(
    reflectionPaths.map((path) => path.replace(/v1(alpha)?/, 'v')),
    Array(2).fill('/grpc.reflection.v.ServerReflection/ServerReflectionInfo'),
  );
});

it('an answer that is none, or to something else, is an error', () => {
  for (const [answer, expected] of [
    [encodedRecord(7, encodedRecord(2, text('no'))), /does not list/],
    [encodedRecord(4, encodedRecord(1, files[0]!)), /does not list/],
    [Uint8Array.of(0x0a, 0x09), /cannot be read/],
  ] as const) {
    const reader = createReflectionReader();
    assert.throws(() => reader.take(answer), { name: 'RangeError', message: expected });
  }
  const reader = createReflectionReader();
  reader.take(answerTo(reader.next()!));
  assert.throws(() => reader.take(encodedRecord(6, encodedRecord(1, encodedRecord(1, text('more'))))), /something else/);
});

it('a target that lists without end is an error', () => {
  const reader = createReflectionReader();
  const services = Array.from({ length: 6_000 }, (_, index) => encodedRecord(1, encodedRecord(1, text(`s${index}`))));
  assert.throws(() => reader.take(encodedRecord(6, concatenated(services))), /more than 5000/);
});
