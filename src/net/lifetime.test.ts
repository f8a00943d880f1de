import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { Lifetime } from './lifetime.ts';

let told: string[];
beforeEach(() => {
  told = [];
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000 });
});
afterEach(() => mock.timers.reset());

function begin(): Lifetime {
  return new Lifetime({
    finish: (reason) => void told.push(`finish: ${reason}`),
    end: (reason) => void told.push(`end: ${reason}`),
    fail: (fault) => void told.push(`fail: ${fault.code}`),
    deadline: () => void told.push('deadline'),
  });
}

describe('the lifetime of a connection', () => {
  it('is a minute for one that does not sign in', () => {
    begin();
    mock.timers.tick(59_999);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
    assert.deepEqual(told, ['finish: sign-in took too long']);
  });

  it('is that of its identity, however far away its end is', () => {
    const forty = 40 * 86_400_000;
    const lifetime = begin();
    lifetime.endsAt(1_000 + forty);
    mock.timers.tick(2 ** 31 - 1);
    mock.timers.tick(forty - 2 ** 31);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
    assert.deepEqual(told, ['end: the identity of this session has expired']);
    begin().endsAt(0);
    mock.timers.tick(1);
    assert.equal(told.length, 2, 'one that has expired already');
  });

  it('ends where the target does not let the gateway in, unless it does in time', () => {
    const lifetime = begin();
    lifetime.endsAt(1_000_000);
    lifetime.signOnBegins();
    lifetime.signOnEnded();
    mock.timers.tick(30_000);
    assert.deepEqual(told, []);
    lifetime.signOnBegins();
    mock.timers.tick(30_000);
    assert.deepEqual(told, ['fail: upstream-unavailable']);
  });

  it('is four seconds more for what the client is to be told at last', () => {
    const lifetime = begin();
    lifetime.endsAt(4_000);
    lifetime.closes('killed');
    mock.timers.tick(4_000);
    assert.deepEqual(told, ['finish: killed']);
  });

  it('is over for good once it was stopped', () => {
    const lifetime = begin();
    lifetime.signOnBegins();
    lifetime.stop();
    mock.timers.tick(100_000);
    assert.deepEqual(told, []);
  });
});
