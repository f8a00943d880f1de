import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { askKubernetes } from './ask.ts';
import { request, testEnvironment } from './testing/requests.ts';

const db = '/api/v1/namespaces/prod/secrets/db';
const coded = (text: string) => Buffer.from(text).toString('base64');
const types = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  patch: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

function refusal(
  line: string,
  type: keyof typeof types,
  body: unknown,
  mask: Parameters<typeof testEnvironment>[3] = {},
  revealed: readonly string[] = [],
  places: readonly string[] = ['secrets/*/*#$.data.password', 'widgets/*/*#$.metadata.labels.owner'],
): string | undefined {
  const environment = {
    ...testEnvironment(nodeCrypto, places, {}, mask),
    revealed: new Set(revealed),
  };
  return askKubernetes(request(line, { fields: { 'content-type': types[type] }, body: JSON.stringify(body) }), environment, []).refusal
    ?.code;
}

describe('an object with hidden values', () => {
  it('takes no JSON patch that copies, moves or tests what is hidden', () => {
    const patch = (operation: unknown, line = `PATCH ${db}`, revealed: readonly string[] = []) =>
      refusal(line, 'patch', [operation], {}, revealed);
    for (const op of ['copy', 'move']) {
      for (const from of ['/data/password', '/stringData/password', '/data', '', '/data/password/x', 'anything/data/password'])
        assert.equal(patch({ op, from, path: '/data/x' }), 'masking-refused', `${op} ${from}`);
      assert.equal(patch({ op, from: '/metadata/labels/a', path: '/metadata/labels/b' }), undefined);
      assert.equal(patch({ op, from: '/data/user', path: '/data/password' }), undefined, 'over it');
    }
    assert.equal(patch({ op: 'test', path: '/data/password', value: coded('guess') }), 'masking-refused');
    assert.equal(patch({ op: 'test', path: '/data/user', value: coded('guess') }), undefined);
    assert.equal(patch({ op: 'test', path: '/metadata/resourceVersion', value: '7' }), undefined);
    assert.equal(patch({ op: 'copy', from: '/data/password', path: '/data/x' }, `PATCH ${db}?dryRun=All`), 'masking-refused');
    assert.equal(patch({ op: 'replace', path: '/data/password', value: coded('new') }), undefined);
    assert.equal(patch({ op: 'copy', from: '/data/password', path: '/data/x' }, `PATCH ${db}`, ['password']), undefined, 'who sees it may');
    assert.equal(
      patch({ op: 'copy', from: '/a', path: '/b' }, 'PATCH /api/v1/namespaces/prod/pods/a'),
      undefined,
      'nothing is hidden there',
    );
    assert.equal(patch({ op: 'guess', path: '/data/password' }), 'masking-refused', 'what is no JSON patch');
  });

  it('nor by whatever index of a list', () => {
    const at = 'PATCH /apis/example.com/v1/namespaces/prod/widgets/w';
    const test = (path: string) =>
      refusal(
        at,
        'patch',
        [{ op: 'test', path, value: 'x' }],
        {},
        [],
        ['widgets/*/*#$.spec.inner.key', 'widgets/*/*#$.list[0].key', 'widgets/*/*#$.any[*].key'],
      );
    for (const path of [
      '/spec/inner/0/key',
      '/spec/inner/-/key',
      '/spec/inner/-1/key',
      '/spec/inner/+1/key',
      '/spec/0/inner/1/2/key',
      '/spec/inner/1',
      '/spec/inner/key',
      '/list/0/key',
      '/list/7/key',
      '/any/7/key',
      '/any',
    ])
      assert.equal(test(path), 'masking-refused', path);
    for (const path of ['/spec/inner/0/other', '/spec/inner/x/key', '/spec/outer/0/key', '/list/0/other', '/status'])
      assert.equal(test(path), undefined, path);
  });

  it('is not written in a form that is not looked into', () => {
    const lease = 'PUT /apis/coordination.k8s.io/v1/namespaces/prod/leases/l';
    const put = (places: readonly string[]) =>
      askKubernetes(
        request(lease, { fields: { 'content-type': 'application/cbor' }, body: 'x' }),
        testEnvironment(nodeCrypto, places, {}, { detects: false }),
        [],
      ).refusal?.code;
    assert.equal(put(['leases/*/*#$.spec.holderIdentity']), 'masking-refused');
    assert.equal(put([]), undefined);
  });

  it('nor of where its value stands besides', () => {
    for (const path of [
      '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration',
      '/metadata/annotations',
      '/metadata',
      '/metadata/managedFields/0/fieldsV1',
    ])
      assert.equal(refusal(`PATCH ${db}`, 'patch', [{ op: 'test', path, value: 'x' }]), 'masking-refused', path);
    assert.equal(refusal(`PATCH ${db}`, 'patch', [{ op: 'test', path: '/metadata/annotations/a', value: 'x' }]), undefined);
  });

  it('takes no value back that was shown masked', () => {
    for (const [mask, shown] of [
      ['redact', '[redacted:password]'],
      ['hash', 'hash:0123456789abcdef'],
      ['partial-last4', '*****1234'],
      ['partial-last4', '*******'],
    ] as const) {
      for (const type of ['json', 'merge', 'strategic', 'apply'] as const) {
        const line = `${type === 'json' ? 'PUT' : 'PATCH'} ${db}`;
        assert.equal(refusal(line, type, { data: { password: coded(shown) } }, { mask }), 'masking-refused', `${mask} ${type}`);
        assert.equal(refusal(line, type, { stringData: { password: shown } }, { mask }), 'masking-refused', `${mask} ${type} as text`);
        assert.equal(refusal(line, type, { data: { password: coded('real-secret') } }, { mask }), undefined);
        assert.equal(refusal(line, type, { data: { user: coded(shown) } }, { mask }), undefined, 'another one may be so');
      }
    }
    const applied = {
      metadata: {
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"stringData":{"password":"[redacted:password]"}}' },
      },
    };
    assert.equal(refusal(`PATCH ${db}`, 'merge', applied), undefined, 'the annotation is no value');
  });

  it('is not selected by what is hidden', () => {
    const list = (query: string, resource = 'secrets') => refusal(`GET /api/v1/namespaces/prod/${resource}?${query}`, 'json', {});
    assert.equal(list(`fieldSelector=${encodeURIComponent('data.password=x')}`), 'masking-refused');
    assert.equal(list(`fieldSelector=${encodeURIComponent('metadata.name=db,spec.x!=1')}`), 'masking-refused');
    assert.equal(list(`fieldSelector=${encodeURIComponent('metadata.name=db,type=Opaque')}`), undefined);
    assert.equal(list(`fieldSelector=${encodeURIComponent('status.phase=Running')}`, 'pods'), undefined);
    assert.equal(list('labelSelector=app%3Dweb'), undefined);
    const widgets = (places: readonly string[], query = 'labelSelector=owner%3Dbob') =>
      refusal(`GET /apis/example.com/v1/namespaces/prod/widgets?${query}`, 'json', {}, {}, [], places);
    assert.equal(widgets(['widgets/*/*#$.metadata.labels.owner']), 'masking-refused');
    assert.equal(widgets(['widgets/*/*#$.spec.a', 'widgets/*/*#$.metadata.labels']), 'masking-refused');
    assert.equal(widgets(['widgets/*/*#$.metadata']), 'masking-refused');
    assert.equal(widgets(['widgets/*/*#$.metadata[*].owner']), 'masking-refused');
    assert.equal(widgets(['widgets/*/*#$.metadata.labels.owner'], 'labelSelector='), undefined);
    assert.equal(widgets(['widgets/*/*#$.metadata.annotations.owner']), undefined);
    assert.equal(widgets(['widgets/*/*#$.spec.labels']), undefined);
  });
});
