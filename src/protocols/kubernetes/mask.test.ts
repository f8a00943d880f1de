import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { everySplit } from '../../core/testing/every-split.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import type { AnswerHead } from '../request.ts';
import { askKubernetes } from './ask.ts';
import type { KubernetesEnvironment } from './environment.ts';
import { request, testEnvironment } from './testing/requests.ts';

const secrets = '/api/v1/namespaces/prod/secrets';
const json: AnswerHead = { status: 200, fields: [{ name: 'content-type', value: 'application/json' }] };
const hiding = testEnvironment(nodeCrypto, [
  'secrets/prod/*#$.data.password',
  'configmaps/*/app#$.data.token',
  'widgets.example.com/*/*#$.spec.inner.key',
]);
const coded = (text: string): string => Buffer.from(text).toString('base64');
const decodedOf = (text: unknown): string => Buffer.from(String(text), 'base64').toString();

/** What the client gets of an answer, in whatever cuts it comes; or the code of the refusal. */
function shown(line: string, body: unknown, environment: KubernetesEnvironment = hiding, head: AnswerHead = json): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const plan = askKubernetes(request(line), environment, []).answer(head);
  const bytes = Buffer.from(text);
  switch (plan.kind) {
    case 'refuse':
      return plan.fault.code;
    case 'head':
    case 'messages':
      return assert.fail('Kubernetes has no such answers');
    case 'pass':
      return text;
    case 'whole': {
      const answer = plan.mask(bytes);
      return answer instanceof GatewayFault ? answer.code : Buffer.from(answer.body).toString();
    }
    case 'pieces': {
      let first: string | undefined;
      const inCuts = bytes.length > 80 ? [[bytes], Array.from(bytes, (byte) => Uint8Array.of(byte))] : undefined;
      const each = (check: (chunks: Iterable<Uint8Array>) => void) =>
        inCuts === undefined ? everySplit(bytes, check) : inCuts.forEach(check);
      each((chunks) => {
        const masker = plan.masker();
        const pieces: Buffer[] = [];
        for (const chunk of chunks) pieces.push(...masker.push(chunk).map((piece) => Buffer.from(piece)));
        pieces.push(...masker.end().map((piece) => Buffer.from(piece)));
        const whole = Buffer.concat(pieces).toString();
        first ??= whole;
        assert.equal(whole, first, 'the same in any cuts');
      });
      return first!;
    }
  }
}

const object = (line: string, body: unknown, environment?: KubernetesEnvironment) => JSON.parse(shown(line, body, environment));

const secret = {
  kind: 'Secret',
  apiVersion: 'v1',
  metadata: {
    name: 'db',
    namespace: 'prod',
    uid: '4111111111111111',
    resourceVersion: '4111111111111111',
    annotations: {
      note: 'paid by 4111111111111111',
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'db', namespace: 'prod', annotations: {} },
        stringData: { password: 'canary-applied' },
      }),
    },
    managedFields: [{ manager: 'kubectl', fieldsV1: { 'f:data': { '.': {}, 'f:password': {} } } }],
  },
  data: { password: coded('canary-password'), user: coded('app') },
  type: 'Opaque',
};

