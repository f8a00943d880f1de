import {
  any,
  atomic,
  boolean,
  bytes,
  integer,
  intOrString,
  list,
  listBy,
  map,
  object,
  quantity,
  setOf,
  string,
  strings,
  time,
  type ObjectSchema,
  type Schema,
} from './schema.ts';

/** The fields of the kinds that this server has, as the API reference lists them; those that no client here uses are left out. */

const ownerReference = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference',
  'OwnerReference contains enough information to let you identify an owning object.',
  { apiVersion: string, kind: string, name: string, uid: string, controller: boolean, blockOwnerDeletion: boolean },
  ['apiVersion', 'kind', 'name', 'uid'],
);

const managedFields = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry',
  'ManagedFieldsEntry is a workflow-id, a FieldSet and the group version of the resource that the fieldset applies to.',
  { manager: string, operation: string, apiVersion: string, time, fieldsType: string, fieldsV1: any, subresource: string },
);

const objectMeta = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
  'ObjectMeta is metadata that all persisted resources must have, which includes all objects users must create.',
  {
    name: string,
    generateName: string,
    namespace: string,
    selfLink: string,
    uid: string,
    resourceVersion: string,
    generation: integer,
    creationTimestamp: time,
    deletionTimestamp: time,
    deletionGracePeriodSeconds: integer,
    labels: map(string),
    annotations: map(string),
    ownerReferences: listBy(ownerReference, 'uid'),
    finalizers: setOf(string),
    managedFields: list(managedFields),
  },
);

const labelSelector = atomic(
  object('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', 'A label selector is a label query over a set of resources.', {
    matchLabels: map(string),
    matchExpressions: list(
      object('io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement', 'A label selector requirement.', {
        key: string,
        operator: string,
        values: strings,
      }),
    ),
  }),
);

const envVar = object(
  'io.k8s.api.core.v1.EnvVar',
  'EnvVar represents an environment variable present in a Container.',
  { name: string, value: string, valueFrom: any },
  ['name'],
);

const containerPort = object(
  'io.k8s.api.core.v1.ContainerPort',
  'ContainerPort represents a network port in a single container.',
  { name: string, containerPort: integer, hostPort: integer, hostIP: string, protocol: string },
  ['containerPort'],
);

const securityContext = object('io.k8s.api.core.v1.SecurityContext', 'SecurityContext holds security configuration for a container.', {
  privileged: boolean,
  runAsUser: integer,
  runAsGroup: integer,
  runAsNonRoot: boolean,
  allowPrivilegeEscalation: boolean,
  readOnlyRootFilesystem: boolean,
  capabilities: object('io.k8s.api.core.v1.Capabilities', 'Adds and removes POSIX capabilities from running containers.', {
    add: strings,
    drop: strings,
  }),
  seccompProfile: any,
  seLinuxOptions: any,
  procMount: string,
});

const resources = object('io.k8s.api.core.v1.ResourceRequirements', 'ResourceRequirements describes the compute resource requirements.', {
  limits: map(quantity),
  requests: map(quantity),
  claims: list(any),
});

const volumeMount = object(
  'io.k8s.api.core.v1.VolumeMount',
  'VolumeMount describes a mounting of a Volume within a container.',
  { name: string, mountPath: string, readOnly: boolean, subPath: string, recursiveReadOnly: string },
  ['name', 'mountPath'],
);

const containerFields = {
  name: string,
  image: string,
  command: strings,
  args: strings,
  workingDir: string,
  env: listBy(envVar, 'name'),
  envFrom: list(any),
  ports: listBy(containerPort, 'containerPort', ['containerPort', 'protocol']),
  resources,
  volumeMounts: listBy(volumeMount, 'mountPath'),
  livenessProbe: any,
  readinessProbe: any,
  startupProbe: any,
  lifecycle: any,
  terminationMessagePath: string,
  terminationMessagePolicy: string,
  imagePullPolicy: string,
  securityContext,
  stdin: boolean,
  stdinOnce: boolean,
  tty: boolean,
} satisfies Record<string, Schema>;

const container = object(
  'io.k8s.api.core.v1.Container',
  'A single application container that you want to run within a pod.',
  containerFields,
  ['name'],
);

const ephemeralContainer = object(
  'io.k8s.api.core.v1.EphemeralContainer',
  'An EphemeralContainer is a temporary container that you may add to an existing Pod for user-initiated activities such as debugging.',
  { ...containerFields, targetContainerName: string },
  ['name'],
);

const volume = object(
  'io.k8s.api.core.v1.Volume',
  'Volume represents a named volume in a pod that may be accessed by any container in the pod.',
  {
    name: string,
    emptyDir: any,
    hostPath: object(
      'io.k8s.api.core.v1.HostPathVolumeSource',
      'Represents a host path mapped into a pod.',
      { path: string, type: string },
      ['path'],
    ),
    configMap: any,
    secret: any,
    projected: any,
    persistentVolumeClaim: any,
    downwardAPI: any,
  },
  ['name'],
);

const podSpec = object(
  'io.k8s.api.core.v1.PodSpec',
  'PodSpec is a description of a pod.',
  {
    containers: listBy(container, 'name'),
    initContainers: listBy(container, 'name'),
    ephemeralContainers: listBy(ephemeralContainer, 'name'),
    volumes: listBy(volume, 'name'),
    restartPolicy: string,
    terminationGracePeriodSeconds: integer,
    activeDeadlineSeconds: integer,
    dnsPolicy: string,
    nodeSelector: map(string),
    serviceAccountName: string,
    serviceAccount: string,
    automountServiceAccountToken: boolean,
    nodeName: string,
    hostNetwork: boolean,
    hostPID: boolean,
    hostIPC: boolean,
    hostUsers: boolean,
    shareProcessNamespace: boolean,
    securityContext: any,
    imagePullSecrets: listBy(any, 'name'),
    hostname: string,
    subdomain: string,
    affinity: any,
    schedulerName: string,
    tolerations: list(any),
    priorityClassName: string,
    priority: integer,
    enableServiceLinks: boolean,
    preemptionPolicy: string,
    topologySpreadConstraints: list(any),
  },
  ['containers'],
);

