import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../harness.ts';
import type { MatrixCase, Shown, Workplace } from './case.ts';
import { pod, settings, shop } from './manifests.ts';

/** Objects: looked at, made, changed in each way, deleted. */
export const objectCases: readonly MatrixCase[] = [
  { name: 'get', failing: ['missing', 'unknown kind'], run: get },
  { name: 'get -w', quick: ['1.32'], run: watch },
  { name: 'describe', run: describe },
  { name: 'create', quick: ['1.32'], failing: ['configmap again'], run: create },
  { name: 'apply', failing: ['unknown field'], run: apply },
  { name: 'apply --server-side', quick: ['1.32'], failing: ['conflict'], run: applyServerSide },
  { name: 'diff', failing: ['different', 'server side'], run: diff },
  { name: 'patch', quick: ['1.32'], failing: ['json, failed test'], run: patch },
  { name: 'edit', run: edit },
  { name: 'label, annotate, set, expose', failing: ['label that is there'], run: smallChanges },
  { name: 'scale, rollout', needsNode: true, failing: ['scale, wrong precondition'], run: rollout },
  { name: 'replace, conflicts, dry runs', failing: ['stale'], run: replace },
  { name: 'delete', failing: ['missing'], run: remove },
  { name: 'wait', needsNode: true, failing: ['never'], run: wait },
  { name: 'errors', failing: ['wrong name', 'wrong kind of patch', 'wrong replicas', 'wrong selector', 'raw'], run: errors },
];

async function get(at: Workplace): Promise<Shown> {
  await made(at, settings(1));
  await at.shown('create', 'secret', 'generic', 'door', '--from-literal=word=opensesame');
  return all(at, {
    json: ['get', 'configmap', 'settings', '-o', 'json'],
    yaml: ['get', 'configmap', 'settings', '-o', 'yaml'],
    wide: ['get', 'configmaps,secrets', '-o', 'wide'],
    name: ['get', 'configmaps,secrets,serviceaccounts', '-o', 'name'],
    jsonpath: ['get', 'secret', 'door', '-o', 'jsonpath={.data.word}'],
    'go-template': ['get', 'secret', 'door', '-o', 'go-template={{.data.word | base64decode}}'],
    columns: ['get', 'configmaps', '-o', 'custom-columns=NAME:.metadata.name,COUNT:.data.count'],
    selector: ['get', 'configmaps', '-l', 'app in (shop, other),!missing', '--show-labels'],
    'printed by the client': ['get', 'configmap', 'settings', '--server-print=false'],
    'field selector': ['get', 'configmaps', '--field-selector', 'metadata.name=settings'],
    sorted: ['get', 'secrets,configmaps', '--sort-by=.metadata.name', '-o', 'name'],
    pages: ['get', 'configmaps,serviceaccounts', '--chunk-size=1'],
    nodes: ['get', 'nodes', '-o', 'name'],
    raw: ['get', '--raw', `${at.basePath}/api/v1/namespaces/${at.namespace}/configmaps/settings`],
    healthy: ['get', '--raw', `${at.basePath}/readyz`],
    missing: ['get', 'configmap', 'nothing'],
    'ignored missing': ['get', 'configmap', 'nothing', '--ignore-not-found'],
    'unknown kind': ['get', 'nonsense'],
  });
}

async function watch(at: Workplace): Promise<Shown> {
  await made(at, settings(1));
  const watching = at.kubectl.start([
    'get',
    'configmaps',
    '--watch-only=false',
    '-w',
    '-o',
    'custom-columns=NAME:.metadata.name,COUNT:.data.count',
    '--no-headers',
  ]);
  await eventually('the first line', () => (/settings/.test(watching.stdout()) ? true : undefined));
  for (const count of [2, 3]) {
    await made(at, settings(count));
    await eventually(`change ${count}`, () => (new RegExp(`settings +${count}`).test(watching.stdout()) ? true : undefined));
  }
  await at.shown('delete', 'configmap', 'settings');
  await eventually('the end', () => ((watching.stdout().match(/settings +3/g) ?? []).length === 2 ? true : undefined));
  watching.process.kill();
  const { stdout } = await watching.done;
  const lines = stdout.split('\n').filter((line) => line.startsWith('settings'));
  return { lines: at.clean(lines.join('\n')) };
}

async function describe(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  await at.shown('create', 'secret', 'generic', 'door', '--from-literal=word=opensesame');
  const shown: Record<string, string> = await all(at, {
    configmap: ['describe', 'configmap', 'settings'],
    secret: ['describe', 'secret', 'door'],
    namespace: ['describe', 'serviceaccount', 'default'],
  });
  // kubectl shows maps in any order.
  shown['configmap'] = (shown['configmap'] ?? '').split('\n').sort().join('\n');
  const deployment = await at.shown('describe', 'deployment', 'shop');
  // Conditions change while it starts.
  return {
    ...shown,
    deployment: deployment
      .replace(/^(Conditions:|Replicas:|OldReplicaSets:|Events:|Annotations:)[^]*?(?=^\w)/gm, '')
      .replace(/^(Conditions|Events):[^]*$/m, ''),
  };
}

