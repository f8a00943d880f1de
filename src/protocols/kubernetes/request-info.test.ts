import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { canonicalTarget } from '../http/path.ts';
import { requestInfo, selectorTerms } from './request-info.ts';

/** Verb, group, version, namespace, resource, name, subresource, with a space between and `-` for nothing; or `path …`; or `refused`. */
function read(line: string): string {
  const [method = '', target = ''] = line.split(' ');
  const canonical = canonicalTarget(target);
  assert.ok(!(canonical instanceof GatewayFault), line);
  const info = requestInfo(method, canonical);
  if (info instanceof GatewayFault) return `refused ${info.code}`;
  if (info.kind === 'path') return `path ${info.path}`;
  const { verb, group, version, namespace, resource, name, subresource, rest } = info;
  const parts = [verb, group, version, namespace, resource, name, subresource];
  for (const part of parts) assert.equal(typeof part, 'string', line);
  return parts.map((part) => part || '-').join(' ') + (rest.length > 0 ? ` ${rest.join('/')}` : '');
}

/** From the rules that RequestInfoFactory's documentation gives, method by method. */
const cases: readonly (readonly [string, string])[] = [
  // Resources of the core group.
  ['GET /api/v1/namespaces', 'list - v1 - namespaces - -'],
  ['GET /api/v1/namespaces/prod', 'get - v1 prod namespaces prod -'],
  ['GET /api/v1/namespaces/prod/', 'get - v1 prod namespaces prod -'],
  ['HEAD /api/v1/namespaces/prod', 'get - v1 prod namespaces prod -'],
  ['POST /api/v1/namespaces', 'create - v1 - namespaces - -'],
  ['PUT /api/v1/namespaces/prod/finalize', 'update - v1 prod namespaces prod finalize'],
  ['PATCH /api/v1/namespaces/prod/status', 'patch - v1 prod namespaces prod status'],
  ['DELETE /api/v1/namespaces/prod', 'delete - v1 prod namespaces prod -'],
  ['GET /api/v1/namespaces/prod/pods', 'list - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods/', 'list - v1 prod pods - -'],
  ['GET /api/v1/pods', 'list - v1 - pods - -'],
  ['HEAD /api/v1/pods', 'list - v1 - pods - -'],
  ['POST /api/v1/namespaces/prod/pods', 'create - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods/web-1', 'get - v1 prod pods web-1 -'],
  ['HEAD /api/v1/namespaces/prod/pods/web-1', 'get - v1 prod pods web-1 -'],
  ['PUT /api/v1/namespaces/prod/pods/web-1', 'update - v1 prod pods web-1 -'],
  ['PATCH /api/v1/namespaces/prod/pods/web-1', 'patch - v1 prod pods web-1 -'],
  ['DELETE /api/v1/namespaces/prod/pods/web-1', 'delete - v1 prod pods web-1 -'],
  ['DELETE /api/v1/namespaces/prod/pods', 'deletecollection - v1 prod pods - -'],
  ['DELETE /api/v1/nodes', 'deletecollection - v1 - nodes - -'],
  ['GET /api/v1/nodes/n1', 'get - v1 - nodes n1 -'],
  ['GET /api/v1/persistentvolumes/pv-7', 'get - v1 - persistentvolumes pv-7 -'],
  ['GET /api/v1/componentstatuses', 'list - v1 - componentstatuses - -'],
  // Other groups.
  ['GET /apis/apps/v1/deployments', 'list apps v1 - deployments - -'],
  ['GET /apis/apps/v1/namespaces/prod/deployments/web', 'get apps v1 prod deployments web -'],
  ['PUT /apis/apps/v1/namespaces/prod/deployments/web/scale', 'update apps v1 prod deployments web scale'],
  ['PATCH /apis/apps/v1/namespaces/prod/deployments/web/status', 'patch apps v1 prod deployments web status'],
  ['POST /apis/rbac.authorization.k8s.io/v1/clusterroles', 'create rbac.authorization.k8s.io v1 - clusterroles - -'],
  ['GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node', 'get rbac.authorization.k8s.io v1 - clusterroles system:node -'],
  ['GET /apis/stable.example.com/v1alpha1/crontabs', 'list stable.example.com v1alpha1 - crontabs - -'],
  ['GET /apis/example.com/v1/namespaces/prod', 'get example.com v1 prod namespaces prod -'],
  // Subresources of pods: a stream by whatever method is what it is.
  ['GET /api/v1/namespaces/prod/pods/web-1/log', 'get - v1 prod pods web-1 log'],
  ['GET /api/v1/namespaces/prod/pods/web-1/exec?command=ls', 'get - v1 prod pods web-1 exec'],
  ['POST /api/v1/namespaces/prod/pods/web-1/exec?command=ls', 'create - v1 prod pods web-1 exec'],
  ['GET /api/v1/namespaces/prod/pods/web-1/attach', 'get - v1 prod pods web-1 attach'],
  ['POST /api/v1/namespaces/prod/pods/web-1/portforward', 'create - v1 prod pods web-1 portforward'],
  ['PATCH /api/v1/namespaces/prod/pods/web-1/ephemeralcontainers', 'patch - v1 prod pods web-1 ephemeralcontainers'],
  ['POST /api/v1/namespaces/prod/pods/web-1/eviction', 'create - v1 prod pods web-1 eviction'],
  ['POST /api/v1/namespaces/prod/pods/web-1/binding', 'create - v1 prod pods web-1 binding'],
  ['PATCH /api/v1/namespaces/prod/pods/web-1/resize', 'patch - v1 prod pods web-1 resize'],
  ['POST /api/v1/namespaces/prod/serviceaccounts/ci/token', 'create - v1 prod serviceaccounts ci token'],
  // Proxies, with what is behind them.
  ['GET /api/v1/namespaces/prod/pods/web-1/proxy', 'get - v1 prod pods web-1 proxy'],
  ['GET /api/v1/namespaces/prod/pods/https:web-1:8443/proxy/a/b', 'get - v1 prod pods https:web-1:8443 proxy a/b'],
  ['DELETE /api/v1/namespaces/prod/services/web:http/proxy/x', 'delete - v1 prod services web:http proxy x'],
  ['GET /api/v1/nodes/n1/proxy/exec/prod/web/app', 'get - v1 - nodes n1 proxy exec/prod/web/app'],
  // Watches, in each spelling.
  ['GET /api/v1/namespaces/prod/pods?watch=true', 'watch - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=1', 'watch - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch', 'watch - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=', 'watch - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=yes', 'watch - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=0', 'list - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=false', 'list - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?watch=FALSE', 'list - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods?Watch=true', 'list - v1 prod pods - -'],
  ['GET /api/v1/namespaces/prod/pods/web-1?watch=true', 'get - v1 prod pods web-1 -'],
  ['GET /api/v1/watch/pods', 'watch - v1 - pods - -'],
  ['GET /api/v1/watch/namespaces', 'watch - v1 - namespaces - -'],
  ['GET /api/v1/watch/namespaces/prod', 'watch - v1 prod namespaces prod -'],
  ['GET /api/v1/watch/namespaces/prod/pods', 'watch - v1 prod pods - -'],
  ['GET /api/v1/watch/namespaces/prod/pods/web-1', 'watch - v1 prod pods web-1 -'],
  ['HEAD /api/v1/watch/nodes', 'watch - v1 - nodes - -'],
  ['GET /apis/apps/v1/watch/namespaces/prod/deployments', 'watch apps v1 prod deployments - -'],
  // A field selector that names one object.
  ['GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Ddb', 'list - v1 prod secrets db -'],
  ['GET /api/v1/namespaces/prod/secrets?fieldSelector=type%3DOpaque,metadata.name%3D%3Ddb', 'list - v1 prod secrets db -'],
  ['GET /api/v1/namespaces/prod/secrets?watch=1&fieldSelector=metadata.name%3Ddb', 'watch - v1 prod secrets db -'],
  ['DELETE /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Ddb', 'deletecollection - v1 prod secrets db -'],
  ['GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name!%3Ddb', 'list - v1 prod secrets - -'],
  ['GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3D..', 'list - v1 prod secrets - -'],
  ['GET /api/v1/namespaces/prod/secrets?labelSelector=metadata.name%3Ddb', 'list - v1 prod secrets - -'],
  // No resource.
  ['GET /', 'path /'],
  ['GET /api', 'path /api'],
  ['GET /api/', 'path /api'],
  ['GET /api/v1', 'path /api/v1'],
  ['GET /apis', 'path /apis'],
  ['GET /apis/apps', 'path /apis/apps'],
  ['GET /apis/apps/v1', 'path /apis/apps/v1'],
  ['GET /apis/apps/v1/', 'path /apis/apps/v1'],
  ['GET /version', 'path /version'],
  ['GET /healthz/etcd', 'path /healthz/etcd'],
  ['GET /openapi/v3/apis/apps/v1', 'path /openapi/v3/apis/apps/v1'],
  ['GET /API/v1/pods/web', 'path /API/v1/pods/web'],
  ['GET /apix/v1/pods/web', 'path /apix/v1/pods/web'],
  ['POST /metrics', 'path /metrics'],
  // What has no meaning, or more than one.
  ['OPTIONS /api/v1/pods', 'refused unclassified'],
  ['CONNECT /api/v1/namespaces/prod/pods/web-1/exec', 'refused unclassified'],
  ['QUERY /api/v1/pods', 'refused unclassified'],
  ['GET /api/v1/proxy/namespaces/prod/pods/web-1', 'refused unclassified'],
  ['GET /api/v1/proxy/nodes/n1', 'refused unclassified'],
  ['GET /api/v1/watch', 'refused unclassified'],
  ['DELETE /api/v1/watch/pods', 'refused unclassified'],
  ['POST /api/v1/watch/namespaces/prod/pods', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/pods/web-1/log/more', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/status/more', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/pods?watch=0&watch=1', 'refused unclassified'],
  ['PATCH /api/v1/namespaces/prod/pods/a?force=false&force=true', 'refused unclassified'],
  ['POST /api/v1/namespaces/prod/pods/a/exec?container=a&container=b', 'refused unclassified'],
  ['GET /api/v1/namespaces/Prod/pods', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/Pods', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/pods/a%20b', 'refused unclassified'],
  ['GET /apis/Apps/v1/deployments', 'refused unclassified'],
  ['GET /apis/apps/V1/deployments', 'refused unclassified'],
  ['GET /api/v1/namespaces/prod/pods/web-1/Log', 'refused unclassified'],
];

describe('the reading of a request', () => {
  for (const [line, expected] of cases) it(`${line} is ${expected}`, () => assert.equal(read(line), expected));

  /** The forms of paths, each with every method: what the path names does not depend on the method, and the verb on nothing but it and whether one is named. */
  const verbs = {
    GET: ['get', 'list'],
    HEAD: ['get', 'list'],
    POST: ['create', 'create'],
    PUT: ['update', 'update'],
    PATCH: ['patch', 'patch'],
    DELETE: ['delete', 'deletecollection'],
  };
  for (const [prefix, group] of [
    ['/api/v1', '-'],
    ['/apis/apps/v1', 'apps'],
    ['/apis/networking.k8s.io/v1', 'networking.k8s.io'],
    ['/apis/example.com/v1beta2', 'example.com'],
  ] as const) {
    const version = prefix.split('/').at(-1)!;
    for (const [method, [named, collective]] of Object.entries(verbs)) {
      const forms: readonly (readonly [string, string])[] = [
        [`${prefix}/things`, `${collective} ${group} ${version} - things - -`],
        [`${prefix}/things/one`, `${named} ${group} ${version} - things one -`],
        [`${prefix}/things/one/status`, `${named} ${group} ${version} - things one status`],
        [`${prefix}/things/one/proxy/x/y`, `${named} ${group} ${version} - things one proxy x/y`],
        [`${prefix}/namespaces/prod/things`, `${collective} ${group} ${version} prod things - -`],
        [`${prefix}/namespaces/prod/things/one`, `${named} ${group} ${version} prod things one -`],
        [`${prefix}/namespaces/prod/things/one/scale`, `${named} ${group} ${version} prod things one scale`],
        [`${prefix}/namespaces/prod/things/one/other`, `${named} ${group} ${version} prod things one other`],
      ];
      for (const [target, expected] of forms) it(`${method} ${target}`, () => assert.equal(read(`${method} ${target}`), expected));
    }
  }

  const decisive =
    'watch fieldSelector labelSelector dryRun force container tty stdin stdout stderr follow previous includeObject pretty resourceVersionMatch';
  for (const name of decisive.split(' ')) {
    it(`with ${name} given twice has two meanings`, () => {
      assert.equal(read(`GET /api/v1/pods?${name}=1&${name}=1`), 'refused unclassified');
      assert.notEqual(read(`GET /api/v1/pods?${name}=1`), 'refused unclassified');
    });
  }

  it('may have what is meant to be given often given twice', () => {
    for (const name of ['command', 'ports'])
      assert.equal(read(`GET /api/v1/namespaces/a/pods/b/exec?${name}=1&${name}=2`), 'get - v1 a pods b exec');
  });

  it('never throws, and gives nothing that a policy id could not hold', () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9:._~-]{0,12}$/);
    fc.assert(
      fc.property(fc.constantFrom('GET', 'POST', 'DELETE', 'PURGE'), fc.array(segment, { maxLength: 8 }), (method, segments) => {
        const canonical = canonicalTarget(`/${segments.join('/')}`);
        if (canonical instanceof GatewayFault) return;
        const info = requestInfo(method, canonical);
        if (info instanceof GatewayFault || info.kind === 'path') return;
        for (const part of [info.namespace, info.resource, info.name, info.subresource]) assert.doesNotMatch(part, /[/\s]/);
      }),
    );
  });
});

describe('a field selector', () => {
  it('is read term by term', () => {
    assert.deepEqual(selectorTerms('a=1,b!=2,c==x\\,y'), [
      { field: 'a', isEqual: true, value: '1' },
      { field: 'b', isEqual: false, value: '2' },
      { field: 'c', isEqual: true, value: 'x,y' },
    ]);
  });
});