describe('an object', () => {
  it('has its hidden values masked, as base64 where they were, and nothing else changed', () => {
    const text = shown(`GET ${secrets}/db`, secret);
    const { metadata, data, type } = JSON.parse(text);
    assert.doesNotMatch(text, /canary/);
    assert.equal(decodedOf(data.password), '[redacted:password]');
    assert.equal(decodedOf(data.user), 'app');
    assert.equal(type, 'Opaque');
    assert.equal(metadata.uid, '4111111111111111', 'what the API server gives an object is no finding');
    assert.equal(metadata.resourceVersion, '4111111111111111');
    assert.equal(metadata.annotations.note, 'paid by ************1111');
    assert.deepEqual(metadata.managedFields, secret.metadata.managedFields);
    const applied = JSON.parse(metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']);
    assert.equal(applied.stringData.password, '[redacted:password]');
  });

  it('of another namespace, name, resource or kind has other rules', () => {
    const other = { ...secret, metadata: { name: 'db', namespace: 'test' } };
    assert.match(shown('GET /api/v1/namespaces/test/secrets/db', other), new RegExp(coded('canary-password')));
    const map = (name: string) => ({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name, namespace: 'prod' },
      data: { token: 'canary' },
    });
    assert.doesNotMatch(shown('GET /api/v1/namespaces/prod/configmaps/app', map('app')), /canary/);
    assert.match(shown('GET /api/v1/namespaces/prod/configmaps/web', map('web')), /canary/);
    const widget = { kind: 'Widget', spec: { inner: [{ key: 'canary' }, { key: 7, other: 'x' }] } };
    const masked = object('GET /apis/example.com/v1/namespaces/prod/widgets/w', widget);
    assert.deepEqual(masked['spec'], { inner: [{ key: '[redacted:password]' }, { key: null, other: 'x' }] });
    assert.match(shown('GET /apis/other.com/v1/namespaces/prod/widgets/w', widget), /canary/);
  });

  it('whole, leaf by leaf, and binary values as base64 too', () => {
    const whole = testEnvironment(nodeCrypto, ['secrets/*/*#$.data', 'configmaps/*/*#$.data.key']);
    const { data } = object(
      `GET ${secrets}/db`,
      { ...secret, data: { a: coded('x'), b: Buffer.from([0xff, 0xfe]).toString('base64'), c: null } },
      whole,
    );
    assert.deepEqual([data['a'], data['b']].map(decodedOf), ['[redacted:password]', '[redacted:password]']);
    assert.equal(data['c'], null);
    const map = object('GET /api/v1/namespaces/prod/configmaps/m', { kind: 'ConfigMap', binaryData: { key: coded('canary') } }, whole);
    assert.equal(decodedOf(map['binaryData']['key']), '[redacted:password]');
  });

  it('is looked into by detectors: base64, objects in texts, numbers', () => {
    const pan = '4111111111111111';
    const map = {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'm' },
      data: {
        text: `pan ${pan}`,
        json: `{"pan":"\\u0034${pan.slice(1)}"}`,
        secret: JSON.stringify({ ...secret, data: { password: coded('canary') } }),
      },
      binaryData: { coded: coded(`pan ${pan}`) },
      number: Number(pan),
    };
    const text = shown('GET /api/v1/namespaces/prod/configmaps/m', map);
    const { data, binaryData, number } = JSON.parse(text);
    assert.equal(data.text, 'pan ************1111');
    assert.equal(JSON.parse(data.json).pan, '************1111');
    assert.equal(decodedOf(JSON.parse(data.secret).data.password), '[redacted:password]', 'a Secret in a text is one');
    assert.equal(decodedOf(binaryData.coded), 'pan ************1111');
    assert.equal(number, null);
  });

  it('inside of another is hidden by its own rules', () => {
    const release = {
      kind: 'Release',
      spec: {
        manifests: [{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x', namespace: 'prod' }, data: { password: coded('canary') } }],
      },
    };
    assert.doesNotMatch(shown('GET /apis/helm.example.com/v1/namespaces/prod/releases/r', release), new RegExp(coded('canary')));
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'app', namespace: 'prod' },
      data: { token: 'canary', other: 'open' },
    };
    const kept = object('GET /apis/helm.example.com/v1/namespaces/prod/releases/r', { kind: 'Release', spec: { manifests: [map] } });
    assert.deepEqual(kept['spec']['manifests'][0]['data'], { token: '[redacted:password]', other: 'open' });
  });

  it('that is not the JSON that was asked for is not shown', () => {
    const of = (type: string, status = 200) =>
      shown(`GET ${secrets}/db`, 'k8s\0', hiding, { status, fields: [{ name: 'content-type', value: type }] });
    assert.equal(of('application/vnd.kubernetes.protobuf'), 'masking-refused');
    assert.equal(of('application/cbor'), 'masking-refused');
    assert.equal(of('application/yaml'), 'masking-refused');
    assert.equal(of('text/plain'), 'masking-refused');
    assert.equal(of('text/plain', 404), 'k8s\0', 'an error is text');
    assert.equal(of('application/json'), 'masking-refused', 'and JSON has to be JSON');
    const gzip = { status: 200, fields: [...json.fields, { name: 'content-encoding', value: 'deflate' }] };
    assert.equal(shown(`GET ${secrets}/db`, secret, hiding, gzip), 'masking-refused');
  });

  it('of a dry run or a Status is masked like any', () => {
    assert.doesNotMatch(shown(`PATCH ${secrets}/db?dryRun=All`, secret), /canary-(?:applied|password)|Y2FuYXJ5/);
    const status = {
      kind: 'Status',
      apiVersion: 'v1',
      message: 'bad card 4111111111111111',
      details: { causes: [{ message: '4111111111111111' }] },
    };
    assert.doesNotMatch(shown(`POST ${secrets}`, status, hiding, { ...json, status: 422 }), /4111111111111111/);
  });

  it('is one of the place that the request names, where it does not say so itself', () => {
    const bare = { kind: 'ConfigMap', data: { token: 'canary' } };
    assert.doesNotMatch(shown('GET /api/v1/namespaces/prod/configmaps/app', bare), /canary/);
    assert.match(shown('GET /api/v1/namespaces/prod/configmaps/web', bare), /canary/);
    assert.doesNotMatch(
      shown('GET /api/v1/namespaces/prod/configmaps?fieldSelector=metadata.name%3Dweb', { items: [bare] }),
      /canary/,
      'of a list nobody knows',
    );
    const nodes = testEnvironment(nodeCrypto, ['nodes/prod/*#$.spec.key', 'pods/prod/*#$.spec.key']);
    const of = (line: string) => shown(line, { spec: { key: 'canary' } }, nodes);
    assert.match(of('GET /api/v1/nodes/n'), /canary/, 'it is in no namespace');
    assert.doesNotMatch(of('GET /api/v1/namespaces/prod/pods/n'), /canary/);
    assert.doesNotMatch(
      shown('GET /api/v1/pods', { items: [{ spec: { key: 'canary' } }] }, nodes),
      /canary/,
      'over all of them it may be in that one',
    );
  });

  it('that is a credential which was asked for is shown, and what a proxy answers with as any answer', () => {
    const pan = '4111111111111111';
    const token = { kind: 'TokenRequest', status: { token: pan } };
    assert.match(shown('POST /api/v1/namespaces/prod/serviceaccounts/ci/token', token), new RegExp(pan));
    const html = { status: 200, fields: [{ name: 'content-type', value: 'text/html' }] };
    assert.doesNotMatch(shown('GET /api/v1/namespaces/prod/services/web/proxy/x', `<p>${pan}</p>`, hiding, html), new RegExp(pan));
    assert.match(shown('GET /api/v1/namespaces/prod/services/web/proxy/x', '<p>open</p>', hiding, html), /open/);
  });

  it('is shown as it is where nothing is hidden, in whatever format', () => {
    const open = testEnvironment(nodeCrypto, [], {}, { detects: false });
    const plan = askKubernetes(request(`GET ${secrets}/db`), open, []).answer({
      status: 200,
      fields: [{ name: 'content-type', value: 'application/vnd.kubernetes.protobuf' }],
    });
    assert.equal(plan.kind, 'pass');
    const revealed = { ...hiding, revealed: new Set(['password', 'card-number']) };
    assert.equal(askKubernetes(request(`GET ${secrets}/db`), revealed, []).answer(json).kind, 'pass');
  });

  it('as kubectl last applied it has the same places', () => {
    const applied = JSON.stringify({ kind: 'Widget', apiVersion: 'example.com/v1', spec: { inner: { key: 'canary' } } });
    const widget = (text: string) => ({
      kind: 'Widget',
      metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': text } },
      spec: {},
    });
    const line = 'GET /apis/example.com/v1/namespaces/prod/widgets/w';
    assert.doesNotMatch(shown(line, widget(applied)), /canary/);
    assert.doesNotMatch(shown(line, widget('{"spec":{"inner":{"key":"canary"')), /canary/, 'also where it is broken');
  });

  it('that is called a list or a table has its own places, whatever else it has', () => {
    const spec = { inner: { key: 'canary' } };
    const line = 'GET /apis/example.com/v1/namespaces/prod/widgets/w';
    for (const head of [
      { kind: 'Table', apiVersion: 'example.com/v1', rows: [] },
      { kind: 'Widget', apiVersion: 'meta.k8s.io/v1', rows: [] },
      { kind: 'Widget', apiVersion: 'example.com/v1', items: [] },
      { kind: 'WidgetList', apiVersion: 'example.com/v1' },
      { kind: 'PriceList', apiVersion: 'example.com/v1', items: [], metadata: { name: 'w' } },
      { kind: 'Table', apiVersion: 'meta.k8s.io/v1', rows: [], metadata: { name: 'w' } },
    ])
      assert.doesNotMatch(shown(line, { ...head, spec }), /canary/, JSON.stringify(head));
  });

  it('keeps what the API server gives it, which is no finding', () => {
    const given =
      'name generateName namespace uid resourceVersion generation creationTimestamp deletionTimestamp selfLink continue remainingItemCount ownerReferences';
    for (const name of given.split(' ')) {
      const widget = { kind: 'Widget', metadata: { [name]: '4111111111111111' } };
      assert.deepEqual(object('GET /apis/example.com/v1/namespaces/prod/gadgets/w', widget), widget, name);
      const elsewhere = { kind: 'Widget', spec: { [name]: '4111111111111111' } };
      assert.deepEqual(
        object('GET /apis/example.com/v1/namespaces/prod/gadgets/w', elsewhere)['spec'],
        { [name]: '************1111' },
        name,
      );
    }
  });

  it('has its annotations hidden, what kubectl last applied too, where they are named', () => {
    const environment = testEnvironment(nodeCrypto, ['widgets/*/*#$.metadata.annotations']);
    const annotations = { note: 'canary', 'kubectl.kubernetes.io/last-applied-configuration': '{"spec":{"a":"canary"}}' };
    const masked = object('GET /apis/example.com/v1/namespaces/prod/widgets/w', { kind: 'Widget', metadata: { annotations } }, environment);
    assert.deepEqual(Object.values(masked['metadata']['annotations']), ['[redacted:password]', '[redacted:password]']);
  });

  it('names values of lists in managedFields, which are hidden with them', () => {
    const environment = testEnvironment(nodeCrypto, ['widgets/*/*#$.spec.hosts']);
    const widget = {
      kind: 'Widget',
      metadata: { managedFields: [{ fieldsV1: { 'f:spec': { 'f:hosts': { 'v:"canary"': {} } } } }] },
      spec: { hosts: ['canary'] },
    };
    assert.doesNotMatch(shown('GET /apis/example.com/v1/widgets/w', widget, environment), /canary/);
    const found = { ...widget, metadata: { managedFields: [{ fieldsV1: { 'f:spec': { 'f:hosts': { 'v:"4111111111111111"': {} } } } }] } };
    const { metadata } = object('GET /apis/example.com/v1/gadgets/w', found);
    assert.deepEqual(
      metadata.managedFields[0].fieldsV1,
      { 'f:spec': { 'f:hosts': { 'v:"************1111"': {} } } },
      'by the detectors alone',
    );
  });
});

