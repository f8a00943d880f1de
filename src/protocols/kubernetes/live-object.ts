import type { TargetAnswer, TargetRead } from '../request.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { needsPod } from './facts.ts';
import { impersonatedFields } from './impersonate.ts';
import type { KubernetesMasks } from './masks.ts';
import type { ResourceRequest } from './request-info.ts';
import { GatewayFault } from '../../core/fault.ts';

/** An object as it is in the cluster, read before a request about it is decided. */
export type LiveObject =
  /** It could not be read. */
  | { readonly kind: 'unknown' }
  /** There is none of that name. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'read'; readonly text: string; readonly value: unknown };

/** What is written in place of something that is there, where part of it may be hidden from who writes. */
export function needsLiveObject({ verb, name, subresource }: ResourceRequest, masks: KubernetesMasks): boolean {
  return masks.hides && (verb === 'update' || verb === 'patch') && name !== '' && subresource !== 'proxy';
}

/**
 * The look-up of an object. A pod that something goes into is read as the gateway itself, whose account may (docs/guide/kubernetes.md); whatever else as the principal,
 * where the cluster knows it.
 */
export function objectRead(info: ResourceRequest, { target, principal }: KubernetesEnvironment): TargetRead {
  const { group, version, namespace, resource, name } = info;
  const isNamespace = group === '' && resource === 'namespaces';
  const path = [
    ...(group === '' ? ['api'] : ['apis', group]),
    version,
    ...(namespace === '' || isNamespace ? [] : ['namespaces', namespace]),
    resource,
    name,
  ];
  const passed = needsPod(info) ? [] : impersonatedFields(target.impersonate, principal);
  return {
    target: `${target.basePath}/${path.map(encodeURIComponent).join('/')}`,
    fields: [{ name: 'accept', value: 'application/json' }, ...(passed instanceof GatewayFault ? [] : passed)],
  };
}

export function liveObject(answer: TargetAnswer | undefined): LiveObject {
  if (answer?.status === 404) return { kind: 'missing' };
  if (answer?.status !== 200) return { kind: 'unknown' };
  try {
    const text = decoder.decode(answer.body);
    return { kind: 'read', text, value: JSON.parse(text) };
  } catch {
    return { kind: 'unknown' };
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
