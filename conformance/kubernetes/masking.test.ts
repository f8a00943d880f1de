import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import { kubectlVersions } from '../parts/kubectl.ts';
import type { Kubectl } from './clients.ts';
import { plainPod, startKubernetesWorld, type KubernetesWorld } from './world.ts';

/** Real kubectl asks for objects with hidden values in every form that it has. None of them may show one, and kubectl must go on as if nothing were hidden. */
let world: KubernetesWorld;
let clients: readonly Kubectl[];

const canary = 'canary-3f9c1d';
const coded = Buffer.from(canary).toString('base64');
const card = '4111111111111111';

before(async () => {
  world = await startKubernetesWorld({
    adjust: (config) => {
      config['data_classes'] = {
        password: { paths: ['aks/secrets#$.data.password', 'aks/default/configmaps/app#$.data.token'], mask: 'redact' },
        'card-number': { detect: 'card-number', mask: 'partial-last4' },
      };
    },
  });
  world.cluster.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'db',
      namespace: 'default',
      labels: { app: 'web' },
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: 'db', namespace: 'default' },
          stringData: { password: canary, user: 'app' },
        }),
      },
    },
    type: 'Opaque',
    data: { password: coded, user: Buffer.from('app').toString('base64') },
  });
  world.cluster.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'app', namespace: 'default' },
    data: { token: canary, mode: 'fast', note: `paid by ${card}` },
  });
  clients = await Promise.all(kubectlVersions.map((version) => world.kubectl(version, 'pipeline')));
});

after(() => world.close());

/** Nothing hidden in it, in any spelling. */
function assertHidden(text: string, what: string): void {
  assert.ok(!text.includes(canary) && !text.includes(coded) && !text.includes(card), `${what} shows what is hidden:\n${text}`);
}

describe('kubectl get', () => {
  for (const form of [
    ['get', 'secret', 'db', '-o', 'yaml'],
    ['get', 'secret', 'db', '-o', 'json'],
    ['get', 'secrets', '-o', 'yaml'],
    ['get', 'secrets', '-A', '-o', 'json'],
    ['get', 'secrets', '-o', 'wide', '--show-labels'],
    ['get', 'secret', 'db', '-o', 'jsonpath={.data.password}'],
    ['get', 'secret', 'db', '-o', 'jsonpath={.metadata.annotations}'],
    ['get', 'secret', 'db', '-o', 'go-template={{.data.password | base64decode}}'],
    ['get', 'secrets', '-o', 'custom-columns=P:.data.password,A:.metadata.annotations'],
    ['get', 'secrets', '--field-selector=metadata.name=db', '-o', 'json'],
    ['get', 'configmaps', '-o', 'yaml'],
    ['describe', 'secret', 'db'],
    ['describe', 'configmap', 'app'],
  ]) {
    it(`${form.join(' ')} shows no hidden value`, async () => {
      for (const client of clients) {
        const ran = await client.run(form);
        assert.equal(ran.status, 0, `${client.version}: ${ran.stderr}`);
        assertHidden(ran.stdout + ran.stderr, client.version);
      }
    });
  }

  it('decodes what it is shown, and sees the rest as it is', async () => {
    for (const client of clients) {
      const { stdout } = await client.run(['get', 'secret', 'db', '-o', 'json']);
      const { data, metadata } = JSON.parse(stdout) as { data: Record<string, string>; metadata: { annotations: Record<string, string> } };
      assert.equal(Buffer.from(data['password']!, 'base64').toString(), '[redacted:password]');
      assert.equal(Buffer.from(data['user']!, 'base64').toString(), 'app');
      assert.match(
        metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']!,
        /"password":"\[redacted:password\]","user":"app"/,
      );
      const { stdout: table } = await client.run(['get', 'secrets']);
      assert.match(table, /^NAME +TYPE +DATA +AGE\ndb +Opaque +2 /m);
    }
  });

  it('watches: each change comes at once, masked', async () => {
    const watching = clients[0]!.start(['get', 'configmaps', '-w', '-o', 'json', '--output-watch-events']);
    try {
      await eventually('the first event', () => watching.stdout().includes('"app"') || undefined);
      await clients[0]!.run(['annotate', 'configmap', 'app', `step=${card}`, '--overwrite']);
      await eventually('the change', () => watching.stdout().includes('MODIFIED') || undefined);
      assertHidden(watching.stdout(), 'the watch');
      assert.match(watching.stdout(), /\*{12}1111/);
    } finally {
      watching.process.kill();
      await watching.done;
    }
  });

  it('of other formats gets JSON, or nothing', async () => {
    const token = await world.token('pipeline');
    for (const accept of [
      'application/vnd.kubernetes.protobuf',
      'application/cbor',
      'application/yaml',
      '*/*',
      'application/vnd.kubernetes.protobuf, */*',
    ]) {
      const answer = await fetch(`${world.server}/api/v1/namespaces/default/secrets/db`, {
        headers: { accept, authorization: `Bearer ${token}` },
      });
      assert.equal(answer.status, 200, accept);
      assert.equal(answer.headers.get('content-type'), accept === 'application/yaml' ? 'application/yaml' : 'application/json');
      assertHidden(await answer.text(), accept);
    }
  });

  it('of paths that kubectl has no words for', async () => {
    const headers = { authorization: `Bearer ${await world.token('pipeline')}` };
    for (const path of [
      '/api/v1/watch/namespaces/default/secrets?timeoutSeconds=1',
      '/api/v1/watch/namespaces/default/secrets/db?timeoutSeconds=1',
      '/api/v1/namespaces/default/secrets?watch=1&timeoutSeconds=1',
      '/api/v1/namespaces/default/secrets/?pretty=true',
      '/api/v1/secrets?limit=1',
    ]) {
      const answer = await fetch(`${world.server}${path}`, { headers });
      const text = await answer.text();
      assert.ok([200, 404].includes(answer.status), `${path}: ${answer.status}`);
      assertHidden(text, path);
    }
  });
});

