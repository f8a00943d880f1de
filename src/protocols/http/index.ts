import type { RequestProtocol } from '../request.ts';
import { askHttp } from './ask.ts';
import type { AskEnvironment } from './environment.ts';
import { problemOf } from './fault.ts';
import { bearerOf } from './identify.ts';
import { canonicalTarget } from './path.ts';

export type { AskEnvironment, HttpTarget } from './environment.ts';
export { speaksOfCredential } from './credentials.ts';
export { listedOperations } from './listed.ts';
export { fieldsOf, readAnswerMessage, type AnswerMessage } from './answer-message.ts';
export { isFieldContent } from './field-lines.ts';
export { fieldName, isToken } from './head-names.ts';
export { BodyReader } from './message-body.ts';
export { checkedHead, type CheckedHead, type RawHead } from './head.ts';
export { checkedTrailers } from './trailers.ts';

export const httpProtocol: RequestProtocol<AskEnvironment> = {
  name: 'http',
  place: 'http',
  recognises: () => false,
  gathers: 1024 * 1024,
  tellsHeld: true,
  identify: bearerOf,
  readTarget: canonicalTarget,
  ask: askHttp,
  fault: problemOf,
};
