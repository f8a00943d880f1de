import { GatewayFault } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import { requestOperation } from '../request-operation.ts';
import type { AskedRequest, HeaderField, ReceivedRequest, TargetAnswer, TargetRead } from '../request.ts';
import type { SentBody, SentObject } from './body.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { boundKubernetes, boundRequest } from './exact.ts';
import { isStream, mapQuestion, needsPod } from './facts.ts';
import { impersonatedFields } from './impersonate.ts';
import { needsLiveObject, objectRead } from './live-object.ts';
import { answerPlan } from './mask.ts';
import { masksOf } from './masks.ts';
import { meaningOf, type Meaning } from './meaning.ts';
import { exactText, recordedText, summaryOf } from './record-text.ts';
import { requestInfo } from './request-info.ts';
import { sampleOf } from './sample.ts';
import { askedStream, type AskedStream } from './streams/index.ts';
import { answerForm, upstreamFields, upstreamTarget } from './upstream.ts';

/** What has to be read of the cluster before it can be told what a request means: the pod that it goes into, or the object that it writes over. */
export function readsKubernetes(request: ReceivedRequest, environment: KubernetesEnvironment): readonly TargetRead[] {
  const info = requestInfo(request.method, request.target);
  if (info instanceof GatewayFault || info.kind !== 'resource') return [];
  return needsPod(info) || needsLiveObject(info, masksOf(environment)) ? [objectRead(info, environment)] : [];
}

/** What a request to the API server asks for, and what becomes of its answer. Pure. */
export function askKubernetes(request: ReceivedRequest, environment: KubernetesEnvironment, read: readonly TargetAnswer[]): AskedRequest {
  const meaning = meaningOf(request, environment, read[0]);
  const { masks, record, info, body, place, pod, question } = meaning;
  const shown = (text: string): string => maskProse(record.classes, record.detectors, text);
  const recorded = mapQuestion(question, shown);
  const isTheSame = JSON.stringify(recorded) === JSON.stringify(question);
  const passed = impersonatedFields(environment.target.impersonate, environment.principal);
  const form = answerForm(request, info, place);
  const fields = [
    ...upstreamFields(request, form, masks, environment.target.credentialNames),
    ...(passed instanceof GatewayFault ? [] : passed),
  ];
  const stream = streamOf(request, meaning, environment, fields);
  const streamed = stream === undefined || stream instanceof GatewayFault ? undefined : stream;
  const bound = boundRequest(request);
  return {
    operation: (session) =>
      requestOperation(session, {
        protocol: 'kubernetes',
        question: recorded,
        pureRead: meaning.pureRead,
        dataClasses: [...new Set(masks.rulesOf(place).flatMap(({ rule }) => rule?.class ?? []))],
        recorded: { text: recordedText(record, place, bound, body, shown(summaryOf(request, info))) },
        unmasked: () => ({ text: exactText(bound, body, summaryOf(request, info)) }),
        bound: () => boundKubernetes(request, info, pod, question),
      }),
    unmasked: isTheSame ? undefined : question,
    refusal:
      (passed instanceof GatewayFault ? passed : undefined) ?? meaning.refusal ?? (stream instanceof GatewayFault ? stream : undefined),
    refusalIfPermitted: meaning.refusalIfPermitted,
    tunnel: streamed?.tunnel,
    upstream: {
      method: request.method,
      target: upstreamTarget(environment.target.basePath, request),
      fields: streamed?.fields ?? fields,
      ...(isRewritten(body) ? { body: encoder.encode(body.text) } : {}),
    },
    answer: (head) => answerPlan(head, request.method, form, environment, masks),
    sample: (head, window) => sampleOf(head, window, form, record),
  };
}

/** What happens in a pod, asked with an upgrade. Without one the API server refuses it itself. */
function streamOf(
  request: ReceivedRequest,
  { info, question, masks, record }: Meaning,
  { streams }: KubernetesEnvironment,
  fields: readonly HeaderField[],
): AskedStream | GatewayFault | undefined {
  if (info?.kind !== 'resource' || !isStream(info) || request.upgrade === undefined) return undefined;
  return askedStream(info, question.acts[0]!.object, request, fields, { shown: masks, record }, streams);
}

function isRewritten(body: SentBody): body is SentObject {
  return body.kind !== 'none' && body.kind !== 'unseen' && body.isRewritten;
}

const encoder = new TextEncoder();
