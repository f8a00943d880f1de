import { escapeLine } from '../../core/escape.ts';
import { spelledOut } from '../http/head-names.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Act } from '../../core/operation.ts';
import { maskProse } from '../../masking/text.ts';
import type { AskedRequest, HeaderField, ReceivedRequest, TargetAnswer, TargetRead } from '../request.ts';
import { exactRequest } from '../http/operation.ts';
import { lengthPrefixed } from '../exact.ts';
import { isDiscovery, pathAct, resourceActs } from './acts.ts';
import { sentBody, type SentBody, type SentObject } from './body.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { execOptions } from './exec-options.ts';
import { impersonation, isStream, mapQuestion, needsPod, resourceFacts, type LivePod, type Question } from './facts.ts';
import { impersonatedFields } from './impersonate.ts';
import { answerPlan, type AnswerForm } from './mask.ts';
import { refusedForMasks } from './masked-write.ts';
import { masksOf, recordMasksOf, type KubernetesMasks, type ObjectPlace } from './masks.ts';
import { kubernetesOperation } from './operation.ts';
import { exactText, recordedText } from './record-text.ts';
import { requestInfo, type RequestInfo, type ResourceRequest } from './request-info.ts';
import { sampleOf } from './sample.ts';
import { askedStream, type AskedStream } from './streams/index.ts';

/** What has to be read of the cluster before it can be told what a request means: the pod that it goes into. */
export function readsKubernetes(request: ReceivedRequest, { target }: KubernetesEnvironment): readonly TargetRead[] {
  const info = requestInfo(request.method, request.target);
  if (info instanceof GatewayFault || info.kind !== 'resource' || !needsPod(info)) return [];
  const path = `/api/v1/namespaces/${encodeURIComponent(info.namespace)}/pods/${encodeURIComponent(info.name)}`;
  return [{ target: `${target.basePath}${path}`, fields: [{ name: 'accept', value: 'application/json' }] }];
}

/** What a request to the API server asks for, and what becomes of its answer. Pure. */
export function askKubernetes(request: ReceivedRequest, environment: KubernetesEnvironment, read: readonly TargetAnswer[]): AskedRequest {
  const meaning = meaningOf(request, environment, read[0]);
  const { masks, record, info, body, place } = meaning;
  const shown = (text: string): string => maskProse(record.classes, record.detectors, text);
  const recorded = mapQuestion(meaning.question, shown);
  const isTheSame = JSON.stringify(recorded) === JSON.stringify(meaning.question);
  const passed = impersonatedFields(environment.target.impersonate, environment.principal);
  const bound = boundRequest(request);
  const form = answerForm(request, info, place);
  const fields = [
    ...upstreamFields(request, form, masks, environment.target.credentialNames),
    ...(passed instanceof GatewayFault ? [] : passed),
  ];
  const stream = streamOf(request, meaning, environment, fields);
  const streamed = stream === undefined || stream instanceof GatewayFault ? undefined : stream;
  return {
    operation: (session) =>
      kubernetesOperation(session, {
        question: recorded,
        pureRead: meaning.pureRead,
        dataClasses: [...new Set(masks.rulesOf(place).flatMap(({ rule }) => rule?.class ?? []))],
        text: () => recordedText(record, place, bound, body, shown(summaryOf(request, info))),
        exactText: () => exactText(bound, body, summaryOf(request, info)),
        exact: () => (info?.kind === 'resource' && needsPod(info) ? exactStream(request, info, meaning, read) : exactRequest(bound)),
      }),
    unmasked: isTheSame ? undefined : meaning.question,
    refusal:
      meaning.refusal ?? (passed instanceof GatewayFault ? passed : undefined) ?? (stream instanceof GatewayFault ? stream : undefined),
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

interface Meaning {
  readonly info: RequestInfo | undefined;
  readonly question: Question;
  readonly body: SentBody;
  readonly place: ObjectPlace;
  readonly pureRead: boolean;
  readonly refusal: GatewayFault | undefined;
  readonly masks: KubernetesMasks;
  readonly record: KubernetesMasks;
}

function meaningOf(request: ReceivedRequest, environment: KubernetesEnvironment, pod: TargetAnswer | undefined): Meaning {
  const { target } = environment;
  const read = requestInfo(request.method, request.target);
  const base = { masks: masksOf(environment), record: recordMasksOf(environment) };
  const unread = { ...base, info: undefined, body: { kind: 'none' }, place: nowhere, pureRead: false } as const;
  const {
    method,
    target: { decodedPath },
  } = request;
  const facts = { method, path: decodedPath };
  const unknown: Act = { action: 'kubernetes:other', object: { type: 'Path', id: `${target.name}${decodedPath}` } };
  if (read instanceof GatewayFault) return { ...unread, question: withReason(request, { acts: [unknown], facts }), refusal: read };
  if (read.kind === 'path') {
    const act = pathAct(target.name, read, method);
    return {
      ...unread,
      info: read,
      pureRead: act !== undefined,
      question: asSomebody(target.name, request, withReason(request, { acts: [act ?? unknown], facts })),
      refusal:
        act === undefined
          ? new GatewayFault('unclassified', { publicMessage: `${method} ${decodedPath} is no request of the Kubernetes API` })
          : impersonationRefused(request),
    };
  }
  return { ...base, ...resourceMeaning(read, request, environment, base.masks, pod) };
}

function resourceMeaning(
  info: ResourceRequest,
  request: ReceivedRequest,
  { target }: KubernetesEnvironment,
  masks: KubernetesMasks,
  read: TargetAnswer | undefined,
): Omit<Meaning, 'masks' | 'record'> {
  const sent = sentBody(info, request.fields, request.body);
  const body: SentBody = sent instanceof GatewayFault ? { kind: 'unseen' } : sent;
  const created = info.verb === 'create' && info.name === '' ? createdName(body) : '';
  const { argv } = execOptions(request.target.parameters);
  const isApply = body.kind === 'object' && body.isApply;
  const acts = resourceActs(target.name, info, { name: created, isApply }, info.subresource === 'exec' ? argv : []);
  const place = placeOf(info, created);
  const pod = read?.status === 200 ? livePod(read.body) : undefined;
  const question = { acts, facts: resourceFacts(info, request.method, request.target, body, pod) };
  const pureRead = acts.every(({ action }) => READS.has(action));
  return {
    info,
    body,
    place,
    pureRead,
    question: asSomebody(target.name, request, withReason(request, question)),
    refusal:
      (sent instanceof GatewayFault ? sent : undefined) ??
      // A pod that is not there is the API server's to report; with facts that are the worst until then.
      (needsPod(info) && pod === undefined && read?.status !== 404 ? podUnknown() : undefined) ??
      (target.readOnly && !pureRead ? readOnly(acts) : undefined) ??
      impersonationRefused(request) ??
      refusedForMasks(masks, place, body, request.target.parameters),
  };
}

function livePod(body: Uint8Array): LivePod {
  try {
    return JSON.parse(decoder.decode(body)) as LivePod;
  } catch {
    return undefined;
  }
}

function podUnknown(): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'what the pod may do cannot be told, and so not what this would do in it',
    hint: 'The gateway’s own credential needs "get" on pods. Try again in a moment.',
  });
}

