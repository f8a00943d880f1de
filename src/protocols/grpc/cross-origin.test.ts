import assert from 'node:assert/strict';
import { it } from 'node:test';
import { crossOrigin } from './cross-origin.ts';

const page = 'https://app.bank.example';
function told(method: string, given: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  const fields = Object.entries(given).map(([name, value]) => ({ name, value }));
  const found = crossOrigin({ method, fields }, [page]);
  return found && Object.fromEntries([['preflight', String(found.isPreflight)], ...found.fields.map(({ name, value }) => [name, value])]);
}

it('a page of an origin that is named may call, with the fields that it asks for', () => {
  const asked = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization, X-Grpc-Web,bad name' };
  assert.deepEqual(told('OPTIONS', { origin: page, ...asked }), {
    preflight: 'true',
    'access-control-allow-origin': page,
    vary: 'origin',
    'access-control-allow-methods': 'POST',
    'access-control-allow-headers': 'authorization, x-grpc-web',
    'access-control-max-age': '600',
  });
  assert.deepEqual(told('POST', { origin: page }), {
    preflight: 'false',
    'access-control-allow-origin': page,
    vary: 'origin',
    'access-control-expose-headers': '*',
  });
  assert.equal(told('OPTIONS', { origin: page })?.['preflight'], 'false', 'an OPTIONS that asks for no method is no preflight');
});

it('any other is told nothing: not one that only looks like it, not the opaque one', () => {
  for (const origin of [
    'https://app.bank.example.evil.example',
    'http://app.bank.example',
    'https://app.bank.example:8443',
    'https://APP.bank.example',
    'null',
    '*',
    '',
  ]) {
    assert.equal(told('OPTIONS', { origin, 'access-control-request-method': 'POST' }), undefined, origin);
  }
  assert.equal(told('POST', {}), undefined);
});
