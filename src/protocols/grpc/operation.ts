import { cut } from '../../core/cut.ts';
import type { OpenSession } from '../../core/effect.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import { lengthPrefixed } from '../exact.ts';
import type { RequestBody } from '../request.ts';
import type { Question } from './acts.ts';
import type { Call } from './call.ts';
import { contentTypeOf } from './head.ts';
import { compressedFlag, type Frame } from './frame.ts';
import { boundMetadata, exactText, recordedText } from './record-text.ts';

export interface OperationParts {
  readonly call: Call;
  /** The messages of the request where all of it was gathered. */
  readonly frames: readonly Frame[] | undefined;
  readonly body: RequestBody;
  readonly question: Question;
  readonly pureRead: boolean;
}

/** Makes the operation that policy decides on. */
export function grpcOperation(session: OpenSession, parts: OperationParts): Operation {
  return new GrpcOperation(session, parts);
}

class GrpcOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'grpc';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming = false;
  readonly text: string;
  /** Never: the text is made of the messages, it is not the messages. */
  readonly textIsExact = false;
  readonly dataClasses: readonly string[];
  readonly #parts: OperationParts;

  constructor(session: OpenSession, parts: OperationParts) {
    const { call, frames, body, question, pureRead } = parts;
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = question.acts;
    this.facts = question.facts;
    this.pureRead = pureRead;
    this.text = cut(recordedText(call, frames, body), maxRecordedText);
    this.dataClasses = call.masks.hides ? (call.described?.masker('response', call.masks).hiddenClasses ?? []) : [];
    this.#parts = parts;
  }

  /**
   * Method, bound metadata and messages, each with its length in front. Of a call whose client streams the messages are not known, and what an approval
   * binds is that call: the reviewer is told so in its text.
   */
  exact(): Uint8Array {
    const { call, frames } = this.#parts;
    const metadata = boundMetadata(call.head.metadata).flatMap(({ name, value }) => [name, value]);
    const { head, name } = call;
    const texts = [
      'grpc 1',
      name.full,
      contentTypeOf('grpc', head.subtype),
      head.coding ?? 'identity',
      String(metadata.length / 2),
      ...metadata,
    ];
    const messages = frames?.flatMap(({ flags, message }) => [Uint8Array.of(flags & compressedFlag), message]);
    return lengthPrefixed([...texts, frames === undefined ? 'streamed' : 'whole', ...(messages ?? [])]);
  }

  unmasked(): UnmaskedOperation {
    const { call, frames, body } = this.#parts;
    return { text: exactText(call, frames, body), runs: [], parameters: [] };
  }
}

const maxRecordedText = 32_768;