function isRewritten(body: SentBody): body is SentObject {
  return body.kind !== 'none' && body.kind !== 'unseen' && body.isRewritten;
}

/** The object that a request is about. A list is of many: each says its own name. */
function placeOf({ group, resource, namespace, name, verb }: ResourceRequest, created: string): ObjectPlace {
  const isOne = name !== '' && verb !== 'list' && verb !== 'watch' && verb !== 'deletecollection';
  return {
    group,
    resource,
    namespace: namespace === '' && !isOne ? undefined : namespace,
    name: isOne ? name : created === '' ? undefined : created,
  };
}

function createdName(body: SentBody): string {
  const metadata = body.kind === 'object' ? (body.value as { metadata?: { name?: unknown } } | null)?.metadata : undefined;
  return typeof metadata?.name === 'string' ? metadata.name : '';
}

/** Who asks to be somebody else is asked about that too, and refused: the gateway alone says who is asking. */
function asSomebody(target: string, { fields }: ReceivedRequest, question: Question): Question {
  const asked = impersonation(fields);
  if (asked === undefined) return question;
  const { user, groups } = asked;
  const roles = [`user:${user}`, ...groups.map((group) => `group:${group}`)];
  return {
    acts: [
      ...question.acts,
      ...roles.map((role): Act => ({ action: 'kubernetes:impersonate', object: { type: 'Role', id: `${target}/${role}` } })),
    ],
    facts: { ...question.facts, impersonated_user: user, ...(groups.length === 0 ? {} : { impersonated_groups: groups }) },
  };
}

function impersonationRefused({ fields }: ReceivedRequest): GatewayFault | undefined {
  if (impersonation(fields) === undefined) return undefined;
  return new GatewayFault('policy-denied', {
    publicMessage: 'the gateway passes on no impersonation (--as, --as-group): it alone tells the cluster who is asking',
    hint: 'Leave it out.',
  });
}

function readOnly(acts: readonly Act[]): GatewayFault {
  return new GatewayFault('read-only', { publicMessage: `this target is for reading only, and ${acts[0]!.action} is more than that` });
}

function withReason({ fields }: ReceivedRequest, question: Question): Question {
  const stated = fields.find(({ name }) => name === 'sallyport-reason')?.value.trim() ?? '';
  if (stated === '') return question;
  return { ...question, facts: { ...question.facts, reason: escapeLine(stated.slice(0, mostReasonCharacters)) } };
}

/** What an approval binds: what the API server acts by. kubectl sends identifiers of one try besides. */
function boundRequest(request: ReceivedRequest): ReceivedRequest {
  return { ...request, forwardable: request.forwardable.filter(({ name }) => name === 'content-type') };
}

