import { createHash, randomUUID } from 'node:crypto';
import { copy, ensure, isObject, isSame, listAt, objectAt, textAt, plain, type Json, type JsonObject, type KubeObject } from './json.ts';
import type { Resource } from './resources.ts';

/** What the server writes into a new object that its maker left out. */
export function withDefaults(resource: Resource, object: KubeObject): void {
  switch (resource.kind) {
    case 'Pod':
      podDefaults(ensure(object, 'spec'), 'default');
      ensure(object, 'spec')['nodeName'] ??= 'node-1';
      return;
    case 'Deployment': {
      const spec = ensure(object, 'spec');
      spec['replicas'] ??= 1;
      spec['revisionHistoryLimit'] ??= 10;
      spec['progressDeadlineSeconds'] ??= 600;
      spec['strategy'] ??= { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } };
      ensure(spec, 'template', 'metadata')['creationTimestamp'] ??= null;
      podDefaults(ensure(spec, 'template', 'spec'), undefined);
      return;
    }
    case 'ReplicaSet': {
      const spec = ensure(object, 'spec');
      spec['replicas'] ??= 1;
      podDefaults(ensure(spec, 'template', 'spec'), undefined);
      return;
    }
    case 'Secret': {
      object['type'] ??= 'Opaque';
      const texts = objectAt(object, 'stringData');
      delete object['stringData'];
      for (const [name, value] of Object.entries(texts)) ensure(object, 'data')[name] = Buffer.from(plain(value)).toString('base64');
      return;
    }
    case 'Service': {
      const spec = ensure(object, 'spec');
      spec['type'] ??= 'ClusterIP';
      spec['sessionAffinity'] ??= 'None';
      spec['internalTrafficPolicy'] ??= 'Cluster';
      spec['ipFamilies'] ??= ['IPv4'];
      spec['ipFamilyPolicy'] ??= 'SingleStack';
      const last = createHash('sha256')
        .update(textAt(object, 'metadata', 'name'))
        .digest()[0]!;
      spec['clusterIP'] ??= `10.96.0.${last}`;
      spec['clusterIPs'] ??= [spec['clusterIP']];
      for (const port of listAt(spec, 'ports').filter(isObject)) {
        port['protocol'] ??= 'TCP';
        port['targetPort'] ??= port['port'] as Json;
      }
      object['status'] ??= { loadBalancer: {} };
      return;
    }
    case 'Namespace':
      ensure(object, 'metadata', 'labels')['kubernetes.io/metadata.name'] = textAt(object, 'metadata', 'name');
      ensure(object, 'spec')['finalizers'] ??= ['kubernetes'];
      object['status'] ??= { phase: 'Active' };
      return;
    default:
  }
}

/** Identity and times of a new object. */
export function asNew(resource: Resource, object: KubeObject, now: string): void {
  const { metadata } = object;
  for (const name of ['resourceVersion', 'uid', 'selfLink', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'])
    delete metadata[name];
  metadata['uid'] = randomUUID();
  metadata['creationTimestamp'] = now;
  if (hasGeneration(resource)) metadata['generation'] = 1;
  if (resource.kind === 'Pod') object['status'] = { phase: 'Pending', qosClass: 'BestEffort' };
  if (resource.kind === 'Deployment') object['status'] = {};
  if (resource.kind === 'ReplicaSet') object['status'] = { replicas: 0 };
}

/** What an update cannot change, and the generation, which counts changes of what is wanted. */
export function asUpdated(resource: Resource, object: KubeObject, before: KubeObject, keepsStatus: boolean): void {
  for (const name of [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'generation',
    'selfLink',
  ]) {
    const value = before.metadata[name];
    if (value === undefined) delete object.metadata[name];
    else object.metadata[name] = copy(value);
  }
  if (keepsStatus && !resource.isCustom) {
    const status = before['status'];
    if (status === undefined) delete object['status'];
    else object['status'] = copy(status);
  }
  if (hasGeneration(resource) && !isSame(before['spec'], object['spec'])) {
    object.metadata['generation'] = Number(before.metadata['generation'] ?? 1) + 1;
  }
}

function hasGeneration(resource: Resource): boolean {
  return resource.group === 'apps' || resource.isCustom;
}

function podDefaults(spec: JsonObject, serviceAccount: string | undefined): void {
  spec['restartPolicy'] ??= 'Always';
  spec['terminationGracePeriodSeconds'] ??= 30;
  spec['dnsPolicy'] ??= 'ClusterFirst';
  spec['securityContext'] ??= {};
  spec['schedulerName'] ??= 'default-scheduler';
  if (serviceAccount !== undefined) {
    spec['serviceAccountName'] ??= serviceAccount;
    spec['serviceAccount'] ??= spec['serviceAccountName'] as Json;
    spec['enableServiceLinks'] ??= true;
  }
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of listAt(spec, list).filter(isObject)) {
      const image = textAt(container, 'image');
      container['terminationMessagePath'] ??= '/dev/termination-log';
      container['terminationMessagePolicy'] ??= 'File';
      container['imagePullPolicy'] ??= image.includes(':') && !image.endsWith(':latest') ? 'IfNotPresent' : 'Always';
      container['resources'] ??= {};
      for (const port of listAt(container, 'ports').filter(isObject)) port['protocol'] ??= 'TCP';
    }
  }
}
