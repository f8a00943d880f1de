import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GatewayFault } from '../core/fault.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import { HttpSession } from './http-sessions.ts';
import { Stop } from './stop.ts';
import { until } from './testing/http-world.ts';

describe('a session', () => {
  it('ends a request whose time is over, and no other', async () => {
    const pipelineSession = { endsAtMs: Date.now() + 60_000, close: () => Promise.resolve() } as unknown as PipelineSession;
    const session = new HttpSession(pipelineSession, { idleMs: 60_000, ended: () => {}, failed: () => {} });
    const [late, early] = [new Stop(), new Stop()];
    session.begin(late);
    session.begin(early);
    late.expire(performance.now() - 1, () => new GatewayFault('statement-timeout', { publicMessage: 'late' }));
    early.expire(performance.now() + 60_000, () => new GatewayFault('statement-timeout', { publicMessage: 'early' }));
    await until(() => late.aborted);
    assert.equal(early.aborted, false);
    await session.end('the test is over');
  });
});
