import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createDemoAuthority } from '../../src/cli/demo/certificates.ts';
import { eventually } from '../harness.ts';
import { kubectlVersions } from '../parts/kubectl.ts';
import { Site } from '../parts/site.ts';
import { startApiServer, type ApiServer } from './api-server/index.ts';
import { Kubectl } from './clients.ts';
import { writeKubeconfig } from './kubeconfig.ts';

/** The control: real clients find nothing amiss with the API server that the gateway is tested with. */
const site = new Site('kubernetes');
const { folder } = site;
let server: ApiServer;
let old: ApiServer;
let http: Server;
const clients: Kubectl[] = [];

before(async () => {
  const authority = await createDemoAuthority();
  writeFileSync(join(folder, 'ca.crt'), authority.certificate);
  const tls = await authority.issue(['localhost']);
  const accounts = [
    { token: 'admin-token', user: { name: 'admin', groups: ['system:masters'] } },
    { token: 'viewer-token', user: { name: 'viewer', groups: [] } },
  ];
  const start = async (name: string, generation: 'current' | 'before-v5'): Promise<ApiServer> => {
    mkdirSync(join(folder, name));
    const started = await startApiServer({
      folder: join(folder, name),
      tls,
      accounts,
      generation,
      rules: [{ subject: 'viewer', verbs: ['get'], resources: ['pods'] }],
    });
    site.closers.push(() => started.close());
    return started;
  };
  server = await start('current', 'current');
  old = await start('old', 'before-v5');
  for (const [name, one] of [
    ['new.kubeconfig', server],
    ['old.kubeconfig', old],
  ] as const) {
    one.create(pod('web-1'));
    writeKubeconfig(join(folder, name), {
      server: `https://localhost:${one.port}`,
      authorityFile: join(folder, 'ca.crt'),
      token: 'admin-token',
    });
  }
  writeKubeconfig(join(folder, 'viewer.kubeconfig'), {
    server: `https://localhost:${server.port}`,
    authorityFile: join(folder, 'ca.crt'),
    token: 'viewer-token',
  });
  clients.push(...kubectlVersions.map((version) => new Kubectl(version, join(folder, 'new.kubeconfig'), folder)));
  http = createServer((_, response) => response.end('from the pod\n')).listen(0, '127.0.0.1');
  site.closers.push(async () => void http.close());
});

after(() => site.close());

test('streams come as each client has them, and as each server does', async () => {
  for (const [client, upgrade] of [
    [clients[0]!, 'websocket'],
    [clients[1]!, 'spdy'],
  ] as const) {
    const ran = await client.run(['exec', 'web-1', '-i', '--', 'sh', '-c', 'cat; echo err >&2; exit 7'], { input: 'typed' });
    assert.deepEqual([ran.status, ran.stdout], [7, 'typed']);
    assert.match(ran.stderr, /^err\n/);
    const entry = server.audit.findLast(({ subresource }) => subresource === 'exec')!;
    assert.deepEqual([entry.upgrade, entry.argv.at(-1), entry.stdin], [upgrade, 'cat; echo err >&2; exit 7', true]);
  }
  const fallingBack = new Kubectl('1.32', join(folder, 'old.kubeconfig'), folder);
  const ran = await fallingBack.run(['exec', 'web-1', '--', 'sh', '-c', 'echo $HOSTNAME; kill -9 $$']);
  assert.deepEqual([ran.status, ran.stdout], [137, 'web-1\n']);
  assert.deepEqual(
    old.audit.filter(({ subresource }) => subresource === 'exec').map(({ upgrade, status, protocol }) => [upgrade, status, protocol]),
    [
      ['websocket', 403, ''],
      ['spdy', 101, 'v4.channel.k8s.io'],
    ],
  );
});

test('a terminal has its size, and changes it', async () => {
  for (const client of clients) {
    // The new size and what is typed come in no order.
    const script = 'stty size; read x; while [ "$(stty size)" = "33 91" ]; do sleep 0.05; done; stty size; echo "[$x]"; exit 5';
    const { status, shown } = await client.onTerminal(
      ['exec', '-it', 'web-1', '--', 'sh', '-c', script],
      [{ after: '33 91', type: 'word\r', size: '100 40' }],
    );
    assert.equal(status, 5, shown);
    assert.match(shown, /33 91[^]*word[^]*40 100\r\n\[word\]\r\n/);
  }
});