const podTemplate = object(
  'io.k8s.api.core.v1.PodTemplateSpec',
  'PodTemplateSpec describes the data a pod should have when created from a template',
  {
    metadata: objectMeta,
    spec: podSpec,
  },
);

const workload = { replicas: integer, selector: labelSelector, template: podTemplate, minReadySeconds: integer };

const typed = { apiVersion: string, kind: string, metadata: objectMeta };

function kind(name: string, about: string, fields: Readonly<Record<string, Schema>>, required: readonly string[] = []): ObjectSchema {
  return object(name, about, { ...typed, ...fields }, required);
}

export const types = {
  namespace: kind('io.k8s.api.core.v1.Namespace', 'Namespace provides a scope for Names.', {
    spec: object('io.k8s.api.core.v1.NamespaceSpec', 'NamespaceSpec describes the attributes on a Namespace.', { finalizers: strings }),
    status: any,
  }),
  node: kind('io.k8s.api.core.v1.Node', 'Node is a worker node in Kubernetes.', { spec: any, status: any }),
  pod: kind(
    'io.k8s.api.core.v1.Pod',
    'Pod is a collection of containers that can run on a host. This resource is created by clients and scheduled onto hosts.',
    { spec: podSpec, status: any },
  ),
  configMap: kind('io.k8s.api.core.v1.ConfigMap', 'ConfigMap holds configuration data for pods to consume.', {
    data: map(string),
    binaryData: map(bytes),
    immutable: boolean,
  }),
  secret: kind('io.k8s.api.core.v1.Secret', 'Secret holds secret data of a certain type.', {
    data: map(bytes),
    stringData: map(string),
    type: string,
    immutable: boolean,
  }),
  service: kind('io.k8s.api.core.v1.Service', 'Service is a named abstraction of software service (for example, mysql).', {
    spec: object('io.k8s.api.core.v1.ServiceSpec', 'ServiceSpec describes the attributes that a user creates on a service.', {
      ports: listBy(
        object('io.k8s.api.core.v1.ServicePort', "ServicePort contains information on service's port.", {
          name: string,
          port: integer,
          targetPort: intOrString,
          nodePort: integer,
          protocol: string,
          appProtocol: string,
        }),
        'port',
        ['port', 'protocol'],
      ),
      selector: map(string),
      clusterIP: string,
      clusterIPs: strings,
      type: string,
      sessionAffinity: string,
      externalName: string,
      ipFamilies: strings,
      ipFamilyPolicy: string,
      internalTrafficPolicy: string,
    }),
    status: any,
  }),
  serviceAccount: kind('io.k8s.api.core.v1.ServiceAccount', 'ServiceAccount binds together: a name, a principal and a set of secrets.', {
    secrets: listBy(any, 'name'),
    imagePullSecrets: list(any),
    automountServiceAccountToken: boolean,
  }),
  event: kind('io.k8s.api.core.v1.Event', 'Event is a report of an event somewhere in the cluster.', {
    involvedObject: any,
    reason: string,
    message: string,
    source: any,
    firstTimestamp: time,
    lastTimestamp: time,
    eventTime: time,
    count: integer,
    type: string,
    action: string,
    reportingComponent: string,
    reportingInstance: string,
  }),
  deployment: kind('io.k8s.api.apps.v1.Deployment', 'Deployment enables declarative updates for Pods and ReplicaSets.', {
    spec: object(
      'io.k8s.api.apps.v1.DeploymentSpec',
      'DeploymentSpec is the specification of the desired behavior of the Deployment.',
      { ...workload, strategy: any, revisionHistoryLimit: integer, paused: boolean, progressDeadlineSeconds: integer },
      ['selector', 'template'],
    ),
    status: any,
  }),
  replicaSet: kind(
    'io.k8s.api.apps.v1.ReplicaSet',
    'ReplicaSet ensures that a specified number of pod replicas are running at any given time.',
    {
      spec: object('io.k8s.api.apps.v1.ReplicaSetSpec', 'ReplicaSetSpec is the specification of a ReplicaSet.', workload, ['selector']),
      status: any,
    },
  ),
  role: kind('io.k8s.api.rbac.v1.Role', 'Role is a namespaced, logical grouping of PolicyRules.', { rules: list(any) }),
  clusterRole: kind('io.k8s.api.rbac.v1.ClusterRole', 'ClusterRole is a cluster level, logical grouping of PolicyRules.', {
    rules: list(any),
    aggregationRule: any,
  }),
  roleBinding: kind('io.k8s.api.rbac.v1.RoleBinding', 'RoleBinding references a role, but does not contain it.', {
    subjects: list(any),
    roleRef: any,
  }),
  clusterRoleBinding: kind('io.k8s.api.rbac.v1.ClusterRoleBinding', 'ClusterRoleBinding references a ClusterRole, but not contain it.', {
    subjects: list(any),
    roleRef: any,
  }),
  widget: kind('com.example.v1.Widget', 'Widget is a custom resource.', { spec: any, status: any }),
} satisfies Record<string, ObjectSchema>;
