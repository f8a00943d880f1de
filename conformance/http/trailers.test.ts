import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { readText, startHouse, type House } from './house.ts';

/** Fields behind a body reach clients that take them (RFC 9110 section 6.5), over HTTP/1.1 in chunks and over HTTP/2. */
describe('trailers of an HTTP API', () => {
  for (const hides of [false, true]) {
    describe(hides ? 'where something is hidden' : 'where nothing is hidden', () => {
      let house: House;
      before(async () => {
        house = await startHouse({
          handle(_request, response) {
            response.setHeader('content-type', 'text/plain');
            response.write('body');
            response.addTrailers({ 'x-checksum': 'abc', 'proxy-status': 'inside' });
            response.end();
          },
          adjust: (config) => (hides ? undefined : (config['data_classes'] = {})),
        });
      });
      after(() => house.close());

      for (const te of ['trailers', undefined]) {
        const expected = te !== undefined && !hides ? 'abc' : undefined;

        it(`${expected === undefined ? 'do not reach' : 'reach'} a client of HTTP/1.1 ${te === undefined ? 'that does not take them' : 'that takes them'}`, async () => {
          const headers = {
            authorization: `Bearer ${await house.token('pipeline')}`,
            ...(te === undefined ? {} : { te, connection: 'te' }),
          };
          const trailers = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
            request(`${house.crm}/a`, { headers, ca: readText(house.authorityFile) }, (response) => {
              response.resume().once('end', () => resolve(response.trailers));
            })
              .once('error', reject)
              .end();
          });
          assert.deepEqual([trailers['x-checksum'], trailers['proxy-status']], [expected, undefined]);
        });

        it(`${expected === undefined ? 'do not reach' : 'reach'} a client of HTTP/2 ${te === undefined ? 'that does not take them' : 'that takes them'}`, async () => {
          const session = connect(`https://localhost:${house.httpsPort}`, { ca: readText(house.authorityFile) });
          const authorization = `Bearer ${await house.token('pipeline')}`;
          const stream = session.request({ ':path': '/http/crm/a', authorization, ...(te === undefined ? {} : { te }) });
          let seen: unknown;
          stream.once('trailers', (trailers) => (seen = trailers['x-checksum']));
          await new Promise((resolve) => {
            stream.resume().once('end', resolve);
          });
          session.close();
          assert.equal(seen, expected);
        });
      }
    });
  }
});
