import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { streamFamilies } from './corpus/streams.ts';
import { checkForwarding, checkForwardingToWsgi, type Message } from './forwarding.ts';
import { listenHttp2, type Front, type Understood } from './front.ts';
import { exchange } from './upstreams/exchange.ts';
import { preface, requestFrames } from './upstreams/frames.ts';
import { startUpstreams, type Upstreams } from './upstreams/index.ts';
import { numbered } from './upstreams/reporter.ts';
import { inParallel } from './upstreams/send.ts';
import { startWsgi, type WsgiServer } from './upstreams/wsgi.ts';

/** The request behind each one, with which the connection ends. */
const last = [':method', 'GET', ':scheme', 'https', ':authority', 'gateway', ':path', '/case-0000/last'];
let number = 0;
const families = streamFamilies.map((family) => ({
  ...family,
  cases: family.sendings.map(({ fields, body, trailers }) => {
    number += 1;
    const numberedFields = fields.map((text) => numbered(text, number));
    const lastFields = last.map((text) => numbered(text, number));
    const frames = Buffer.concat([preface, requestFrames(1, numberedFields, body, trailers), requestFrames(3, lastFields)]);
    return { number, sent: JSON.stringify({ fields: numberedFields, body, trailers }), octets: frames.toString('latin1') };
  }),
}));
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
      await exchange(join(folder, 'front.sock'), octets);
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
          accepted.map(({ sent }) => sent),
          [],
        );
      else if (expected === 'accepted')
        assert.deepEqual(
          refused.map(({ sent }) => sent),
          [],
        );
      else assert.ok(accepted.length > 0 && refused.length > 0, `${accepted.length} are accepted, ${refused.length} refused`);
    });
  }

  it('goes upstream as one message each, and is understood there as policy understood it', () => checkForwarding(upstreams, messages()));

  it('goes to WSGI without anything that a client said about itself', () => checkForwardingToWsgi(wsgi, messages()));

  function messages(): readonly Message[] {
    return cases.flatMap(({ number, sent }) => front.understood(number).map((understood) => ({ sent, understood })));
  }
});

function isMutated({ target }: Understood): boolean {
  return !target.path.endsWith('/last');
}
