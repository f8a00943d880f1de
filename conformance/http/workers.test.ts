import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { eventually } from '../harness.ts';
import { bodyOf, startHouse, type House } from './house.ts';

let house: House;
before(async () => {
  house = await startHouse({
    adjust: (config) => Object.assign(config['gateway'] as object, { workers: 2 }),
    handle(incoming, response) {
      void bodyOf(incoming).then((body) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ method: incoming.method, url: incoming.url, body, ssn: '078-05-1120' }));
      });
    },
  });
});
after(() => house.close());

describe('two workers serve HTTP', () => {
  it('over HTTP/1.1 and HTTP/2, each with a log of its own', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => ask('GET', `/customers/${index}`)));
    for (const [index, { status, text }] of answers.entries()) {
      assert.equal(status, 200);
      assert.deepEqual([text.includes(`/v2/customers/${index}`), text.includes('078-05')], [true, false]);
    }
    const { stdout } = await house.curl('pipeline', '--http2', '-w', ' %{http_version}', `${house.crm}/orders/1`);
    assert.match(stdout, / 2$/);
    const client = await house.api('auditor-uma');
    const { records } = await client.get<{ records: { log: string; record: { type: string } }[] }>('/api/v1/audit/records', {
      type: 'session.opened',
      limit: 100,
    });
    assert.deepEqual([...new Set(records.map(({ log }) => log))].toSorted(), ['workers/1', 'workers/2']);
  });

  it('and hold a request until it is approved at the one desk', async () => {
    const deleting = ask('DELETE', '/orders/7');
    const erin = await house.api('dba-erin');
    const { id } = await eventually('the request for approval', async () => {
      const { approvals } = await erin.get<{ approvals: { id: string }[] }>('/api/v1/approvals', { state: 'pending' });
      return approvals[0];
    });
    await erin.post(`/api/v1/approvals/${id}/approve`, { reason: 'because' });
    assert.equal((await deleting).status, 200);
  });

  it('and end with the sessions that an operator ends', async () => {
    const deleting = ask('DELETE', '/orders/8');
    const erin = await house.api('dba-erin');
    const { session } = await eventually('the request for approval', async () => {
      const { approvals } = await erin.get<{ approvals: { session: string }[] }>('/api/v1/approvals', { state: 'pending' });
      return approvals[0];
    });
    await (await house.api('platform-pia')).delete(`/api/v1/sessions/${session}`, { reason: 'enough' });
    const { status, text } = await deleting;
    assert.equal(status, 401, text);
    assert.match(text, /session ended/);
  });
});

/** On a connection of its own, with a token of its own. */
async function ask(method: string, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const token = await house.token('pipeline');
  return new Promise((resolve, reject) => {
    const call = request(`${house.crm}${path}`, { method, agent: false, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject).end();
  });
}
