import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';

/** Services and messages of a `.proto` file beside this one. */
export function loadProto(file: string): PackageDefinition {
  return loadSync(new URL(file, import.meta.url).pathname, { keepCase: true, longs: String, enums: String, defaults: true });
}

/** The same as a FileDescriptorSet (descriptor.proto), which peers in other languages make their messages of. */
export function descriptorSet(definition: PackageDefinition): Buffer {
  const files = new Map<string, Buffer>();
  for (const one of Object.values(definition)) {
    for (const file of (one as MessageTypeDefinition<object, object>).fileDescriptorProtos ?? []) files.set(file.toString('base64'), file);
  }
  return Buffer.concat([...files.values()].flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value: number): Buffer {
  const octets: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) octets.push((left & 0x7f) | 0x80);
  return Buffer.from([...octets, left]);
}
