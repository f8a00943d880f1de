import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { targetText } from '../../src/protocols/http/path.ts';
import { messageCases, streamCases } from './cases.ts';
import { credential, site } from './corpus/sending.ts';
import { reading } from './forwarding.ts';
import { listenHttp1, listenHttp2, type Front, type Understood } from './front.ts';
import { bodyOf, readText, startHouse, type House } from './house.ts';
import { exchange } from './upstreams/exchange.ts';
import { caseNumber, lastValue, type Seen } from './upstreams/reporter.ts';
import { inParallel } from './upstreams/send.ts';

/**
 * What `smuggling.test.ts` and `streams.test.ts` show of the checks, shown of the gateway: it forwards what passes them, cut as they cut it, and nothing else.
 */
const versions = [
  { alpn: 'http/1.1', families: messageCases(), listen: listenHttp1 },
  { alpn: 'h2', families: streamCases(), listen: listenHttp2 },
] as const;

for (const { alpn, families, listen } of versions) {
  const cases = families.flatMap((family) => family.cases);

  describe(`of ${alpn} the gateway forwards`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-front-'));
    const arrived = new Map<number, Seen[]>();
    let token = '';
    let front: Front;
    let house: House | undefined;
    before(async () => {
      front = await listen(join(folder, 'front.sock'));
      house = await startHouse({
        plainUpstream: true,
        handle(request, response) {
          const { method = '', url = '', rawHeaders } = request;
          void bodyOf(request).then((body) => {
            const before = arrived.get(caseNumber(url)) ?? [];
            arrived.set(caseNumber(url), [...before, { method, target: url, rawHeaders, body: body.replaceAll(token, credential) }]);
            response.end();
          });
        },
        policies: '@id("everything") permit (principal, action, resource);',
        adjust(config) {
          const { crm } = config['targets'] as Record<string, { upstream: { url: string } }>;
          config['gateway']!['host'] = 'gateway';
          config['targets'] = { site: { ...crm, upstream: { ...crm!.upstream, url: crm!.upstream.url.replace('/v2', '') } } };
          config['data_classes'] = {};
        },
      });
      token = await gatewayToken(house);
      const gateway = { port: house.httpsPort, ca: readText(house.authorityFile), alpn };
      await inParallel(cases, 32, async ({ octets }) => {
        await exchange({ path: join(folder, 'front.sock') }, octets);
        await exchange(gateway, octets.replaceAll(credential, token));
      });
    });
    after(async () => {
      await house?.close();
      await front.close();
      rmSync(folder, { recursive: true, force: true });
    });

    for (const { name, cases } of families) {
      it(`of "${name}" what passes the checks, and nothing else`, () => {
        for (const { number, text } of cases) {
          const passed = front.understood(number).map(asRead);
          for (const seen of arrived.get(number) ?? []) {
            const at = passed.findIndex((one) => JSON.stringify(one) === JSON.stringify(reading(seen)));
            assert.ok(at >= 0, `${JSON.stringify(reading(seen))} of ${text}`);
            passed.splice(0, alpn === 'h2' ? 0 : at + 1);
            assert.ok(!seen.rawHeaders.includes('forged'), text);
            // What has no body is not sent with an empty one in chunks, which servers of HTTP/1.0 do not know.
            if (seen.body === '') assert.equal(lastValue(seen.rawHeaders, 'transfer-encoding'), undefined, text);
          }
        }
      });
    }

    it('all of it, but where the connection ends while it is being decided on', () => {
      const isOne = (target: string): boolean => /\/one(?:\?|$)/.test(target);
      const passed = cases.flatMap(({ number }) =>
        front.understood(number).filter((one) => one.head.host === site && one.credential === credential),
      );
      const expected = passed.filter(({ target }) => isOne(target.path)).length;
      const count = [...arrived.values()].flat().filter(({ target }) => isOne(target)).length;
      assert.ok(count > expected * 0.95 && count <= expected, `${count} of ${expected}`);
    });
  });
}

async function gatewayToken(house: House): Promise<string> {
  const answer = await (
    await house.api('pipeline')
  ).postForm('/oauth/token', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: await house.token('pipeline'),
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    audience: 'site',
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  assert.equal(token.length, credential.length);
  return token;
}

function asRead({ head, target, body }: Understood): ReturnType<typeof reading> {
  return { method: head.method, target: targetText(target), body: body ?? '' };
}
