import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import type { TargetAnswer } from '../request.ts';
import { askKubernetes, readsKubernetes } from './ask.ts';
import { maskedObject } from './mask-object.ts';
import { masksOf } from './masks.ts';
import { request, testEnvironment } from './testing/requests.ts';

const settings = '/api/v1/namespaces/prod/configmaps/settings';
const types = {
  json: 'application/json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  patch: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};
const card = '4111 1111 1111 1111';
const masked = '**** **** **** 1111';
const live = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'prod', labels: { app: 'shop' } },
  data: { notes: `paid by\n${card}\non Monday`, word: 'open sesame', stars: '*******' },
};
const none: TargetAnswer = { status: 404, body: new Uint8Array() };

interface Case {
  readonly line?: string;
  readonly type: keyof typeof types;
  readonly body: unknown;
  readonly live?: unknown;
  readonly read?: TargetAnswer;
  readonly places?: readonly string[];
  readonly mask?: 'redact' | 'hash' | 'pseudonym' | 'null' | 'partial-last4';
  readonly revealed?: readonly string[];
  readonly detects?: boolean;
}

const environmentOf = ({ places = [], mask = 'redact', revealed = [], detects = true }: Partial<Case>) => ({
  ...testEnvironment(nodeCrypto, places, {}, { mask, detects }),
  revealed: new Set(revealed),
});

function refusal(one: Case): string | undefined {
  const { type, body, line = `${type === 'json' ? 'PUT' : 'PATCH'} ${settings}`, read } = one;
  const there = read ?? { status: 200, body: Buffer.from(JSON.stringify(one.live ?? live)) };
  const asked = askKubernetes(request(line, { fields: { 'content-type': types[type] }, body: JSON.stringify(body) }), environmentOf(one), [
    there,
  ]);
  return (asked.refusal ?? asked.refusalIfPermitted)?.code;
}

