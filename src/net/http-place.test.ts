import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import { requestProtocols } from '../protocols/registry.ts';
import type { RequestDialect } from '../protocols/request.ts';
import { placeOf } from './http-place.ts';

const { http } = requestProtocols;
const other: RequestDialect = { ...http, name: 'kubernetes', place: 'k8s' };
const byNameOnly: RequestDialect = { ...http, name: 'grpc', place: undefined };
const dialects = [http, other, byNameOnly];

it('a target is chosen by the path’s beginning or by the host’s name, and what chose it is taken off', () => {
  for (const [host, path, target, rest, dialect] of [
    ['gw.example', '/http/crm/a/b?c', 'crm', '/a/b?c', http],
    ['gw.example:8443', '/http/crm', 'crm', '/', http],
    ['gw.example', '/http/crm?x', 'crm', '/?x', http],
    ['gw.example', '/http/crm//a', 'crm', '//a', http],
    ['other.example', '/http/crm/a', 'crm', '/a', http],
    ['crm.gw.example', '/http/other/a', 'crm', '/http/other/a', undefined],
    ['crm.gw.example:8443', '/', 'crm', '/', undefined],
    ['10.0.0.1', '/http/crm/a', 'crm', '/a', http],
    ['gw.example', '/k8s/prod/api/v1', 'prod', '/api/v1', other],
    ['gw.example', '/k8s/http/crm', 'http', '/crm', other],
    ['gw.example', '/http/k8s/crm', 'k8s', '/crm', http],
    ['prod.gw.example', '/k8s/other/a', 'prod', '/k8s/other/a', undefined],
  ] as const) {
    assert.deepEqual(
      placeOf(host, path, 'GW.example', dialects),
      { target, rest, prefix: dialect === undefined ? '' : `/${dialect.place}/${target}`, dialect },
      `${host} ${path}`,
    );
  }
});

it('nothing else chooses one', () => {
  for (const [host, path] of [
    ['gw.example', '/'],
    ['gw.example', '/http/'],
    ['gw.example', '/http/Crm/a'],
    ['gw.example', '/HTTP/crm/a'],
    ['gw.example', '//http/crm/a'],
    ['gw.example', '/http/%63rm/a'],
    ['gw.example', '*'],
    ['gw.example', '/grpc/crm/a'],
    ['gw.example', '/undefined/crm/a'],
    ['gw.example', '/k8s2/crm/a'],
    ['gw.example', '/k8s'],
    ['a.b.gw.example', '/a'],
    ['xgw.example', '/a'],
  ] as const) {
    assert.throws(
      () => placeOf(host, path, 'gw.example', dialects),
      (error) => error instanceof GatewayFault && error.code === 'target-unknown',
      `${host} ${path}`,
    );
  }
});
