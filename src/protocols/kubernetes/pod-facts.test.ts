import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { patchedPodFacts, readPatch } from './patch.ts';
import { debugFacts, describedPodFacts, livePodFacts, type PodFacts } from './pod-facts.ts';

const container = (securityContext?: unknown, more = {}) => ({
  name: 'a',
  image: 'a:1',
  ...(securityContext === undefined ? {} : { securityContext }),
  ...more,
});
const pod = (spec: unknown) => ({ kind: 'Pod', spec });
/** `p`: privileged, `r`: root, `h`: host access; `-`: not; `?`: not known. */
const short = (facts: PodFacts | undefined): string =>
  facts === undefined
    ? 'none'
    : `${facts.privileged ? 'p' : '-'}${facts.runsAsRoot === undefined ? '?' : facts.runsAsRoot ? 'r' : '-'}${facts.hostAccess ? 'h' : '-'}`;

describe('the facts of a pod that is described', () => {
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['nothing said: the image says who it runs as', { containers: [container()] }, '-r-'],
    ['an empty security context', { containers: [container({})] }, '-r-'],
    ['another user', { containers: [container({ runAsUser: 1000 })] }, '---'],
    ['root by number', { containers: [container({ runAsUser: 0, runAsNonRoot: true })] }, '-r-'],
    ['not root', { containers: [container({ runAsNonRoot: true })] }, '---'],
    ['not root, said of the pod', { securityContext: { runAsNonRoot: true }, containers: [container()] }, '---'],
    [
      'a container that takes that back',
      { securityContext: { runAsNonRoot: true }, containers: [container({ runAsNonRoot: false })] },
      '-r-',
    ],
    ['a container with another user than the pod', { securityContext: { runAsUser: 0 }, containers: [container({ runAsUser: 5 })] }, '---'],
    ['one of several', { securityContext: { runAsUser: 5 }, containers: [container(), container({ runAsUser: 0 })] }, '-r-'],
    [
      'an init container',
      { securityContext: { runAsUser: 5 }, containers: [container()], initContainers: [container({ privileged: true })] },
      'p--',
    ],
    [
      'an ephemeral container',
      { securityContext: { runAsUser: 5 }, containers: [container()], ephemeralContainers: [container({ privileged: true })] },
      'p--',
    ],
    ['privileged', { containers: [container({ privileged: true, runAsUser: 5 })] }, 'p--'],
    ['privileged, as no server should take it', { containers: [container({ privileged: 'true', runAsUser: 5 })] }, 'p--'],
    ['not privileged', { containers: [container({ privileged: false, runAsUser: 5 })] }, '---'],
    ['a HostProcess container', { containers: [container({ windowsOptions: { hostProcess: true }, runAsUser: 5 })] }, 'p--'],
    [
      'HostProcess, said of the pod',
      { securityContext: { windowsOptions: { hostProcess: true }, runAsUser: 5 }, containers: [container()] },
      'p--',
    ],
    ['the node’s network', { hostNetwork: true, containers: [container({ runAsUser: 5 })] }, '--h'],
    ['the node’s processes', { hostPID: true, containers: [container({ runAsUser: 5 })] }, '--h'],
    ['the node’s IPC', { hostIPC: true, containers: [container({ runAsUser: 5 })] }, '--h'],
    ['none of the node’s', { hostPID: false, containers: [container({ runAsUser: 5 })] }, '---'],
    ['a path of the node', { volumes: [{ name: 'v', hostPath: { path: '/' } }], containers: [container({ runAsUser: 5 })] }, '--h'],
    ['other volumes', { volumes: [{ name: 'v', emptyDir: {} }], containers: [container({ runAsUser: 5 })] }, '---'],
    ['a port of the node', { containers: [container({ runAsUser: 5 }, { ports: [{ containerPort: 80, hostPort: 80 }] })] }, '--h'],
    ['a port that is none', { containers: [container({ runAsUser: 5 }, { ports: [{ containerPort: 80, hostPort: 0 }] })] }, '---'],
  ];
  for (const [what, spec, expected] of cases) it(what, () => assert.equal(short(describedPodFacts(pod(spec), false)), expected));

  it('are found wherever a pod is described', () => {
    const spec = { containers: [container({ privileged: true, runAsUser: 5 })] };
    for (const document of [
      { kind: 'Deployment', spec: { template: { spec } } },
      { kind: 'CronJob', spec: { jobTemplate: { spec: { template: { spec } } } } },
      { kind: 'PodTemplate', template: { spec } },
      { kind: 'Rollout', spec: { workload: [{ template: { spec } }] } },
      { kind: 'List', items: [pod({ containers: [container({ runAsUser: 5 })] }), pod(spec)] },
    ]) {
      assert.equal(short(describedPodFacts(document, false)), 'p--', document.kind);
    }
    assert.equal(describedPodFacts({ kind: 'ConfigMap', data: { containers: '[]' } }, false), undefined);
  });

  it('name images, paths, capabilities and the service account', () => {
    const facts = describedPodFacts(
      pod({
        serviceAccountName: 'admin',
        volumes: [{ hostPath: { path: '/var/run' } }],
        containers: [container({ capabilities: { add: ['SYS_ADMIN', 'CAP_NET_ADMIN', 'sys_admin'] } }), { image: 'b:2' }],
      }),
      false,
    )!;
    assert.deepEqual(
      [facts.images, facts.hostPaths, facts.capabilities, facts.serviceAccounts],
      [['a:1', 'b:2'], ['/var/run'], ['SYS_ADMIN', 'NET_ADMIN'], ['admin']],
    );
  });

  it('of several are the worst of each', () => {
    const both = (...specs: unknown[]) => short(describedPodFacts({ items: specs.map((spec) => ({ template: { spec } })) }, true));
    const [unknown, root, user] = [{ hostPID: false }, { containers: [container()] }, { containers: [container({ runAsUser: 5 })] }];
    assert.equal(both(unknown, unknown), '-?-');
    assert.equal(both(unknown, root), '-r-');
    assert.equal(both(root, unknown), '-r-');
    assert.equal(both(unknown, user), '---');
    assert.equal(both(user, unknown), '---');
    assert.equal(both(user, root), '-r-');
    assert.equal(both(user, { ...user, hostPID: true }), '--h');
    assert.equal(both({ ...user, hostPID: true }, user), '--h');
    assert.equal(both(user, { containers: [container({ privileged: true, runAsUser: 5 })] }), 'p--');
    const many = Array.from({ length: 300 }, () => ({ spec: user }));
    assert.equal(short(describedPodFacts({ items: many }, false)), 'prh', 'more than are looked at');
  });

  it('are the worst where nobody looks any further', () => {
    let deep: unknown = pod({ containers: [container({ runAsUser: 5 })] });
    for (let level = 0; level < 100; level += 1) deep = { inner: deep };
    assert.match(short(describedPodFacts(deep, false)), /^p.h$/);
  });

  it('are told of anything, and never throw', () => {
    fc.assert(fc.property(fc.jsonValue(), fc.boolean(), (value, isPatch) => void describedPodFacts(value, isPatch)));
    fc.assert(fc.property(fc.jsonValue(), (value) => void patchedPodFacts(readPatch(value) ?? [])));
  });
});