/** Digits and the one that makes them a card's (Luhn). */
function withCheckDigit(digits: string): string {
  const sum = Array.from(digits, Number)
    .reverse()
    .reduce((total, digit, index) => total + (index % 2 === 0 ? (digit * 2 > 9 ? digit * 2 - 9 : digit * 2) : digit), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

describe('a write over an object of which not everything is seen', () => {
  it('holds no mask that was shown in place of what a detector finds', () => {
    const notes = `paid by\n${masked}\non Tuesday`;
    assert.equal(refusal({ type: 'json', body: { ...live, data: { ...live.data, notes } } }), 'masking-refused');
    for (const type of ['merge', 'strategic', 'apply'] as const)
      assert.equal(refusal({ type, body: { data: { notes } } }), 'masking-refused', type);
    assert.equal(refusal({ type: 'patch', body: [{ op: 'replace', path: '/data/notes', value: notes }] }), 'masking-refused');
    assert.equal(refusal({ type: 'merge', body: { metadata: { labels: { [masked]: 'x' } } } }), 'masking-refused', 'as a name');
    assert.equal(
      refusal({ type: 'merge', body: { binaryData: { a: Buffer.from(notes).toString('base64') } } }),
      'masking-refused',
      'in base64',
    );
  });

  it('is anything else', () => {
    assert.equal(refusal({ type: 'json', body: live }), undefined, 'the values themselves');
    assert.equal(refusal({ type: 'merge', body: { data: { notes: 'paid by **** **** **** 2222' } } }), undefined, 'another mask');
    assert.equal(refusal({ type: 'merge', body: { data: { stars: '*******!' } } }), undefined);
    assert.equal(refusal({ type: 'merge', body: { data: { notes: masked } }, revealed: ['card-number'] }), undefined, 'who sees it');
    assert.equal(
      refusal({ type: 'merge', body: { data: { notes: masked } }, live: { ...live, data: {} } }),
      undefined,
      'nothing is hidden there',
    );
    assert.equal(
      refusal({ type: 'merge', body: { data: { notes: masked } }, live: { ...live, data: { a: card, b: masked } } }),
      undefined,
      'it is a value of its own there',
    );
    assert.equal(refusal({ type: 'merge', body: { data: { notes: masked } }, read: none }), undefined, 'there is none');
    assert.equal(
      refusal({ type: 'json', line: 'POST /api/v1/namespaces/prod/configmaps', body: { data: { notes: masked } }, read: none }),
      undefined,
    );
  });

  it('holds no mask of any kind that stands for a place', () => {
    for (const mask of ['redact', 'hash', 'pseudonym', 'partial-last4'] as const) {
      const one = { places: ['configmaps/*/*#$.data.word'], mask };
      const environment = environmentOf(one);
      const shown = maskedObject(
        masksOf(environment),
        { group: '', resource: 'configmaps', namespace: 'prod', name: 'settings' },
        JSON.stringify(live),
        new Map(),
      );
      const { word } = (JSON.parse(shown!) as typeof live).data;
      assert.notEqual(word, live.data.word);
      assert.equal(refusal({ ...one, type: 'json', body: { ...live, data: { ...live.data, word } } }), 'masking-refused', mask);
      assert.equal(refusal({ ...one, type: 'merge', body: { data: { word: 'open barley' } } }), undefined, mask);
    }
    const one = { places: ['configmaps/*/*#$.data.word'], mask: 'null' as const };
    assert.equal(refusal({ ...one, type: 'json', body: { ...live, data: { word: null } } }), 'masking-refused', 'nothing in its place');
    assert.equal(refusal({ ...one, type: 'json', body: { ...live, metadata: { creationTimestamp: null } } }), undefined);
    assert.equal(refusal({ ...one, type: 'merge', body: { data: { word: null } } }), undefined, 'a patch takes it away on purpose');
    const lists = { ...one, places: ['configmaps/*/*#$.data[*].word'], live: { ...live, data: [{ word: 'a' }, { word: 'b' }] } };
    assert.equal(refusal({ ...lists, type: 'json', body: { data: [{ word: 'a' }, { word: null }] } }), 'masking-refused');
    assert.equal(refusal({ ...lists, type: 'json', body: { data: [{ word: 'a' }] } }), undefined);
  });

  it('counts a mask of few characters only where it is all of a text', () => {
    const one = { places: ['configmaps/*/*#$.data.word'], mask: 'partial-last4' as const, live: { data: { word: 'abc' } } };
    assert.equal(refusal({ ...one, type: 'merge', body: { data: { other: '***' } } }), 'masking-refused');
    assert.equal(refusal({ ...one, type: 'merge', body: { data: { other: 'some ***bold*** words' } } }), undefined);
    const longer = { ...one, live: { data: { word: 'abcdef' } } };
    assert.equal(refusal({ ...longer, type: 'merge', body: { data: { other: 'some ****** words' } } }), 'masking-refused');
  });

  it('is refused where more is hidden than can be looked for', () => {
    const cards = Array.from({ length: 1_100 }, (_, index) => withCheckDigit(`41111111111${String(index).padStart(4, '0')}`));
    const large = { data: { cards: cards.join(' '), rest: 'x'.repeat(2_000_000) } };
    assert.equal(refusal({ type: 'merge', body: { data: { other: 'a' } }, live: large }), 'masking-refused');
    assert.equal(refusal({ type: 'merge', body: { data: { other: 'a' } }, live: { data: { cards: large.data.cards } } }), undefined);
  });

  it('is read whole where something is hidden', () => {
    const put = (there: unknown, body: Uint8Array) => {
      const sent = request('PUT /api/v1/namespaces/prod/pods/a', {
        fields: { 'content-type': 'application/vnd.kubernetes.protobuf' },
        body: { kind: 'whole', bytes: body },
      });
      return askKubernetes(sent, environmentOf({}), [{ status: 200, body: Buffer.from(JSON.stringify(there)) }]).refusalIfPermitted?.code;
    };
    const field = (number: number, bytes: Uint8Array): Uint8Array => Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
    const type = Buffer.concat([field(1, Buffer.from('v1')), field(2, Buffer.from('Pod'))]);
    const pod = Buffer.concat([Buffer.from('k8s\0'), field(1, type), field(2, field(2, field(2, field(1, Buffer.from('app')))))]);
    assert.equal(put({ metadata: { annotations: { card } } }, pod), 'masking-refused');
    assert.equal(put({ metadata: { annotations: { a: 'b' } } }, pod), undefined);
  });

  it('is not decided where nobody knows what is there', () => {
    for (const status of [201, 401, 403, 405, 500])
      assert.equal(
        refusal({ type: 'merge', body: { data: {} }, read: { status, body: Buffer.from('{"kind":"Status"}') } }),
        'upstream-unavailable',
        `${status}, whatever it says`,
      );
    for (const status of [0, 401, 403, 405, 500])
      assert.equal(
        refusal({ type: 'merge', body: { data: {} }, read: { status, body: new Uint8Array() } }),
        'upstream-unavailable',
        String(status),
      );
    assert.equal(refusal({ type: 'merge', body: { data: {} }, read: { status: 200, body: Buffer.from('{') } }), 'upstream-unavailable');
    assert.equal(
      refusal({ type: 'merge', body: { data: {} }, read: { status: 200, body: Buffer.from([0x22, 0xff, 0x22]) } }),
      'upstream-unavailable',
    );
    const deep = Buffer.from(`{"a":${'['.repeat(300)}${']'.repeat(300)}}`);
    assert.equal(refusal({ type: 'merge', body: { data: {} }, read: { status: 200, body: deep } }), 'masking-refused');
  });
});

describe('a JSON patch of an object of which not everything is seen', () => {
  const patch = (operation: unknown, one: Partial<Case> = {}) => refusal({ type: 'patch', body: [operation], ...one });

  it('copies, moves and tests nothing that a detector finds', () => {
    assert.equal(patch({ op: 'test', path: '/data/notes', value: 'guess' }), 'masking-refused');
    assert.equal(patch({ op: 'test', path: '/data', value: {} }), 'masking-refused', 'what holds it');
    assert.equal(patch({ op: 'test', path: '', value: {} }), 'masking-refused', 'everything');
    // A name that is never looked at, as it is the API server's to give.
    assert.equal(patch({ op: 'copy', from: '/data/notes', path: '/metadata/ownerReferences/0/name' }), 'masking-refused');
    assert.equal(patch({ op: 'move', from: '/data/notes', path: '/data/a' }), 'masking-refused');
    assert.equal(patch({ op: 'test', path: '/data/word', value: 'open sesame' }), undefined);
    assert.equal(patch({ op: 'copy', from: '/metadata/labels/app', path: '/metadata/labels/b' }), undefined);
    assert.equal(patch({ op: 'copy', from: '/data/word', path: '/data/notes' }), undefined, 'over it');
    assert.equal(patch({ op: 'test', path: '/data/notes', value: 'x' }, { revealed: ['card-number'] }), undefined);
    const harmless = { op: 'test', path: '/data/word', value: 'open sesame' };
    const body = [harmless, { op: 'test', path: '/data/notes', value: 'guess' }, harmless];
    assert.equal(refusal({ type: 'patch', body }), 'masking-refused', 'one of several');
    const two = { ...live, data: { ...live.data, more: card } };
    assert.equal(patch({ op: 'test', path: '/data/notes', value: 'guess' }, { live: two }), 'masking-refused', 'one of several places');
  });

  it('means any element of a list by an index, as operations before it move them', () => {
    const list = { live: { data: [{ note: 'a' }, { note: card }] } };
    for (const index of ['0', '1', '-', '-1', '+1', '01', '7'])
      assert.equal(patch({ op: 'test', path: `/data/${index}/note`, value: 'x' }, list), 'masking-refused', index);
    assert.equal(patch({ op: 'test', path: '/data/0/other', value: 'x' }, list), undefined);
  });

  it('reaches into no Secret that stands in another object', () => {
    const list = {
      places: ['secrets/*/*#$.data'],
      live: { spec: { kept: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, data: { word: 'aHVudGVyMg==' } } } },
    };
    assert.equal(patch({ op: 'copy', from: '/spec/kept/data/word', path: '/metadata/labels/a' }, list), 'masking-refused');
    assert.equal(patch({ op: 'copy', from: '/spec/kept/metadata/name', path: '/metadata/labels/a' }, list), undefined);
  });
});

describe('what is there is looked up', () => {
  const reads = (line: string, one: Partial<Case> = {}, more: Parameters<typeof testEnvironment>[2] = {}) => {
    const environment = environmentOf(one);
    return readsKubernetes(request(line), { ...environment, target: { ...environment.target, ...more } });
  };
  const json = { name: 'accept', value: 'application/json' };

  it('before it is written over, where anything may be hidden', () => {
    const expected = [{ target: settings, fields: [json] }];
    for (const method of ['PUT', 'PATCH']) {
      assert.deepEqual(reads(`${method} ${settings}`), expected);
      assert.deepEqual(reads(`${method} ${settings}?dryRun=All`), expected);
      assert.deepEqual(reads(`${method} ${settings}`, { detects: false }), [], 'nothing is hidden on this target');
      assert.deepEqual(
        reads(`${method} ${settings}`, { revealed: ['card-number', 'password'] }),
        [],
        'nothing is hidden from this principal',
      );
    }
    for (const line of [
      `GET ${settings}`,
      `DELETE ${settings}`,
      'POST /api/v1/namespaces/prod/configmaps',
      'PUT /api/v1/namespaces/prod/services/web/proxy/x',
    ])
      assert.deepEqual(reads(line), [], line);
  });

  it('as a whole, whatever part of it is written, and where it stands', () => {
    const at = (line: string, more = {}) => reads(line, {}, more).map(({ target }) => target);
    assert.deepEqual(at('PATCH /apis/apps/v1/namespaces/prod/deployments/web/scale'), ['/apis/apps/v1/namespaces/prod/deployments/web']);
    assert.deepEqual(at('PUT /api/v1/namespaces/prod/finalize'), ['/api/v1/namespaces/prod']);
    assert.deepEqual(at('PUT /api/v1/namespaces/prod'), ['/api/v1/namespaces/prod']);
    assert.deepEqual(at('PATCH /api/v1/nodes/n1/status'), ['/api/v1/nodes/n1']);
    assert.deepEqual(at('PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Abasic', { basePath: '/k' }), [
      '/k/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Abasic',
    ]);
  });

  it('as the principal, where the cluster knows it; a pod that something goes into as the gateway', () => {
    const impersonate = { user: '{issuer}:{subject}', groups: ['{group}'] };
    assert.deepEqual(reads(`PUT ${settings}`, {}, { impersonate })[0]!.fields, [
      json,
      { name: 'impersonate-user', value: 'ci:job-7' },
      { name: 'impersonate-group', value: 'deployers' },
      { name: 'impersonate-group', value: 'oncall' },
    ]);
    assert.deepEqual(reads('PATCH /api/v1/namespaces/prod/pods/a/ephemeralcontainers', {}, { impersonate })[0]!.fields, [json]);
  });
});
