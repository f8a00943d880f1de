import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { replay, readTimeline } from '../../src/recordings/index.ts';
import { eventually } from '../harness.ts';
import { bodyOf, startHouse, type House } from './house.ts';

/**
 * A sensitive value in a path goes on record masked, and policy is asked about the path as it is all the same. Were it asked about the masked one only, a rule
 * that names the value would never match.
 */
const card = '4111111111111111';
let house: House;
before(async () => {
  house = await startHouse({
    policies: `@id("all") permit (principal, action, resource) unless { action == Action::"reveal" };
@id("not this customer") forbid (principal, action, resource in Path::"crm/vip/${card}");
@id("this one is reviewed") @review("dba") forbid (principal, action, resource in Path::"crm/reviewed/${card}");
@id("all of these are reviewed") @review("dba") forbid (principal, action == Action::"http:delete", resource in Path::"crm/held");`,
    handle(request, response) {
      void bodyOf(request).then((body) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ url: request.url, body, access_token: 'bdfghjklmnpqr' }));
      });
    },
  });
});
after(() => house.close());

const ask = async (path: string, method = 'GET') => {
  const response = await house.fetch('pipeline', path, { method });
  return { status: response.status, text: await response.text() };
};

describe('a sensitive value in a path', () => {
  it('is masked on record, and the target gets it as it is', async () => {
    house.seen.length = 0;
    assert.equal((await ask(`/cards/${card}`)).status, 200);
    assert.equal(house.seen[0]?.url, `/v2/cards/${card}`);
    const decided = (await house.records(['operation.decided'])).at(-1);
    assert.match(String(decided?.['text']), /^GET \/cards\/\*{12}1111/);
    assert.ok(!JSON.stringify(decided).includes(card));
  });

  it('is what policy decides on', async () => {
    house.seen.length = 0;
    const { status, text } = await ask(`/vip/${card}`);
    assert.equal(status, 403);
    assert.match(text, /not this customer/);
    assert.equal((await ask('/vip/4242424242424242')).status, 200);
    assert.equal(house.seen.length, 1);
  });

  it('that alone asks for review is refused: the reviewer could not be shown it', async () => {
    house.seen.length = 0;
    const { status, text } = await ask(`/reviewed/${card}`);
    assert.equal(status, 403);
    assert.match(text, /cannot be shown to a reviewer/);
    assert.equal(house.seen.length, 0);
  });

  it('under a path that is reviewed anyway waits like any other', async () => {
    const waiting = ask(`/held/${card}`, 'DELETE');
    const erin = await house.api('dba-erin');
    const approval = await eventually('the approval', async () => {
      const { approvals } = await erin.get<{ approvals: readonly { id: string; text: string }[] }>('/api/v1/approvals', {
        state: 'pending',
      });
      return approvals[0];
    });
    assert.ok(!approval.text.includes(card));
    await erin.post(`/api/v1/approvals/${approval.id}/approve`, { reason: 'seen' });
    assert.equal((await waiting).status, 200);
  });
});

it('a recording shows requests and the beginning of answers, without credentials, and can be replayed', async () => {
  await ask('/cards/7');
  const session = (await house.records(['operation.decided'])).at(-1)?.['session'] as string;
  await (await house.api('platform-pia')).delete(`/api/v1/sessions/${session}`, { reason: 'to seal it' });
  await eventually('the recording to be sealed', async () => {
    return (await house.records(['session.closed'])).find((record) => record['session'] === session);
  });
  const auditor = await house.api('auditor-uma');
  let shown = '';
  await replay(readTimeline(auditor.bytes(`/api/v1/sessions/${session}/recording`)), {
    write: (text) => {
      shown += text;
    },
    wait: async () => {},
    speed: undefined,
    sealed: undefined,
  });
  assert.match(shown, /GET \/cards\/7/);
  assert.match(shown, /\/v2\/cards\/7/);
  assert.ok(!shown.includes('bdfghjklmnpqr'), shown);
});