describe('a list', () => {
  const list = (kind: string, items: unknown[]) => ({
    kind,
    apiVersion: 'v1',
    metadata: { resourceVersion: '7', continue: 'abc4111111111111111' },
    items,
  });

  it('is masked element by element, whatever cuts it comes in', () => {
    const body = list('SecretList', [
      { metadata: { name: 'a', namespace: 'prod' }, data: { password: coded('canary') } },
      { metadata: { name: 'b', namespace: 'test' }, data: { password: coded('open') } },
    ]);
    const { items, metadata } = object('GET /api/v1/secrets', body);
    assert.equal(decodedOf(items[0]!['data']['password']), '[redacted:password]');
    assert.equal(decodedOf(items[1]!['data']['password']), 'open', 'of another namespace');
    assert.deepEqual(metadata, body.metadata);
  });

  it('in any order of its members, empty, pretty, or with escapes in its names', () => {
    const item = { data: { password: coded('canary') } };
    const spellings = [
      `{"items":[${JSON.stringify(item)}],"kind":"SecretList","metadata":{"note":"4111111111111111"}}`,
      JSON.stringify(list('SecretList', [item, item]), null, 2),
      `{"kind":"SecretList","apiVersion":"v1","it\\u0065ms":[${JSON.stringify(item)}]}`,
      `{"kind":"SecretList","metadata":{"a":"\\\\","b":"\\"]}"},"items":[{"note":"\\"},{","data":{"password":"${coded('canary')}"}},${JSON.stringify(item)}]}`,
      `{"kind":"SecretList","items":[{"note":"\\"},{","data":{"password":"${coded('canary')}"}},${JSON.stringify(item)}]}`,
      `{"kind":"SecretList","items":[${JSON.stringify(item)}],"items":[${JSON.stringify(item)}]}`,
      `{"kind":"SecretList","metadata":{"items":[1,{"a":"]}"}]},"items":[ ${JSON.stringify(item)} , ${JSON.stringify(item)} ] } \n`,
    ];
    for (const text of spellings) {
      const result = shown(`GET ${secrets}`, text);
      assert.doesNotMatch(result, new RegExp(`${coded('canary')}|"4111111111111111"`), text);
      assert.doesNotThrow(() => JSON.parse(result) as unknown, text);
    }
    for (const text of ['{"kind":"SecretList","items":[]}\n', '{"kind":"SecretList","items":null}', '{"kind":"SecretList"}'])
      assert.equal(shown(`GET ${secrets}`, text), text);
  });

  it('that is broken off, or no JSON, shows nothing of what is broken', () => {
    const plan = askKubernetes(request(`GET ${secrets}`), hiding, []).answer(json);
    assert.ok(plan.kind === 'pieces');
    for (const text of [
      `{"items":[{"data":{"password":"${coded('canary')}"`,
      `{"items":[{"data":{"password":"${coded('canary')}"}}]`,
      '{"items":[{]}]}',
      `[{"items":[{"data":"x"}]`,
    ]) {
      const masker = plan.masker();
      assert.throws(
        () => {
          const pieces = [...masker.push(Buffer.from(text)), ...masker.end()];
          assert.doesNotMatch(Buffer.concat(pieces).toString(), new RegExp(coded('canary')));
        },
        GatewayFault,
        text,
      );
    }
  });

  it('of one object that is too long is refused', () => {
    const plan = askKubernetes(request(`GET ${secrets}`), hiding, []).answer(json);
    assert.ok(plan.kind === 'pieces');
    const masker = plan.masker();
    masker.push(Buffer.from('{"items":['));
    assert.throws(() => masker.push(Buffer.alloc(4 * 1024 * 1024 + 1, 0x20)), GatewayFault);
  });
});

