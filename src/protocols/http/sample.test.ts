import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nodeCrypto } from '../../net/crypto.ts';
import { sampleOf } from './sample.ts';
import { testMasks } from './testing/masks.ts';

const placed = testMasks(nodeCrypto, { documents: ['customers#$.ssn'], at: ['customers'] });
const elsewhere = testMasks(nodeCrypto, { documents: ['customers#$.ssn'], at: ['orders'] });

/** What is kept of a body; `masked`: it was masked already, and is as it was. */
function kept(body: string, masks = elsewhere, masked = true, isWhole = true): string | null | undefined {
  const bytes = Buffer.from(body);
  const head = { status: 200, fields: [{ name: 'content-type', value: 'application/json' }] };
  return sampleOf(head, { bytes, isWhole, isCoded: false }, masks, masked ? bytes : undefined).row[2];
}

it('has no value of a member whose name speaks of a credential, where places are hidden and where none are', () => {
  for (const masks of [placed, elsewhere]) {
    for (const masked of [true, false]) {
      assert.equal(kept('{"a":1,"pin":"x","to\\u006ben":{"b":2}}', masks, masked), '{"a":1,"pin":"[redacted]","to\\u006ben":"[redacted]"}');
      assert.equal(kept('{"a":"pin","codes":["token"]}', masks, masked), '{"a":"pin","codes":["token"]}');
    }
  }
});

it('is the beginning of a long body, without what it does not show having to be read', () => {
  const long = `{"a":"${'x'.repeat(3_000)}","secret":"hunter2"}`;
  for (const masks of [placed, elsewhere]) {
    for (const masked of [true, false]) {
      assert.equal(kept(long, masks, masked), `${long.slice(0, 2_048)}…`);
      const early = `{"secret":"hunter2","a":"${'x'.repeat(3_000)}"}`;
      assert.equal(kept(early, masks, masked), `${early.replace('hunter2', '[redacted]').slice(0, 2_048)}…`);
    }
  }
});

it('is nothing of what is no JSON and speaks of a credential anywhere, or has escapes that may do so', () => {
  for (const masked of [true, false]) {
    assert.equal(kept('no JSON', elsewhere, masked), 'no JSON');
    for (const text of [`no JSON ${'x'.repeat(3_000)} token=hunter2`, 'code', '{"\\u0070in":1'])
      assert.equal(kept(text, elsewhere, masked), null, text);
  }
  assert.equal(kept('{"ssn":', placed, false), null);
  assert.equal(kept('{"a":1}', placed, false, false), null);
});
