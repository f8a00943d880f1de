import { escapeLine } from '../../core/escape.ts';
import { GatewayFault } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import { requestOperation, type UnderstoodRequest } from '../request-operation.ts';
import type { AnswerHead, AnswerPlan, AskedRequest, AskingSession, HeaderField, ReceivedRequest } from '../request.ts';
import { askedQuestion, isPureRead, namesOf, questionOf, segmentsOf } from './acts.ts';
import { shownFields } from './answer-head.ts';
import type { AskEnvironment, HttpEnvironment } from './environment.ts';
import { codedAgain } from './codings.ts';
import { formNames } from './form-names.ts';
import { listOf } from './head-fields.ts';
import { fieldName, isConditional, isPartial, isToken, spelledOut } from './head-names.ts';
import { relocated } from './location.ts';
import { answerPlan } from './mask.ts';
import { masksOf, recordMasksOf, type HttpMasks } from './masks.ts';
import { namesAnotherMethod } from './path.ts';
import { understoodRequest } from './operation.ts';
import { sampleOf } from './sample.ts';
import { mayFollow } from './trailers.ts';
import { recordedValues, valueFacts } from './value-facts.ts';
import { webSocketTunnel } from './web-socket.ts';

/** What a request asks for, and what becomes of its answer. Pure. */
export function askHttp(request: ReceivedRequest, environment: AskEnvironment): AskedRequest {
  const { target } = environment;
  const segments = segmentsOf(request.target.decodedPath);
  const masks = masksOf(environment, segments);
  const record = recordMasksOf(environment, segments);
  const shown = (text: string): string => maskProse(record.classes, record.detectors, text);
  const stated = statedReason(request.fields);
  const listing = target.operations?.find(request.method, segments);
  const fields = upstreamFields(request, environment, masks);
  const values = valueFacts(target, request, fields);
  const exact = {
    target: target.name,
    method: request.method,
    isWebSocket: request.upgrade === 'websocket',
    host: request.host,
    decodedPath: request.target.decodedPath,
    parameterNames: namesOf(request.target),
    fields: request.fields,
    reason: stated === undefined ? undefined : shown(stated),
    values: values instanceof GatewayFault ? undefined : values,
    operationId: listing?.id,
  };
  const recorded = {
    ...exact,
    decodedPath: shown(exact.decodedPath),
    parameterNames: exact.parameterNames.map(shown),
    values: exact.values && recordedValues(exact.values, target, request, record, shown),
  };
  const isTheSame =
    recorded.decodedPath === exact.decodedPath &&
    recorded.parameterNames.every((name, index) => name === exact.parameterNames[index]) &&
    (exact.values === undefined || JSON.stringify(recorded.values) === JSON.stringify(exact.values));
  const { origin, basePath } = target;
  const ofTheGateway = (head: AnswerHead): AnswerHead =>
    origin === undefined ? head : relocated(head, { origin, basePath, base: request.base });
  // From whoever nothing is revealed to, the same is hidden as from the record: what was masked for the one is not masked again for the other.
  const hidesAll = environment.revealed.size === 0 && target.masking !== 'unsafe_origin';
  let made: { readonly session: AskingSession; readonly of: UnderstoodRequest } | undefined;
  return {
    operation(session) {
      if (made?.session !== session) made = { session, of: understoodRequest(request, askedQuestion(session, recorded), masks, record) };
      return requestOperation(session, made.of);
    },
    unmasked: isTheSame ? undefined : questionOf(exact),
    refusal: refusalOf(request, target.readOnly) ?? listing?.refusal ?? (values instanceof GatewayFault ? values : undefined),
    upstream: {
      method: request.method,
      target: upstreamTarget(target.basePath, request),
      fields,
      trailers: (received) => received.filter(({ name }) => mayTrail(name, target)),
    },
    tunnel: request.upgrade === 'websocket' ? webSocketTunnel(request, environment, masks, record) : undefined,
    answer(head) {
      const plan = answerPlan(ofTheGateway(head), request.method, environment, masks);
      return codedAgain(withTrailers(plan, request, environment, masks), request.fields);
    },
    sample: (head, window) => sampleOf(head, window, record, hidesAll ? window.shown : undefined),
  };
}

