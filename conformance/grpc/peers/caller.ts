import {
  credentials,
  makeGenericClientConstructor,
  Metadata,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import type { Way } from './cases.ts';

/** How a unary call went. `code` 0: well. */
export interface Answered<T> {
  readonly code: number;
  readonly details: string;
  readonly message: T | undefined;
  readonly trailers: Metadata;
}

/** A client of one service, by grpc-js. */
export class Caller {
  readonly #client: Client & Record<string, (...given: unknown[]) => unknown>;
  readonly #token: string | undefined;

  constructor(definition: PackageDefinition, service: string, { address, authority, ca, token }: Way) {
    const Constructor = makeGenericClientConstructor(definition[service] as ServiceDefinition, service);
    const options = authority === undefined ? {} : { 'grpc.ssl_target_name_override': authority, 'grpc.default_authority': authority };
    const channel = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    this.#client = new Constructor(address, channel, options) as never;
    this.#token = token;
  }

  unary<T>(method: string, request: object, fields: Readonly<Record<string, string>> = {}, deadlineMs = 30_000): Promise<Answered<T>> {
    return new Promise((resolve) => {
      let message: T | undefined;
      const done = (_error: ServiceError | null, answer?: T): void => void (message = answer);
      const call = this.#client[method]!(request, this.metadata(fields), deadline(deadlineMs), done) as ClientUnaryCall;
      call.on('status', ({ code, details, metadata: trailers }) => setImmediate(() => resolve({ code, details, message, trailers })));
    });
  }

  output<T>(method: string, request: object): ClientReadableStream<T> {
    return this.#client[method]!(request, this.metadata(), deadline()) as ClientReadableStream<T>;
  }

  input(method: string, done: (error: ServiceError | null, answer?: unknown) => void): ClientWritableStream<object> {
    return this.#client[method]!(this.metadata(), deadline(), done) as ClientWritableStream<object>;
  }

  duplex<T>(method: string): ClientDuplexStream<object, T> {
    return this.#client[method]!(this.metadata(), deadline()) as ClientDuplexStream<object, T>;
  }

  metadata(fields: Readonly<Record<string, string>> = {}): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
    return metadata;
  }

  close(): void {
    this.#client.close();
  }
}

/** All messages of a stream, and how it ended. */
export async function everything<T>(
  call: ClientReadableStream<T> | ClientDuplexStream<object, T>,
): Promise<{ readonly messages: readonly T[]; readonly code: number; readonly details: string }> {
  const messages: T[] = [];
  call.on('data', (message: T) => messages.push(message));
  call.on('error', () => {});
  return new Promise((resolve) => {
    call.on('status', ({ code, details }) => resolve({ messages, code, details }));
  });
}

function deadline(ms = 30_000): { readonly deadline: Date } {
  return { deadline: new Date(Date.now() + ms) };
}
