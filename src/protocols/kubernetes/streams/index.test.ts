import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../../../core/fault.ts';
import { nodeCrypto } from '../../../net/crypto.ts';
import type { AskedRequest } from '../../request.ts';
import type { UpgradeName } from '../../tunnel.ts';
import { askKubernetes } from '../ask.ts';
import { request, testEnvironment } from '../testing/requests.ts';
import { testGrant } from './testing.ts';

const environment = testEnvironment(nodeCrypto, []);
const pod = [{ status: 200, body: Buffer.from('{"kind":"Pod","spec":{"containers":[]}}') }];

function forward(upgrade: UpgradeName, offers: string, query = ''): AskedRequest {
  const name = upgrade === 'websocket' ? 'sec-websocket-protocol' : 'x-stream-protocol-version';
  const asked = request(`GET /api/v1/namespaces/prod/pods/web-1/portforward${query}`, { fields: { [name]: offers } });
  return askKubernetes({ ...asked, upgrade }, environment, pod);
}

/** What the target is offered, first and otherwise, and what the client is told then. */
function agreed(asked: AskedRequest, spoken: UpgradeName): readonly string[] {
  assert.equal(asked.refusal, undefined);
  const tunnel = asked.tunnel!;
  const fields = spoken === tunnel.upgrade ? asked.upstream.fields : tunnel.otherwise!.fields;
  const offered = fields.filter(({ name }) => /protocol/i.test(name));
  const head = { status: 101, fields: offered.map(({ name, value }) => ({ name: name.toLowerCase(), value })) };
  const opened = tunnel.open(head, testGrant, spoken);
  if (opened instanceof GatewayFault) throw opened;
  return [...offered.map(({ value }) => value), ...opened.fields.map(({ value }) => value), ...(opened.isApart ? ['apart'] : [])];
}

describe('what forwards ports', () => {
  it('is SPDY at the target, whatever the client speaks', () => {
    const [tunnel, spdy] = ['SPDY/3.1+portforward.k8s.io', 'portforward.k8s.io'];
    for (const [offers, version, ...more] of [
      [tunnel, tunnel],
      ['v4.channel.k8s.io', 'v4.channel.k8s.io', 'apart'],
      ['v4.base64.channel.k8s.io', 'v4.base64.channel.k8s.io', 'apart'],
      ['v5.channel.k8s.io,v4.channel.k8s.io, v4.base64.channel.k8s.io', 'v4.channel.k8s.io', 'apart'],
      [`v4.channel.k8s.io, ${tunnel}`, tunnel],
    ] as const) {
      const asked = forward('websocket', offers, '?ports=80');
      assert.deepEqual(agreed(asked, 'websocket'), [tunnel, version, ...more], offers);
      assert.deepEqual(agreed(asked, 'spdy/3.1'), [spdy, version, ...more], offers);
      assert.equal(asked.tunnel?.otherwise?.method, 'POST');
    }
    const asked = forward('spdy/3.1', spdy);
    assert.deepEqual(agreed(asked, 'spdy/3.1'), [spdy, spdy]);
    assert.equal(asked.tunnel?.otherwise, undefined);
  });

  it('is nothing that API servers do not speak', () => {
    for (const offers of ['channel.k8s.io', 'base64.channel.k8s.io', 'v5.channel.k8s.io', 'portforward.k8s.io', ''])
      assert.equal(forward('websocket', offers, '?ports=80').refusal?.code, 'unsupported', offers);
    for (const offers of ['v4.channel.k8s.io', 'SPDY/3.1+portforward.k8s.io'])
      assert.equal(forward('spdy/3.1', offers).refusal?.code, 'unsupported', offers);
  });

  it('needs ports over channels, each in its only spelling', () => {
    const refusal = (query: string) => forward('websocket', 'v4.channel.k8s.io', query).refusal;
    const many = (count: number): string => `?ports=${Array.from({ length: count }, (_, index) => index + 1).join(',')}`;
    for (const query of ['?ports=1', '?ports=65535', '?ports=80,5432&ports=81', '?ports=80&ports=80', many(40)])
      assert.equal(refusal(query), undefined, query);
    for (const port of ['', '0', '65536', '080', '+80', '-1', '1.5', '8e1', '0x50', '%2080', '80,', ',80', '80,x', '80;81', '%D9%A1'])
      assert.match(refusal(`?ports=${port}`)!.publicMessage, /no port/, port);
    for (const query of ['', '?port=80', '?Ports=80']) assert.match(refusal(query)!.publicMessage, /required/, query);
    assert.match(refusal(many(41))!.publicMessage, /more than 40 ports/);
    assert.equal(refusal('')!.code, 'unclassified');
    assert.equal(forward('websocket', 'SPDY/3.1+portforward.k8s.io').refusal, undefined);
  });
});