function refusalOf(request: ReceivedRequest, readOnly: boolean): GatewayFault | undefined {
  if (readOnly && !isPureRead(request.method)) {
    return new GatewayFault('read-only', { publicMessage: `this target is for reading only: ${request.method} may write` });
  }
  if (readOnly && request.upgrade !== undefined) {
    return new GatewayFault('read-only', { publicMessage: 'this target is for reading only: a WebSocket may write' });
  }
  if (!formNames(request).some(namesAnotherMethod)) return undefined;
  return new GatewayFault('unsupported', {
    publicMessage: 'the body of the request names another method than the one that policy is asked about',
    hint: 'Send the method itself.',
  });
}

function upstreamTarget(basePath: string, { target: { path, query } }: ReceivedRequest): string {
  return `${basePath}${path}${query === undefined ? '' : `?${query}`}`;
}

/** What is hidden must come whole and in a coding that can be read; whether it changed is told by what is hidden, too. */
function upstreamFields(request: ReceivedRequest, { target }: HttpEnvironment, masks: HttpMasks): readonly HeaderField[] {
  const { forwardable, method } = request;
  const passed = forwardable.filter(
    ({ name }) =>
      (target.cookies || name !== 'cookie') &&
      !isCredential(name, target) &&
      !(masks.hides && (isPartial(name) || (isPureRead(method) && isConditional(name)))),
  );
  const announced = announcedTrailers(request, target);
  if (announced.length > 0) passed.push({ name: 'trailer', value: announced.join(', ') });
  if (masks.hides) passed.push({ name: 'accept-encoding', value: 'identity' });
  return passed;
}

/** One that the gateway itself puts there. */
function isCredential(name: string, { credentialNames }: HttpEnvironment['target']): boolean {
  return isAmong(credentialNames, name);
}

/** Some servers put trailers among the fields of the head: none may be there that policy was to be asked about. */
function mayTrail(name: string, { credentialNames, headerFacts = [] }: HttpEnvironment['target']): boolean {
  return !isAmong(credentialNames, name) && !isAmong(headerFacts, name);
}

function isAmong(names: readonly string[], name: string): boolean {
  if (names.length === 0) return false;
  const spelled = fieldName(name)?.spelled ?? spelledOut(name);
  return names.some((one) => spelledOut(one) === spelled);
}

/** Some servers show only trailers that were announced. */
function announcedTrailers({ fields, body, trailers = [] }: ReceivedRequest, target: HttpEnvironment['target']): readonly string[] {
  if (trailers.length === 0 && !(body.kind === 'streamed' && body.octets === undefined)) return [];
  return listOf(fields, 'trailer').filter((name) => isToken(name) && mayFollow(name) && mayTrail(name, target));
}

/** Trailers (RFC 9110 section 6.5) are for clients that say that they take them. Where anything is hidden there are none: they speak of a body that is another one then. */
function withTrailers(plan: AnswerPlan, { fields }: ReceivedRequest, environment: HttpEnvironment, masks: HttpMasks): AnswerPlan {
  if (plan.kind !== 'pass' || masks.hides || !fields.some(({ name }) => name === 'te')) return plan;
  return { ...plan, trailers: (received) => shownFields({ status: 200, fields: received }, environment, masks, new Map()) };
}

/** `Sallyport-Reason`, bounded, on one line. Stated, never believed. */
function statedReason(fields: readonly HeaderField[]): string | undefined {
  const value = fields.find(({ name }) => name === 'sallyport-reason')?.value.trim() ?? '';
  if (value === '') return undefined;
  return escapeLine(value.length > mostReasonCharacters ? `${value.slice(0, mostReasonCharacters)}…` : value);
}

const mostReasonCharacters = 256;