describe('a table', () => {
  const table = (rows: unknown[]) => ({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: [{ name: 'Name', type: 'string' }],
    rows,
  });

  it('of Secrets counts their values, and shows none in the objects of its rows', () => {
    const meta = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: secret.metadata };
    const { rows } = object(
      `GET ${secrets}`,
      table([
        { cells: ['db', 'Opaque', 2, '5d'], object: meta },
        { cells: ['db', 'Opaque', 2, '5d'], object: secret },
      ]),
    );
    assert.deepEqual(rows[0]!['cells'], ['db', 'Opaque', 2, '5d']);
    assert.doesNotMatch(JSON.stringify(rows), new RegExp(`canary|${coded('canary-password')}`));
  });

  it('of Secrets shows no cells where more than their values is hidden; of other kinds none where anything is', () => {
    const cells = (line: string, places: readonly string[]) =>
      object(line, table([{ cells: ['n', 'x'], object: { metadata: { name: 'n' } } }]), testEnvironment(nodeCrypto, places))['rows'][0]![
        'cells'
      ][1];
    const [maps, widgets] = ['GET /api/v1/namespaces/prod/configmaps', 'GET /apis/example.com/v1/namespaces/prod/widgets'];
    assert.equal(cells(`GET ${secrets}`, ['secrets/*/*#$.data', 'secrets/*/*#$.stringData']), 'x');
    assert.equal(cells(`GET ${secrets}`, ['secrets/*/*#$.metadata.labels']), '[redacted:password]');
    assert.equal(cells(`GET ${secrets}`, ['secrets/*/*#$.data', 'secrets/*/*#$.type']), '[redacted:password]');
    assert.equal(cells(maps, ['configmaps/*/*#$.binaryData.key', 'configmaps/*/*#$.data.key']), 'x');
    assert.equal(cells(widgets, ['widgets/*/*#$.data']), '[redacted:password]');
  });

  it('has the objects of its rows masked by their places, and rows that are none passed over', () => {
    const row = { cells: ['w'], object: { kind: 'Widget', metadata: { name: 'w' }, spec: { inner: { key: 'canary' } } } };
    const text = shown('GET /apis/example.com/v1/namespaces/prod/widgets', table([row, 7, null, 'x', { other: '4111111111111111' }]));
    assert.doesNotMatch(text, /canary|4111111111111111/);
  });

  it('of what shows its fields in cells shows none but names, where any of them is hidden', () => {
    const row = (name: string) => ({ cells: [name, 'canary', 7], object: { metadata: { name } } });
    const one = object('GET /apis/example.com/v1/namespaces/prod/widgets', table([row('w')]));
    assert.deepEqual(one['rows'][0]!['cells'], ['w', '[redacted:password]', '[redacted:password]']);
    const named = object('GET /apis/example.com/v1/namespaces/prod/widgets/w', table([row('w')]));
    assert.deepEqual(named['rows'][0]!['cells'], ['w', '[redacted:password]', '[redacted:password]']);
    const other = object('GET /apis/example.com/v1/namespaces/prod/gadgets', table([row('4111111111111111')]));
    assert.deepEqual(other['rows'][0]!['cells'], ['************1111', 'canary', 7], 'else the detectors look at them');
  });
});