function create(at: Workplace): Promise<Shown> {
  return all(at, {
    configmap: ['create', 'configmap', 'words', '--from-literal=a=b'],
    'configmap again': ['create', 'configmap', 'words', '--from-literal=a=b'],
    secret: ['create', 'secret', 'generic', 'door', '--from-literal=word=opensesame'],
    deployment: ['create', 'deployment', 'shop', '--image=registry.example/shop:1'],
    'service account': ['create', 'serviceaccount', 'robot'],
    role: ['create', 'role', 'reader', '--verb=get,list', '--resource=pods'],
    binding: ['create', 'rolebinding', 'readers', '--role=reader', '--user=jane'],
    service: ['create', 'service', 'clusterip', 'shop', '--tcp=80:8080'],
    'on the server only': ['create', 'configmap', 'not-kept', '--from-literal=a=b', '--dry-run=server', '-o', 'yaml'],
    file: ['create', '-f', at.file('settings.yaml', settings(1))],
    all: ['get', 'configmaps,secrets,deployments,serviceaccounts,roles,rolebindings,services', '-o', 'name'],
    content: ['get', 'secret', 'door', '-o', 'jsonpath={.data}'],
  });
}

async function apply(at: Workplace): Promise<Shown> {
  const shown: Record<string, string> = {};
  for (const [step, count] of [
    ['first', 1],
    ['again', 1],
    ['changed', 2],
  ] as const) {
    shown[step] = await at.shown('apply', '-f', at.file('shop.yaml', shop(count)));
  }
  shown['fewer fields'] = await at.shown('apply', '-f', at.file('settings.yaml', settings(3).replace(', kept: "as it is"', '')));
  shown['settings'] = await at.shown('get', 'configmap', 'settings', '-o', 'yaml');
  shown['containers'] = await at.shown('get', 'deployment', 'shop', '-o', 'jsonpath={.spec.template.spec.containers}');
  shown['last applied'] = await at.shown('apply', 'view-last-applied', 'configmap/settings');
  shown['unknown field'] = await at.shown('apply', '-f', at.file('wrong.yaml', `${settings(4)}extra: 1\n`));
  return shown;
}

async function applyServerSide(at: Workplace): Promise<Shown> {
  const file = at.file('shop.yaml', shop(1));
  const shown: Record<string, string> = { first: await at.shown('apply', '--server-side', '-f', file) };
  shown['others’ change'] = await at.shown('patch', 'configmap', 'settings', '-p', '{"data":{"count":"9"}}');
  shown['conflict'] = await at.shown('apply', '--server-side', '-f', file);
  shown['forced'] = await at.shown('apply', '--server-side', '--force-conflicts', '-f', file);
  shown['another manager'] = await at.shown(
    'apply',
    '--server-side',
    '--field-manager=other',
    '-f',
    at.file('more.yaml', settings(1).replace('kept: "as it is"', 'more: "yes"')),
  );
  shown['settings'] = await at.shown('get', 'configmap', 'settings', '-o', 'jsonpath={.data} {.metadata.managedFields[*].manager}');
  return shown;
}

async function diff(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  // kubectl 1.20 shows when fields were managed last, in seconds: they have to be others, always.
  await delay(1_100);
  return all(at, {
    same: ['diff', '-f', at.file('same.yaml', settings(1))],
    different: ['diff', '-f', at.file('other.yaml', settings(2))],
    'server side': ['diff', '--server-side', '--force-conflicts', '-f', at.file('third.yaml', settings(3))],
  });
}

async function patch(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  const containers = '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"MORE","value":"1"}]}]}}}}';
  return all(at, {
    strategic: ['patch', 'deployment', 'shop', '-p', containers],
    merge: ['patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"kept":null,"b":"merge"}}'],
    json: [
      'patch',
      'configmap',
      'settings',
      '--type=json',
      '-p',
      '[{"op":"test","path":"/data/b","value":"merge"},{"op":"add","path":"/data/c","value":"json"}]',
    ],
    'json, failed test': ['patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"test","path":"/data/b","value":"other"}]'],
    settings: ['get', 'configmap', 'settings', '-o', 'jsonpath={.data}'],
    containers: ['get', 'deployment', 'shop', '-o', 'jsonpath={.spec.template.spec.containers[*].env}'],
  });
}