describe('a hidden value cannot be moved to where it is shown', () => {
  const secret = ['patch', 'secret', 'db'];
  for (const [what, patch] of [
    ['copied', [{ op: 'copy', from: '/data/password', path: '/data/shown' }]],
    ['moved', [{ op: 'move', from: '/data/password', path: '/metadata/annotations/shown' }]],
    ['asked for', [{ op: 'test', path: '/data/password', value: coded }]],
    ['asked for with all that holds it', [{ op: 'test', path: '/data', value: { password: coded } }]],
  ] as const) {
    it(`${what} by a JSON patch, also on trial`, async () => {
      for (const dry of [[], ['--dry-run=server']]) {
        const ran = await clients[0]!.run([...secret, '--type=json', '-p', JSON.stringify(patch), '-o', 'yaml', ...dry]);
        assert.equal(ran.status, 1);
        assert.match(ran.stderr, /Forbidden|values of this object are hidden/);
        assertHidden(ran.stdout + ran.stderr, what);
      }
    });
  }

  it('copied, where only a detector finds it, to a name that is never looked at', async () => {
    const operations = [
      { op: 'add', path: '/metadata/ownerReferences', value: [{ apiVersion: 'v1', kind: 'A', name: 'a', uid: 'b' }] },
      { op: 'copy', from: '/data/note', path: '/metadata/ownerReferences/0/name' },
    ];
    const ran = await clients[0]!.run(['patch', 'configmap', 'app', '--type=json', '-p', JSON.stringify(operations), '-o', 'yaml']);
    assert.equal(ran.status, 1);
    assert.match(ran.stderr, /values of this object are hidden/);
    assertHidden(ran.stdout + ran.stderr, 'the patch');
  });

  it('selected by', async () => {
    const ran = await clients[0]!.run(['get', 'secrets', '--field-selector', `data.password=${coded}`]);
    assert.match(ran.stderr, /values of this object are hidden from you/);
  });

  it('nor overwritten by what was shown in its place', async () => {
    for (const client of clients) {
      const { stdout } = await client.run(['get', 'secret', 'db', '-o', 'json']);
      const ran = await client.run(['replace', '-f', '-'], { input: stdout });
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, /written in place of the real one/);
    }
    assert.equal(
      (world.cluster.get('', 'secrets', 'default', 'db') as unknown as { data: Record<string, string> }).data['password'],
      coded,
    );
  });
});

