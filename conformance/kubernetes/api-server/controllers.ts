import { createHash } from 'node:crypto';
import { at, copy, isSame, listAt, numberAt, objectAt, textAt, type Json, type JsonObject, type KubeObject } from './json.ts';
import { asNew, withDefaults } from './defaults.ts';
import { now, type Pods } from './pods.ts';
import { findResource, resources, type Resource } from './resources.ts';
import type { Change, Store } from './store.ts';

/**
 * What kube-controller-manager does, as far as clients look at it: deployments have a replica set, replica sets have pods, both tell their
 * state, whatever belongs to something that has gone goes too, and namespaces have a service account.
 */
export function runControllers(store: Store, pods: Pods): void {
  let isDue = false;
  const reconcile = (): void => {
    isDue = false;
    for (const deployment of store.list(deployments, undefined)) rollOut(store, deployment);
    for (const set of store.list(replicaSets, undefined)) scale(store, pods, set);
    for (const deployment of store.list(deployments, undefined)) tellDeployment(store, deployment);
  };
  store.follow((change) => {
    if (change.type === 'DELETED') collectGarbage(store, pods, change.object);
    if (change.resource.kind === 'Namespace' && change.type === 'ADDED') furnish(store, textAt(change.object, 'metadata', 'name'));
    if (change.resource === podResource) note(store, change);
    if (isDue || !watched.has(change.resource)) return;
    isDue = true;
    setImmediate(reconcile);
  });
}

function rollOut(store: Store, deployment: KubeObject): void {
  if (at(deployment, 'spec', 'paused') === true) return;
  const hash = templateHash(deployment);
  const [namespace, name] = [textAt(deployment, 'metadata', 'namespace'), `${textAt(deployment, 'metadata', 'name')}-${hash}`];
  const replicas = numberAt(deployment, 'spec', 'replicas') ?? 1;
  for (const set of owned(store, replicaSets, deployment)) {
    const wanted = textAt(set, 'metadata', 'name') === name ? replicas : 0;
    if (numberAt(set, 'spec', 'replicas') === wanted) continue;
    const scaled = copy(set);
    (scaled['spec'] as JsonObject)['replicas'] = wanted;
    scaled.metadata['generation'] = Number(set.metadata['generation'] ?? 1) + 1;
    store.put(replicaSets, scaled);
  }
  if (store.get(replicaSets, namespace, name) !== undefined) return;
  const labels = { ...objectAt(deployment, 'spec', 'template', 'metadata', 'labels'), 'pod-template-hash': hash };
  const template = copy(objectAt(deployment, 'spec', 'template'));
  template['metadata'] = { ...objectAt(template, 'metadata'), labels };
  const set = made(replicaSets, namespace, name, deployment, {
    labels,
    annotations: { 'deployment.kubernetes.io/revision': String(owned(store, replicaSets, deployment).length + 1) },
  });
  set['spec'] = { replicas, selector: { matchLabels: labels }, template };
  store.put(replicaSets, set);
}

function scale(store: Store, pods: Pods, set: KubeObject): void {
  const own = owned(store, podResource, set).filter((pod) => textAt(pod, 'metadata', 'deletionTimestamp') === '');
  const wanted = numberAt(set, 'spec', 'replicas') ?? 1;
  for (let count = own.length; count < wanted; count += 1) {
    const name = `${textAt(set, 'metadata', 'name')}-${suffix()}`;
    const template = objectAt(set, 'spec', 'template');
    const pod = made(podResource, textAt(set, 'metadata', 'namespace'), name, set, objectAt(template, 'metadata'));
    pod['spec'] = copy(objectAt(template, 'spec'));
    withDefaults(podResource, pod);
    store.put(podResource, pod);
  }
  for (const pod of own.slice(wanted)) {
    const doomed = copy(pod);
    doomed.metadata['deletionTimestamp'] = now();
    store.put(podResource, doomed);
    void pods.terminate(pod, 0);
  }
  const ready = own.slice(0, wanted).filter(isReady).length;
  tell(store, replicaSets, set, {
    replicas: Math.min(own.length, wanted),
    ...(ready > 0 ? { fullyLabeledReplicas: ready, readyReplicas: ready, availableReplicas: ready } : {}),
    observedGeneration: numberAt(set, 'metadata', 'generation') ?? 1,
  });
}