describe('a watch', () => {
  const event = (type: string, of: unknown) => `${JSON.stringify({ type, object: of })}\n`;

  it('is masked event by event, each as it comes', () => {
    const line = `GET ${secrets}?watch=1`;
    const text =
      event('ADDED', secret) +
      event('BOOKMARK', { kind: 'Secret', metadata: { resourceVersion: '8' } }) +
      event('ERROR', { kind: 'Status', message: 'x' });
    const result = shown(line, text);
    assert.doesNotMatch(result, new RegExp(`canary-applied|${coded('canary-password')}`));
    assert.equal(result.split('\n').length, 4);
    const plan = askKubernetes(request(line), hiding, []).answer(json);
    assert.ok(plan.kind === 'pieces');
    const masker = plan.masker();
    const first = masker.push(Buffer.from(event('ADDED', secret)));
    assert.ok(Buffer.concat(first).toString().endsWith('\n'), 'with its line break, before anything comes behind it');
  });

  it('of tables, and without line breaks between events', () => {
    const rows = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', rows: [{ cells: ['db'], object: secret }] };
    const result = shown(`GET ${secrets}?watch=1`, event('ADDED', rows).trim() + event('ADDED', secret).trim());
    assert.doesNotMatch(result, new RegExp(`canary-applied|${coded('canary-password')}`));
  });
});

describe('a log', () => {
  it('is masked line by line, as it comes', () => {
    const head = { status: 200, fields: [{ name: 'content-type', value: 'text/plain' }] };
    const line = 'GET /api/v1/namespaces/prod/pods/web-1/log?follow=true';
    assert.equal(
      shown(line, 'paid 4111111111111111\nok\nlast 4111111111111111', hiding, head),
      'paid ************1111\nok\nlast ************1111',
    );
    const strict = testEnvironment(nodeCrypto, ['secrets/*/*#$.data'], { masking: 'strict' });
    assert.equal(shown(line, 'x', strict, head), 'masking-refused');
  });
});