test('objects are made, changed in each way, compared and deleted', async () => {
  for (const client of clients) {
    const manifest = join(folder, 'shop.yaml');
    writeFileSync(manifest, shop(1));
    const ok = async (...parameters: string[]): Promise<string> => {
      const ran = await client.run(parameters);
      assert.equal(ran.status, 0, `${parameters.join(' ')}: ${ran.stderr}`);
      return ran.stdout;
    };
    assert.match(await ok('apply', '-f', manifest), /deployment.apps\/shop created\nconfigmap\/settings created/);
    await ok('rollout', 'status', 'deployment/shop');
    writeFileSync(manifest, shop(2));
    const diff = await client.run(['diff', '-f', manifest]);
    assert.equal(diff.status, 1);
    assert.match(diff.stdout, /-  count: "1"\n\+  count: "2"/);
    await ok('apply', '-f', manifest);
    assert.match(await ok('apply', '-f', manifest), /shop unchanged\nconfigmap\/settings unchanged/);
    await ok('patch', 'configmap', 'settings', '-p', '{"data":{"a":"strategic"}}');
    await ok('patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"b":"merge"}}');
    await ok('patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"add","path":"/data/c","value":"json"}]');
    assert.equal(
      await ok('get', 'configmap', 'settings', '-o', 'jsonpath={.data}'),
      '{"a":"strategic","b":"merge","c":"json","count":"2"}',
    );
    await ok('scale', 'deployment/shop', '--replicas=3');
    const conflicting = await client.run(['apply', '--server-side', '-f', manifest]);
    assert.match(conflicting.stderr, /conflict with "kubectl" with subresource "scale" using apps\/v1: .spec.replicas/);
    await ok('apply', '--server-side', '--force-conflicts', '-f', manifest);
    await eventually('two pods', async () =>
      (await ok('get', 'pods', '-l', 'app=shop', '-o', 'name')).split('\n').length === 3 ? true : undefined,
    );
    await ok('delete', '-f', manifest);
  }
});

test('typed clients send protobuf, and have it answered', async () => {
  const [client] = clients;
  const made = await client!.run(['create', 'secret', 'generic', 'made', '--from-literal=word=opensesame']);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(server.audit.findLast(({ verb }) => verb === 'create')!.headers['content-type'], 'application/vnd.kubernetes.protobuf');
  assert.deepEqual(server.get('', 'secrets', 'default', 'made')?.['data'], { word: Buffer.from('opensesame').toString('base64') });
  assert.equal((await client!.run(['auth', 'can-i', 'delete', 'pods'])).stdout, 'yes\n');
  const viewer = new Kubectl('1.32', join(folder, 'viewer.kubeconfig'), folder);
  assert.equal((await viewer.run(['auth', 'can-i', 'delete', 'pods'])).stdout, 'no\n');
  const refused = await viewer.run(['delete', 'pod', 'web-1']);
  assert.match(
    refused.stderr,
    /pods "web-1" is forbidden: User "viewer" cannot delete resource "pods" in API group "" in the namespace "default"/,
  );
});

test('files are copied and ports forwarded', async () => {
  const port = (http.address() as AddressInfo).port;
  for (const client of clients) {
    const [there, back] = [join(folder, `there-${client.version}`), join(folder, `back-${client.version}`)];
    writeFileSync(there, Buffer.alloc(300_000, client.version));
    assert.equal((await client.run(['cp', there, 'web-1:copied'])).status, 0);
    assert.deepEqual(readFileSync(join(server.folderOf('default', 'web-1', 'main'), 'copied')), readFileSync(there));
    assert.equal((await client.run(['cp', 'web-1:copied', back])).status, 0);
    assert.deepEqual(readFileSync(back), readFileSync(there));
    const forwarding = client.start(['port-forward', 'pod/web-1', `:${port}`]);
    const local = await eventually('a port', () => /127.0.0.1:(\d+) ->/.exec(forwarding.stdout())?.[1]);
    assert.equal(await (await fetch(`http://127.0.0.1:${local}/`)).text(), 'from the pod\n');
    forwarding.process.kill();
    await forwarding.done;
    assert.deepEqual(server.audit.findLast(({ subresource }) => subresource === 'portforward')!.ports, [port]);
  }
});

function pod(name: string): Parameters<ApiServer['create']>[0] {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'web' } },
    spec: { containers: [{ name: 'main', image: 'registry.example/web:1' }] },
  };
}

function shop(count: number): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: { name: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: shop } }
  template:
    metadata: { labels: { app: shop } }
    spec: { containers: [ { name: main, image: 'registry.example/shop:${count}' } ] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { count: "${count}" }
`;
}
