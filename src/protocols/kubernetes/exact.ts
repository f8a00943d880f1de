import { boundParts } from '../http/operation.ts';
import { lengthPrefixed } from '../exact.ts';
import type { ReceivedRequest } from '../request.ts';
import { isStream, needsPod, type Question } from './facts.ts';
import type { RequestInfo } from './request-info.ts';

/** A request as its approval binds it: of its fields those that the API server acts by. kubectl sends identifiers of one try besides. */
export function boundRequest(request: ReceivedRequest): ReceivedRequest {
  return { ...request, forwardable: request.forwardable.filter(({ name }) => name === 'content-type') };
}

/**
 * What an approval binds: the request byte by byte as it goes on (path, query) and as it came (body), however it is read or shown. Of what goes into a pod also the pod as it was
 * found. A stream is not bound to one of the two upgrades: kubectl tries the other one, of the same path and query, where the first is refused.
 */
export function boundKubernetes(
  request: ReceivedRequest,
  info: RequestInfo | undefined,
  pod: unknown,
  { facts }: Question,
): readonly (string | Uint8Array)[] {
  const bound = boundRequest(request);
  if (info?.kind !== 'resource' || !needsPod(info)) return boundParts(bound);
  const asked = isStream(info) ? { ...bound, method: 'STREAM', upgrade: undefined, forwardable: [] } : bound;
  const found = Object.entries(facts).filter(([name]) => !OF_ONE_TRY.has(name));
  const { uid } = ((pod ?? {}) as { readonly metadata?: { readonly uid?: unknown } }).metadata ?? {};
  return ['kubernetes 2', lengthPrefixed(boundParts(asked)), JSON.stringify(uid ?? ''), JSON.stringify(found)];
}

const OF_ONE_TRY: ReadonlySet<string> = new Set(['method', 'verb', 'reason']);
