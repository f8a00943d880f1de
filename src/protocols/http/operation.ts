import { cut } from '../../core/cut.ts';
import type { OpenSession } from '../../core/effect.ts';
import type { Act, Facts, Operation, UnmaskedOperation } from '../../core/operation.ts';
import type { ReceivedRequest } from '../request.ts';
import { isPureRead, type Question } from './acts.ts';
import type { HttpMasks } from './masks.ts';
import { boundFields, exactText, recordedText } from './record-text.ts';

/** Makes the operation that policy decides on. `question`: with everything sensitive masked, as it goes on record. */
export function httpOperation(
  session: OpenSession,
  request: ReceivedRequest,
  question: Question,
  masks: HttpMasks,
  record: HttpMasks,
): Operation {
  return new HttpOperation(session, request, question, masks, record);
}

class HttpOperation implements Operation {
  readonly id: string;
  readonly sessionId: string;
  readonly protocol = 'http';
  readonly acts: readonly Act[];
  readonly facts: Facts;
  readonly pureRead: boolean;
  readonly naming = false;
  readonly text: string;
  /** Never: the text leaves out fields that tell people nothing. */
  readonly textIsExact = false;
  readonly dataClasses: readonly string[];
  readonly #request: ReceivedRequest;

  constructor(session: OpenSession, request: ReceivedRequest, question: Question, masks: HttpMasks, record: HttpMasks) {
    this.id = session.nextOperationId();
    this.sessionId = session.id;
    this.acts = question.acts;
    this.facts = question.facts;
    this.pureRead = request.upgrade === undefined && isPureRead(request.method);
    this.text = cut(recordedText(record, request), maxRecordedText);
    this.dataClasses = [...new Set(masks.rules.map(({ rule }) => rule.class))];
    this.#request = request;
  }

  exact(): Uint8Array {
    return exactRequest(this.#request);
  }

  unmasked(): UnmaskedOperation {
    return { text: exactText(this.#request), runs: [], parameters: [] };
  }
}

/**
 * What an approval binds: method, target, bound fields, body and trailers, each with its length in front. The length of a body that passes as it comes stands for it:
 * what waits for approval has none (`net/http-exchange.ts`).
 */
export function exactRequest({ method, upgrade, target, forwardable, body, trailers = [] }: ReceivedRequest): Uint8Array {
  const fields = boundFields(forwardable).flatMap(({ name, value }) => [name, value]);
  const texts = [
    'http 1',
    upgrade === undefined ? method : `${method} ${upgrade}`,
    target.path,
    target.query === undefined ? '' : `?${target.query}`,
    String(fields.length / 2),
    ...fields,
  ];
  const bytes = body.kind === 'whole' ? body.bytes : encoder.encode(body.kind === 'none' ? '' : `streamed ${body.octets ?? ''}`);
  const behind = boundFields(trailers).flatMap(({ name, value }) => [name, value]);
  return joined([
    ...texts.map((text) => encoder.encode(text)),
    encoder.encode(body.kind),
    bytes,
    ...behind.map((text) => encoder.encode(text)),
  ]);
}

/** All parts with their lengths in front, so that no two lists are the same bytes. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((total, part) => total + 4 + part.length, 0));
  const view = new DataView(all.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    all.set(part, at + 4);
    at += 4 + part.length;
  }
  return all;
}

const encoder = new TextEncoder();
const maxRecordedText = 32_768;
