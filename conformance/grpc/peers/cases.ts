import {
  Client,
  credentials,
  makeGenericClientConstructor,
  Metadata,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  type ClientWritableStream,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';

/** Where a client of the interoperability tests calls, and with what. */
export interface Way {
  /** `host:port`. */
  readonly address: string;
  /** The target's name under which it is verified, where that is not the host's. */
  readonly authority: string | undefined;
  /** PEM; undefined: it does not encrypt. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
}

/** Names in the published description; each gives back what was seen, `ok` where that is what the description demands. */
export const caseNames = [
  'empty_unary',
  'large_unary',
  'client_compressed_unary',
  'server_compressed_unary',
  'client_streaming',
  'client_compressed_streaming',
  'server_streaming',
  'server_compressed_streaming',
  'ping_pong',
  'empty_stream',
  'custom_metadata',
  'status_code_and_message',
  'special_status_message',
  'unimplemented_method',
  'unimplemented_service',
  'cancel_after_begin',
  'cancel_after_first_response',
  'timeout_on_sleeping_server',
] as const;

export type CaseName = (typeof caseNames)[number];

/** Runs the cases with grpc-js. */
export async function runCases(definition: PackageDefinition, way: Way): Promise<Readonly<Record<CaseName, string>>> {
  const plain = new Peer(definition, way, {});
  const compressing = new Peer(definition, way, { 'grpc.default_compression_algorithm': 2 });
  const outcomes: Partial<Record<CaseName, string>> = {};
  for (const name of caseNames) {
    const peer = name.startsWith('client_compressed') ? compressing : plain;
    outcomes[name] = await cases[name](peer).then(
      () => 'ok',
      (error: unknown) => (error instanceof Unexpected ? error.message : `failed: ${described(error)}`),
    );
  }
  plain.close();
  compressing.close();
  return outcomes as Record<CaseName, string>;
}

class Unexpected extends Error {}

type Method = 'EmptyCall' | 'UnaryCall' | 'StreamingOutputCall' | 'StreamingInputCall' | 'FullDuplexCall' | 'UnimplementedCall';

/** What grpc-js makes of a service's definition. */
type Untyped = Client & Record<Method, (...given: unknown[]) => unknown>;

interface Answer {
  readonly payload?: { readonly body: Uint8Array } | null;
  readonly aggregated_payload_size?: number;
}

class Peer {
  readonly #test: Untyped;
  readonly #unimplemented: Untyped;
  readonly #token: string | undefined;

  constructor(definition: PackageDefinition, { address, authority, ca, token }: Way, options: object) {
    const channel: ChannelCredentials = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    const all = {
      ...options,
      ...(authority === undefined ? {} : { 'grpc.ssl_target_name_override': authority, 'grpc.default_authority': authority }),
    };
    const client = (service: string): Untyped =>
      new (makeGenericClientConstructor(definition[`grpc.testing.${service}`] as ServiceDefinition, service))(
        address,
        channel,
        all,
      ) as unknown as Untyped;
    this.#test = client('TestService');
    this.#unimplemented = client('UnimplementedService');
    this.#token = token;
  }

  metadata(fields: Readonly<Record<string, string | Buffer>> = {}): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
    return metadata;
  }

  /** Resolves with the answer and what came around it; rejects with the status. */
  unary(method: Method, request: object, metadata = this.metadata(), other = false): Promise<Answer & Around> {
    return new Promise((resolve, reject) => {
      let [initial, trailing] = [new Metadata(), new Metadata()];
      const client = other ? this.#unimplemented : this.#test;
      const call = client[method](request, metadata, options(), (error: ServiceError | null, answer?: Answer) => {
        setImmediate(() => (error === null ? resolve({ ...answer, initial, trailing }) : reject(error)));
      }) as ClientUnaryCall;
      call.on('metadata', (fields: Metadata) => (initial = fields));
      call.on('status', ({ metadata: fields }) => (trailing = fields));
    });
  }

  input(done: (error: ServiceError | null, answer?: Answer) => void): ClientWritableStream<object> {
    return this.#test.StreamingInputCall(this.metadata(), options(), done) as ClientWritableStream<object>;
  }

  output(request: object): ClientReadableStream<Answer> {
    return this.#test.StreamingOutputCall(request, this.metadata(), options()) as ClientReadableStream<Answer>;
  }

  duplex(metadata = this.metadata(), deadlineMs = caseTimeoutMs): ClientDuplexStream<object, Answer> {
    return this.#test.FullDuplexCall(metadata, options(deadlineMs)) as ClientDuplexStream<object, Answer>;
  }

  close(): void {
    this.#test.close();
    this.#unimplemented.close();
  }
}

interface Around {
  readonly initial: Metadata;
  readonly trailing: Metadata;
}

const cases: Record<CaseName, (peer: Peer) => Promise<void>> = {
  async empty_unary(peer) {
    await peer.unary('EmptyCall', {});
  },
  async large_unary(peer) {
    const answer = await peer.unary('UnaryCall', { response_size: 314_159, payload: zeros(271_828) });
    expect(answer.payload?.body.length, 314_159);
  },
  async client_compressed_unary(peer) {
    const answer = await peer.unary('UnaryCall', { expect_compressed: { value: true }, response_size: 314_159, payload: zeros(271_828) });
    expect(answer.payload?.body.length, 314_159);
  },
  async server_compressed_unary(peer) {
    for (const value of [true, false]) {
      const answer = await peer.unary('UnaryCall', { response_compressed: { value }, response_size: 314_159, payload: zeros(271_828) });
      expect(answer.payload?.body.length, 314_159);
    }
  },
  async client_streaming(peer) {
    await sendInputs(peer, [27_182, 8, 1_828, 45_904], 74_922);
  },
  async client_compressed_streaming(peer) {
    await sendInputs(peer, [27_182, 45_904], 73_086);
  },
  async server_streaming(peer) {
    await readOutputs(peer, [31_415, 9, 2_653, 58_979], {});
  },
  async server_compressed_streaming(peer) {
    await readOutputs(peer, [31_415, 92_653], { compressed: { value: true } });
  },
  async ping_pong(peer) {
    const call = peer.duplex();
    const answers = call[Symbol.asyncIterator]() as AsyncIterator<Answer>;
    for (const [request, response] of [
      [27_182, 31_415],
      [8, 9],
      [1_828, 2_653],
      [45_904, 58_979],
    ] as const) {
      call.write({ response_parameters: [{ size: response }], payload: zeros(request) });
      const { value } = await answers.next();
      expect((value as Answer | undefined)?.payload?.body.length, response);
    }
    call.end();
    expect((await answers.next()).done, true);
  },
  async empty_stream(peer) {
    const call = peer.duplex();
    call.end();
    for await (const answer of call) throw new Unexpected(`an answer of ${JSON.stringify(answer)}`);
  },
  async custom_metadata(peer) {
    const fields = {
      'x-grpc-test-echo-initial': 'test_initial_metadata_value',
      'x-grpc-test-echo-trailing-bin': Buffer.from('ababab', 'hex'),
    };
    const check = ({ initial, trailing }: Around): void => {
      expect(initial.get('x-grpc-test-echo-initial').join(), 'test_initial_metadata_value');
      expect((trailing.get('x-grpc-test-echo-trailing-bin')[0] as Buffer | undefined)?.toString('hex'), 'ababab');
    };
    check(await peer.unary('UnaryCall', { response_size: 314_159, payload: zeros(271_828) }, peer.metadata(fields)));
    const call = peer.duplex(peer.metadata(fields));
    let [initial, trailing] = [new Metadata(), new Metadata()];
    call.on('metadata', (seen: Metadata) => (initial = seen));
    const over = new Promise<void>((resolve) => {
      call.on('status', ({ metadata }) => {
        trailing = metadata;
        resolve();
      });
    });
    call.write({ response_parameters: [{ size: 314_159 }], payload: zeros(271_828) });
    call.end();
    call.resume();
    await over;
    check({ initial, trailing });
  },
  async status_code_and_message(peer) {
    const response_status = { code: 2, message: 'test status message' };
    await expectStatus(peer.unary('UnaryCall', { response_status }), 2, 'test status message');
    const call = peer.duplex();
    call.write({ response_status });
    call.end();
    await expectStatus(drain(call), 2, 'test status message');
  },
  async special_status_message(peer) {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
    await expectStatus(peer.unary('UnaryCall', { response_status: { code: 2, message } }), 2, message);
  },
  async unimplemented_method(peer) {
    await expectStatus(peer.unary('UnimplementedCall', {}), status.UNIMPLEMENTED);
  },
  async unimplemented_service(peer) {
    await expectStatus(peer.unary('UnimplementedCall', {}, peer.metadata(), true), status.UNIMPLEMENTED);
  },
  async cancel_after_begin(peer) {
    const outcome = new Promise((resolve, reject) => {
      const call = peer.input((error, answer) => (error === null ? resolve(answer) : reject(error)));
      setImmediate(() => call.cancel());
    });
    await expectStatus(outcome, status.CANCELLED);
  },
  async cancel_after_first_response(peer) {
    const call = peer.duplex();
    call.write({ response_parameters: [{ size: 31_415 }], payload: zeros(27_182) });
    await expectStatus(
      (async () => {
        for await (const answer of call as AsyncIterable<Answer>) {
          expect(answer.payload?.body.length, 31_415);
          call.cancel();
        }
      })(),
      status.CANCELLED,
    );
  },
  async timeout_on_sleeping_server(peer) {
    const call = peer.duplex(undefined, 1);
    call.on('error', () => {});
    call.write({ payload: zeros(27_182), response_parameters: [{ size: 1, interval_us: 2_000_000 }] });
    await expectStatus(drain(call), status.DEADLINE_EXCEEDED);
  },
};

async function sendInputs(peer: Peer, sizes: readonly number[], total: number): Promise<void> {
  const answer = await new Promise<Answer | undefined>((resolve, reject) => {
    const call = peer.input((error, reply) => (error === null ? resolve(reply) : reject(error)));
    for (const size of sizes) call.write({ payload: zeros(size) });
    call.end();
  });
  expect(answer?.aggregated_payload_size, total);
}

async function readOutputs(peer: Peer, sizes: readonly number[], parameters: object): Promise<void> {
  const seen: (number | undefined)[] = [];
  const call = peer.output({ response_parameters: sizes.map((size) => ({ size, ...parameters })) });
  for await (const answer of call as AsyncIterable<Answer>) seen.push(answer.payload?.body.length);
  expect(seen.join(), sizes.join());
}

async function drain(call: ClientDuplexStream<object, Answer>): Promise<void> {
  for await (const answer of call) expect(typeof answer, 'object');
}

async function expectStatus(outcome: Promise<unknown>, code: number, message?: string): Promise<void> {
  const error = await outcome.then(
    () => undefined,
    (thrown: unknown) => thrown as ServiceError,
  );
  if (error instanceof Unexpected) throw error;
  expect(error?.code === undefined ? 'no error' : status[error.code], status[code]);
  if (message !== undefined) expect(error?.details, message);
}

function expect(seen: unknown, wanted: unknown): void {
  if (seen !== wanted) throw new Unexpected(`${JSON.stringify(seen)} instead of ${JSON.stringify(wanted)}`);
}

function described(error: unknown): string {
  const { code, details, message } = error as Partial<ServiceError>;
  return code === undefined ? String(message) : `${status[code]}: ${details}`;
}

function options(deadlineMs = caseTimeoutMs): { readonly deadline: Date } {
  return { deadline: new Date(Date.now() + deadlineMs) };
}

function zeros(size: number): object {
  return { type: 'COMPRESSABLE', body: Buffer.alloc(size) };
}

const caseTimeoutMs = 30_000;
