/**
 * Protobuf messages of the kinds that clients send and take so: field numbers from `k8s.io/api/…/generated.proto` and
 * `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`. Fields that nothing here uses are left out.
 */
export type FieldType =
  | 'string'
  | 'integer'
  | 'boolean'
  | 'bytes'
  /** `metav1.Time` and `Quantity`, which are text in JSON. */
  | 'time'
  | 'quantity'
  | 'int-or-string'
  /** `FieldsV1` and the like: JSON inside. */
  | 'json'
  | MessageType
  | { readonly map: FieldType }
  | { readonly list: FieldType };

/** By field number: name in JSON, and type. */
export interface MessageType {
  readonly message: Readonly<Record<number, readonly [string, FieldType]>>;
}

function message(fields: MessageType['message']): MessageType {
  return { message: fields };
}

const list = (of: FieldType): FieldType => ({ list: of });
const map = (of: FieldType): FieldType => ({ map: of });
const strings = list('string');

const ownerReference = message({
  1: ['kind', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['controller', 'boolean'],
  7: ['blockOwnerDeletion', 'boolean'],
});

const managedFields = message({
  1: ['manager', 'string'],
  2: ['operation', 'string'],
  3: ['apiVersion', 'string'],
  4: ['time', 'time'],
  6: ['fieldsType', 'string'],
  7: ['fieldsV1', 'json'],
  8: ['subresource', 'string'],
});

const objectMeta = message({
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  4: ['selfLink', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'integer'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'integer'],
  11: ['labels', map('string')],
  12: ['annotations', map('string')],
  13: ['ownerReferences', list(ownerReference)],
  14: ['finalizers', strings],
  17: ['managedFields', list(managedFields)],
});

export const listMeta = message({
  1: ['selfLink', 'string'],
  2: ['resourceVersion', 'string'],
  3: ['continue', 'string'],
  4: ['remainingItemCount', 'integer'],
});

const labelSelector = message({
  1: ['matchLabels', map('string')],
  2: ['matchExpressions', list(message({ 1: ['key', 'string'], 2: ['operator', 'string'], 3: ['values', strings] }))],
});

const containerPort = message({
  1: ['name', 'string'],
  2: ['hostPort', 'integer'],
  3: ['containerPort', 'integer'],
  4: ['protocol', 'string'],
  5: ['hostIP', 'string'],
});

const container = message({
  1: ['name', 'string'],
  2: ['image', 'string'],
  3: ['command', strings],
  4: ['args', strings],
  5: ['workingDir', 'string'],
  6: ['ports', list(containerPort)],
  7: ['env', list(message({ 1: ['name', 'string'], 2: ['value', 'string'] }))],
  8: ['resources', message({ 1: ['limits', map('quantity')], 2: ['requests', map('quantity')] })],
  13: ['terminationMessagePath', 'string'],
  14: ['imagePullPolicy', 'string'],
  15: [
    'securityContext',
    message({
      1: ['capabilities', message({ 1: ['add', strings], 2: ['drop', strings] })],
      2: ['privileged', 'boolean'],
      4: ['runAsUser', 'integer'],
      5: ['runAsNonRoot', 'boolean'],
      6: ['readOnlyRootFilesystem', 'boolean'],
      7: ['allowPrivilegeEscalation', 'boolean'],
      8: ['runAsGroup', 'integer'],
    }),
  ],
  16: ['stdin', 'boolean'],
  17: ['stdinOnce', 'boolean'],
  18: ['tty', 'boolean'],
  20: ['terminationMessagePolicy', 'string'],
});

const ephemeralContainer = message({ 1: ['ephemeralContainerCommon', container], 2: ['targetContainerName', 'string'] });

const podSpec = message({
  2: ['containers', list(container)],
  3: ['restartPolicy', 'string'],
  4: ['terminationGracePeriodSeconds', 'integer'],
  6: ['dnsPolicy', 'string'],
  7: ['nodeSelector', map('string')],
  8: ['serviceAccountName', 'string'],
  9: ['serviceAccount', 'string'],
  10: ['nodeName', 'string'],
  11: ['hostNetwork', 'boolean'],
  12: ['hostPID', 'boolean'],
  13: ['hostIPC', 'boolean'],
  14: ['securityContext', message({})],
  16: ['hostname', 'string'],
  19: ['schedulerName', 'string'],
  20: ['initContainers', list(container)],
  24: ['priorityClassName', 'string'],
  25: ['priority', 'integer'],
  27: ['shareProcessNamespace', 'boolean'],
  30: ['enableServiceLinks', 'boolean'],
  31: ['preemptionPolicy', 'string'],
  34: ['ephemeralContainers', list(ephemeralContainer)],
});

const containerState = message({
  2: ['running', message({ 1: ['startedAt', 'time'] })],
  3: [
    'terminated',
    message({
      1: ['exitCode', 'integer'],
      3: ['reason', 'string'],
      4: ['message', 'string'],
      5: ['startedAt', 'time'],
      6: ['finishedAt', 'time'],
      7: ['containerID', 'string'],
    }),
  ],
});

const containerStatus = message({
  1: ['name', 'string'],
  2: ['state', containerState],
  3: ['lastState', containerState],
  4: ['ready', 'boolean'],
  5: ['restartCount', 'integer'],
  6: ['image', 'string'],
  7: ['imageID', 'string'],
  8: ['containerID', 'string'],
  9: ['started', 'boolean'],
});

const podStatus = message({
  1: ['phase', 'string'],
  2: [
    'conditions',
    list(
      message({
        1: ['type', 'string'],
        2: ['status', 'string'],
        3: ['lastProbeTime', 'time'],
        4: ['lastTransitionTime', 'time'],
        5: ['reason', 'string'],
        6: ['message', 'string'],
      }),
    ),
  ],
  3: ['message', 'string'],
  4: ['reason', 'string'],
  5: ['hostIP', 'string'],
  6: ['podIP', 'string'],
  7: ['startTime', 'time'],
  8: ['containerStatuses', list(containerStatus)],
  9: ['qosClass', 'string'],
  12: ['podIPs', list(message({ 1: ['ip', 'string'] }))],
  13: ['ephemeralContainerStatuses', list(containerStatus)],
  16: ['hostIPs', list(message({ 1: ['ip', 'string'] }))],
});

const podTemplate = message({ 1: ['metadata', objectMeta], 2: ['spec', podSpec] });

const deploymentStrategy = message({
  1: ['type', 'string'],
  2: ['rollingUpdate', message({ 1: ['maxUnavailable', 'int-or-string'], 2: ['maxSurge', 'int-or-string'] })],
});

const deploymentSpec = message({
  1: ['replicas', 'integer'],
  2: ['selector', labelSelector],
  3: ['template', podTemplate],
  4: ['strategy', deploymentStrategy],
  5: ['minReadySeconds', 'integer'],
  6: ['revisionHistoryLimit', 'integer'],
  7: ['paused', 'boolean'],
  9: ['progressDeadlineSeconds', 'integer'],
});

const policyRule = message({
  1: ['verbs', strings],
  2: ['apiGroups', strings],
  3: ['resources', strings],
  4: ['resourceNames', strings],
  5: ['nonResourceURLs', strings],
});

const subject = message({ 1: ['kind', 'string'], 2: ['apiGroup', 'string'], 3: ['name', 'string'], 4: ['namespace', 'string'] });
const roleRef = message({ 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] });
const role = message({ 1: ['metadata', objectMeta], 2: ['rules', list(policyRule)] });
const binding = message({ 1: ['metadata', objectMeta], 2: ['subjects', list(subject)], 3: ['roleRef', roleRef] });

