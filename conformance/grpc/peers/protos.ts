import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type DescriptorProto, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** Services and messages of a `.proto` file beside this one. */
export function loadProto(file: string): PackageDefinition {
  return loadSync(new URL(file, import.meta.url).pathname, { keepCase: true, longs: String, enums: String, defaults: true });
}

/** The same as protoc writes it with `--include_imports --descriptor_set_out`, for the gateway and for peers in other languages. */
export function descriptorSet(definition: PackageDefinition): Uint8Array {
  const files = new Map<string, FileDescriptorProto>();
  for (const one of Object.values(definition)) {
    for (const bytes of (one as MessageTypeDefinition<object, object>).fileDescriptorProtos ?? []) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      files.set(file.name, file);
    }
  }
  for (const file of files.values()) qualify(file);
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values()] }));
}

/** protobufjs writes the names of types as short as its files have them; protoc writes them out. One package a file, no types in types. */
function qualify({ package: name, messageType, service }: FileDescriptorProto): void {
  const full = (type: string): string => (type.startsWith('.') ? type : `.${name}.${type}`);
  const visit = (message: DescriptorProto): void => {
    for (const field of message.field) if (field.typeName !== '') field.typeName = full(field.typeName);
  };
  messageType.forEach(visit);
  for (const { method } of service) {
    for (const one of method) [one.inputType, one.outputType] = [full(one.inputType), full(one.outputType)];
  }
}