async function edit(at: Workplace): Promise<Shown> {
  await made(at, settings(1));
  const edited = async (editor: string): Promise<string> => {
    const ran = await at.kubectl.run(['edit', 'configmap', 'settings'], { env: { EDITOR: editor } });
    return at.clean(`status ${ran.status}\n${ran.stdout}${ran.stderr}`);
  };
  return {
    changed: await edited('sed -i s/as.it.is/edited/'),
    unchanged: await edited('true'),
    settings: await at.shown('get', 'configmap', 'settings', '-o', 'jsonpath={.data}'),
  };
}

async function smallChanges(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  return all(at, {
    label: ['label', 'configmap', 'settings', 'tier=front'],
    'label that is there': ['label', 'configmap', 'settings', 'tier=back'],
    annotate: ['annotate', 'configmap', 'settings', 'example.com/why=because'],
    'set image': ['set', 'image', 'deployment/shop', 'main=registry.example/shop:7'],
    'set env': ['set', 'env', 'deployment/shop', 'MODE=fast'],
    expose: ['expose', 'deployment', 'shop', '--port=80'],
    service: ['get', 'service', 'shop', '-o', 'jsonpath={.spec.ports} {.spec.selector}'],
    labels: ['get', 'configmap', 'settings', '-o', 'jsonpath={.metadata.labels} {.metadata.annotations.example\\.com/why}'],
  });
}

async function rollout(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  return all(at, {
    status: ['rollout', 'status', 'deployment/shop', '--timeout=60s'],
    scale: ['scale', 'deployment/shop', '--replicas=3'],
    'scale, wrong precondition': ['scale', 'deployment/shop', '--replicas=4', '--current-replicas=7'],
    'status when scaled': ['rollout', 'status', 'deployment/shop', '--timeout=60s'],
    replicas: ['get', 'deployment', 'shop', '-o', 'jsonpath={.spec.replicas} {.status.readyReplicas}'],
    pause: ['rollout', 'pause', 'deployment/shop'],
    resume: ['rollout', 'resume', 'deployment/shop'],
  });
}

async function replace(at: Workplace): Promise<Shown> {
  await made(at, settings(1));
  const current = (await at.raw(['get', 'configmap', 'settings', '-o', 'json'])).stdout;
  const file = at.file('replace.json', current.replace('"1"', '"2"'));
  return {
    replaced: await at.shown('replace', '-f', file),
    stale: await at.shown('replace', '-f', file),
    'dry run': await at.shown('apply', '--dry-run=server', '-f', at.file('dry.yaml', settings(5))),
    settings: await at.shown('get', 'configmap', 'settings', '-o', 'jsonpath={.data}'),
  };
}

async function remove(at: Workplace): Promise<Shown> {
  await made(at, shop(1));
  await at.shown('create', 'configmap', 'words', '--from-literal=a=b', '-o', 'name');
  return all(at, {
    one: ['delete', 'configmap', 'words'],
    missing: ['delete', 'configmap', 'words'],
    'dry run': ['delete', 'configmap', 'settings', '--dry-run=server'],
    selector: ['delete', 'configmaps', '-l', 'app=shop'],
    'in the background': ['delete', 'deployment', 'shop', '--wait=false'],
    all: ['delete', 'secrets,configmaps', '--all'],
    left: ['get', 'configmaps,deployments', '-o', 'name'],
  });
}

async function wait(at: Workplace): Promise<Shown> {
  await made(at, pod('web', 'exec sleep 600'));
  return all(at, {
    ready: ['wait', '--for=condition=Ready', 'pod/web', '--timeout=60s'],
    never: ['wait', '--for=condition=Nothing', 'pod/web', '--timeout=1s'],
    gone: ['delete', 'pod', 'web', '--now'],
  });
}

function errors(at: Workplace): Promise<Shown> {
  return all(at, {
    'no namespace': ['get', 'pods', '-n', 'nowhere-at-all'],
    'wrong name': ['create', 'configmap', 'Wrong_Name', '--from-literal=a=b'],
    'wrong kind of patch': ['patch', 'configmap', 'nothing', '--type=merge', '-p', '{"data":{}}'],
    'wrong replicas': ['create', '-f', at.file('wrong.yaml', shop(1).replace('replicas: 2', 'replicas: -1'))],
    'wrong selector': [
      'create',
      '-f',
      at.file('selector.yaml', shop(1).replace('matchLabels: { app: shop }', 'matchLabels: { app: other }')),
    ],
    raw: ['get', '--raw', `${at.basePath}/apis/nothing.example.com/v1`],
  });
}

async function made(at: Workplace, manifest: string): Promise<void> {
  const ran = await at.raw(['apply', '-f', at.file('made.yaml', manifest)]);
  if (ran.status !== 0) throw new Error(`kubectl apply: ${ran.stderr}`);
}

async function all(at: Workplace, steps: Readonly<Record<string, readonly string[]>>): Promise<Record<string, string>> {
  const shown: Record<string, string> = {};
  for (const [name, parameters] of Object.entries(steps)) shown[name] = await at.shown(...parameters);
  return shown;
}
