import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../core/fault.ts';
import { canonicalTarget } from './path.ts';
import { headerFacts, queryFacts, shownValues } from './value-facts.ts';

const wordsOf = (found: readonly string[] | GatewayFault): readonly string[] | string =>
  found instanceof GatewayFault ? found.publicMessage : found;

function ofQuery(query: string, names: readonly string[] = ['status', 'export', 'filter[state]']): readonly string[] | string {
  const target = canonicalTarget(`/x?${query}`);
  assert.ok(!(target instanceof GatewayFault), query);
  return wordsOf(queryFacts(names, target.parameters));
}

const ofHeaders = (...fields: readonly (readonly [string, string])[]): readonly string[] | string =>
  wordsOf(
    headerFacts(
      ['x-tenant', 'x_region'],
      fields.map(([name, value]) => ({ name, value })),
    ),
  );

describe('values in queries that policy asks about', () => {
  it('are those of the named parameters, decoded once, whatever their spelling', () => {
    assert.deepEqual(ofQuery('status=open&page=2&export=all'), ['export=all', 'status=open']);
    assert.deepEqual(ofQuery('%73tatus=%6Fpen'), ['status=open']);
    assert.deepEqual(ofQuery('status=a%20b%2Bc%26export=x'), ['status=a b+c&export=x']);
    assert.deepEqual(ofQuery('filter%5Bstate%5D=open&filter%5Bother%5D=x'), ['filter[state]=open']);
    assert.deepEqual(ofQuery('status=caf%C3%A9;d=%25'), ['status=café;d=%']);
  });

  it('are there where a value is empty, and not where the parameter is missing', () => {
    assert.deepEqual(ofQuery('status'), ['status=']);
    assert.deepEqual(ofQuery('status='), ['status=']);
    assert.deepEqual(ofQuery('&=x&statuses=open&my_status=open&x%5Bstatus%5D=open&%5B%5D=y'), []);
  });

  for (const [query, expected] of [
    ['status=open&status=closed', /status is given twice/],
    ['status=open&status=open', /status is given twice/],
    ['status=open&status', /status is given twice/],
    ['Status=closed', /almost the name status/],
    ['status=open&STATUS=closed', /almost the name status/],
    ['%20status=closed', /almost the name status/],
    ['%C5%BFtatus=closed', /almost the name status/],
    ['%EF%BD%93tatus=closed', /almost the name status/],
    ['st%C3%A1tus=closed', /almost the name status/],
    ['status%5B%5D=closed', /almost the name status/],
    ['status%5B0%5D=closed', /almost the name status/],
    ['status%5B=closed', /almost the name status/],
    ['%5Bstatus%5D=closed', /almost the name status/],
    ['f%C4%B1lter=x', /almost the name filter\[state\]/],
    ['filter=x', /almost the name filter\[state\]/],
    ['filter%5B%5D%5Bstate%5D=closed', /almost the name filter\[state\]/],
    ['filter%5Bstate%5D%5Beq%5D=closed', /almost the name filter\[state\]/],
    ['status=a+b', /the value of status has a "\+"/],
    ['status=%256Fpen', /the value of status has an escape of an escape/],
    ['status=%25u006Fpen', /the value of status has an escape of an escape/],
    [`status=${'x'.repeat(257)}`, /the value of status is longer than 256 characters/],
  ] as const) {
    it(`are not guessed: ${query.slice(0, 40)}`, () => {
      assert.match(String(ofQuery(query)), expected);
    });
  }
});

describe('values in header fields that policy asks about', () => {
  it('are those of the named fields, as they are', () => {
    assert.deepEqual(ofHeaders(['x-tenant', '7'], ['x-other', '8'], ['x_region', 'a, b']), ['x-tenant=7', 'x_region=a, b']);
    assert.deepEqual(ofHeaders(['x-tenant', '']), ['x-tenant=']);
    assert.deepEqual(ofHeaders(['x-tenants', '7']), []);
  });

  for (const [fields, expected] of [
    [
      [
        ['x-tenant', '7'],
        ['x-tenant', '8'],
      ],
      /x-tenant is given twice/,
    ],
    [[['x_tenant', '8']], /spelled almost like x-tenant/],
    [[['x.tenant', '8']], /spelled almost like x-tenant/],
    [[['x-region', 'a']], /spelled almost like x_region/],
    [[['x-tenant', 'x'.repeat(257)]], /longer than 256 characters/],
  ] as const) {
    it(`are not guessed: ${JSON.stringify(fields).slice(0, 40)}`, () => {
      assert.match(String(ofHeaders(...fields)), expected);
    });
  }
});

it('on record a value is masked by what is found in it, or together with its name', () => {
  const shown = (text: string): string => (/^\d{9}$/.test(text) ? '*' : text.replace('pin=5', 'pin=*'));
  assert.deepEqual(shownValues({ query: ['id=123456789', 'pin=5'], headers: ['a=b=c'] }, shown), {
    query: ['id=*', 'pin=*'],
    headers: ['a=b=c'],
  });
});
