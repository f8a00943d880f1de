import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { Server, status, type handleBidiStreamingCall, type handleUnaryCall, type ServiceDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { startServer, type RunningServer } from './server.ts';

export type ReflectionVersion = 'v1' | 'v1alpha';

export interface SelfDescribingOptions {
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Those that it offers; of another one it says UNIMPLEMENTED, as of any method that it does not have. */
  readonly versions: readonly ReflectionVersion[];
}

/** What is deployed: the descriptors of the service `acme.v1.Accounts`, and what its `Get` answers. */
export interface Deployment {
  readonly set: Uint8Array;
  readonly answer: object;
}

/** How it speaks of itself: as it should; not at all, with a status; or of its services by their names alone. */
type Openness = 'open' | 'failing' | 'secretive';

/** A grpc-js server that is made from descriptors and answers with the same ones who asks for its schema. */
export interface SelfDescribing extends RunningServer {
  /** Calls of `Get`. */
  readonly asked: () => number;
  /** Streams on which it was asked for its schema, by the version of each. */
  readonly readings: readonly ReflectionVersion[];
  openness: Openness;
  /** Serves and describes something else from now on. */
  deploy(deployment: Deployment): void;
}

export async function startSelfDescribing(deployment: Deployment, options: SelfDescribingOptions): Promise<SelfDescribing> {
  const server = new Server();
  const readings: ReflectionVersion[] = [];
  let deployed = deployment;
  let asked = 0;

  const Get: handleUnaryCall<object, object> = (_call, reply) => {
    asked += 1;
    reply(null, deployed.answer);
  };
  const serve = (): void => server.addService(accountsOf(definitionOf(deployed.set)), { Get });
  serve();
  for (const version of options.versions) {
    const ServerReflectionInfo: handleBidiStreamingCall<Question, Answer> = (call) => {
      readings.push(version);
      if (running.openness === 'failing') {
        call.emit('error', { code: status.PERMISSION_DENIED, details: 'nobody is told' });
        return;
      }
      const describe = describer(deployed.set, version, running.openness);
      call.on('data', (question: Question) => call.write({ original_request: question, ...describe(question) }));
      call.on('end', () => call.end());
      call.on('error', () => {});
    };
    server.addService(reflectionService(version), { ServerReflectionInfo });
  }

  const running: SelfDescribing = {
    ...(await startServer(server, options.certificate)),
    asked: () => asked,
    readings,
    openness: 'open',
    deploy(next) {
      server.removeService(accountsOf(definitionOf(deployed.set)));
      deployed = next;
      serve();
    },
  };
  return running;
}

/** Services and messages of a `FileDescriptorSet`, as grpc-js takes them. */
export function definitionOf(set: Uint8Array): PackageDefinition {
  return loadFileDescriptorSetFromBuffer(Buffer.from(set), { keepCase: true, defaults: true });
}

export function reflectionService(version: ReflectionVersion): ServiceDefinition {
  // Which question it is only `oneofs` tells: the list of services is asked for with an empty text.
  const loaded = loadSync(new URL('reflection.proto', import.meta.url).pathname, { keepCase: true, oneofs: true });
  const { ServerReflectionInfo } = loaded['grpc.reflection.v1alpha.ServerReflection'] as ServiceDefinition;
  return { ServerReflectionInfo: { ...ServerReflectionInfo!, path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo` } };
}

function accountsOf(definition: PackageDefinition): ServiceDefinition {
  return definition['acme.v1.Accounts'] as ServiceDefinition;
}

interface Question {
  readonly message_request?: 'file_by_filename' | 'file_containing_symbol' | 'list_services' | (string & {});
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
}

type Answer = Readonly<Record<string, unknown>>;

/**
 * Answers questions about descriptors. A file comes with all that it imports, less what this stream has had already, as v1's servers do; v1alpha's
 * gives each file by itself, as older ones do.
 */
function describer(set: Uint8Array, version: ReflectionVersion, openness: Openness): (question: Question) => Answer {
  const files = new Map(fromBinary(FileDescriptorSetSchema, set).file.map((file) => [file.name, file]));
  const sent = new Set<string>();
  const withImports = (file: FileDescriptorProto): readonly FileDescriptorProto[] => {
    if (sent.has(file.name)) return [];
    sent.add(file.name);
    return [file, ...file.dependency.flatMap((name) => withImports(files.get(name)!))];
  };
  const described = (file: FileDescriptorProto | undefined): Answer => {
    if (file === undefined || openness === 'secretive') return failed(status.NOT_FOUND, 'there is no such thing');
    const all = version === 'v1' ? withImports(file) : [file];
    return { file_descriptor_response: { file_descriptor_proto: all.map((one) => toBinary(FileDescriptorProtoSchema, one)) } };
  };
  return (question) => {
    switch (question.message_request) {
      case 'list_services': {
        const names = [...files.values()].flatMap((file) => file.service.map(({ name }) => `${file.package}.${name}`));
        return { list_services_response: { service: names.map((name) => ({ name })) } };
      }
      case 'file_by_filename':
        return described(files.get(question.file_by_filename ?? ''));
      case 'file_containing_symbol':
        return described([...files.values()].find((file) => declares(file, question.file_containing_symbol ?? '')));
      default:
        return failed(status.UNIMPLEMENTED, 'extensions are not looked up here');
    }
  };
}

function declares(file: FileDescriptorProto, symbol: string): boolean {
  const names = [...file.service, ...file.messageType, ...file.enumType].map(({ name }) => `${file.package}.${name}`);
  return names.some((name) => symbol === name || symbol.startsWith(`${name}.`));
}

function failed(code: number, message: string): Answer {
  return { error_response: { error_code: code, error_message: message } };
}