const servicePort = message({
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'integer'],
  4: ['targetPort', 'int-or-string'],
  5: ['nodePort', 'integer'],
});

const resourceAttributes = message({
  1: ['namespace', 'string'],
  2: ['verb', 'string'],
  3: ['group', 'string'],
  4: ['version', 'string'],
  5: ['resource', 'string'],
  6: ['subresource', 'string'],
  7: ['name', 'string'],
});

/** By kind. The names do not collide among the groups of this server. */
export const messages: ReadonlyMap<string, MessageType> = new Map(
  Object.entries({
    Namespace: message({
      1: ['metadata', objectMeta],
      2: ['spec', message({ 1: ['finalizers', strings] })],
      3: ['status', message({ 1: ['phase', 'string'] })],
    }),
    ConfigMap: message({
      1: ['metadata', objectMeta],
      2: ['data', map('string')],
      3: ['binaryData', map('bytes')],
      4: ['immutable', 'boolean'],
    }),
    Secret: message({
      1: ['metadata', objectMeta],
      2: ['data', map('bytes')],
      3: ['type', 'string'],
      4: ['stringData', map('string')],
      5: ['immutable', 'boolean'],
    }),
    ServiceAccount: message({ 1: ['metadata', objectMeta], 4: ['automountServiceAccountToken', 'boolean'] }),
    Pod: message({ 1: ['metadata', objectMeta], 2: ['spec', podSpec], 3: ['status', podStatus] }),
    Service: message({
      1: ['metadata', objectMeta],
      2: [
        'spec',
        message({
          1: ['ports', list(servicePort)],
          2: ['selector', map('string')],
          3: ['clusterIP', 'string'],
          4: ['type', 'string'],
          7: ['sessionAffinity', 'string'],
          18: ['clusterIPs', strings],
        }),
      ],
      3: ['status', message({ 1: ['loadBalancer', message({})] })],
    }),
    Deployment: message({ 1: ['metadata', objectMeta], 2: ['spec', deploymentSpec], 3: ['status', message({})] }),
    Role: role,
    ClusterRole: role,
    RoleBinding: binding,
    ClusterRoleBinding: binding,
    SelfSubjectAccessReview: message({
      1: ['metadata', objectMeta],
      2: [
        'spec',
        message({
          1: ['resourceAttributes', resourceAttributes],
          2: ['nonResourceAttributes', message({ 1: ['path', 'string'], 2: ['verb', 'string'] })],
        }),
      ],
      3: [
        'status',
        message({ 1: ['allowed', 'boolean'], 2: ['reason', 'string'], 3: ['evaluationError', 'string'], 4: ['denied', 'boolean'] }),
      ],
    }),
    SelfSubjectRulesReview: message({
      1: ['metadata', objectMeta],
      2: ['spec', message({ 1: ['namespace', 'string'] })],
      3: ['status', message({ 1: ['resourceRules', list(policyRule)], 3: ['incomplete', 'boolean'] })],
    }),
    SelfSubjectReview: message({ 1: ['metadata', objectMeta], 2: ['status', message({})] }),
    TokenRequest: message({
      1: ['metadata', objectMeta],
      2: ['spec', message({ 1: ['audiences', strings], 4: ['expirationSeconds', 'integer'] })],
      3: ['status', message({ 1: ['token', 'string'], 2: ['expirationTimestamp', 'time'] })],
    }),
    Eviction: message({ 1: ['metadata', objectMeta] }),
    DeleteOptions: message({
      1: ['gracePeriodSeconds', 'integer'],
      2: ['preconditions', message({ 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] })],
      3: ['orphanDependents', 'boolean'],
      4: ['propagationPolicy', 'string'],
      5: ['dryRun', strings],
    }),
  } satisfies Record<string, MessageType>),
);

/** Kinds that are answered so: every field that this server writes is in their message. */
export const encodable: ReadonlySet<string> = new Set(['Secret', 'ConfigMap', 'Pod']);
