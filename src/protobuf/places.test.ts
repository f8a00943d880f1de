import assert from 'node:assert/strict';
import { it } from 'node:test';
import { placesOfNothing } from './places.ts';
import { schema } from './testing/accounts.ts';

function isNothing(text: string): boolean {
  const [segments = '', path = ''] = text.split('#');
  return placesOfNothing(schema, [{ target: 'billing', segments: segments.split('/'), path }]).length > 0;
}

it('places that are there', () => {
  for (const place of [
    'acme.v1.Accounts/Get#$.owner.ssn',
    'acme.v1.Accounts/Get#$.name',
    'acme.v1.accounts/get#$.owner.taxNumber',
    'acme.v1.Owner#$.spouse.spouse.tax_number',
    '**#$.others[2].ssn',
    '*#$.others.ssn',
    'acme.v1.Account#$.by_role.main.ssn',
    'acme.v1.Account#$.by_role.*',
    'acme.v1.Account#$.notes.key',
    'acme.v1.Account#$.numbered["7"]',
    'acme.v1.Account#$.profile.whatever.it[3].is',
    'acme.v1.Account#$.details.whatever',
    'acme.v1.Account#$.alias',
    'google.rpc.Status#$.message',
  ]) {
    assert.equal(isNothing(place), false, place);
  }
});

it('places of nothing', () => {
  for (const place of [
    'acme.v1.Accounts/Put#$.owner.ssn',
    'acme.v1.Accounts/Get#$.owner.snn',
    'acme.v1.Owner#$.ssn.more',
    'acme.v1.Owner#$.spouse.spouse.spouse.nothing',
    'acme.v1.Account#$.by_role.ssn.ssn.ssn',
    'acme.v1.Account#$.by_role.main.snn',
    'acme.v1.Account#$.notes.key.more',
    'acme.v1.Account#$.alias.more',
    'acme.v2.Account#$.owner',
  ]) {
    assert.equal(isNothing(place), true, place);
  }
});
