import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenSession } from '../../core/effect.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { TargetAnswer } from '../request.ts';
import { askKubernetes, readsKubernetes } from './ask.ts';
import { statusOf } from './fault.ts';
import { request, testEnvironment, type Sent } from './testing/requests.ts';

const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;
const open = testEnvironment(nodeCrypto, [], {}, { detects: false });
const found = (pod: unknown): TargetAnswer => ({ status: pod === undefined ? 404 : 200, body: Buffer.from(JSON.stringify(pod ?? {})) });
const ask = (line: string, sent?: Sent, environment = open, pod?: unknown) => askKubernetes(request(line, sent), environment, [found(pod)]);
const operation = (line: string, sent?: Sent, environment = open, pod?: unknown) => ask(line, sent, environment, pod).operation(session);
const json = { 'content-type': 'application/json' };
const pods = '/api/v1/namespaces/prod/pods';

function acts(line: string, sent?: Sent): string {
  return operation(line, sent)
    .acts.map(({ action, object }) => `${action} ${object.type} ${object.id}`)
    .join('; ');
}

describe('the acts of a request', () => {
  const cases: readonly (readonly [string, string])[] = [
    [`GET ${pods}`, 'kubernetes:list Resource aks/prod/pods'],
    ['GET /api/v1/pods', 'kubernetes:list Resource aks/*/pods'],
    ['GET /api/v1/nodes/n1', 'kubernetes:get Resource aks/-/nodes/n1'],
    ['GET /api/v1/pods?watch=1', 'kubernetes:watch Resource aks/*/pods'],
    ['DELETE /api/v1/nodes', 'kubernetes:delete-collection Resource aks/*/nodes'],
    ['POST /api/v1/nodes', 'kubernetes:create Resource aks/-/nodes'],
    ['GET /api/v1/nodes?fieldSelector=metadata.name%3Dn1', 'kubernetes:list Resource aks/-/nodes/n1'],
    [`GET /api/v1/watch/namespaces/prod/pods/web-1/log`, 'kubernetes:logs Resource aks/prod/pods/web-1'],
    [`GET /api/v1/watch/namespaces/prod/pods/web-1/resize`, 'kubernetes:watch Resource aks/prod/pods/web-1'],
    [`POST ${pods}/web-1/log`, 'kubernetes:other Resource aks/prod/pods/web-1'],
    [`PATCH ${pods}/web-1`, 'kubernetes:patch Resource aks/prod/pods/web-1'],
    [`PATCH ${pods}/web-1/status`, 'kubernetes:patch Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/ephemeralcontainers`, 'kubernetes:get Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/eviction`, 'kubernetes:get Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/binding`, 'kubernetes:get Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/resize`, 'kubernetes:get Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/unknown`, 'kubernetes:other Resource aks/prod/pods/web-1'],
    ['GET /api/v1/namespaces/prod/services/web:8080/proxy/x', 'kubernetes:proxy Resource aks/prod/services/web'],
    ['GET /api/v1/namespaces/prod/services/https:web:8443/proxy/x', 'kubernetes:proxy Resource aks/prod/services/web'],
    ['GET /api/v1/namespaces/prod/services/https:web:/proxy/x', 'kubernetes:proxy Resource aks/prod/services/web'],
    [
      'PUT /apis/rbac.authorization.k8s.io/v1/clusterroles/r/status',
      'kubernetes:escalate Resource aks/-/clusterroles.rbac.authorization.k8s.io/r',
    ],
    [
      'POST /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings',
      'kubernetes:bind Resource aks/prod/rolebindings.rbac.authorization.k8s.io',
    ],
    [
      'PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/r',
      'kubernetes:escalate Resource aks/-/clusterroles.rbac.authorization.k8s.io/r',
    ],
    ['DELETE /apis/apiregistration.k8s.io/v1/apiservices/a', 'kubernetes:extend Resource aks/-/apiservices.apiregistration.k8s.io/a'],
    ['GET /apis/apiregistration.k8s.io/v1/apiservices/a', 'kubernetes:get Resource aks/-/apiservices.apiregistration.k8s.io/a'],
    [
      'GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c/approval',
      'kubernetes:get Resource aks/-/certificatesigningrequests.certificates.k8s.io/c',
    ],
    [
      'GET /apis/certificates.k8s.io/v1/certificatesigningrequests/c/status',
      'kubernetes:get Resource aks/-/certificatesigningrequests.certificates.k8s.io/c',
    ],
    [
      'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      'kubernetes:review Resource aks/-/selfsubjectrulesreviews.authorization.k8s.io',
    ],
    ['POST /apis/authentication.k8s.io/v1/selfsubjectreviews', 'kubernetes:review Resource aks/-/selfsubjectreviews.authentication.k8s.io'],
    [
      'PUT /apis/authorization.k8s.io/v1/selfsubjectaccessreviews/a',
      'kubernetes:update Resource aks/-/selfsubjectaccessreviews.authorization.k8s.io/a',
    ],
    ['HEAD /metrics', 'kubernetes:get Path aks/metrics'],
    [`GET ${pods}?watch=1`, 'kubernetes:watch Resource aks/prod/pods'],
    [`GET ${pods}?fieldSelector=metadata.name%3Dweb-1`, 'kubernetes:list Resource aks/prod/pods/web-1'],
    ['GET /api/v1/namespaces/prod', 'kubernetes:get Namespace aks/prod'],
    ['DELETE /api/v1/namespaces/prod', 'kubernetes:delete Namespace aks/prod'],
    ['GET /apis/apps/v1/namespaces/prod/deployments/web', 'kubernetes:get Resource aks/prod/deployments.apps/web'],
    [`GET ${pods}/web-1/status`, 'kubernetes:get Resource aks/prod/pods/web-1'],
    [`GET ${pods}/web-1/log`, 'kubernetes:logs Resource aks/prod/pods/web-1'],
    [`DELETE ${pods}/web-1`, 'kubernetes:delete Resource aks/prod/pods/web-1'],
    [`DELETE ${pods}`, 'kubernetes:delete-collection Resource aks/prod/pods'],
    [`POST ${pods}/web-1/eviction`, 'kubernetes:evict Resource aks/prod/pods/web-1'],
    [`POST ${pods}/web-1/binding`, 'kubernetes:schedule Resource aks/prod/pods/web-1'],
    ['POST /api/v1/namespaces/prod/bindings', 'kubernetes:schedule Resource aks/prod/bindings'],
    [`PATCH ${pods}/web-1/resize`, 'kubernetes:resize Resource aks/prod/pods/web-1'],
    [`PATCH ${pods}/web-1/ephemeralcontainers`, 'kubernetes:debug Resource aks/prod/pods/web-1'],
    ['POST /api/v1/namespaces/prod/serviceaccounts/ci/token', 'kubernetes:create-token Resource aks/prod/serviceaccounts/ci'],
    ['PATCH /apis/apps/v1/namespaces/prod/deployments/web/scale', 'kubernetes:scale Resource aks/prod/deployments.apps/web'],
    ['GET /apis/apps/v1/namespaces/prod/deployments/web/scale', 'kubernetes:get Resource aks/prod/deployments.apps/web'],
    ['PUT /api/v1/namespaces/prod/finalize', 'kubernetes:update Namespace aks/prod'],
    [
      'POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      'kubernetes:define Resource aks/-/customresourcedefinitions.apiextensions.k8s.io',
    ],
    [
      'POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      'kubernetes:bind Resource aks/-/clusterrolebindings.rbac.authorization.k8s.io',
    ],
    [
      'PUT /apis/rbac.authorization.k8s.io/v1/namespaces/prod/roles/r',
      'kubernetes:escalate Resource aks/prod/roles.rbac.authorization.k8s.io/r',
    ],
    [
      'DELETE /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/w',
      'kubernetes:extend Resource aks/-/validatingwebhookconfigurations.admissionregistration.k8s.io/w',
    ],
    [
      'PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/c/approval',
      'kubernetes:approve Resource aks/-/certificatesigningrequests.certificates.k8s.io/c',
    ],
    [
      'PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/c/status',
      'kubernetes:sign Resource aks/-/certificatesigningrequests.certificates.k8s.io/c',
    ],
    [
      'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      'kubernetes:review Resource aks/-/selfsubjectaccessreviews.authorization.k8s.io',
    ],
    [
      'POST /apis/authorization.k8s.io/v1/subjectaccessreviews',
      'kubernetes:create Resource aks/-/subjectaccessreviews.authorization.k8s.io',
    ],
    ['GET /api', 'kubernetes:discover Path aks/api'],
    ['GET /openapi/v3/apis/apps/v1', 'kubernetes:discover Path aks/openapi/v3/apis/apps/v1'],
    ['GET /readyz/etcd', 'kubernetes:discover Path aks/readyz/etcd'],
    ['GET /metrics', 'kubernetes:get Path aks/metrics'],
    ['GET /logs/audit.log', 'kubernetes:get Path aks/logs/audit.log'],
    [
      'GET /apis/custom.metrics.k8s.io/v1beta1/namespaces/prod/pods/web/cpu',
      'kubernetes:other Resource aks/prod/pods.custom.metrics.k8s.io/web',
    ],
  ];
  for (const [line, expected] of cases) it(line, () => assert.equal(acts(line), expected));

  it('are about objects in what they stand in', () => {
    const parents = (line: string) => operation(line).acts[0]!.object.parents;
    const namespace = { type: 'Namespace', id: 'aks/prod' };
    assert.deepEqual(parents(`GET ${pods}`), [namespace]);
    assert.deepEqual(parents(`GET ${pods}/web-1`), [{ type: 'Resource', id: 'aks/prod/pods', parents: [namespace] }]);
    assert.deepEqual(parents('GET /api/v1/pods'), []);
    assert.deepEqual(parents('GET /api/v1/nodes/n1'), [{ type: 'Resource', id: 'aks/-/nodes', parents: [] }]);
  });

  it('of a proxy have the port that it leads to', () => {
    const port = (name: string) => operation(`GET /api/v1/namespaces/prod/services/${name}/proxy/x`).facts['destination_port'];
    assert.deepEqual(['web', 'web:8080', 'https:web:8443', 'https:web:', 'web:http', 'web:123456'].map(port), [
      undefined,
      8080,
      8443,
      undefined,
      undefined,
      undefined,
    ]);
  });

  for (const method of ['GET', 'POST']) {
    it(`${method}: streams and proxies are no read, whatever the method is`, () => {
      assert.equal(acts(`${method} ${pods}/web-1/exec?command=ls`), 'kubernetes:exec Resource aks/prod/pods/web-1');
      assert.equal(acts(`${method} ${pods}/web-1/attach`), 'kubernetes:attach Resource aks/prod/pods/web-1');
      assert.equal(acts(`${method} ${pods}/web-1/portforward`), 'kubernetes:port-forward Resource aks/prod/pods/web-1');
      assert.equal(acts(`${method} ${pods}/https:web-1:8443/proxy/x`), 'kubernetes:proxy Resource aks/prod/pods/web-1');
      assert.equal(acts(`${method} /api/v1/namespaces/prod/services/web/proxy`), 'kubernetes:proxy Resource aks/prod/services/web');
      assert.equal(acts(`${method} /api/v1/nodes/n1/proxy/exec/prod/web/app`), 'kubernetes:node-proxy Resource aks/-/nodes/n1');
      for (const subresource of ['exec?command=ls', 'attach', 'portforward', 'proxy/x']) {
        assert.equal(operation(`${method} ${pods}/web-1/${subresource}`).pureRead, false, subresource);
      }
    });
  }

  it('of kubectl cp are an exec and a copy, in the forms that kubectl has', () => {
    const copy = 'kubernetes:exec Resource aks/prod/pods/web-1; kubernetes:copy Resource aks/prod/pods/web-1';
    const exec = (...argv: string[]) =>
      acts(`GET ${pods}/web-1/exec?${argv.map((word) => `command=${encodeURIComponent(word)}`).join('&')}`);
    assert.equal(exec('tar', 'cf', '-', '/etc/passwd'), copy);
    assert.equal(exec('tar', '-xmf', '-', '-C', '/tmp'), copy);
    assert.equal(exec('tar', '-xmf', '-'), copy);
    for (const argv of [
      ['tar', 'cf', '-', '--to-command=sh'],
      ['tar', '-xmf', '-', '-C', '--to-command=sh'],
      ['tar', '-xmf', '-', '--to-command=sh'],
      ['tar', 'cf', '-', '/a', '/b'],
      ['sh', 'cf', '-', '/a'],
      ['tar', 'cf', 'x', '/a'],
      ['tar', 'cf', '-'],
      ['tar', 'xf', '-'],
      ['tar', '-xmf', '-', '--directory', '/tmp'],
      ['tar', '-xmf', '-', '-C', '/tmp', '/a'],
      ['sh', '-c', 'tar cf - /a | tail -c+1'],
    ]) {
      assert.equal(exec(...argv), 'kubernetes:exec Resource aks/prod/pods/web-1', argv.join(' '));
    }
  });

  it('of what is created name it, where its body does', () => {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-9' } });
    assert.equal(acts(`POST ${pods}`, { body, fields: json }), 'kubernetes:create Resource aks/prod/pods/web-9');
    assert.equal(
      acts(`POST ${pods}`, { body: '{"metadata":{"generateName":"web-"}}', fields: json }),
      'kubernetes:create Resource aks/prod/pods',
    );
  });

  it('of server-side apply are an apply', () => {
    const fields = { 'content-type': 'application/apply-patch+yaml' };
    assert.equal(
      acts('PATCH /apis/apps/v1/namespaces/prod/deployments/web?fieldManager=k', { fields, body: '{}' }),
      'kubernetes:apply Resource aks/prod/deployments.apps/web',
    );
  });
});

describe('the facts of a request', () => {
  it('say what it is about', () => {
    const { facts } = operation(`PATCH ${pods}/web-1/status?dryRun=All&force=true`, {
      fields: { 'content-type': 'application/merge-patch+json', 'sallyport-reason': 'INC-7' },
      body: '{"status":{}}',
    });
    assert.deepEqual(facts, {
      method: 'PATCH',
      path: '/api/v1/namespaces/prod/pods/web-1/status',
      query_parameters: ['dryRun', 'force'],
      api_group: '',
      api_version: 'v1',
      verb: 'patch',
      resource: 'pods',
      subresource: 'status',
      namespace: 'prod',
      name: 'web-1',
      dry_run: true,
      force: true,
      reason: 'INC-7',
    });
  });

  it('tell an unbounded deletion, and a dry run by the body', () => {
    assert.equal(operation(`DELETE ${pods}`).facts['unbounded'], true);
    assert.equal(operation(`DELETE ${pods}?labelSelector=app%3Dweb`).facts['unbounded'], false);
    assert.equal(operation(`DELETE ${pods}/web-1`, { fields: json, body: '{"dryRun":["All"]}' }).facts['dry_run'], true);
    assert.equal(operation(`DELETE ${pods}/web-1`, { fields: json, body: '{}' }).facts['dry_run'], false);
    assert.equal(
      operation(`POST ${pods}/web-1/eviction`, { fields: json, body: '{"deleteOptions":{"dryRun":["All"]}}' }).facts['dry_run'],
      true,
    );
  });

  it('of an exec are its command, container and what the pod may do, looked up', () => {
    const pod = {
      spec: {
        securityContext: { runAsUser: 1000 },
        containers: [
          { name: 'app', image: 'web:1' },
          { name: 'side', image: 'proxy:1', securityContext: { privileged: true, runAsUser: 0 } },
        ],
      },
    };
    const exec = (container: string, live: unknown) =>
      operation(`GET ${pods}/web-1/exec?container=${container}&command=sh&command=-c&command=id%20-u&tty=true&stdin=1`, {}, open, live)
        .facts;
    const facts = exec('app', pod);
    assert.equal(facts['command'], 'sh -c id -u');
    assert.deepEqual(facts['argv'], ['sh', '-c', 'id -u']);
    assert.equal(facts['program'], 'sh');
    assert.equal(facts['container'], 'app');
    assert.equal(facts['terminal'], true);
    assert.equal(facts['stdin'], true);
    assert.equal(facts['privileged'], false);
    assert.equal(facts['runs_as_root'], false);
    assert.deepEqual(facts['images'], ['web:1']);
    assert.equal(exec('side', pod)['privileged'], true);
    assert.equal(exec('side', pod)['runs_as_root'], true);
    assert.equal(exec('', pod)['privileged'], true, 'any of them, where none is named');
    for (const unknown of [undefined, {}, { spec: {} }]) {
      assert.equal(exec('app', unknown)['privileged'], true);
      assert.equal(exec('app', unknown)['runs_as_root'], true);
      assert.equal(exec('app', unknown)['host_access'], true);
    }
  });

  it('name objects as they are called, and what a proxy leads to', () => {
    const name = (line: string) => operation(line).facts['name'];
    assert.equal(name('GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node'), 'system:node');
    assert.equal(name(`GET ${pods}/https:web-1:8443/proxy/x`), 'web-1');
  });

  it('tell a dry run of what writes alone', () => {
    const dry = (line: string) => operation(`${line}?dryRun=All`).facts['dry_run'];
    for (const line of [`GET ${pods}`, `GET ${pods}/a`, `GET /api/v1/watch/namespaces/prod/pods`, `POST ${pods}/a/exec`])
      assert.equal(dry(line), undefined, line);
    for (const line of [`POST ${pods}`, `PUT ${pods}/a`, `PATCH ${pods}/a`, `DELETE ${pods}/a`, `DELETE ${pods}`])
      assert.equal(dry(line), true, line);
    assert.equal(operation(`DELETE ${pods}/a`).facts['dry_run'], false);
  });

  it('call a deletion bounded by a selector that selects, and by nothing else', () => {
    const unbounded = (query: string) => operation(`DELETE ${pods}${query}`).facts['unbounded'];
    for (const query of ['?limit=5', '?labelSelector=', '?fieldSelector=', '?other=a']) assert.equal(unbounded(query), true, query);
    for (const query of ['?labelSelector=a', '?fieldSelector=spec.nodeName%3Dn', '?fieldSelector=metadata.name%3Da'])
      assert.equal(unbounded(query), false, query);
    assert.equal(operation(`GET ${pods}`).facts['unbounded'], undefined);
  });

  it('of logs and forwarded ports are what is asked for', () => {
    assert.equal(operation(`GET ${pods}/a/log?container=app`).facts['container'], 'app');
    const forward = (query: string) => {
      const { facts } = operation(`POST ${pods}/a/portforward${query}`, {}, open, {});
      return [facts['ports'], facts['destination_port'], facts['container'], facts['argv']];
    };
    assert.deepEqual(forward('?ports=80'), [['80'], 80, undefined, undefined]);
    assert.deepEqual(forward('?ports=80,5432&ports=x,0,-1,65536,1.5,65535&command=7&other=8'), [
      ['80', '5432', '65535'],
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(forward(''), [undefined, undefined, undefined, undefined]);
  });

  describe('of pods', () => {
    const privileged = { containers: [{ name: 'a', image: 'a:1', securityContext: { privileged: true, runAsUser: 5 } }] };
    const facts = (line: string, type: string, body: unknown, pod?: unknown) => {
      const found = operation(line, { fields: { 'content-type': type }, body: JSON.stringify(body) }, open, pod).facts;
      return [found['privileged'], found['runs_as_root'], found['host_access']];
    };
    const none = [undefined, undefined, undefined];
    const worst = [true, true, true];
    const deployment = '/apis/apps/v1/namespaces/prod/deployments/web';

    it('are those of what is written, not of what is deleted', () => {
      assert.deepEqual(facts(`POST ${pods}`, 'application/json', { spec: privileged }), [true, false, false]);
      for (const line of [`DELETE ${pods}/a`, `DELETE ${pods}`])
        assert.deepEqual(facts(line, 'application/json', { spec: privileged }), none, line);
      assert.deepEqual(facts(`POST ${pods}/a/proxy/x`, 'application/json', { spec: privileged }), none);
      assert.equal(operation(`POST ${pods}`).facts['privileged'], undefined, 'nothing is sent');
    });

    it('go by how a body is to be read', () => {
      const spec = { template: { spec: { hostNetwork: true } } };
      assert.deepEqual(facts(`PUT ${deployment}`, 'application/json', { spec }), [false, true, true]);
      assert.deepEqual(facts(`PATCH ${deployment}`, 'application/apply-patch+yaml', { spec }), [false, true, true]);
      assert.deepEqual(facts(`PATCH ${deployment}`, 'application/merge-patch+json', { spec }), [false, undefined, true]);
      const operations = [{ op: 'add', path: '/spec/template/spec/hostNetwork', value: true }];
      assert.deepEqual(facts(`PATCH ${deployment}`, 'application/json-patch+json', operations), [false, undefined, true]);
      assert.deepEqual(facts(`PATCH ${deployment}`, 'application/json-patch+json', [{ op: 'guess' }]), worst);
      assert.deepEqual(facts(`PATCH ${deployment}`, 'application/json-patch+json', {}), worst);
    });

    it('of a debugging container are its own, in the pod that is there', () => {
      const live = { spec: { securityContext: { runAsUser: 5 }, containers: [{ name: 'a' }] } };
      const debugging = { spec: { ephemeralContainers: [{ name: 'd', image: 'd:1', securityContext: { privileged: true } }] } };
      const at = `${pods}/a/ephemeralcontainers`;
      assert.deepEqual(facts(`PATCH ${at}`, 'application/strategic-merge-patch+json', debugging, live), [true, false, false]);
      assert.deepEqual(facts(`PUT ${at}`, 'application/json', debugging, live), [true, false, false]);
      assert.deepEqual(facts(`PATCH ${at}`, 'application/strategic-merge-patch+json', debugging), worst, 'there is none');
      assert.deepEqual(
        facts(`PATCH ${at}`, 'application/json-patch+json', [{ op: 'add', path: '/spec/ephemeralContainers/-', value: {} }], live),
        worst,
      );
    });
  });

  it('of a token are its audiences', () => {
    const { facts } = operation('POST /api/v1/namespaces/prod/serviceaccounts/ci/token', {
      fields: json,
      body: '{"spec":{"audiences":["vault"]}}',
    });
    assert.deepEqual(facts['audiences'], ['vault']);
  });
});

describe('what is read of the cluster first', () => {
  it('is the pod that something goes into', () => {
    const environment = testEnvironment(nodeCrypto, [], { basePath: '/k', credentialNames: ['authorization'] });
    const fields = [{ name: 'accept', value: 'application/json' }];
    const expected = [{ target: '/k/api/v1/namespaces/prod/pods/web-1', fields }];
    for (const line of [
      `GET ${pods}/web-1/exec?command=ls`,
      `POST ${pods}/web-1/attach`,
      `GET ${pods}/web-1/portforward`,
      `PATCH ${pods}/web-1/ephemeralcontainers`,
    ]) {
      assert.deepEqual(readsKubernetes(request(line), environment), expected, line);
    }
    for (const line of [
      'GET /api/v1/pods/web-1/exec',
      'GET /apis/example.com/v1/namespaces/prod/pods/web-1/exec',
      'PATCH /apis/example.com/v1/namespaces/prod/pods/web-1/ephemeralcontainers',
      'PATCH /api/v1/namespaces/prod/services/web-1/ephemeralcontainers',
      'PATCH /api/v1/pods/web-1/ephemeralcontainers',
    ])
      assert.deepEqual(readsKubernetes(request(line), testEnvironment(nodeCrypto, [], {}, { detects: false })), [], line);
    for (const line of [`GET ${pods}/web-1`, `GET ${pods}/web-1/log`, `GET ${pods}/web-1/ephemeralcontainers`, `GET ${pods}`]) {
      assert.deepEqual(readsKubernetes(request(line), environment), [], line);
    }
  });

  it('has to be there: what cannot be read is refused, what does not exist is the API server’s to report', () => {
    const refusal = (read: readonly TargetAnswer[]) =>
      askKubernetes(request(`GET ${pods}/web-1/exec?command=ls`), open, read).refusal?.code;
    const none = new Uint8Array();
    for (const status of [0, 401, 403, 500, 503]) {
      assert.equal(refusal([{ status, body: none }]), 'upstream-unavailable', String(status));
      assert.equal(refusal([{ status, body: Buffer.from('{"kind":"Status"}') }]), 'upstream-unavailable', 'whatever it says');
    }
    assert.equal(refusal([{ status: 200, body: Buffer.from('{') }]), 'upstream-unavailable');
    assert.equal(refusal([]), 'upstream-unavailable');
    assert.equal(refusal([{ status: 404, body: none }]), undefined);
  });
});

describe('a pure read', () => {
  it('is what shows objects, logs, discovery and one’s own rights, and nothing else', () => {
    for (const line of [
      `GET ${pods}`,
      `GET ${pods}/a`,
      `GET ${pods}?watch=1`,
      `GET ${pods}/a/log`,
      'GET /api',
      'GET /metrics',
      'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    ])
      assert.equal(operation(line).pureRead, true, line);
    for (const line of [
      `POST ${pods}`,
      `DELETE ${pods}/a`,
      `GET ${pods}/a/exec`,
      `GET ${pods}/a/other`,
      'POST /metrics',
      'GET /api/v1/proxy/nodes/a',
    ])
      assert.equal(operation(line).pureRead, false, line);
  });
});

describe('what is refused, and put on record all the same', () => {
  it('is a request that has no meaning', () => {
    const asked = ask('GET /api/v1/proxy/nodes/n1');
    assert.equal(asked.refusal?.code, 'unclassified');
    assert.deepEqual(asked.operation(session).acts, [
      { action: 'kubernetes:other', object: { type: 'Path', id: 'aks/api/v1/proxy/nodes/n1' } },
    ]);
    assert.equal(ask('POST /metrics').refusal?.code, 'unclassified');
  });

  it('is a body that cannot be read', () => {
    const at = (fields: Record<string, string>, body: string) => ask(`POST ${pods}`, { fields, body }).refusal;
    assert.equal(at({ 'content-type': 'application/vnd.kubernetes.protobuf' }, 'k8s')?.code, 'unclassified');
    assert.equal(statusOf(at({ 'content-type': 'application/cbor' }, 'x')!).status, 415);
    assert.equal(statusOf(at({ ...json, 'content-encoding': 'gzip' }, '{}')!).status, 415);
    assert.equal(at(json, '{"spec":{},"spec":{}}')?.code, 'unclassified');
    assert.equal(at(json, '{')?.code, 'unclassified');
    assert.equal(at({ 'content-type': 'application/yaml' }, 'a: 1\n---\na: 2\n')?.code, 'unclassified');
    assert.equal(at({ 'content-type': 'application/yaml' }, 'a: 1\na: 2\n')?.code, 'unclassified');
    assert.equal(at(json, '{}'), undefined);
  });

  it('is a write where only reading is meant', () => {
    const readOnly = testEnvironment(nodeCrypto, [], { readOnly: true });
    for (const line of [
      `GET ${pods}`,
      `GET ${pods}/web-1/log`,
      'GET /api',
      'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    ]) {
      assert.equal(ask(line, {}, readOnly).refusal, undefined, line);
    }
    for (const line of [
      `DELETE ${pods}/web-1`,
      `GET ${pods}/web-1/exec?command=ls`,
      `GET ${pods}/web-1/proxy/`,
      'GET /api/v1/nodes/n1/proxy/',
    ]) {
      assert.equal(ask(line, {}, readOnly).refusal?.code, 'read-only', line);
    }
  });

  it('is whoever wants to be somebody else, by act and fact', () => {
    const asked = ask(`GET ${pods}`, { fields: { 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' } });
    assert.equal(asked.refusal?.code, 'policy-denied');
    const { acts, facts } = asked.operation(session);
    assert.deepEqual(acts.slice(1), [
      { action: 'kubernetes:impersonate', object: { type: 'Role', id: 'aks/user:bob' } },
      { action: 'kubernetes:impersonate', object: { type: 'Role', id: 'aks/group:system:masters' } },
    ]);
    assert.equal(facts['impersonated_user'], 'bob');
    assert.equal(ask(`GET ${pods}`, { fields: { impersonate_user: 'bob' } }).refusal?.code, 'policy-denied', 'in any spelling');
  });
});

describe('what goes upstream', () => {
  it('is who asks, where that is configured, and never a name of Kubernetes’ own', () => {
    const as = (user: string, groups: readonly string[], principal = {}) =>
      ask(
        `GET ${pods}`,
        {},
        { ...testEnvironment(nodeCrypto, [], { impersonate: { user, groups } }), principal: { ...open.principal, ...principal } },
      );
    assert.deepEqual(
      as('{issuer}:{subject}', ['gw:{group}', 'viewers']).upstream.fields.filter(({ name }) => name.startsWith('impersonate')),
      [
        { name: 'impersonate-user', value: 'ci:job-7' },
        { name: 'impersonate-group', value: 'gw:deployers' },
        { name: 'impersonate-group', value: 'gw:oncall' },
        { name: 'impersonate-group', value: 'viewers' },
      ],
    );
    assert.equal(as('{subject}', [], { subject: 'system:serviceaccount:kube-system:admin' }).refusal?.code, 'access-denied');
    assert.equal(as('{subject}', ['{group}'], { groups: ['system:masters'] }).refusal?.code, 'access-denied');
    assert.equal(as('{subject}', [], { subject: 'a\r\nimpersonate-group: x' }).refusal?.code, 'access-denied');
    assert.equal(as('{subject}', ['system:authenticated']).refusal, undefined);
    const many = (count: number) => ({ groups: Array.from({ length: count }, (_, index) => `g${index}`) });
    assert.equal(as('{subject}', ['{group}'], many(128)).refusal, undefined);
    assert.equal(as('{subject}', ['{group}'], many(129)).refusal?.code, 'access-denied');
  });

  it('is what was asked for, below the path of the cluster, without what carries the gateway’s own credential', () => {
    const environment = testEnvironment(
      nodeCrypto,
      [],
      { basePath: '/k', credentialNames: ['authorization', 'x-api-key'] },
      { detects: false },
    );
    const fields = { 'x-api-key': 'a', x_api_key: 'b', cookie: 'c', 'if-match': '"1"', range: 'bytes=0-1' };
    const { upstream } = ask(`GET ${pods}?limit=1`, { fields }, environment);
    assert.deepEqual([upstream.method, upstream.target], ['GET', `/k${pods}?limit=1`]);
    assert.deepEqual(
      upstream.fields.map(({ name }) => name),
      ['if-match', 'range'],
    );
    assert.equal(ask(`GET ${pods}`, {}, environment).upstream.target, `/k${pods}`);
    const hiding = testEnvironment(nodeCrypto, ['secrets/*/*#$.data']);
    const partial = 'range if-range if-match if-none-match if-modified-since if-unmodified-since accept-encoding'.split(' ');
    const names = ask(`GET ${pods}`, { fields: Object.fromEntries(partial.map((name) => [name, 'x'])) }, hiding).upstream.fields;
    assert.deepEqual(
      names.map(({ name, value }) => `${name}: ${value}`),
      ['accept-encoding: identity', 'accept: application/json'],
    );
  });

  it('asks for JSON in no coding, where something is hidden, and only there', () => {
    const hiding = testEnvironment(nodeCrypto, ['secrets/*/*#$.data']);
    const accept = (value: string, environment = hiding, line = `GET ${pods}`) =>
      ask(line, { fields: { accept: value, 'accept-encoding': 'gzip' } }, environment).upstream.fields.filter(({ name }) =>
        name.startsWith('accept'),
      );
    const identity = { name: 'accept-encoding', value: 'identity' };
    const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    assert.deepEqual(accept(table), [
      identity,
      { name: 'accept', value: 'application/json;as=Table;v=v1;g=meta.k8s.io, application/json' },
    ]);
    assert.deepEqual(accept('application/vnd.kubernetes.protobuf, application/json'), [
      identity,
      { name: 'accept', value: 'application/json' },
    ]);
    assert.deepEqual(accept('application/cbor'), [identity, { name: 'accept', value: 'application/json' }]);
    const asSent = [
      { name: 'accept', value: 'application/cbor' },
      { name: 'accept-encoding', value: 'gzip' },
    ];
    assert.deepEqual(accept('application/cbor', open), asSent);
    assert.deepEqual(accept('application/cbor', hiding, 'GET /openapi/v2'), asSent, 'what is the same for everybody');
  });
});

describe('YAML', () => {
  it('is forwarded as the JSON that was judged', () => {
    const at = (type: string, body: string, line = `POST ${pods}`) => ask(line, { fields: { 'content-type': type }, body });
    const asked = at('application/yaml', 'kind: Pod\nspec:\n  hostNetwork: yes\n  containers: [{image: a}]\n');
    assert.deepEqual(JSON.parse(Buffer.from(asked.upstream.body!).toString()), {
      kind: 'Pod',
      spec: { hostNetwork: true, containers: [{ image: 'a' }] },
    });
    assert.equal(asked.operation(session).facts['host_access'], true, 'yes is true for Kubernetes (YAML 1.1)');
    assert.equal(at('application/yaml', '{"kind":"Pod"}').upstream.body, undefined);
    assert.equal(at('application/apply-patch+yaml', '{}', `PATCH ${pods}/a`).upstream.body, undefined);
    assert.equal(at('application/yaml', 'a: &x [1]\nb: *x\n').refusal, undefined);
    assert.equal(at('application/yaml', 'a: 2020-01-01\n').refusal?.code, 'unclassified');
    assert.equal(at('application/yaml', 'a: 9007199254740993\n').refusal?.code, 'unclassified');
  });
});

describe('an operation', () => {
  it('says in words what runs in a pod', () => {
    const { text } = operation(`GET ${pods}/web-1/exec?container=app&command=sh&command=-c&command=rm%20-rf%20/&tty=1`);
    assert.match(text, /^exec in prod\/web-1, container app, with a terminal: sh -c 'rm -rf \/'\n/);
  });

  it('holds no secret, whoever may see it', () => {
    const secret = {
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: { name: 'db' },
      data: { password: 'aHVudGVyMg==' },
      stringData: { user: 'canary-user' },
    };
    const pod = {
      kind: 'Pod',
      spec: {
        containers: [
          {
            env: [
              { name: 'DB_PASSWORD', value: 'canary-env' },
              { name: 'MODE', value: 'fast' },
            ],
          },
        ],
      },
    };
    const created = operation('POST /api/v1/namespaces/prod/secrets', { fields: json, body: JSON.stringify(secret) }).text;
    assert.doesNotMatch(created, /aHVudGVyMg|hunter2|canary/);
    assert.match(created, /password/);
    const ofPod = operation(`POST ${pods}`, { fields: json, body: JSON.stringify(pod) }).text;
    assert.doesNotMatch(ofPod, /canary/);
    assert.match(ofPod, /fast/);
    const widget = {
      kind: 'Widget',
      spec: { apiToken: 'canary-token', password: 7, useToken: true, secretName: 'shown-name', tokens: ['canary-one'] },
    };
    const ofWidget = operation('POST /apis/example.com/v1/namespaces/prod/widgets', { fields: json, body: JSON.stringify(widget) }).text;
    assert.doesNotMatch(ofWidget, /canary|: ?7/);
    assert.match(ofWidget, /shown-name/);
    assert.match(ofWidget, /"useToken": ?true/);
    const patch = [{ op: 'add', path: '/data/password', value: 'Y2FuYXJ5' }];
    const patched = operation('PATCH /api/v1/namespaces/prod/secrets/db', {
      fields: { 'content-type': 'application/json-patch+json' },
      body: JSON.stringify(patch),
    }).text;
    assert.doesNotMatch(patched, /Y2FuYXJ5/);
    assert.match(patched, /add \/data\/password/);
  });

  it('binds what the API server acts by, not what one try has of its own', () => {
    const exact = (line: string, fields: Record<string, string>, body?: string) =>
      Buffer.from(operation(line, { fields, ...(body === undefined ? {} : { body }) }).exact()).toString('hex');
    const at = `DELETE ${pods}/web-1`;
    assert.equal(exact(at, { 'kubectl-session': 'a' }), exact(at, { 'kubectl-session': 'b' }));
    assert.notEqual(exact(at, json, '{}'), exact(at, json, '{"gracePeriodSeconds":0}'));
    assert.equal(exact(`GET ${pods}/a/exec?command=ls`, {}), exact(`POST ${pods}/a/exec?command=ls`, {}), 'kubectl streams by either');
    assert.notEqual(exact(`GET ${pods}/a/exec?command=ls`, {}), exact(`GET ${pods}/a/exec?command=id`, {}));
  });

  it('asks policy about a sensitive value as it is, and records it masked', () => {
    const detecting = testEnvironment(nodeCrypto, []);
    const asked = ask(`GET ${pods}/web-1/exec?command=echo&command=4111111111111111`, {}, detecting);
    assert.equal(asked.unmasked?.facts['command'], 'echo 4111111111111111');
    const { facts, text } = asked.operation(session);
    assert.equal(facts['command'], 'echo ************1111');
    assert.doesNotMatch(text, /4111111111111111/);
  });
});