/**
 * What an approval of something in a pod binds: the pod as it was found, and what is asked of it. Not by which of the two upgrades: kubectl tries the other one
 * when the first is refused.
 */
function exactStream(
  request: ReceivedRequest,
  info: ResourceRequest,
  { question, body }: Meaning,
  read: readonly TargetAnswer[],
): Uint8Array {
  const pod = read[0]?.status === 200 ? (livePod(read[0].body) as { metadata?: { uid?: unknown } } | undefined) : undefined;
  const options = execOptions(request.target.parameters);
  const facts = Object.entries(question.facts).filter(([name]) => !OF_THE_METHOD.has(name));
  return lengthPrefixed([
    'kubernetes 1',
    info.subresource,
    info.namespace,
    info.name,
    JSON.stringify(pod?.metadata?.uid ?? ''),
    JSON.stringify(options),
    JSON.stringify(facts),
    body.kind === 'none' || body.kind === 'unseen' ? '' : body.text,
  ]);
}

/** What happens in a pod is said in words: the query is hard to read. */
function summaryOf({ target: { parameters } }: ReceivedRequest, info: RequestInfo | undefined): string {
  if (info?.kind !== 'resource' || !isStream(info)) return '';
  const { container, argv, tty, stdin, ports } = execOptions(parameters);
  const where = `${info.namespace}/${info.name}${container === '' ? '' : `, container ${container}`}`;
  const terminal = tty ? ', with a terminal' : stdin ? ', with input' : '';
  const what = argv.length > 0 ? `: ${argv.map(quoted).join(' ')}` : ports.length > 0 ? `: ports ${ports.join(', ')}` : '';
  return escapeLine(`${info.subresource} in ${where}${terminal}${what}`);
}

/** So that each word is seen as one. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function answerForm({ fields }: ReceivedRequest, info: RequestInfo | undefined, place: ObjectPlace): AnswerForm {
  if (info === undefined) return { kind: 'proxied' };
  if (info.kind === 'path') return isDiscovery(info.path) ? { kind: 'open' } : { kind: 'lines' };
  if (info.subresource === 'proxy') return { kind: 'proxied' };
  if (info.subresource === 'log') return { kind: 'lines' };
  if (info.subresource === 'token') return { kind: 'open' };
  const shape = info.verb === 'watch' ? 'events' : info.verb === 'list' ? 'elements' : 'one';
  return { kind: 'objects', shape, place, asYaml: wantsYaml(fields) };
}

function wantsYaml(fields: readonly HeaderField[]): boolean {
  const accepted = acceptedTypes(fields);
  return (
    accepted.some((type) => /^application\/yaml\b/i.test(type)) && !accepted.some((type) => /^(?:application\/json|\*\/\*)/i.test(type))
  );
}

function acceptedTypes(fields: readonly HeaderField[]): readonly string[] {
  return fields.filter(({ name }) => name === 'accept').flatMap(({ value }) => value.split(',').map((type) => type.trim()));
}

function upstreamTarget(basePath: string, { target: { path, query } }: ReceivedRequest): string {
  return `${basePath}${path}${query === undefined ? '' : `?${query}`}`;
}

/** Where something is hidden, objects are asked for in JSON, whole and in no coding. */
function upstreamFields(
  { forwardable, fields }: ReceivedRequest,
  form: AnswerForm,
  masks: KubernetesMasks,
  credentialNames: readonly string[],
): readonly HeaderField[] {
  const hides = masks.hides && form.kind !== 'open';
  const negotiates = hides && form.kind === 'objects';
  const passed = forwardable.filter(
    ({ name }) =>
      name !== 'cookie' &&
      !credentialNames.some((own) => spelledOut(own) === spelledOut(name)) &&
      !(hides && PARTIAL.has(name)) &&
      !(negotiates && name === 'accept'),
  );
  if (!hides) return passed;
  const json = acceptedTypes(fields).filter((type) => /^application\/json(?:\s*;|$)/i.test(type));
  return [
    ...passed,
    { name: 'accept-encoding', value: 'identity' },
    ...(negotiates ? [{ name: 'accept', value: json.length === 0 ? 'application/json' : json.join(', ') }] : []),
  ];
}

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
const nowhere: ObjectPlace = { group: undefined, resource: '', namespace: undefined, name: undefined };
const OF_THE_METHOD: ReadonlySet<string> = new Set(['method', 'verb', 'query_parameters', 'reason']);
const READS: ReadonlySet<string> = new Set([
  'kubernetes:get',
  'kubernetes:list',
  'kubernetes:watch',
  'kubernetes:logs',
  'kubernetes:discover',
  'kubernetes:review',
]);
const PARTIAL: ReadonlySet<string> = new Set([
  'range',
  'if-range',
  'accept-encoding',
  'if-none-match',
  'if-match',
  'if-modified-since',
  'if-unmodified-since',
]);
const mostReasonCharacters = 256;
