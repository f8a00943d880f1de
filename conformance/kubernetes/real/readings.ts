import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PartRow } from '../../part.ts';
import { eventually } from '../../harness.ts';
import type { KubectlVersion } from '../../parts/kubectl.ts';
import { settings, shop } from '../matrix/manifests.ts';
import type { GatewayWorld } from '../world.ts';
import type { AuditEvent, RealCluster } from './cluster.ts';

/**
 * Two readings of the same requests: what the gateway has put on record, and what the API server's own audit log has. Every request that reached the server is
 * on record as what it was there, once, and nothing else is.
 */
export async function compareReadings(world: GatewayWorld, cluster: RealCluster, version: KubectlVersion): Promise<PartRow> {
  const name = `${version} requests as the API server has understood them`;
  const namespace = `readings-${version.replace('.', '-')}`;
  await cluster.makeNamespace(namespace);
  const manifest = join(world.folder, `${namespace}.yaml`);
  writeFileSync(manifest, `${shop(1)}---\n${settings(1).replace('name: settings', 'name: more')}`);
  const client = await world.kubectl(version, 'pipeline', namespace);
  const [begun, known] = [(await world.records(['operation.decided'])).length, new Set(cluster.audit().map(({ auditID }) => auditID))];
  for (const parameters of commands(manifest)) {
    const ran = await client.run(parameters);
    if (ran.status !== 0)
      return { name, control: `${parameters.join(' ')}: ${ran.stderr}`, verdict: 'differs', reason: 'nothing to compare' };
  }
  const understood = async (): Promise<readonly string[]> =>
    cluster
      .audit()
      .filter(({ auditID, userAgent }) => !known.has(auditID) && userAgent?.startsWith('kubectl') === true)
      .flatMap((event) => asUnderstood(event) ?? [])
      .sort();
  const recorded = (await world.records(['operation.decided']))
    .slice(begun)
    .flatMap((record) => asRecorded(record) ?? [])
    .sort();
  // The last line is written when its answer has gone already.
  await eventually('the audit log', async () => ((await understood()).length >= recorded.length ? true : undefined)).catch(() => {});
  const there = await understood();
  const control = `${there.length} requests`;
  const extra = [...recorded.filter((line) => !there.includes(line)), ...there.filter((line) => !recorded.includes(line))];
  if (JSON.stringify(recorded) === JSON.stringify(there) && there.length > 20) return { name, control, verdict: 'same' };
  return { name, control, verdict: 'differs', reason: `${recorded.length} on record; only on one side: ${extra.join(' ')}` };
}

function commands(manifest: string): readonly (readonly string[])[] {
  return [
    ['apply', '-f', manifest],
    ['apply', '--server-side', '--force-conflicts', '-f', manifest],
    ['get', 'pods', '-A'],
    ['get', 'pods', '--field-selector=metadata.name=web-1'],
    ['get', 'deployments.apps', '-n', 'kube-system'],
    ['get', 'nodes'],
    ['get', 'namespace', 'kube-system'],
    ['describe', 'clusterrole', 'view'],
    ['label', '-f', manifest, 'a=b'],
    ['annotate', 'namespace', 'default', 'a=b', '--overwrite'],
    ['scale', 'deployment/shop', '--replicas=3'],
    ['create', 'secret', 'generic', 'door', '--from-literal=word=opensesame'],
    ['create', 'clusterrole', 'reader', '--verb=get', '--resource=pods', '--dry-run=server'],
    ['create', 'rolebinding', 'readers', '--clusterrole=view', '--user=jane'],
    ['auth', 'can-i', 'create', 'pods/exec'],
    ['auth', 'can-i', '--list'],
    ['rollout', 'pause', 'deployment/shop'],
    ['delete', '-f', manifest, '--wait=false'],
    ['delete', 'configmaps', '--all', '--wait=false'],
    ['delete', 'rolebinding', 'readers'],
  ];
}

type Line = readonly [verb: string, group: string, resource: string, subresource: string, namespace: string, name: string];

/** Discovery and other paths are no objects. */
function asUnderstood({ verb, objectRef }: AuditEvent): string | undefined {
  if (objectRef === undefined) return undefined;
  const { apiGroup = '', resource, subresource = '', namespace = '', name = '' } = objectRef;
  return asLine([verb, apiGroup, resource, subresource, namespace, name]);
}

function asRecorded(record: Readonly<Record<string, unknown>>): string | undefined {
  const facts = record['facts'] as Readonly<Record<string, unknown>>;
  const text = (name: string): string => (facts[name] as string | undefined) ?? '';
  if (text('resource') === '') return undefined;
  return asLine([text('verb'), text('api_group'), text('resource'), text('subresource'), text('namespace'), text('name')]);
}

/** Of what is created the path says no name, and its body says it to the server later. */
function asLine([verb, group, resource, subresource, namespace, name]: Line): string {
  return JSON.stringify([verb, group, resource, subresource, namespace, verb === 'create' && subresource === '' ? '' : name]);
}