describe('what changes an object goes on', () => {
  it('patch, label, apply and server-side apply show what they wrote masked, and write it as it is', async () => {
    for (const client of clients) {
      const fresh = `fresh-${client.version}`;
      const manifest = JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: `own-${client.version.replace('.', '-')}`, namespace: 'default' },
        stringData: { password: canary + fresh },
      });
      for (const form of [
        ['apply', '-f', '-', '-o', 'yaml'],
        ['apply', '-f', '-', '-o', 'yaml', '--server-side', '--force-conflicts'],
        ['apply', '-f', '-', '-o', 'yaml', '--dry-run=server'],
      ]) {
        const ran = await client.run(form, { input: manifest });
        assert.equal(ran.status, 0, `${form.join(' ')}: ${ran.stderr}`);
        assert.ok(!ran.stdout.includes(canary) && !ran.stdout.includes(Buffer.from(canary + fresh).toString('base64')), ran.stdout);
      }
      const { data } = world.cluster.get('', 'secrets', 'default', `own-${client.version.replace('.', '-')}`) as unknown as {
        data: Record<string, string>;
      };
      assert.equal(Buffer.from(data['password']!, 'base64').toString(), canary + fresh);
      assert.equal((await client.run(['label', 'secret', 'db', `seen=${client.version}`, '--overwrite'])).status, 0);
    }
    assert.equal(
      (world.cluster.get('', 'secrets', 'default', 'db') as unknown as { data: Record<string, string> }).data['password'],
      coded,
      'untouched',
    );
  });

  it('a text that was shown with a mask in it is not written back, whatever else is changed in it', async () => {
    const noteOf = (name: string): string | undefined =>
      (world.cluster.get('', 'configmaps', 'default', name) as unknown as { data: Record<string, string> }).data['note'];
    for (const client of clients) {
      const name = `notes-${client.version.replace('.', '-')}`;
      const note = `paid by ${card}\non Monday`;
      world.cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { note, mode: 'fast' } });
      const edit = (expression: string) => client.run(['edit', 'configmap', name], { env: { EDITOR: `sed -i ${expression}` } });
      const other = await edit('s/fast/slow/');
      assert.equal(other.status, 0, other.stderr);
      const same = await edit('s/Monday/Tuesday/');
      assert.match(same.stdout + same.stderr, /written in place of the real one/);
      const { stdout } = await client.run(['get', 'configmap', name, '-o', 'json']);
      assert.ok(stdout.includes('************1111'), stdout);
      const replaced = await client.run(['replace', '-f', '-'], { input: stdout.replace('slow', 'slower') });
      assert.match(replaced.stderr, /written in place of the real one/);
      assert.equal(noteOf(name), note);
      const written = await client.run(['patch', 'configmap', name, '--type=merge', '-p', '{"data":{"note":"paid in cash"}}']);
      assert.equal(written.status, 0, written.stderr);
      assert.equal(noteOf(name), 'paid in cash');
    }
  });

  it('JSON patches may test, copy and move what is not hidden', async () => {
    for (const client of clients) {
      const operations = [
        { op: 'test', path: '/metadata/name', value: 'db' },
        { op: 'copy', from: '/metadata/labels/app', path: '/metadata/labels/copied' },
        { op: 'move', from: '/metadata/labels/copied', path: '/metadata/labels/moved' },
      ];
      const ran = await client.run(['patch', 'secret', 'db', '--type=json', '-p', JSON.stringify(operations)]);
      assert.equal(ran.status, 0, ran.stderr);
      const { metadata } = world.cluster.get('', 'secrets', 'default', 'db') as unknown as { metadata: { labels: Record<string, string> } };
      assert.equal(metadata.labels['moved'], 'web');
    }
  });

  it('create secret works from either client, whatever encoding it sends', async () => {
    for (const client of clients) {
      const name = `typed-${client.version.replace('.', '-')}`;
      const ran = await client.run(['create', 'secret', 'generic', name, `--from-literal=password=${canary}`, '-o', 'yaml']);
      assert.equal(ran.status, 0, ran.stderr);
      assertHidden(ran.stdout, 'create');
    }
  });
});

it('logs are masked line by line', async () => {
  world.cluster.create(plainPod('talker', 'default', { command: ['sh', '-c', `echo paid ${card}; echo plain; sleep 60`] }));
  for (const client of clients) {
    const shown = await eventually('the log', async () => {
      const { stdout } = await client.run(['logs', 'talker']);
      return stdout.includes('plain') ? stdout : undefined;
    });
    assert.equal(shown, 'paid ************1111\nplain\n');
  }
});

it('nothing hidden is on record', async () => {
  const records = JSON.stringify(await world.records());
  assertHidden(records, 'the record');
  assert.match(records, /"kubernetes:get"/);
});
