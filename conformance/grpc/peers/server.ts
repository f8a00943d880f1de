import {
  Metadata,
  Server,
  ServerCredentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import { setTimeout as sleep } from 'node:timers/promises';

/** A grpc-js server of the interoperability tests' `TestService`. */
export async function startInteropServer(
  definition: PackageDefinition,
  tls: { readonly cert: string; readonly key: string } | undefined,
): Promise<RunningServer> {
  const { UnimplementedCall: _, ...service } = definition['grpc.testing.TestService'] as ServiceDefinition;
  const server = new Server();
  server.addService(service, {
    EmptyCall,
    UnaryCall,
    StreamingOutputCall,
    StreamingInputCall,
    FullDuplexCall,
  });
  return await startServer(server, tls);
}

export interface RunningServer {
  readonly port: number;
  close(): void;
}

export async function startServer(
  server: Server,
  tls: { readonly cert: string; readonly key: string } | undefined,
): Promise<RunningServer> {
  const credentials =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { port, close: () => server.forceShutdown() };
}

export interface EchoStatus {
  readonly code: number;
  readonly message: string;
}

interface OutputRequest {
  readonly response_parameters: readonly { readonly size: number; readonly interval_us: number }[];
  readonly response_status: EchoStatus | null;
}

const EmptyCall: handleUnaryCall<object, object> = (call, reply) => {
  reply(null, {}, echoed(call));
};

const UnaryCall: handleUnaryCall<{ response_size: number; response_status: EchoStatus | null }, object> = (call, reply) => {
  const { response_size: size, response_status: asked } = call.request;
  const trailers = echoed(call);
  if (asked !== null && asked.code !== 0) reply({ code: asked.code, details: asked.message, metadata: trailers });
  else reply(null, payload(size), trailers);
};

const StreamingOutputCall: handleServerStreamingCall<OutputRequest, object> = (call) => void output(call);

async function output(call: ServerWritableStream<OutputRequest, object>): Promise<void> {
  const trailers = echoed(call);
  for (const { size, interval_us: microseconds } of call.request.response_parameters) {
    if (microseconds > 0) await sleep(microseconds / 1000);
    if (call.cancelled) return;
    call.write(payload(size));
  }
  call.end(trailers);
}

const StreamingInputCall: handleClientStreamingCall<{ payload: { body: Uint8Array } | null }, object> = (call, reply) => {
  let size = 0;
  call.on('data', ({ payload }: { payload: { body: Uint8Array } | null }) => (size += payload?.body.length ?? 0));
  call.on('end', () => reply(null, { aggregated_payload_size: size }));
  call.on('error', () => {});
};

/** Whoever reads from a call whose client has gone away may be told by an error. */
const FullDuplexCall: handleBidiStreamingCall<OutputRequest, object> = (call) =>
  void duplex(call).catch((error: unknown) => {
    if (!call.cancelled) throw error;
  });

async function duplex(call: ServerDuplexStream<OutputRequest, object>): Promise<void> {
  const trailers = echoed(call);
  call.on('error', () => {});
  for await (const { response_parameters: parameters, response_status: asked } of call as AsyncIterable<OutputRequest>) {
    if (asked !== null && asked.code !== 0) {
      call.emit('error', { code: asked.code, details: asked.message, metadata: trailers });
      return;
    }
    for (const { size, interval_us: microseconds } of parameters) {
      if (microseconds > 0) await sleep(microseconds / 1000);
      call.write(payload(size));
    }
  }
  call.end(trailers);
}

/** `x-grpc-test-echo-initial` comes back at once, `x-grpc-test-echo-trailing-bin` behind everything. */
function echoed(call: { readonly metadata: Metadata; sendMetadata(metadata: Metadata): void }): Metadata {
  const initial = new Metadata();
  const trailing = new Metadata();
  for (const value of call.metadata.get('x-grpc-test-echo-initial')) initial.add('x-grpc-test-echo-initial', value);
  for (const value of call.metadata.get('x-grpc-test-echo-trailing-bin')) trailing.add('x-grpc-test-echo-trailing-bin', value);
  call.sendMetadata(initial);
  return trailing;
}

function payload(size: number): object {
  return { payload: { type: 'COMPRESSABLE', body: Buffer.alloc(size) } };
}
