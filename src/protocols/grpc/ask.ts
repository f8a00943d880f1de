import { concatenated } from '../../core/bytes.ts';
import { cut } from '../../core/cut.ts';
import { escapeLine } from '../../core/escape.ts';
import { GatewayFault, toFault } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import type { AskedRequest, ReceivedRequest } from '../request.ts';
import { askedQuestion, type AskedCall } from './acts.ts';
import { answerPlan } from './answer.ts';
import { callOf, describedMethod, type Call } from './call.ts';
import { formatTimeout } from './deadline.ts';
import type { GrpcEnvironment, GrpcSchema } from './environment.ts';
import { headOf, valueOf } from './head.ts';
import { CallInspector } from './inspect.ts';
import { methodOf } from './method-name.ts';
import { grpcOperation } from './operation.ts';
import { messagesOf, type SentMessage } from './sent-messages.ts';
import { AnswerSamples } from './sample.ts';
import { closedService, kindOf } from './services.ts';

/** Whether the messages of a call pass as they come: a unary request is gathered, so that it is known when it is decided on. */
export function passesThrough(path: string, schema: GrpcSchema | undefined): boolean {
  const name = methodOf(path);
  return !(name instanceof GatewayFault) && describedMethod(name, schema)?.clientStreams !== false;
}

/** What a call asks for, and what becomes of its answer. Pure. Throws for a head that is no call's. */
export function askGrpc(request: ReceivedRequest, environment: GrpcEnvironment): AskedRequest {
  const call = readCall(request, environment);
  const { name, kind, described, recordMasks } = call;
  const read = readMessages(call, request);
  const messages = read instanceof GatewayFault ? undefined : read;
  const shown = (text: string): string => maskProse(recordMasks.classes, recordMasks.detectors, text);
  const stated = valueOf(request.fields, 'sallyport-reason')?.trim();
  const asked: AskedCall = {
    target: environment.target.name,
    method: name,
    kind,
    streams: described === undefined ? undefined : described.clientStreams || described.serverStreams,
    host: request.host,
    reason: stated === undefined || stated === '' ? undefined : shown(escapeLine(cut(stated, mostReasonCharacters))),
  };
  const samples = new AnswerSamples(call);
  return {
    operation: (session) =>
      grpcOperation(session, {
        call,
        messages,
        body: request.body,
        question: askedQuestion(session, asked),
        pureRead: described?.noSideEffects === true,
      }),
    unmasked: undefined,
    refusal: read instanceof GatewayFault ? read : refusalOf(call),
    upstream: {
      method: 'POST',
      target: `/${name.full}`,
      fields: call.head.upstream,
      body: messages === undefined ? undefined : bytesOf(messages),
      // A call that has one answer has it when its status is there.
      hasShortAnswer: described?.serverStreams === false,
      timeLeft: call.head.timeoutMs === undefined ? undefined : (ms) => ({ name: 'grpc-timeout', value: formatTimeout(ms) }),
    },
    deadlineMs: call.head.timeoutMs,
    isApprovableUnseen: described?.clientStreams !== false,
    isLongLived: described === undefined || described.clientStreams || described.serverStreams,
    inspector: () => new CallInspector(call),
    answer: (head) => answerPlan(head, call, (message) => samples.take(message)),
    sample: () => samples.sample(),
  };
}

function readCall(request: ReceivedRequest, environment: GrpcEnvironment): Call {
  const name = methodOf(request.target.path);
  if (name instanceof GatewayFault) throw name;
  const head = headOf(request, environment.target.credentialNames);
  if (head instanceof GatewayFault) throw head;
  return callOf(name, kindOf(name), head, environment);
}

function readMessages(call: Call, { body }: ReceivedRequest): readonly SentMessage[] | GatewayFault | undefined {
  if (body.kind === 'streamed') return undefined;
  try {
    return messagesOf(call, body.kind === 'none' ? new Uint8Array(0) : body.bytes);
  } catch (error) {
    return toFault(error);
  }
}

/** What the protocol itself refuses, whatever policy says. */
function refusalOf(call: Call): GatewayFault | undefined {
  const { name, kind, described, masks, recordMasks, environment } = call;
  const { target, schema } = environment;
  const closed = environment.closed ?? closedService(kind, target);
  if (closed !== undefined) return closed;
  if (maskProse(recordMasks.classes, recordMasks.detectors, name.full) !== name.full) {
    return new GatewayFault('unsupported', { publicMessage: 'the name of the method looks like a sensitive value' });
  }
  if (described === undefined && kind !== 'reflection') {
    if (schema !== undefined) return new GatewayFault('unsupported', { publicMessage: `the target’s schema has no method ${name.full}` });
    if (masks.hides) {
      return new GatewayFault('masking-refused', {
        publicMessage: 'what is sensitive cannot be hidden in answers that nobody has described',
        hint: 'Have the target’s schema put into the gateway’s configuration.',
      });
    }
  }
  if (target.readOnly && described?.noSideEffects !== true && kind !== 'reflection') {
    return new GatewayFault('read-only', {
      publicMessage: `this target is for reading only, and ${name.full} is not declared to have no side effects`,
    });
  }
  return undefined;
}

function bytesOf(messages: readonly SentMessage[]): Uint8Array {
  const [only] = messages;
  return messages.length === 1 ? only!.raw : concatenated(messages.map(({ raw }) => raw));
}

const mostReasonCharacters = 256;
