import { at, listAt, numberAt, objectAt, textAt, plain, type Json, type JsonObject, type KubeObject } from './json.ts';
import type { Resource } from './resources.ts';

/** Answers as tables (KEP-512), which is what `kubectl get` shows. */
interface Column {
  readonly name: string;
  readonly type?: string;
  /** Shown by `-o wide` alone. */
  readonly isWide?: true;
  of(object: KubeObject): Json;
}

export function tableOf(
  resource: Resource,
  objects: readonly KubeObject[],
  listMetadata: JsonObject,
  include: string,
  version: string,
): JsonObject {
  const columns = columnsOf(resource);
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: listMetadata,
    columnDefinitions: columns.map(({ name, type, isWide }) => ({
      name,
      type: type ?? 'string',
      format: name === 'Name' ? 'name' : '',
      description: `${name} of a ${resource.kind}`,
      priority: isWide === true ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.of(object)),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : partial(object, version) }),
    })),
  };
}

export function partial(object: KubeObject, version: string): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object.metadata };
}

function columnsOf(resource: Resource): readonly Column[] {
  const middle = columns[resource.name] ?? [];
  const isShort = middle.every((column) => column.isWide !== true);
  const plain = isShort ? middle : middle.filter((column) => column.isWide !== true);
  const wide = isShort ? [] : middle.filter((column) => column.isWide === true);
  return resource.name === 'events' ? middle : [nameColumn, ...plain, ageColumn, ...wide];
}

const nameColumn: Column = { name: 'Name', of: (object) => textAt(object, 'metadata', 'name') };
const ageColumn: Column = { name: 'Age', of: (object) => age(textAt(object, 'metadata', 'creationTimestamp')) };

const columns: Readonly<Record<string, readonly Column[]>> = {
  configmaps: [
    {
      name: 'Data',
      type: 'integer',
      of: (object) => Object.keys({ ...objectAt(object, 'data'), ...objectAt(object, 'binaryData') }).length,
    },
  ],
  secrets: [
    { name: 'Type', of: (object) => textAt(object, 'type') },
    { name: 'Data', type: 'integer', of: (object) => Object.keys(objectAt(object, 'data')).length },
  ],
  serviceaccounts: [{ name: 'Secrets', type: 'integer', of: (object) => listAt(object, 'secrets').length }],
  namespaces: [{ name: 'Status', of: (object) => textAt(object, 'status', 'phase') }],
  nodes: [
    { name: 'Status', of: () => 'Ready' },
    { name: 'Roles', of: () => '<none>' },
    { name: 'Version', of: (object) => textAt(object, 'status', 'nodeInfo', 'kubeletVersion') },
    { name: 'Internal-IP', isWide: true, of: (object) => textAt(listAt(object, 'status', 'addresses')[0], 'address') },
  ],
  pods: [
    {
      name: 'Ready',
      of: (pod) =>
        `${listAt(pod, 'status', 'containerStatuses').filter((one) => at(one, 'ready') === true).length}/${listAt(pod, 'spec', 'containers').length}`,
    },
    { name: 'Status', of: podStatus },
    {
      name: 'Restarts',
      of: (pod) =>
        String(listAt(pod, 'status', 'containerStatuses').reduce<number>((sum, one) => sum + (numberAt(one, 'restartCount') ?? 0), 0)),
    },
    { name: 'IP', isWide: true, of: (pod) => textAt(pod, 'status', 'podIP') || '<none>' },
    { name: 'Node', isWide: true, of: (pod) => textAt(pod, 'spec', 'nodeName') || '<none>' },
    { name: 'Nominated Node', isWide: true, of: () => '<none>' },
    { name: 'Readiness Gates', isWide: true, of: () => '<none>' },
  ],
  services: [
    { name: 'Type', of: (object) => textAt(object, 'spec', 'type') },
    { name: 'Cluster-IP', of: (object) => textAt(object, 'spec', 'clusterIP') },
    { name: 'External-IP', of: () => '<none>' },
    {
      name: 'Port(s)',
      of: (object) =>
        listAt(object, 'spec', 'ports')
          .map((port) => `${numberAt(port, 'port')}/${textAt(port, 'protocol') || 'TCP'}`)
          .join(','),
    },
    { name: 'Selector', isWide: true, of: (object) => labels(objectAt(object, 'spec', 'selector')) },
  ],
  deployments: [
    { name: 'Ready', of: (object) => `${numberAt(object, 'status', 'readyReplicas') ?? 0}/${numberAt(object, 'spec', 'replicas') ?? 0}` },
    { name: 'Up-to-date', type: 'integer', of: (object) => numberAt(object, 'status', 'updatedReplicas') ?? 0 },
    { name: 'Available', type: 'integer', of: (object) => numberAt(object, 'status', 'availableReplicas') ?? 0 },
    ...workload(),
  ],
  replicasets: [
    { name: 'Desired', type: 'integer', of: (object) => numberAt(object, 'spec', 'replicas') ?? 0 },
    { name: 'Current', type: 'integer', of: (object) => numberAt(object, 'status', 'replicas') ?? 0 },
    { name: 'Ready', type: 'integer', of: (object) => numberAt(object, 'status', 'readyReplicas') ?? 0 },
    ...workload(),
  ],
  events: [
    { name: 'Last Seen', of: (object) => age(textAt(object, 'lastTimestamp')) },
    { name: 'Type', of: (object) => textAt(object, 'type') },
    { name: 'Reason', of: (object) => textAt(object, 'reason') },
    {
      name: 'Object',
      of: (object) => `${textAt(object, 'involvedObject', 'kind').toLowerCase()}/${textAt(object, 'involvedObject', 'name')}`,
    },
    { name: 'Message', of: (object) => textAt(object, 'message') },
  ],
};

function workload(): Column[] {
  const containers = (object: KubeObject): Json[] => listAt(object, 'spec', 'template', 'spec', 'containers');
  return [
    {
      name: 'Containers',
      isWide: true,
      of: (object) =>
        containers(object)
          .map((one) => textAt(one, 'name'))
          .join(','),
    },
    {
      name: 'Images',
      isWide: true,
      of: (object) =>
        containers(object)
          .map((one) => textAt(one, 'image'))
          .join(','),
    },
    { name: 'Selector', isWide: true, of: (object) => labels(objectAt(object, 'spec', 'selector', 'matchLabels')) },
  ];
}

function podStatus(pod: KubeObject): string {
  if (textAt(pod, 'metadata', 'deletionTimestamp') !== '') return 'Terminating';
  const reasons = listAt(pod, 'status', 'containerStatuses').map((one) => textAt(one, 'state', 'terminated', 'reason'));
  return reasons.find((reason) => reason !== '') ?? textAt(pod, 'status', 'phase');
}

function labels(of: JsonObject): string {
  const words = Object.entries(of).map(([name, value]) => `${name}=${plain(value)}`);
  return words.length === 0 ? '<none>' : words.join(',');
}

function age(timestamp: string): string {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(timestamp)) / 1_000));
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)}m${seconds % 60 === 0 ? '' : `${seconds % 60}s`}`;
  return seconds < 10_800 ? `${Math.floor(seconds / 60)}m` : `${Math.floor(seconds / 3_600)}h`;
}
