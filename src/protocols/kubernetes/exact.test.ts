import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenSession } from '../../core/effect.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { askKubernetes } from './ask.ts';
import { request, testEnvironment, type Sent } from './testing/requests.ts';

const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;
const environment = testEnvironment(nodeCrypto, [], {}, { detects: false });
const pods = '/api/v1/namespaces/prod/pods';
const live = { metadata: { uid: 'u-1' }, spec: { containers: [{ name: 'app', image: 'web:1' }] } };

function exact(line: string, sent: Sent = {}, pod: unknown = live): string {
  const read = [{ status: 200, body: Buffer.from(JSON.stringify(pod)) }];
  return Buffer.from(askKubernetes(request(line, sent), environment, read).operation(session).exact()).toString('hex');
}

const as = (type: string, body: string | Uint8Array): Sent => ({
  fields: { 'content-type': type },
  body: typeof body === 'string' ? body : { kind: 'whole', bytes: body },
});
const json = (body: string): Sent => as('application/json', body);

/** An envelope of protobuf: a Pod whose one container has a field that is read nowhere here (`lifecycle`, 12). */
function podOf(hidden: string): Uint8Array {
  const field = (number: number, bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
  const text = (number: number, value: string): Uint8Array => field(number, Buffer.from(value));
  const container = Buffer.concat([text(1, 'app'), text(2, 'web:1'), text(12, hidden)]);
  const pod = field(2, field(2, container));
  return Buffer.concat([Buffer.from('k8s\0'), field(1, Buffer.concat([text(1, 'v1'), text(2, 'Pod')])), field(2, pod)]);
}

describe('what an approval binds of a request', () => {
  const deployment = '/apis/apps/v1/namespaces/prod/deployments/web';
  const differs: readonly (readonly [string, readonly [string, Sent], readonly [string, Sent]])[] = [
    ['the method', [`DELETE ${deployment}`, {}], [`GET ${deployment}`, {}]],
    ['the path', ['DELETE /api/v1/namespaces/prod/pods/a', {}], ['DELETE /api/v1/namespaces/prod/pods/b', {}]],
    ['the query, as it was sent', [`DELETE ${deployment}?a=1&b=2`, {}], [`DELETE ${deployment}?b=2&a=1`, {}]],
    ['a parameter that means nothing here', [`DELETE ${deployment}`, {}], [`DELETE ${deployment}?propagationPolicy=Orphan`, {}]],
    [
      'how a patch is to be read',
      [`PATCH ${deployment}`, as('application/merge-patch+json', '{"spec":{}}')],
      [`PATCH ${deployment}`, as('application/strategic-merge-patch+json', '{"spec":{}}')],
    ],
    ['white space', [`PUT ${deployment}`, json('{"a":1}')], [`PUT ${deployment}`, json('{"a": 1}')]],
    ['how a number is written', [`PUT ${deployment}`, json('{"a":1}')], [`PUT ${deployment}`, json('{"a":1.0}')]],
    ['how a text is written', [`PUT ${deployment}`, json('{"a":"b"}')], [`PUT ${deployment}`, json('{"a":"\\u0062"}')]],
    ['members that are given twice', [`PUT ${deployment}`, json('{"a":1,"a":2}')], [`PUT ${deployment}`, json('{"a":2}')]],
    ['the order of members', [`PUT ${deployment}`, json('{"a":1,"b":2}')], [`PUT ${deployment}`, json('{"b":2,"a":1}')]],
    [
      'YAML that makes the same JSON',
      [`PUT ${deployment}`, as('application/yaml', 'a: 1\n')],
      [`PUT ${deployment}`, as('application/yaml', 'a: 1 # b\n')],
    ],
    [
      'fields of protobuf that are not read here',
      [`POST ${pods}`, as('application/vnd.kubernetes.protobuf', podOf('a'))],
      [`POST ${pods}`, as('application/vnd.kubernetes.protobuf', podOf('b'))],
    ],
    ['no body from an empty one', [`PUT ${deployment}`, {}], [`PUT ${deployment}`, json('')]],
  ];
  for (const [what, [line, sent], [other, otherSent]] of differs) {
    it(`is ${what}`, () => assert.notEqual(exact(line, sent), exact(other, otherSent)));
  }

  it('is the path also where it names no object', () => {
    assert.notEqual(exact('GET /version'), exact('GET /api'));
    assert.notEqual(exact('POST /version'), exact('GET /version'));
    assert.notEqual(exact('GET /api/v1/proxy/nodes/a'), exact('GET /api/v1/proxy/nodes/b'));
  });

  it('is no identifier of one try', () => {
    assert.equal(
      exact(`DELETE ${deployment}`, { fields: { 'kubectl-session': 'a' } }),
      exact(`DELETE ${deployment}`, { fields: { 'kubectl-session': 'b' } }),
    );
  });
});

describe('what an approval binds of a stream', () => {
  const at = `GET ${pods}/web-1/exec?command=ls&container=app&stdin=true`;

  it('is the same by either upgrade', () => {
    const websocket = { ...request(at), upgrade: 'websocket' as const };
    const of = (asked: ReturnType<typeof request>) =>
      Buffer.from(
        askKubernetes(asked, environment, [{ status: 200, body: Buffer.from(JSON.stringify(live)) }])
          .operation(session)
          .exact(),
      ).toString('hex');
    assert.equal(of(websocket), of({ ...request(at.replace('GET', 'POST')), upgrade: 'spdy/3.1' as const }));
  });

  for (const [what, other] of [
    ['the command', at.replace('=ls', '=id')],
    ['the order of its words', at.replace('command=ls', 'command=ls&command=-a')],
    ['the container', at.replace('=app', '=side')],
    ['whether it has input', at.replace('stdin=true', 'stdin=false')],
    ['whether it has a terminal', `${at}&tty=true`],
    ['whether its output is read', `${at}&stdout=true`],
    ['what nobody here reads of the query', `${at}&other=1`],
    ['the subresource', at.replace('/exec', '/attach')],
    ['the pod', at.replace('web-1', 'web-2')],
    ['the namespace', at.replace('/prod/', '/test/')],
  ] as const) {
    it(`is ${what}`, () => assert.notEqual(exact(at), exact(other)));
  }

  it('is not the reason that is stated for it', () => {
    assert.equal(exact(at, { fields: { 'sallyport-reason': 'INC-1' } }), exact(at, { fields: { 'sallyport-reason': 'INC-2' } }));
  });

  it('is the order of words', () => {
    assert.notEqual(exact(`${at}&command=a&command=b`), exact(`${at}&command=b&command=a`));
    assert.notEqual(exact(`${at}&command=a%20b`), exact(`${at}&command=a&command=b`));
  });

  it('is the pod as it was found', () => {
    assert.notEqual(exact(at), exact(at, {}, { ...live, metadata: { uid: 'u-2' } }), 'another one of the same name');
    const privileged = { ...live, spec: { containers: [{ name: 'app', image: 'web:1', securityContext: { privileged: true } }] } };
    assert.notEqual(exact(at), exact(at, {}, privileged));
  });

  it('is a body, where there is one', () => {
    assert.notEqual(exact(at.replace('GET', 'POST'), json('{}')), exact(at.replace('GET', 'POST'), json('{ }')));
  });
});

describe('what an approval binds of a debugging container', () => {
  const at = `PATCH ${pods}/web-1/ephemeralcontainers`;
  const body = '{"spec":{"ephemeralContainers":[{"name":"d","image":"busybox"}]}}';

  it('is every byte that is sent, and the pod', () => {
    const first = exact(at, as('application/strategic-merge-patch+json', body));
    assert.notEqual(first, exact(at, as('application/merge-patch+json', body)), 'how the patch is read');
    assert.notEqual(first, exact(at, as('application/strategic-merge-patch+json', body.replace(':[', ': ['))));
    assert.notEqual(first, exact(at.replace('PATCH', 'PUT'), as('application/strategic-merge-patch+json', body)), 'the method');
    assert.notEqual(first, exact(`${at}?fieldManager=x`, as('application/strategic-merge-patch+json', body)), 'the query');
    assert.notEqual(first, exact(at, as('application/strategic-merge-patch+json', body), { ...live, metadata: { uid: 'u-2' } }), 'the pod');
    const put = at.replace('PATCH', 'PUT');
    const protobuf = (hidden: string): Sent => as('application/vnd.kubernetes.protobuf', podOf(hidden));
    assert.notEqual(exact(put, protobuf('a')), exact(put, protobuf('b')), 'fields of protobuf that are not read here');
  });
});
