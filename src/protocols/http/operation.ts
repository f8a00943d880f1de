import type { UnderstoodRequest } from '../request-operation.ts';
import type { ReceivedRequest } from '../request.ts';
import { isPureRead, type Question } from './acts.ts';
import type { HttpMasks } from './masks.ts';
import { boundFields, exactText, recordedText } from './record-text.ts';

/** What the operation is made of that policy decides on. `question`: with everything sensitive masked, as it goes on record. */
export function understoodRequest(request: ReceivedRequest, question: Question, masks: HttpMasks, record: HttpMasks): UnderstoodRequest {
  return {
    protocol: 'http',
    question,
    pureRead: request.upgrade === undefined && isPureRead(request.method),
    recorded: { text: recordedText(record, request) },
    dataClasses: masks.ruleClasses,
    cacheKey: question,
    sameExact: {},
    unmasked: () => ({ text: exactText(request) }),
    bound: () => boundParts(request),
  };
}

/**
 * What an approval binds: method, target, bound fields, body and trailers. The length of a body that passes as it comes stands for it: what waits for approval has
 * none (`net/http-exchange.ts`).
 */
export function boundParts({
  method,
  upgrade,
  target,
  forwardable,
  body,
  trailers = [],
}: ReceivedRequest): readonly (string | Uint8Array)[] {
  const fields = boundFields(forwardable).flatMap(({ name, value }) => [name, value]);
  return [
    'http 1',
    upgrade === undefined ? method : `${method} ${upgrade}`,
    target.path,
    target.query === undefined ? '' : `?${target.query}`,
    String(fields.length / 2),
    ...fields,
    body.kind,
    body.kind === 'whole' ? body.bytes : body.kind === 'none' ? '' : `streamed ${body.octets ?? ''}`,
    ...boundFields(trailers).flatMap(({ name, value }) => [name, value]),
  ];
}
