import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { OpenSession } from '../../core/effect.ts';
import { nodeCrypto } from '../../net/crypto.ts';
import { askKubernetes } from './ask.ts';
import { statusOf } from './fault.ts';
import { readProtobuf } from './protobuf.ts';
import { request, testEnvironment } from './testing/requests.ts';

type Field = readonly [number: number, value: string | number | Uint8Array];

function message(...fields: readonly Field[]): Uint8Array {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return Buffer.from([...varint(number << 3), ...varint(value)]);
      const bytes = Buffer.from(value as string);
      return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...varint(bytes.length)]), bytes]);
    }),
  );
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function envelope(kind: string, raw: Uint8Array, ...more: readonly Field[]): Uint8Array {
  return Buffer.concat([Buffer.from('k8s\0'), message([1, message([1, 'v1'], [2, kind])], [2, raw], [3, ''], [4, ''], ...more)]);
}

const entry = (key: string, value: string) => message([1, key], [2, value]);
const metadata = message([1, 'db'], [2, ''], [3, 'prod'], [11, entry('app', 'web')], [8, message()]);
const secret = envelope('Secret', message([1, metadata], [2, entry('password', 'hunter2')], [3, 'Opaque'], [4, entry('user', 'canary')]));
const container = (...more: readonly Field[]) => message([1, 'app'], [2, 'web:1'], [3, 'sh'], [3, '-c'], ...more);
const podSpec = (...fields: readonly Field[]) => message([2, container([15, message([2, 0], [4, 1000])])], ...fields);
const deployment = (spec: Uint8Array) =>
  envelope('Deployment', message([1, metadata], [2, message([1, 3], [3, message([1, message()], [2, spec])])]));

describe('protobuf of the Kubernetes API', () => {
  it('is read as the JSON that it stands for', () => {
    assert.deepEqual(readProtobuf(secret)?.value, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db', namespace: 'prod', labels: { app: 'web' } },
      data: { password: Buffer.from('hunter2').toString('base64') },
      type: 'Opaque',
      stringData: { user: 'canary' },
    });
    const { value } = readProtobuf(deployment(podSpec([1, message([1, 'host'], [2, message([1, message([1, '/etc'])])])], [11, 1])))!;
    assert.deepEqual((value as { spec: { template: { spec: unknown } } }).spec.template.spec, {
      containers: [{ name: 'app', image: 'web:1', command: ['sh', '-c'], securityContext: { privileged: false, runAsUser: 1000 } }],
      volumes: [{ name: 'host', hostPath: { path: '/etc' } }],
      hostNetwork: true,
    });
  });

  it('is refused where it has two meanings, or none', () => {
    const twice = envelope('Pod', message([1, metadata], [2, podSpec()], [2, podSpec([11, 1])]));
    const bad = [
      twice,
      Buffer.from('k8s\0'),
      Buffer.from('{"kind":"Pod"}'),
      envelope('Pod', Buffer.from([0x0a, 0x7f])),
      envelope('Pod', message([2, 7])),
      envelope('Pod', message(), [2, message()]),
      Buffer.concat([Buffer.from('k8s\0'), message([1, message([2, 'Pod'])], [2, message()], [3, 'gzip'])]),
    ];
    for (const [index, bytes] of bad.entries()) assert.equal(readProtobuf(bytes), undefined, String(index));
  });

  it('may be anything, cut anywhere', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void readProtobuf(Buffer.concat([Buffer.from('k8s\0'), bytes]))));
    for (let cut = 0; cut < secret.length; cut += 1) readProtobuf(secret.subarray(0, cut));
  });
});

describe('a request with such a body', () => {
  const session = { id: 's', nextOperationId: () => 's-1' } as unknown as OpenSession;
  const open = testEnvironment(nodeCrypto, []);
  const ask = (line: string, bytes: Uint8Array, environment = open) =>
    askKubernetes(
      request(line, { fields: { 'content-type': 'application/vnd.kubernetes.protobuf' }, body: { kind: 'whole', bytes } }),
      environment,
      [],
    );
  const facts = (bytes: Uint8Array) => ask('POST /apis/apps/v1/namespaces/prod/deployments', bytes).operation(session).facts;

  it('has the facts of its pods, and goes upstream as it came', () => {
    const plain = facts(deployment(podSpec()));
    assert.deepEqual([plain['privileged'], plain['runs_as_root'], plain['host_access']], [false, false, false]);
    assert.deepEqual(plain['images'], ['web:1']);
    assert.equal(facts(deployment(podSpec([12, 1])))['host_access'], true);
    assert.equal(facts(deployment(message([2, container([15, message([2, 1])])])))['privileged'], true);
    assert.equal(facts(deployment(message()))['privileged'], true, 'no pod was found: the worst');
    assert.equal(facts(envelope('Deployment', message([1, metadata])))['privileged'], true);
    assert.equal(ask('POST /apis/apps/v1/namespaces/prod/deployments', deployment(podSpec())).upstream.body, undefined);
  });

  it('is named and recorded as the JSON would be', () => {
    const asked = ask('POST /api/v1/namespaces/prod/secrets', secret).operation(session);
    assert.equal(asked.acts[0]!.object.id, 'aks/prod/secrets/db');
    assert.doesNotMatch(asked.text, /hunter2|aHVudGVyMg|canary/);
    assert.match(asked.text, /password/);
    assert.match(asked.unmasked().text, /canary/);
    const token = envelope('TokenRequest', message([2, message([1, 'vault'])]));
    assert.deepEqual(ask('POST /api/v1/namespaces/prod/serviceaccounts/ci/token', token).operation(session).facts['audiences'], ['vault']);
  });

  it('is refused by an API that is not Kubernetes’ own, and where hidden values could be written unseen', () => {
    const other = ask('POST /apis/example.com/v1/things', secret).refusal;
    assert.equal(statusOf(other!).status, 415);
    const hiding = testEnvironment(nodeCrypto, ['deployments.apps/*/*#$.spec.x', 'secrets/*/*#$.data']);
    assert.equal(ask('POST /apis/apps/v1/namespaces/prod/deployments', deployment(podSpec()), hiding).refusal?.code, 'masking-refused');
    assert.equal(ask('POST /api/v1/namespaces/prod/secrets', secret, hiding).refusal, undefined);
  });
});
