import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import { Stop } from './stop.ts';

const gone = new GatewayFault('approval-cancelled', { publicMessage: 'gone' });

describe('what ends a request', () => {
  it('tells each who listens once, and has the first reason', () => {
    const stop = new Stop();
    let told = 0;
    stop.signal.addEventListener('abort', () => (told += 1));
    assert.equal(stop.aborted, false);
    stop.throwIfAborted();
    stop.abort(gone);
    stop.abort(new GatewayFault('session-ended', { publicMessage: 'later' }));
    assert.deepEqual([told, stop.aborted, stop.reason], [1, true, gone]);
    assert.throws(() => stop.throwIfAborted(), gone);
  });

  it('tells nobody who no longer listens, not even while it is telling', () => {
    const stop = new Stop();
    const told: string[] = [];
    const second = (): void => void told.push('second');
    const never = (): void => void told.push('never');
    stop.addEventListener('abort', never);
    stop.addEventListener('abort', () => {
      told.push('first');
      stop.removeEventListener('abort', second);
    });
    stop.addEventListener('abort', second);
    stop.removeEventListener('abort', never);
    stop.abort(gone);
    assert.deepEqual(told, ['first']);
  });

  it('comes by itself when its time is over, once somebody looks', () => {
    const stop = new Stop();
    stop.expire(1_000, () => gone);
    stop.look(999);
    assert.equal(stop.aborted, false);
    stop.look(1_000);
    assert.equal(stop.reason, gone);
  });

  it('does not come where its time was taken back', () => {
    const stop = new Stop();
    stop.expire(1_000, () => gone);
    stop.expire(Number.POSITIVE_INFINITY, undefined);
    stop.look(2_000);
    assert.equal(stop.aborted, false);
  });
});
