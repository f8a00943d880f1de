import { readable, readFile } from './descriptor.ts';
import { Cursor, encodedRecord, LENGTH_DELIMITED } from './wire.ts';

/**
 * Reading of a schema from the target itself: the messages of gRPC server reflection (grpc/reflection/v1/reflection.proto; v1alpha has the same
 * under another name). One request, one answer, in turn, on one stream. The call is the adapter's business.
 */
export interface ReflectionReader {
  /** The `ServerReflectionRequest` to send; undefined: everything was read. Until its answer is taken it is the same one. */
  next(): Uint8Array | undefined;
  /** Takes the `ServerReflectionResponse` to it. Throws `RangeError` for what is none, or too much. */
  take(answer: Uint8Array): void;
  /** Serialized `FileDescriptorProto`s, for `schemaOfFiles`. */
  readonly files: readonly Uint8Array[];
  /** Services that the target lists and does not describe: no method of theirs is known. */
  readonly undescribed: readonly string[];
}

/** Paths of the call, the newer first; a target that lacks one answers UNIMPLEMENTED. */
export const reflectionPaths: readonly string[] = [
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
];

export function createReflectionReader(): ReflectionReader {
  const open: Question[] = [{ kind: 'services', name: '' }];
  const files = new Map<string, Uint8Array>();
  const asked = new Set<string>();
  const undescribed: string[] = [];
  let octets = 0;

  const ask = (kind: Question['kind'], name: string): void => {
    if (asked.has(`${kind} ${name}`)) return;
    if (asked.size >= mostQuestions) throw new RangeError(`the target describes more than ${mostQuestions} services and files`);
    asked.add(`${kind} ${name}`);
    open.push({ kind, name });
  };
  const keep = (bytes: Uint8Array): void => {
    const { name, dependencies } = readFile(bytes);
    if (files.has(name)) return;
    octets += bytes.length;
    if (octets > mostBytes) throw new RangeError(`the target’s descriptors have more than ${mostBytes} bytes`);
    files.set(name, new Uint8Array(bytes));
    for (const dependency of dependencies) ask('file', dependency);
  };
  const skipKnown = (): void => {
    while (open[0]?.kind === 'file' && files.has(open[0].name)) open.shift();
  };

  return {
    next() {
      skipKnown();
      const [question] = open;
      return question === undefined ? undefined : encodedRecord(REQUEST[question.kind], encoder.encode(question.name));
    },
    take(answer) {
      skipKnown();
      const question = open.shift();
      if (question === undefined) throw new RangeError('the target answers what was not asked');
      const { services, described, isError } = readable(() => readAnswer(answer));
      if (question.kind === 'services') {
        if (isError || services === undefined) throw new RangeError('the target does not list its services');
        for (const service of services) ask('symbol', service);
      } else if (isError) {
        if (question.kind === 'symbol') undescribed.push(question.name);
      } else if (described === undefined) throw new RangeError('the target answers something else than was asked');
      else readable(() => described.forEach(keep));
    },
    get files() {
      return [...files.values()];
    },
    undescribed,
  };
}

interface Question {
  readonly kind: 'services' | 'symbol' | 'file';
  readonly name: string;
}

interface Answer {
  readonly services: readonly string[] | undefined;
  readonly described: readonly Uint8Array[] | undefined;
  readonly isError: boolean;
}

function readAnswer(bytes: Uint8Array): Answer {
  const [files] = payloads(bytes, 4);
  const [list] = payloads(bytes, 6);
  return {
    described: files === undefined ? undefined : payloads(files, 1),
    services:
      list === undefined
        ? undefined
        : payloads(list, 1).flatMap((service) =>
            payloads(service, 1)
              .slice(-1)
              .map((name) => utf8.decode(name)),
          ),
    isError: payloads(bytes, 7).length > 0,
  };
}

function payloads(bytes: Uint8Array, number: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  const cursor = new Cursor(bytes);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    if (tag !== number * 8 + LENGTH_DELIMITED) {
      cursor.skipValue(tag);
      continue;
    }
    const length = cursor.length();
    found.push(bytes.subarray(cursor.at, cursor.at + length));
    cursor.at += length;
  }
  return found;
}

/** Numbers of `list_services`, `file_containing_symbol` and `file_by_filename` in a request. */
const REQUEST: Readonly<Record<Question['kind'], number>> = { services: 7, symbol: 4, file: 3 };
const encoder = new TextEncoder();
const utf8 = new TextDecoder();
const mostQuestions = 5_000;
const mostBytes = 16 * 1024 * 1024;
