import type { Act, ActionName, ObjectRef } from '../../core/operation.ts';
import { groupResource, type PathRequest, type ResourceRequest } from './request-info.ts';

/** What a body says of a request beyond its path. */
export interface BodyPart {
  /** `metadata.name` of what is created. */
  readonly name: string;
  /** A patch of server-side apply. */
  readonly isApply: boolean;
}

/**
 * The acts of a request about a resource. Object ids are paths: `aks/prod/pods/web-1` in `aks/prod/pods` in `aks/prod` in `aks`; other groups than the core
 * `aks/prod/deployments.apps/web`; `aks/-/nodes/n1` belongs to no namespace; `aks/…/pods` with `*` for the namespace is what lies over all of them.
 */
export function resourceActs(target: string, info: ResourceRequest, body: BodyPart, argv: readonly string[]): readonly Act[] {
  const object = resourceObject(target, info, body.name);
  const acts: Act[] = [{ action: actionOf(info, body), object }];
  if (info.subresource === 'exec' && isCopy(argv)) acts.push({ action: 'kubernetes:copy', object });
  return acts;
}

/** The act of a request about a path. Undefined: nothing that is known. */
export function pathAct(target: string, { path }: PathRequest, method: string): Act | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  return { action: isDiscovery(path) ? 'kubernetes:discover' : 'kubernetes:get', object: { type: 'Path', id: `${target}${path}` } };
}

/** Says what there is, not what is in it: the same for everybody who may use the cluster. */
export function isDiscovery(path: string): boolean {
  return DISCOVERY.test(path);
}

/** `kubectl cp`: tar in exactly the forms in which kubectl writes it (k8s.io/kubectl `pkg/cmd/cp`). Of its other forms each is an exec like any other. */
export function isCopy(argv: readonly string[]): boolean {
  const [program, ...words] = argv;
  if (program !== 'tar') return false;
  const [options, archive, ...more] = words;
  if (archive !== '-') return false;
  if (options === 'cf') return more.length === 1 && !more[0]!.startsWith('-');
  const flags = options === '-xmf' ? more : undefined;
  if (flags === undefined) return false;
  return flags.length === 0 || (flags.length === 2 && flags[0] === '-C' && !flags[1]!.startsWith('-'));
}

/** A name in the path of `proxy`: `https:web-1:8443` (`SplitSchemeNamePort` of k8s.io/apimachinery). */
export function proxiedName(name: string): { readonly name: string; readonly port: string } {
  const parts = name.split(':');
  if (parts.length === 1) return { name, port: '' };
  if (parts.length === 2) return { name: parts[0]!, port: parts[1]! };
  return { name: parts[1] ?? '', port: parts[2] ?? '' };
}

function resourceObject(target: string, info: ResourceRequest, created: string): ObjectRef {
  const name = info.subresource === 'proxy' ? proxiedName(info.name).name : info.name || created;
  if (info.group === '' && info.resource === 'namespaces' && name !== '') return { type: 'Namespace', id: `${target}/${name}` };
  const isOverAll =
    info.namespace === '' && name === '' && (info.verb === 'list' || info.verb === 'watch' || info.verb === 'deletecollection');
  const namespace = info.namespace || (isOverAll ? '*' : '-');
  const parents: readonly ObjectRef[] = info.namespace === '' ? [] : [{ type: 'Namespace', id: `${target}/${info.namespace}` }];
  const collection: ObjectRef = { type: 'Resource', id: `${target}/${namespace}/${groupResource(info)}`, parents };
  return name === '' ? collection : { type: 'Resource', id: `${collection.id}/${name}`, parents: [collection] };
}

function actionOf(info: ResourceRequest, body: BodyPart): ActionName {
  const { verb, subresource } = info;
  const special = subresource === '' ? ofWrites(info) : ofSubresources(info);
  if (special !== undefined) return special;
  if (verb === 'patch' && body.isApply) return 'kubernetes:apply';
  return verb === 'deletecollection' ? 'kubernetes:delete-collection' : `kubernetes:${verb}`;
}

/** Undefined: its verb says it. Whatever the method is: streams and proxies are never a read. */
function ofSubresources(info: ResourceRequest): ActionName | undefined {
  const { verb, subresource } = info;
  const isRead = verb === 'get' || verb === 'list' || verb === 'watch';
  const kind = groupResource(info);
  switch (`${kind}/${subresource}`) {
    case 'pods/exec':
      return 'kubernetes:exec';
    case 'pods/attach':
      return 'kubernetes:attach';
    case 'pods/portforward':
      return 'kubernetes:port-forward';
    case 'pods/proxy':
    case 'services/proxy':
      return 'kubernetes:proxy';
    case 'nodes/proxy':
      return 'kubernetes:node-proxy';
    case 'pods/log':
      return isRead ? 'kubernetes:logs' : 'kubernetes:other';
    case 'pods/ephemeralcontainers':
      return isRead ? undefined : 'kubernetes:debug';
    case 'pods/eviction':
      return isRead ? undefined : 'kubernetes:evict';
    case 'pods/binding':
      return isRead ? undefined : 'kubernetes:schedule';
    case 'pods/resize':
      return isRead ? undefined : 'kubernetes:resize';
    case 'serviceaccounts/token':
      return 'kubernetes:create-token';
    case 'certificatesigningrequests.certificates.k8s.io/approval':
      return isRead ? undefined : 'kubernetes:approve';
    case 'certificatesigningrequests.certificates.k8s.io/status':
      return isRead ? undefined : 'kubernetes:sign';
  }
  if (subresource === 'scale') return isRead ? undefined : 'kubernetes:scale';
  if (subresource === 'status') return isRead ? undefined : ofWrites(info);
  if (kind === 'namespaces' && subresource === 'finalize') return undefined;
  return 'kubernetes:other';
}

/** What some resources are for is more than their verb says. */
function ofWrites(info: ResourceRequest): ActionName | undefined {
  const { verb } = info;
  if (verb === 'get' || verb === 'list' || verb === 'watch') return undefined;
  const kind = groupResource(info);
  if (verb === 'create' && REVIEWS.has(kind)) return 'kubernetes:review';
  if (kind === 'bindings') return 'kubernetes:schedule';
  if (kind === 'customresourcedefinitions.apiextensions.k8s.io') return 'kubernetes:define';
  if (ROLES.has(kind)) return 'kubernetes:escalate';
  if (BINDINGS.has(kind)) return 'kubernetes:bind';
  return info.group === 'admissionregistration.k8s.io' || info.group === 'apiregistration.k8s.io' ? 'kubernetes:extend' : undefined;
}

/** About oneself. What asks about others is a `create`. */
const REVIEWS: ReadonlySet<string> = new Set([
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
]);
const ROLES: ReadonlySet<string> = new Set(['roles.rbac.authorization.k8s.io', 'clusterroles.rbac.authorization.k8s.io']);
const BINDINGS: ReadonlySet<string> = new Set(['rolebindings.rbac.authorization.k8s.io', 'clusterrolebindings.rbac.authorization.k8s.io']);
const DISCOVERY =
  /^\/(?:|api(?:\/[^/]+)?|apis(?:\/[^/]+){0,2}|version|openapi\/v2|openapi\/v3(?:\/.*)?|healthz(?:\/.*)?|livez(?:\/.*)?|readyz(?:\/.*)?|\.well-known\/openid-configuration|openid\/v1\/jwks)$/;
