import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { eventually, run } from '../harness.ts';
import { kubectl, kubectlVersions } from '../parts/kubectl.ts';
import type { Kubectl } from './clients.ts';
import type { TestConfig } from '../parts/test-gateway.ts';
import { clusterToken, plainPod, startKubernetesWorld, type KubernetesWorld } from './world.ts';

/** What policy says, and who asks, as real kubectl and a real API server come to know of it. */
const policies = `@id("pipelines work on the cluster")
permit (principal in Group::"deployers", action in [Action::"connect", Action::"read", Action::"write", Action::"execute", Action::"transfer"], resource in Target::"aks");
@id("no pods with the rights of their node")
@message("No privileged pods here.")
forbid (principal, action in [Action::"write", Action::"execute"], resource)
when { (context has privileged && context.privileged) || (context has host_access && context.host_access) };
@id("not in kube-system")
forbid (principal, action, resource in Namespace::"aks/kube-system");
@id("deletions wait")
@review("dba") @approvals("1") @expires("15m")
@message("A deletion needs a DBA.")
forbid (principal, action == Action::"kubernetes:delete", resource);
@id("commands wait")
@review("dba") @approvals("1") @expires("15m")
forbid (principal, action == Action::"kubernetes:exec", resource);
`;

interface Approval {
  readonly id: string;
  readonly text: string;
}

let world: KubernetesWorld;
let clients: readonly Kubectl[];

function target(config: TestConfig): Record<string, Record<string, unknown>> {
  return (config['targets'] as Record<string, Record<string, Record<string, unknown>>>)['aks']!;
}

async function pending(): Promise<Approval> {
  const erin = await world.api('dba-erin');
  return eventually('the request for approval', async () => {
    const { approvals } = await erin.get<{ approvals: readonly Approval[] }>('/api/v1/approvals', { state: 'pending' });
    return approvals[0];
  });
}

async function answer({ id }: Approval, how: 'approve' | 'deny'): Promise<void> {
  await (await world.api('dba-erin')).post(`/api/v1/approvals/${id}/${how}`, { reason: 'because' });
}

describe('policy', () => {
  before(async () => {
    world = await startKubernetesWorld({ policies });
    clients = await Promise.all(kubectlVersions.map((version) => world.kubectl(version, 'pipeline')));
    world.cluster.create(plainPod('privileged', 'default', { securityContext: { privileged: true } }));
  });
  after(() => world.close());

  it('stops pods with the rights of their node, however they are described', async () => {
    const container = { name: 'a', image: 'a:1' };
    const bad = { ...container, securityContext: { privileged: true } };
    const pod = (spec: unknown) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bad', namespace: 'default' }, spec });
    const deployment = (spec: unknown) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'bad', namespace: 'default' },
      spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec } },
    });
    for (const client of clients) {
      for (const object of [
        pod({ containers: [bad] }),
        pod({ containers: [container], hostNetwork: true }),
        deployment({ initContainers: [bad], containers: [container] }),
      ]) {
        for (const form of [['apply'], ['create'], ['apply', '--server-side']]) {
          const ran = await client.run([...form, '-f', '-'], { input: JSON.stringify(object) });
          assert.equal(ran.status, 1, form.join(' '));
          assert.match(ran.stderr, /\(Forbidden\)[^]*No privileged pods here\./);
        }
      }
      const name = `good-${client.version.replace('.', '-')}`;
      const ran = await client.run(['run', name, '--image=a:1']);
      assert.equal(ran.status, 0, ran.stderr);
      const patch = JSON.stringify([{ op: 'add', path: '/spec/hostPID', value: true }]);
      assert.match((await client.run(['patch', 'pod', name, '--type=json', '-p', patch])).stderr, /No privileged pods here\./);
    }
    assert.equal(world.cluster.get('', 'pods', 'default', 'bad'), undefined);
  });

  it('knows what a pod may do that something goes into', async () => {
    for (const method of ['GET', 'POST']) {
      const answer = await fetch(`${world.server}/api/v1/namespaces/default/pods/privileged/exec?command=id`, {
        method,
        headers: { authorization: `Bearer ${await world.token('pipeline')}` },
      });
      assert.equal(answer.status, 403);
      const status = (await answer.json()) as { kind: string; reason: string; message: string };
      assert.deepEqual([status.kind, status.reason], ['Status', 'Forbidden']);
      assert.match(status.message, /No privileged pods here\./);
    }
    const execs = world.cluster.audit.filter(({ subresource }) => subresource === 'exec');
    assert.deepEqual(execs, [], 'nothing of it reached the cluster');
    const records = await world.records(['operation.decided']);
    const facts = records.map((record) => JSON.stringify(record)).filter((record) => record.includes('kubernetes:exec'));
    assert.match(facts[0]!, /"privileged":true/);
  });

  it('is about namespaces and what is in them', async () => {
    for (const client of clients) {
      assert.equal((await client.run(['get', 'pods'])).status, 0);
      assert.match((await client.run(['get', 'pods', '-n', 'kube-system'])).stderr, /Error from server \(Forbidden\)/);
      assert.match((await client.run(['get', 'ns', 'kube-system'])).stderr, /Error from server \(Forbidden\)/);
    }
  });

  it('passes nobody off as somebody else at a client’s word', async () => {
    for (const client of clients) {
      const ran = await client.run(['get', 'pods', '--as', 'admin', '--as-group', 'system:masters']);
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, /the gateway passes on no impersonation/);
    }
    assert.ok(world.cluster.audit.every(({ impersonator }) => impersonator === undefined));
  });

  it('has kubectl wait for people, for longer than its patience with informational answers', async () => {
    for (const client of clients) {
      const name = `held-${client.version.replace('.', '-')}`;
      world.cluster.create(plainPod(name));
      const deleting = client.start(['delete', 'pod', name, '--wait=false']);
      const approval = await pending();
      assert.match(approval.text, new RegExp(`^DELETE /api/v1/namespaces/default/pods/${name}\\n`));
      assert.ok(world.cluster.get('', 'pods', 'default', name) !== undefined, 'nothing was forwarded');
      await answer(approval, 'approve');
      const ran = await deleting.done;
      assert.equal(ran.status, 0, ran.stderr);
      assert.match(ran.stdout, /deleted/);
    }
  });

  it('runs an approved command in the pod that was looked at, and in no other of its name', async () => {
    for (const client of clients) {
      const name = `again-${client.version.replace('.', '-')}`;
      const create = (): void => void world.cluster.create(plainPod(name, 'default', { command: ['sh', '-c', 'exec sleep 600'] }));
      const running = async (): Promise<void> => {
        await eventually('the pod', async () => {
          const { stdout } = await client.run(['get', 'pod', name, '-o', 'jsonpath={.status.phase}']);
          return stdout === 'Running' ? true : undefined;
        });
      };
      const executed = (): number =>
        world.cluster.audit.filter(({ subresource, name: of }) => subresource === 'exec' && of === name).length;
      create();
      await running();
      const first = client.start(['exec', name, '--', 'echo', 'hello']);
      await answer(await pending(), 'approve');
      assert.match((await first.done).stdout, /hello/);
      const [before] = [executed()];
      const second = client.start(['exec', name, '--', 'echo', 'hello']);
      const approval = await pending();
      await world.direct('1.32').run(['delete', 'pod', name, '--now']);
      create();
      await running();
      await answer(approval, 'approve');
      // kubectl 1.32 asks again by its other upgrade, which is another request.
      const next = client.version === '1.32' ? await pending() : undefined;
      if (next !== undefined) await answer(next, 'deny');
      const ran = await second.done;
      assert.equal(ran.status, 1, ran.stdout);
      assert.equal(ran.stdout, '');
      assert.equal(executed(), before, 'nothing was forwarded');
    }
  });

  it('says in kubectl’s own words that a reviewer refused, and that a token is not taken', async () => {
    world.cluster.create(plainPod('kept'));
    const deleting = clients[0]!.start(['delete', 'pod', 'kept', '--wait=false']);
    await answer(await pending(), 'deny');
    assert.match((await deleting.done).stderr, /Error from server \(Forbidden\): .*refused/);
    const stranger = await clients[0]!.run(['get', 'pods', '--token=nonsense']);
    assert.match(stranger.stderr, /You must be logged in to the server/);
  });
});

