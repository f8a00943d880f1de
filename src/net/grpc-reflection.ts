import { GatewayFault } from '../core/fault.ts';
import type { OpenSession } from '../core/effect.ts';
import { createReflectionReader, reflectionPaths, type ReflectionReader } from '../protobuf/reflection.ts';
import { encodeFrame, FrameReader } from '../protocols/grpc/frame.ts';
import type { HeaderField } from '../protocols/request.ts';
import type { Upstream } from './http-upstream-answer.ts';

/**
 * Reads the schema of a gRPC target by its own reflection, under the grant of the session that needs it first. Throws `upstream-unavailable`, also where the target does
 * not offer reflection, and `RangeError` for answers that are none.
 */
export async function readBySelfDescription(
  upstream: Upstream,
  session: Pick<OpenSession, 'grant' | 'id'>,
): Promise<Pick<ReflectionReader, 'files' | 'undescribed'>> {
  for (const path of reflectionPaths) {
    const reader = createReflectionReader();
    if (await ask(upstream, path, session, reader)) return reader;
  }
  throw unavailable('it does not offer reflection', 'UNIMPLEMENTED');
}

/** One call: a question, its answer, the next question. False: the target does not know this version. */
async function ask(
  upstream: Upstream,
  path: string,
  { grant, id }: Pick<OpenSession, 'grant' | 'id'>,
  reader: ReflectionReader,
): Promise<boolean> {
  const turns = new Turns();
  const signal = AbortSignal.timeout(readingTimeoutMs);
  const questions = (async function* () {
    for (let question = reader.next(); question !== undefined && !turns.areOver; question = reader.next()) {
      yield encodeFrame(0, question);
      await turns.next();
    }
  })();
  const forwarded = {
    method: 'POST',
    target: path,
    fields: callFields,
    body: { kind: 'streamed', octets: undefined, pieces: questions },
  } as const;
  try {
    const answer = await upstream.send(forwarded, grant, id, signal);
    answer.body.on('error', () => {});
    const frames = new FrameReader({ maxBytes: maxAnswerBytes, of: 'answer' });
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
      for (const { message } of frames.push(chunk)) {
        reader.take(message);
        turns.take();
      }
    }
    const status = [...answer.fields, ...answer.trailers()].find(({ name }) => name === 'grpc-status')?.value;
    if (status === unimplemented) return false;
    if (status !== '0' || reader.next() !== undefined) throw unavailable('it does not describe itself', `grpc-status ${status}`);
    return true;
  } finally {
    turns.end();
  }
}

/** Lets who asks wait for who answers. */
class Turns {
  #taken: () => void = () => {};
  #areOver = false;

  /** Nobody answers any more: what has no answer yet is not to be asked again. */
  get areOver(): boolean {
    return this.#areOver;
  }

  next(): Promise<void> {
    if (this.#areOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#taken = resolve;
    });
  }

  take(): void {
    this.#taken();
  }

  end(): void {
    this.#areOver = true;
    this.#taken();
  }
}

function unavailable(what: string, detail: string): GatewayFault {
  return new GatewayFault('upstream-unavailable', { publicMessage: `the schema of the target cannot be read: ${what}`, detail });
}

const callFields: readonly HeaderField[] = [
  { name: 'te', value: 'trailers' },
  { name: 'content-type', value: 'application/grpc' },
  { name: 'grpc-accept-encoding', value: 'identity' },
];
const unimplemented = '12';
const readingTimeoutMs = 10_000;
const maxAnswerBytes = 16 * 1024 * 1024;
