import type { Operation } from '../../core/operation.ts';
import { requestOperation } from '../request-operation.ts';
import type { AskingSession, RequestBody } from '../request.ts';
import type { Question } from './acts.ts';
import type { Call } from './call.ts';
import { contentTypeOf } from './head.ts';
import { compressedFlag } from './frame.ts';
import { exactText, recordedText } from './record-text.ts';
import type { SentMessage } from './sent-messages.ts';

export interface OperationParts {
  readonly call: Call;
  /** The messages of the request where all of it was gathered. */
  readonly messages: readonly SentMessage[] | undefined;
  readonly body: RequestBody;
  readonly question: Question;
  readonly pureRead: boolean;
}

/** Makes the operation that policy decides on. */
export function grpcOperation(session: AskingSession, { call, messages, body, question, pureRead }: OperationParts): Operation {
  return requestOperation(session, {
    protocol: 'grpc',
    question,
    pureRead,
    recorded: { text: recordedText(call, messages, body) },
    dataClasses: call.masks.hides ? (call.described?.masker('response', call.masks).hiddenClasses ?? noClasses) : noClasses,
    cacheKey: question,
    unmasked: () => ({ text: exactText(call, messages, body) }),
    bound: () => boundParts(call, messages),
  });
}

/**
 * Method, bound metadata and messages. Of a call whose client streams the messages are not known, and what an approval binds is that call: the reviewer
 * is told so in its text.
 */
function boundParts({ name, head }: Call, messages: readonly SentMessage[] | undefined): readonly (string | Uint8Array)[] {
  const metadata = head.bound.flatMap((field) => [field.name, field.value]);
  const sent = messages?.flatMap(({ flags, message }) => [Uint8Array.of(flags & compressedFlag), message]);
  return [
    'grpc 1',
    name.full,
    contentTypeOf('grpc', head.subtype),
    head.coding ?? 'identity',
    String(metadata.length / 2),
    ...metadata,
    messages === undefined ? 'streamed' : 'whole',
    ...(sent ?? []),
  ];
}

/** One for all: the log knows by the object that it is the same. */
const noClasses: readonly string[] = [];
