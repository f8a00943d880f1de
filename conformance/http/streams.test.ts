import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { streamCases } from './cases.ts';
import { checkForwarding, checkForwardingOverHttp2, checkForwardingToWsgi, type Message } from './forwarding.ts';
import { listenHttp2, type Front, type Understood } from './front.ts';
import { exchange } from './upstreams/exchange.ts';
import { startUpstreams, type Upstreams } from './upstreams/index.ts';
import { inParallel } from './upstreams/send.ts';
import { startWsgi, type WsgiServer } from './upstreams/wsgi.ts';

const families = streamCases();
const cases = families.flatMap((family) => family.cases);

describe('HTTP/2 written down as HTTP/1', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-front-'));
  let front: Front;
  let upstreams: Upstreams;
  let wsgi: WsgiServer;
  before(async () => {
    front = await listenHttp2(join(folder, 'front.sock'));
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

  for (const { name, expected, cases } of families) {
    it(`${name}: ${expected}`, () => {
      const accepted = cases.filter(({ number }) => front.understood(number).some(isMutated));
      const refused = cases.filter(({ number }) => !front.understood(number).some(isMutated));
      if (expected === 'refused')
        assert.deepEqual(
          accepted.map(({ text }) => text),
          [],
        );
      else if (expected === 'accepted')
        assert.deepEqual(
          refused.map(({ text }) => text),
          [],
        );
      else assert.ok(accepted.length > 0 && refused.length > 0, `${accepted.length} are accepted, ${refused.length} refused`);
    });
  }

  it('goes upstream as one message each, and is understood there as policy understood it', () => checkForwarding(upstreams, messages()));

  it('goes upstream in HTTP/2 as one request each, and is understood there as policy understood it', () =>
    checkForwardingOverHttp2(upstreams, messages()));

  it('goes to WSGI without anything that a client said about itself', () => checkForwardingToWsgi(wsgi, messages()));

  function messages(): readonly Message[] {
    return cases.flatMap(({ number, text }) => front.understood(number).map((understood) => ({ sent: text, understood })));
  }
});

function isMutated({ target }: Understood): boolean {
  return !target.path.endsWith('/last');
}
