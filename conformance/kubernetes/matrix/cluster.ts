import { eventually } from '../../harness.ts';
import type { MatrixCase, Shown, Workplace } from './case.ts';

const onlyNew = { version: '1.32', because: 'kubectl 1.20 has no such command' } as const;

/** What kubectl asks about the cluster and about who asks. */
export const clusterCases: readonly MatrixCase[] = [
  { name: 'version, api-resources, api-versions', run: discovery },
  { name: 'explain', failing: ['missing'], run: explain },
  { name: 'auth can-i', quick: ['1.32'], run: canI },
  { name: 'auth whoami, create token', only: onlyNew, run: whoAmI },
  { name: 'top', failing: ['pods', 'nodes'], run: top },
  { name: 'proxy', run: proxy },
  { name: 'debug node, drain', needsNode: true, only: onlyNew, run: drain },
];

async function discovery(at: Workplace): Promise<Shown> {
  return {
    version: await at.shown('version', '-o', 'json'),
    resources: await at.shown('api-resources', '-o', 'wide'),
    names: await at.shown('api-resources', '--verbs=list', '--namespaced', '-o', 'name'),
    versions: await at.shown('api-versions'),
    info: await at.shown('cluster-info'),
  };
}

async function explain(at: Workplace): Promise<Shown> {
  return {
    kind: await at.shown('explain', 'deployment'),
    field: await at.shown('explain', 'pod.spec.containers'),
    deep: await at.shown('explain', 'pods', '--recursive'),
    missing: await at.shown('explain', 'pod.spec.nothing'),
  };
}

async function canI(at: Workplace): Promise<Shown> {
  return {
    delete: await at.shown('auth', 'can-i', 'delete', 'pods'),
    exec: await at.shown('auth', 'can-i', 'create', 'pods/exec'),
    list: await at.shown('auth', 'can-i', '--list'),
  };
}

async function whoAmI(at: Workplace): Promise<Shown> {
  const token = await at.raw(['create', 'token', 'default', '--duration=20m', '--audience=https://gateway.example']);
  const [, claims = ''] = token.stdout.split('.');
  const { sub, aud } = JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}') as { sub?: string; aud?: string[] };
  return { 'who am i': await at.shown('auth', 'whoami'), token: at.clean(`${token.status} ${sub} ${aud?.join(' ')} ${token.stderr}`) };
}

async function top(at: Workplace): Promise<Shown> {
  return { pods: await at.shown('top', 'pods'), nodes: await at.shown('top', 'nodes') };
}

/** kubectl's own proxy, as somebody's browser uses it. */
async function proxy(at: Workplace): Promise<Shown> {
  const running = at.kubectl.start(['proxy', '--port=0']);
  const port = await eventually('a port', () => /127\.0\.0\.1:(\d+)/.exec(running.stdout())?.[1]);
  const get = async (path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}${at.basePath}${path}`);
    return `${answer.status} ${answer.headers.get('content-type')}\n${await answer.text()}`;
  };
  const shown = {
    version: at.clean(await get('/version')),
    list: at.clean(await get(`/api/v1/namespaces/${at.namespace}/serviceaccounts`)),
    missing: at.clean(await get(`/api/v1/namespaces/${at.namespace}/configmaps/nothing`)),
  };
  running.process.kill();
  await running.done;
  return shown;
}

/** Evictions, with a body of their own kind. */
async function drain(at: Workplace): Promise<Shown> {
  await at.shown('run', 'web', '--image=registry.example/web:1', '--labels=app=drained');
  await at.shown('wait', '--for=condition=Ready', 'pod/web', '--timeout=60s');
  const drained = await at.shown('drain', at.node, '--pod-selector=app=drained', '--force', '--timeout=60s');
  return { drained, uncordoned: await at.shown('uncordon', at.node), left: await at.shown('get', 'pods', '-o', 'name') };
}
