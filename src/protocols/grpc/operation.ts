import type { OpenSession } from '../../core/effect.ts';
import type { Operation } from '../../core/operation.ts';
import { requestOperation } from '../request-operation.ts';
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
export function grpcOperation(session: OpenSession, { call, frames, body, question, pureRead }: OperationParts): Operation {
  return requestOperation(session, {
    protocol: 'grpc',
    question,
    pureRead,
    recorded: { text: recordedText(call, frames, body) },
    dataClasses: call.masks.hides ? (call.described?.masker('response', call.masks).hiddenClasses ?? []) : [],
    unmasked: () => ({ text: exactText(call, frames, body) }),
    bound: () => boundParts(call, frames),
  });
}

/**
 * Method, bound metadata and messages. Of a call whose client streams the messages are not known, and what an approval binds is that call: the reviewer
 * is told so in its text.
 */
function boundParts({ name, head }: Call, frames: readonly Frame[] | undefined): readonly (string | Uint8Array)[] {
  const metadata = boundMetadata(head.metadata).flatMap((field) => [field.name, field.value]);
  const messages = frames?.flatMap(({ flags, message }) => [Uint8Array.of(flags & compressedFlag), message]);
  return [
    'grpc 1',
    name.full,
    contentTypeOf('grpc', head.subtype),
    head.coding ?? 'identity',
    String(metadata.length / 2),
    ...metadata,
    frames === undefined ? 'streamed' : 'whole',
    ...(messages ?? []),
  ];
}
