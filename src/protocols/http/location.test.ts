import assert from 'node:assert/strict';
import { it } from 'node:test';
import { relocated } from './location.ts';

const place = { origin: 'https://crm.internal', basePath: '/v2', base: 'https://gw.bank.example:8443/http/crm' };

it('what leads to the target leads there by way of the gateway; what leads elsewhere stays', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['https://crm.internal/v2/customers/8', `${place.base}/customers/8`],
    ['HTTPS://CRM.internal/v2?a=1', `${place.base}?a=1`],
    ['https://crm.internal/v2', place.base],
    ['/v2/customers/8#x', `${place.base}/customers/8#x`],
    ['customers/8', 'customers/8'],
    ['/login', '/login'],
    ['/v23/x', '/v23/x'],
    ['https://crm.internal/login', 'https://crm.internal/login'],
    ['https://crm.internal.evil.example/v2/x', 'https://crm.internal.evil.example/v2/x'],
    ['https://crm.internal@evil.example/v2', 'https://crm.internal@evil.example/v2'],
    ['https://crm.internal:444/v2/x', 'https://crm.internal:444/v2/x'],
    ['//crm.internal/v2/x', '//crm.internal/v2/x'],
    ['https://elsewhere.example/v2/x', 'https://elsewhere.example/v2/x'],
  ];
  for (const [value, expected] of cases) {
    const head = {
      status: 302,
      fields: [
        { name: 'location', value },
        { name: 'link', value },
      ],
    };
    assert.deepEqual(
      relocated(head, place).fields,
      [
        { name: 'location', value: expected },
        { name: 'link', value },
      ],
      value,
    );
  }
  const atRoot = { ...place, basePath: '' };
  assert.equal(
    relocated({ status: 201, fields: [{ name: 'content-location', value: 'https://crm.internal' }] }, atRoot).fields[0]?.value,
    place.base,
  );
});
