import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as encode from './encode.ts';
import { explainPostgres } from './explain.ts';
import { analyse, catalogue, classes, joined, ready, run, sync } from './fixture.test.ts';

describe('the fact cascade', () => {
  const reaching = [
    'drop table orders cascade',
    'truncate orders cascade',
    'alter table orders drop column amount cascade',
    'alter table orders add note text, drop constraint c cascade',
    'alter domain d drop constraint c cascade',
    'alter type t alter attribute a type int cascade',
    'revoke select on orders from reporting cascade',
    'revoke reporting from auditors cascade',
    'alter default privileges revoke select on tables from reporting cascade',
    'drop owned by reporting cascade',
    'create extension earthdistance cascade',
    'select 1; drop view v cascade',
  ];
  for (const text of reaching) it(`is there: ${text}`, () => assert.equal(factsOf(text)['cascade'], true));

  const plain = [
    'drop table orders',
    'drop table orders restrict',
    'truncate orders',
    'alter table orders drop column amount',
    'create table parts (id int references orders on delete cascade)',
    'create view v as select id from orders with cascaded check option',
    "select 'drop table orders cascade'",
  ];
  for (const text of plain) it(`is not: ${text}`, () => assert.equal('cascade' in factsOf(text), false));

  it('goes with every operation, whatever the protocol, as the same object each time', () => {
    const gateway = ready();
    for (let time = 0; time < 2; time += 1) gateway.client(encode.query('truncate orders cascade'));
    gateway.client(joined([...run('truncate orders cascade'), sync]));
    const [first, second, ...others] = gateway.operations.map((operation) => operation.facts);
    assert.equal(first, second);
    assert.ok(others.length > 0);
    for (const facts of [first, ...others]) assert.equal(facts?.['cascade'], true);
  });
});

function factsOf(statement: string) {
  const target = {
    name: 'orders',
    database: 'orders',
    classes,
    catalogue: () => catalogue,
  };
  return explainPostgres({ statement, target, masking: 'taint', readOnly: false, revealed: new Set(), analyse }).facts;
}
