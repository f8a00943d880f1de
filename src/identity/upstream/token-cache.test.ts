import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GatewayFault } from '../../core/fault.ts';
import { TokenCache, type AccessToken } from './token-cache.ts';

describe('an access token', () => {
  it('is fetched once, for all who wait for it', async () => {
    const { cache, answers, asked } = setUp();
    const waiting = [cache.current(), cache.current(), cache.current()].map((one) => Promise.resolve(one));
    answers[0]!.resolve(token('a'));
    assert.deepEqual(await Promise.all(waiting), ['a', 'a', 'a']);
    assert.equal(await cache.current(), 'a');
    assert.equal(asked(), 1);
  });

  it('is fetched anew in the last fifth of its life, while the old one is still given out', async () => {
    const { cache, answers, asked, clock } = setUp();
    answers[0]!.resolve(token('a', 100_000));
    assert.equal(await cache.current(), 'a');
    clock.ms = 79_999;
    assert.equal(await cache.current(), 'a');
    assert.equal(asked(), 1);
    clock.ms = 80_000;
    assert.equal(await cache.current(), 'a');
    assert.equal(await cache.current(), 'a');
    assert.equal(asked(), 2);
    answers[1]!.resolve(token('b', 100_000));
    await turn();
    assert.equal(await cache.current(), 'b');
  });

  it('is not given out in its last ten seconds', async () => {
    const { cache, answers, clock } = setUp();
    answers[0]!.resolve(token('a', 100_000));
    await cache.current();
    clock.ms = 90_000;
    const next = cache.current();
    answers[1]!.resolve(token('b'));
    assert.equal(await next, 'b');
  });

  it('that cannot be fetched is not asked for again at once, then after longer and longer', async () => {
    const { cache, answers, asked, clock } = setUp();
    const fault = new GatewayFault('upstream-unavailable', { publicMessage: 'the token service is down' });
    for (const [index, afterMs] of [0, 1_000, 2_000, 4_000].entries()) {
      clock.ms += afterMs;
      const failing = Promise.resolve(cache.current());
      answers[index]!.reject(fault);
      await assert.rejects(failing, fault);
      clock.ms += 2 ** index * 1_000 - 1;
      await assert.rejects(async () => cache.current(), fault);
      assert.equal(asked(), index + 1);
      clock.ms -= 2 ** index * 1_000 - 1;
    }
    clock.ms += 8_000;
    const next = cache.current();
    answers[4]!.resolve(token('a'));
    assert.equal(await next, 'a');
  });

  it('is still used when the next one cannot be had', async () => {
    const { cache, answers, clock } = setUp();
    answers[0]!.resolve(token('a', 100_000));
    await cache.current();
    clock.ms = 85_000;
    assert.equal(await cache.current(), 'a');
    answers[1]!.reject(new Error('down'));
    await turn();
    assert.equal(await cache.current(), 'a');
    clock.ms = 95_000;
    const next = cache.current();
    answers[2]!.resolve(token('b'));
    assert.equal(await next, 'b');
  });

  it('that the target refuses is dropped, but not one that has just come', async () => {
    const { cache, answers, clock } = setUp();
    answers[0]!.resolve(token('a'));
    await cache.current();
    clock.ms = 4_999;
    assert.equal(cache.refused('a'), false);
    assert.equal(await cache.current(), 'a');
    clock.ms = 5_000;
    assert.equal(cache.refused('a'), true);
    const next = cache.current();
    answers[1]!.resolve(token('b'));
    assert.equal(await next, 'b');
    // Of an earlier one: there is a newer one by now.
    assert.equal(cache.refused('a'), true);
    assert.equal(await cache.current(), 'b');
  });
});

function token(value: string, lifetimeMs = 3_600_000): AccessToken {
  return { value, lifetimeMs };
}

function setUp() {
  const clock = { ms: 0, now: () => 0, monotonic: () => clock.ms };
  const answers = Array.from({ length: 8 }, () => Promise.withResolvers<AccessToken>());
  let asked = 0;
  const cache = new TokenCache(() => answers[asked++]!.promise, clock);
  return { cache, answers, clock, asked: () => asked };
}
