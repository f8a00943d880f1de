import type { ObjectSchema } from './schema.ts';
import { types } from './types.ts';

/** One resource of the API, as discovery lists it. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  /** Plural: the path segment. */
  readonly name: string;
  readonly singular: string;
  readonly kind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  readonly schema: ObjectSchema;
  readonly subresources: readonly Subresource[];
  /** A custom resource: strategic merge patches are not for it. */
  readonly isCustom: boolean;
}

export interface Subresource {
  readonly name: string;
  /** Of what is sent and answered, where that is another kind. */
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

export function apiVersion({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === '' ? version : `${group}/${version}`;
}

export const everyVerb = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

const options = (name: string, kind: string): Subresource => ({ name, kind, group: '', version: 'v1', verbs: ['create', 'get'] });
const status = (kind: string, group: string): Subresource => ({
  name: 'status',
  kind,
  group,
  version: 'v1',
  verbs: ['get', 'patch', 'update'],
});
const scale: Subresource = { name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get', 'patch', 'update'] };

const podSubresources: readonly Subresource[] = [
  options('attach', 'PodAttachOptions'),
  { name: 'ephemeralcontainers', kind: 'Pod', group: '', version: 'v1', verbs: ['get', 'patch', 'update'] },
  { name: 'eviction', kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
  options('exec', 'PodExecOptions'),
  { name: 'log', kind: 'Pod', group: '', version: 'v1', verbs: ['get'] },
  options('portforward', 'PodPortForwardOptions'),
  {
    name: 'proxy',
    kind: 'PodProxyOptions',
    group: '',
    version: 'v1',
    verbs: ['create', 'delete', 'get', 'patch', 'update'],
  },
  status('Pod', ''),
];

const tokens: Subresource = { name: 'token', kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] };

function core(name: string, kind: string, schema: ObjectSchema, more: Partial<Resource> = {}): Resource {
  return resource('', name, kind, schema, more);
}

function resource(group: string, name: string, kind: string, schema: ObjectSchema, more: Partial<Resource> = {}): Resource {
  return {
    group,
    version: 'v1',
    name,
    singular: kind.toLowerCase(),
    kind,
    shortNames: [],
    categories: [],
    isNamespaced: true,
    schema,
    subresources: [],
    isCustom: false,
    ...more,
  };
}

const all = ['all'];
const rbac = 'rbac.authorization.k8s.io';

export const resources: readonly Resource[] = [
  core('configmaps', 'ConfigMap', types.configMap, { shortNames: ['cm'] }),
  core('events', 'Event', types.event, { shortNames: ['ev'] }),
  core('namespaces', 'Namespace', types.namespace, { shortNames: ['ns'], isNamespaced: false, subresources: [status('Namespace', '')] }),
  core('nodes', 'Node', types.node, { shortNames: ['no'], isNamespaced: false, subresources: [status('Node', '')] }),
  core('pods', 'Pod', types.pod, { shortNames: ['po'], categories: all, subresources: podSubresources }),
  core('secrets', 'Secret', types.secret),
  core('serviceaccounts', 'ServiceAccount', types.serviceAccount, { shortNames: ['sa'], subresources: [tokens] }),
  core('services', 'Service', types.service, { shortNames: ['svc'], categories: all, subresources: [status('Service', '')] }),
  resource('apps', 'deployments', 'Deployment', types.deployment, {
    shortNames: ['deploy'],
    categories: all,
    subresources: [scale, status('Deployment', 'apps')],
  }),
  resource('apps', 'replicasets', 'ReplicaSet', types.replicaSet, {
    shortNames: ['rs'],
    categories: all,
    subresources: [scale, status('ReplicaSet', 'apps')],
  }),
  resource(rbac, 'clusterrolebindings', 'ClusterRoleBinding', types.clusterRoleBinding, { isNamespaced: false }),
  resource(rbac, 'clusterroles', 'ClusterRole', types.clusterRole, { isNamespaced: false }),
  resource(rbac, 'rolebindings', 'RoleBinding', types.roleBinding),
  resource(rbac, 'roles', 'Role', types.role),
  resource('example.com', 'widgets', 'Widget', types.widget, { isCustom: true }),
];

/** Kinds that are answered and never kept. */
export interface Review {
  readonly group: string;
  readonly name: string;
  readonly kind: string;
  readonly isNamespaced: boolean;
}

export const reviews: readonly Review[] = [
  { group: 'authorization.k8s.io', name: 'selfsubjectaccessreviews', kind: 'SelfSubjectAccessReview', isNamespaced: false },
  { group: 'authorization.k8s.io', name: 'selfsubjectrulesreviews', kind: 'SelfSubjectRulesReview', isNamespaced: false },
  { group: 'authentication.k8s.io', name: 'selfsubjectreviews', kind: 'SelfSubjectReview', isNamespaced: false },
];

export const groups: readonly string[] = ['apps', 'authentication.k8s.io', 'authorization.k8s.io', rbac, 'example.com'];

export function findResource(group: string, version: string, name: string): Resource | undefined {
  return resources.find((one) => one.group === group && one.version === version && one.name === name);
}
