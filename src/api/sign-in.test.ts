import assert from 'node:assert/strict';
import { it } from 'node:test';
import { HttpRefusal } from './problem.ts';
import { FailureLimiter } from './sign-in.ts';

const refused = (error: unknown): boolean => error instanceof HttpRefusal && error.status === 429;

it('lets an address fail twenty times, then once every three seconds', () => {
  let nowMs = 0;
  const limiter = new FailureLimiter(() => nowMs);
  for (let failure = 0; failure < 20; failure++) {
    limiter.check('a');
    limiter.failed('a');
  }
  assert.throws(() => limiter.check('a'), refused);
  limiter.check('b');
  nowMs = 3_000;
  limiter.check('a');
  limiter.failed('a');
  assert.throws(() => limiter.check('a'), refused);
});

it('remembers a bounded number of addresses', () => {
  const limiter = new FailureLimiter(() => 0);
  for (let failure = 0; failure < 20; failure++) limiter.failed('first');
  assert.throws(() => limiter.check('first'), refused);
  for (let address = 0; address < 10_000; address++) limiter.failed(`address ${address}`);
  limiter.check('first');
});
