import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { targetText } from '../../src/protocols/http/path.ts';
import { messageCases } from './cases.ts';
import { checkForwarding, checkForwardingOverHttp2, checkForwardingToWsgi, reading, type Message } from './forwarding.ts';
import { listenHttp1, type Front, type Understood } from './front.ts';
import { exchange } from './upstreams/exchange.ts';
import { startUpstreams, type Upstreams } from './upstreams/index.ts';
import { inParallel } from './upstreams/send.ts';
import { startWsgi, type WsgiServer } from './upstreams/wsgi.ts';

const families = messageCases();
const cases = families.flatMap((family) => family.cases);

describe('messages that servers cut differently', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-front-'));
  let front: Front;
  let upstreams: Upstreams;
  let wsgi: WsgiServer;
  before(async () => {
    front = await listenHttp1(join(folder, 'front.sock'));
    upstreams = await startUpstreams();
    wsgi = await startWsgi();
    await inParallel(cases, 64, async ({ octets }) => {
      await exchange({ path: join(folder, 'front.sock') }, octets);
    });
  });
  after(async () => {
    await front.close();
    await wsgi.close();
    await upstreams.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are five hundred and more', () => assert.ok(cases.length > 500));

  for (const { name, expected, cases } of families) {
    it(`${name}: ${expected}`, () => {
      const accepted = cases.filter(({ number }) => isOne(front.understood(number)[0]));
      const refused = cases.filter(({ number }) => !isOne(front.understood(number)[0]));
      if (expected === 'refused') assert.deepEqual(octetsOf(accepted), []);
      else if (expected === 'accepted')
        assert.deepEqual(octetsOf(cases.filter(({ number }) => !areOneAndLast(front.understood(number)))), []);
      else assert.ok(accepted.length > 0 && refused.length > 0, `${accepted.length} are accepted, ${refused.length} refused`);
    });
  }

  it('are cut by others where we cut them', async () => {
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      await inParallel(cases, 64, async ({ octets }) => {
        await exchange(way, octets);
      });
    }
    for (const way of [upstreams.node, upstreams.nginx, upstreams.haproxy]) {
      let compared = 0;
      for (const { number, octets } of cases) {
        const seen = upstreams.reporter.seen(way.name, number);
        for (const one of front.understood(number)) {
          const theirs = seen[one.at];
          if (theirs === undefined) break;
          compared += 1;
          assert.deepEqual(
            reading(theirs),
            { method: one.head.method, target: targetText(one.target), body: one.body ?? '' },
            `${way.name}: ${octets}`,
          );
        }
      }
      assert.ok(compared > cases.length / 4, `${way.name}: only ${compared} are understood by both`);
    }
  });

  it('go upstream as one message each, and are understood there as policy understood them', () => checkForwarding(upstreams, messages()));

  it('go upstream in HTTP/2 as one request each, and are understood there as policy understood them', () =>
    checkForwardingOverHttp2(upstreams, messages()));

  it('go to WSGI without anything that a client said about itself', () => checkForwardingToWsgi(wsgi, messages()));

  function messages(): readonly Message[] {
    return cases.flatMap(({ number, octets }) => front.understood(number).map((understood) => ({ sent: octets, understood })));
  }
});

function octetsOf(cases: readonly { octets: string }[]): readonly string[] {
  return cases.map(({ octets }) => JSON.stringify(octets.slice(0, 300)));
}

function isOne(understood: Understood | undefined): boolean {
  return understood?.target.path.endsWith('/one') === true;
}

function areOneAndLast([one, last, ...more]: readonly Understood[]): boolean {
  return isOne(one) && last?.target.path.endsWith('/last') === true && more.length === 0;
}
