/**
 * What is read of the API's protobuf messages: field numbers of `k8s.io/api/…/generated.proto` and `k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto`, which
 * never change their meaning. Of pods what they may do to their node, and what they run; of other objects what is sensitive.
 */
export type FieldType =
  | 'string'
  | 'integer'
  | 'boolean'
  | 'bytes'
  | MessageType
  | { readonly map: FieldType }
  | { readonly list: FieldType };

/** By field number: the name in JSON, and the type. An empty name: its members are those of the message that it stands in. */
export interface MessageType {
  readonly message: Readonly<Record<number, readonly [name: string, type: FieldType]>>;
}

const strings: FieldType = { list: 'string' };
const list = (of: FieldType): FieldType => ({ list: of });
const map = (of: FieldType): FieldType => ({ map: of });
const message = (fields: MessageType['message']): MessageType => ({ message: fields });

const objectMeta = message({
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', map('string')],
  12: ['annotations', map('string')],
  14: ['finalizers', strings],
});

const windowsOptions = message({ 3: ['runAsUserName', 'string'], 4: ['hostProcess', 'boolean'] });
const containerContext = message({
  1: ['capabilities', message({ 1: ['add', strings], 2: ['drop', strings] })],
  2: ['privileged', 'boolean'],
  4: ['runAsUser', 'integer'],
  5: ['runAsNonRoot', 'boolean'],
  6: ['readOnlyRootFilesystem', 'boolean'],
  7: ['allowPrivilegeEscalation', 'boolean'],
  8: ['runAsGroup', 'integer'],
  10: ['windowsOptions', windowsOptions],
});
const podContext = message({
  2: ['runAsUser', 'integer'],
  3: ['runAsNonRoot', 'boolean'],
  5: ['fsGroup', 'integer'],
  6: ['runAsGroup', 'integer'],
  8: ['windowsOptions', windowsOptions],
});

const container = message({
  1: ['name', 'string'],
  2: ['image', 'string'],
  3: ['command', strings],
  4: ['args', strings],
  5: ['workingDir', 'string'],
  6: [
    'ports',
    list(message({ 1: ['name', 'string'], 2: ['hostPort', 'integer'], 3: ['containerPort', 'integer'], 4: ['protocol', 'string'] })),
  ],
  7: ['env', list(message({ 1: ['name', 'string'], 2: ['value', 'string'] }))],
  9: ['volumeMounts', list(message({ 1: ['name', 'string'], 2: ['readOnly', 'boolean'], 3: ['mountPath', 'string'] }))],
  15: ['securityContext', containerContext],
  16: ['stdin', 'boolean'],
  18: ['tty', 'boolean'],
});
const volume = message({
  1: ['name', 'string'],
  2: [
    '',
    message({
      1: ['hostPath', message({ 1: ['path', 'string'], 2: ['type', 'string'] })],
      6: ['secret', message({ 1: ['secretName', 'string'] })],
      10: ['persistentVolumeClaim', message({ 1: ['claimName', 'string'] })],
      19: ['configMap', message({ 1: ['', message({ 1: ['name', 'string'] })] })],
    }),
  ],
});
const podSpec = message({
  1: ['volumes', list(volume)],
  2: ['containers', list(container)],
  3: ['restartPolicy', 'string'],
  7: ['nodeSelector', map('string')],
  8: ['serviceAccountName', 'string'],
  9: ['serviceAccount', 'string'],
  10: ['nodeName', 'string'],
  11: ['hostNetwork', 'boolean'],
  12: ['hostPID', 'boolean'],
  13: ['hostIPC', 'boolean'],
  14: ['securityContext', podContext],
  20: ['initContainers', list(container)],
  34: ['ephemeralContainers', list(message({ 1: ['', container], 2: ['targetContainerName', 'string'] }))],
});

const object = (fields: MessageType['message'] = {}): MessageType => message({ 1: ['metadata', objectMeta], ...fields });
const podTemplate = object({ 2: ['spec', podSpec] });
/** `replicas` and `template` of a controller's spec. */
const controller = (template: number): MessageType => object({ 2: ['spec', message({ [template]: ['template', podTemplate] })] });
const jobSpec = message({ 6: ['template', podTemplate] });
const deleteOptions = message({
  1: ['gracePeriodSeconds', 'integer'],
  2: ['preconditions', message({ 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] })],
  4: ['propagationPolicy', 'string'],
  5: ['dryRun', strings],
});
const role = object({
  2: [
    'rules',
    list(
      message({
        1: ['verbs', strings],
        2: ['apiGroups', strings],
        3: ['resources', strings],
        4: ['resourceNames', strings],
        5: ['nonResourceURLs', strings],
      }),
    ),
  ],
});
const roleBinding = object({
  2: ['subjects', list(message({ 1: ['kind', 'string'], 2: ['apiGroup', 'string'], 3: ['name', 'string'], 4: ['namespace', 'string'] }))],
  3: ['roleRef', message({ 1: ['apiGroup', 'string'], 2: ['kind', 'string'], 3: ['name', 'string'] })],
});

/** Of any kind. */
export const anyObject: MessageType = object();

/** Kinds that describe pods: where no pod is found in one, it is not known what it describes. */
export const podKinds: ReadonlyMap<string, MessageType> = new Map([
  ['Pod', podTemplate],
  ['PodTemplate', object({ 2: ['template', podTemplate] })],
  ['ReplicationController', controller(3)],
  ['Deployment', controller(3)],
  ['ReplicaSet', controller(3)],
  ['StatefulSet', controller(3)],
  ['DaemonSet', controller(2)],
  ['Job', object({ 2: ['spec', jobSpec] })],
  ['CronJob', object({ 2: ['spec', message({ 1: ['schedule', 'string'], 5: ['jobTemplate', object({ 2: ['spec', jobSpec] })] })] })],
]);

/** Other kinds of which more than their metadata is read. */
export const otherKinds: ReadonlyMap<string, MessageType> = new Map([
  ['Secret', object({ 2: ['data', map('bytes')], 3: ['type', 'string'], 4: ['stringData', map('string')] })],
  ['ConfigMap', object({ 2: ['data', map('string')], 3: ['binaryData', map('bytes')] })],
  ['TokenRequest', object({ 2: ['spec', message({ 1: ['audiences', strings], 4: ['expirationSeconds', 'integer'] })] })],
  ['Eviction', object({ 2: ['deleteOptions', deleteOptions] })],
  ['DeleteOptions', deleteOptions],
  ['Role', role],
  ['ClusterRole', role],
  ['RoleBinding', roleBinding],
  ['ClusterRoleBinding', roleBinding],
]);