describe('who asks', () => {
  before(async () => {
    world = await startKubernetesWorld({
      rules: [{ subject: 'sallyport:deployers', verbs: ['get', 'list'], resources: ['pods', 'namespaces'] }],
      adjust(config) {
        const plugin =
          "console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token: process.argv[1] } }))";
        target(config)['upstream']!['credential'] = { exec: { command: process.execPath, args: ['-e', plugin, clusterToken] } };
        target(config)['impersonate'] = { user: '{issuer}:{subject}', groups: ['sallyport:{group}'] };
      },
    });
    clients = await Promise.all(kubectlVersions.map((version) => world.kubectl(version, 'pipeline')));
  });
  after(() => world.close());

  it('is known to the cluster, whose own rules then hold for them; a credential plugin signs the gateway on', async () => {
    world.cluster.create(plainPod('web-1'));
    for (const client of clients) {
      const { status, stderr } = await client.run(['get', 'pods']);
      assert.equal(status, 0, stderr);
      const seen = world.cluster.audit.findLast(({ resource, verb }) => resource === 'pods' && verb === 'list')!;
      assert.deepEqual([seen.user, seen.impersonator], ['ci:repo:bank/shop:environment:production', 'gateway']);
      assert.ok(seen.groups.includes('sallyport:deployers'));
      assert.match((await client.run(['delete', 'pod', 'web-1'])).stderr, /forbidden: User "ci:repo:bank\/shop:environment:production"/);
    }
  });

  it('is told by sallyport connect, which leaves no kubeconfig behind', async () => {
    const tokenFile = join(world.folder, 'job.token');
    writeFileSync(tokenFile, await world.token('pipeline'), { mode: 0o600 });
    const environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: world.folder,
      SALLYPORT_URL: `https://localhost:${world.gateway.ports.api}`,
      SALLYPORT_CA: world.authorityFile,
      NODE_EXTRA_CA_CERTS: world.authorityFile,
    };
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const connect = ['connect', 'aks', '--token-file', tokenFile];
    const ran = await run(
      process.execPath,
      [main, ...connect, '--', 'sh', '-c', `echo $KUBECONFIG; ${kubectl('1.32')} get pods -o name`],
      environment,
    );
    assert.equal(ran.status, 0, ran.stderr);
    const [kubeconfig = '', ...pods] = ran.stdout.trim().split('\n');
    assert.deepEqual(pods, ['pod/web-1']);
    assert.ok(!existsSync(kubeconfig));
  });
});