describe('the facts of a patch', () => {
  const merged = (spec: unknown) => short(describedPodFacts({ spec: { template: { spec } } }, true));

  it('are those of what it touches', () => {
    assert.equal(describedPodFacts({ spec: { replicas: 3 } }, true), undefined);
    assert.equal(describedPodFacts({ metadata: { labels: { a: 'b' } } }, true), undefined);
    assert.equal(merged({ containers: [{ name: 'a', image: 'a:2' }] }), '-r-', 'another image runs as somebody else');
    assert.equal(merged({ containers: [container({ privileged: true, runAsUser: 5 })] }), 'p--');
    assert.equal(merged({ hostNetwork: true }), '-?h');
    assert.equal(merged({ securityContext: { runAsUser: 0 } }), '-r-');
    assert.equal(merged({ securityContext: null }), '-r-', 'what said that it is not root is taken away');
    assert.equal(merged({ serviceAccountName: 'admin' }), '-?-');
    assert.equal(merged({ serviceAccount: 'admin' }), '-?-');
    assert.equal(merged({ volumes: [{ name: 'v', hostPath: {} }] }), '-?h');
  });

  it('operation by operation', () => {
    const at = '/spec/template/spec';
    const of = (...operations: unknown[]) => short(patchedPodFacts(readPatch(operations)!));
    assert.equal(of({ op: 'replace', path: '/spec/replicas', value: 3 }), 'none');
    assert.equal(of({ op: 'test', path: `${at}/hostPID`, value: true }), 'none');
    assert.equal(of({ op: 'add', path: `${at}/containers/0/securityContext/privileged`, value: true }), 'pr-');
    assert.equal(of({ op: 'add', path: `${at}/containers/-`, value: container({ privileged: true, runAsUser: 5 }) }), 'p--');
    assert.equal(of({ op: 'replace', path: `${at}/hostPID`, value: true }), '-?h');
    assert.equal(of({ op: 'remove', path: `${at}/hostPID` }), '-?-');
    assert.equal(of({ op: 'remove', path: `${at}/containers/0/securityContext` }), '-r-');
    assert.equal(of({ op: 'replace', path: '', value: pod({ hostIPC: true, containers: [container({ runAsUser: 5 })] }) }), '--h');
    assert.equal(of({ op: 'add', path: `${at}/volumes/0/hostPath`, value: { path: '/' } }), '-?h');
    assert.equal(of({ op: 'copy', from: '/metadata/annotations/x', path: `${at}/containers/0/securityContext` }), 'prh');
    assert.equal(of({ op: 'move', from: `${at}/containers/0`, path: `${at}/containers/1` }), 'prh');
    assert.equal(of({ op: 'copy', from: '/metadata/labels/a', path: '/metadata/labels/b' }), 'none');
    assert.equal(
      of({ op: 'add', path: '/metadata/labels/x~1y', value: 'z' }, { op: 'add', path: `${at}/hostNetwork`, value: true }),
      '-?h',
    );
  });

  it('that is no JSON patch is none', () => {
    for (const bad of [{}, [1], [{ op: 'add' }], [{ op: 'copy', path: '/a' }], [{ op: 'delete', path: '/a' }], [null]])
      assert.equal(readPatch(bad), undefined);
  });
});

describe('the facts of a pod that runs', () => {
  const live = pod({
    securityContext: { runAsUser: 5 },
    hostNetwork: true,
    containers: [container(), { name: 'b', securityContext: { privileged: true } }],
  });

  it('are those of the container that is meant', () => {
    assert.equal(short(livePodFacts(live, 'a')), '--h');
    assert.equal(short(livePodFacts(live, 'b')), 'p-h');
    assert.equal(short(livePodFacts(live, '')), 'p-h');
    assert.equal(livePodFacts(live, 'c'), undefined);
    assert.equal(livePodFacts({}, ''), undefined);
  });

  it('of a debug container are its own, in that pod', () => {
    const patch = (one: unknown) => ({ spec: { ephemeralContainers: [one] } });
    assert.equal(short(debugFacts(live, patch({ name: 'd', image: 'd' }))), '--h');
    assert.equal(short(debugFacts(live, patch({ name: 'd', securityContext: { privileged: true, runAsUser: 0 } }))), 'prh');
    assert.equal(short(debugFacts(live, {})), 'prh');
    assert.equal(short(debugFacts(undefined, patch({ name: 'd' }))), 'prh');
  });
});
