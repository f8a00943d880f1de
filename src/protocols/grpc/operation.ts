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
  const { subtype, coding, bound } = head;
  const parts: (string | Uint8Array)[] = ['grpc 1', name.full, contentTypeOf('grpc', subtype), coding ?? 'identity', String(bound.length)];
  for (const field of bound) parts.push(field.name, field.value);
  parts.push(messages === undefined ? 'streamed' : 'whole');
  for (const { flags, message } of messages ?? []) parts.push((flags & compressedFlag) === 0 ? plain : compressed, message);
  return parts;
}

const plain = Uint8Array.of(0);
const compressed = Uint8Array.of(compressedFlag);
/** One for all: the log knows by the object that it is the same. */
const noClasses: readonly string[] = [];
