import { escapeLine } from '../../core/escape.ts';
import { GatewayFault } from '../../core/fault.ts';
import type { Act } from '../../core/operation.ts';
import type { ReceivedRequest, TargetAnswer } from '../request.ts';
import { pathAct, resourceActs } from './acts.ts';
import { sentBody, type SentBody } from './body.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { execOptions } from './exec-options.ts';
import { impersonation, needsPod, resourceFacts, type Question } from './facts.ts';
import { liveObject, needsLiveObject, type LiveObject } from './live-object.ts';
import { refusedForMasks } from './masked-write.ts';
import { masksOf, recordMasksOf, type KubernetesMasks, type ObjectPlace } from './masks.ts';
import { refusedForLive } from './overwrite.ts';
import { requestInfo, type RequestInfo, type ResourceRequest } from './request-info.ts';

/** What a request means: what policy is asked, what was sent, and of which object. */
export interface Meaning {
  readonly info: RequestInfo | undefined;
  readonly question: Question;
  readonly body: SentBody;
  readonly place: ObjectPlace;
  readonly pureRead: boolean;
  /** What the pod is that it goes into, where it goes into one. */
  readonly pod: unknown;
  readonly refusal: GatewayFault | undefined;
  /** For what stands in the object as it is. */
  readonly refusalIfPermitted: GatewayFault | undefined;
  readonly masks: KubernetesMasks;
  readonly record: KubernetesMasks;
}

/** `read`: the object as it is, where `readsKubernetes` has asked for it. */
export function meaningOf(request: ReceivedRequest, environment: KubernetesEnvironment, read: TargetAnswer | undefined): Meaning {
  const { target } = environment;
  const info = requestInfo(request.method, request.target);
  const base = { masks: masksOf(environment), record: recordMasksOf(environment) };
  const unread = {
    ...base,
    info: undefined,
    body: { kind: 'none' },
    place: nowhere,
    pureRead: false,
    pod: undefined,
    refusalIfPermitted: undefined,
  } as const;
  const {
    method,
    target: { decodedPath },
  } = request;
  const facts = { method, path: decodedPath };
  const unknown: Act = { action: 'kubernetes:other', object: { type: 'Path', id: `${target.name}${decodedPath}` } };
  if (info instanceof GatewayFault) return { ...unread, question: withReason(request, { acts: [unknown], facts }), refusal: info };
  if (info.kind === 'path') {
    const act = pathAct(target.name, info, method);
    return {
      ...unread,
      info,
      pureRead: act !== undefined,
      question: asSomebody(target.name, request, withReason(request, { acts: [act ?? unknown], facts })),
      refusal:
        act === undefined
          ? new GatewayFault('unclassified', { publicMessage: `${method} ${decodedPath} is no request of the Kubernetes API` })
          : impersonationRefused(request),
    };
  }
  return { ...base, ...resourceMeaning(info, request, environment, base.masks, liveObject(read)) };
}

function resourceMeaning(
  info: ResourceRequest,
  request: ReceivedRequest,
  { target }: KubernetesEnvironment,
  masks: KubernetesMasks,
  live: LiveObject,
): Omit<Meaning, 'masks' | 'record'> {
  const sent = sentBody(info, request.fields, request.body);
  const body: SentBody = sent instanceof GatewayFault ? { kind: 'unseen' } : sent;
  const created = info.verb === 'create' && info.name === '' ? createdName(body) : '';
  const { argv } = execOptions(request.target.parameters);
  const isApply = body.kind === 'object' && body.isApply;
  const acts = resourceActs(target.name, info, { name: created, isApply }, info.subresource === 'exec' ? argv : []);
  const place = placeOf(info, created);
  const pod = needsPod(info) && live.kind === 'read' ? live.value : undefined;
  const question = { acts, facts: resourceFacts(info, request.method, request.target, body, pod) };
  const pureRead = acts.every(({ action }) => READS.has(action));
  return {
    info,
    body,
    place,
    pureRead,
    pod,
    question: asSomebody(target.name, request, withReason(request, question)),
    refusal:
      (sent instanceof GatewayFault ? sent : undefined) ??
      // A pod that is not there is the API server's to report; with facts that are the worst until then.
      (needsPod(info) && live.kind === 'unknown' ? podUnknown() : undefined) ??
      (target.readOnly && !pureRead ? readOnly(acts) : undefined) ??
      impersonationRefused(request) ??
      refusedForMasks(masks, place, body, request.target.parameters),
    refusalIfPermitted: needsLiveObject(info, masks) ? refusedForLive(masks, place, body, live) : undefined,
  };
}

function podUnknown(): GatewayFault {
  return new GatewayFault('upstream-unavailable', {
    publicMessage: 'what the pod may do cannot be told, and so not what this would do in it',
    hint: 'The gateway’s own credential needs "get" on pods. Try again in a moment.',
  });
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

const nowhere: ObjectPlace = { group: undefined, resource: '', namespace: undefined, name: undefined };
const READS: ReadonlySet<string> = new Set([
  'kubernetes:get',
  'kubernetes:list',
  'kubernetes:watch',
  'kubernetes:logs',
  'kubernetes:discover',
  'kubernetes:review',
]);
const mostReasonCharacters = 256;
