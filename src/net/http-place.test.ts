import assert from 'node:assert/strict';
import { it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import { placeOf } from './http-place.ts';

it('a target is chosen by the path’s beginning or by the host’s name, and what chose it is taken off', () => {
  for (const [host, path, target, rest] of [
    ['gw.example', '/http/crm/a/b?c', 'crm', '/a/b?c'],
    ['gw.example:8443', '/http/crm', 'crm', '/'],
    ['gw.example', '/http/crm?x', 'crm', '/?x'],
    ['gw.example', '/http/crm//a', 'crm', '//a'],
    ['other.example', '/http/crm/a', 'crm', '/a'],
    ['crm.gw.example', '/http/other/a', 'crm', '/http/other/a'],
    ['crm.gw.example:8443', '/', 'crm', '/'],
    ['10.0.0.1', '/http/crm/a', 'crm', '/a'],
  ] as const) {
    assert.deepEqual(placeOf(host, path, 'GW.example'), { target, rest }, `${host} ${path}`);
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
    ['a.b.gw.example', '/a'],
    ['xgw.example', '/a'],
  ] as const) {
    assert.throws(
      () => placeOf(host, path, 'gw.example'),
      (error) => error instanceof GatewayFault && error.code === 'target-unknown',
      `${host} ${path}`,
    );
  }
});