function tellDeployment(store: Store, deployment: KubeObject): void {
  const sets = owned(store, replicaSets, deployment);
  const current = sets.find((set) => textAt(set, 'metadata', 'name').endsWith(`-${templateHash(deployment)}`));
  const sum = (of: readonly KubeObject[], name: string): number =>
    of.reduce((total, set) => total + (numberAt(set, 'status', name) ?? 0), 0);
  const [wanted, updated, ready] = [
    numberAt(deployment, 'spec', 'replicas') ?? 1,
    numberAt(current, 'status', 'replicas') ?? 0,
    sum(sets, 'readyReplicas'),
  ];
  const condition = (type: string, holds: boolean, reason: string, message: string): JsonObject => ({
    type,
    status: holds ? 'True' : 'False',
    lastUpdateTime: textAt(deployment, 'metadata', 'creationTimestamp'),
    lastTransitionTime: textAt(deployment, 'metadata', 'creationTimestamp'),
    reason,
    message,
  });
  const isDone = ready >= wanted && updated >= wanted;
  const name = textAt(current, 'metadata', 'name');
  tell(store, deployments, deployment, {
    observedGeneration: numberAt(deployment, 'metadata', 'generation') ?? 1,
    ...(wanted > 0 ? { replicas: sum(sets, 'replicas'), updatedReplicas: updated } : {}),
    ...(ready > 0 ? { readyReplicas: ready, availableReplicas: ready } : {}),
    ...(ready < wanted ? { unavailableReplicas: wanted - ready } : {}),
    conditions: [
      isDone
        ? condition('Available', true, 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
        : condition('Available', false, 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
      isDone
        ? condition('Progressing', true, 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
        : condition('Progressing', true, 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`),
    ],
  });
}

/** Only where it is another state: each put is an event of a watch, and a reason to look again. */
function tell(store: Store, resource: Resource, object: KubeObject, status: JsonObject): void {
  const current = store.get(resource, textAt(object, 'metadata', 'namespace'), textAt(object, 'metadata', 'name'));
  if (current === undefined || isSame(current['status'], status)) return;
  store.put(resource, { ...copy(current), status });
}

/** `Foreground` and `Background` look the same from outside: the dependants go. */
function collectGarbage(store: Store, pods: Pods, owner: KubeObject): void {
  const uid = textAt(owner, 'metadata', 'uid');
  for (const resource of resources) {
    for (const object of store.list(resource, undefined)) {
      if (!listAt(object, 'metadata', 'ownerReferences').some((reference) => textAt(reference, 'uid') === uid)) continue;
      if (resource === podResource) void pods.terminate(object, 0);
      else setImmediate(() => store.remove(resource, object));
    }
  }
}

function furnish(store: Store, namespace: string): void {
  const account = findResource('', 'v1', 'serviceaccounts')!;
  const object: KubeObject = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } };
  asNew(account, object, now());
  store.put(account, object);
}

/** The events that a scheduler and a kubelet write when a pod starts. */
function note(store: Store, { type, object }: Change): void {
  if (type !== 'ADDED') return;
  const events = findResource('', 'v1', 'events')!;
  const [namespace, name, uid] = [
    textAt(object, 'metadata', 'namespace'),
    textAt(object, 'metadata', 'name'),
    textAt(object, 'metadata', 'uid'),
  ];
  const steps: [string, string][] = [
    ['Scheduled', `Successfully assigned ${namespace}/${name} to ${textAt(object, 'spec', 'nodeName')}`],
    ...listAt(object, 'spec', 'containers').flatMap((container): [string, string][] => [
      ['Created', `Created container: ${textAt(container, 'name')}`],
      ['Started', `Started container ${textAt(container, 'name')}`],
    ]),
  ];
  for (const [index, [reason, message]] of steps.entries()) {
    const event: KubeObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${uid.slice(0, 8)}${index}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      reason,
      message,
      source: reason === 'Scheduled' ? { component: 'default-scheduler' } : { component: 'kubelet', host: 'node-1' },
      firstTimestamp: now(),
      lastTimestamp: now(),
      count: 1,
      type: 'Normal',
    };
    asNew(events, event, now());
    store.put(events, event);
  }
}

function owned(store: Store, resource: Resource, owner: KubeObject): KubeObject[] {
  const uid = textAt(owner, 'metadata', 'uid');
  return store
    .list(resource, textAt(owner, 'metadata', 'namespace'))
    .filter((object) => listAt(object, 'metadata', 'ownerReferences').some((reference) => textAt(reference, 'uid') === uid));
}

function made(resource: Resource, namespace: string, name: string, owner: KubeObject, metadata: JsonObject): KubeObject {
  const reference = {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: textAt(owner, 'metadata', 'name'),
    uid: textAt(owner, 'metadata', 'uid'),
    controller: true,
    blockOwnerDeletion: true,
  };
  const object: KubeObject = {
    apiVersion: resource.group === '' ? 'v1' : `${resource.group}/v1`,
    kind: resource.kind,
    metadata: { ...copy(metadata), name, namespace, ownerReferences: [reference] },
  };
  asNew(resource, object, now());
  return object;
}

function templateHash(deployment: KubeObject): string {
  return createHash('sha256')
    .update(JSON.stringify(at(deployment, 'spec', 'template') ?? null))
    .digest('hex')
    .slice(0, 10);
}

function suffix(): string {
  const letters = 'bcdfghjklmnpqrstvwxz2456789';
  return Array.from({ length: 5 }, () => letters[Math.floor(Math.random() * letters.length)]).join('');
}

function isReady(pod: KubeObject): boolean {
  return listAt(pod, 'status', 'conditions').some(
    (condition: Json) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );
}

const podResource = findResource('', 'v1', 'pods')!;
const deployments = findResource('apps', 'v1', 'deployments')!;
const replicaSets = findResource('apps', 'v1', 'replicasets')!;
const watched = new Set([podResource, deployments, replicaSets]);
