import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { GatewayFault } from '../core/fault.ts';
import { untilAborted } from './http-aborted.ts';
import { Stop } from './stop.ts';

const gone = new GatewayFault('approval-cancelled', { publicMessage: 'the client went away' });

for (const when of ['before', 'while'] as const) {
  it(`whoever went away ${when === 'before' ? 'before it was' : 'while it is'} waited for is told so, and what fails behind that ends no process`, async () => {
    const stop = new Stop();
    const work = Promise.withResolvers<void>();
    if (when === 'before') stop.abort(gone);
    const waiting = untilAborted(work.promise, stop);
    if (when === 'while') stop.abort(gone);
    await assert.rejects(waiting, gone);
    // A rejection that nobody handles fails this file.
    work.reject(new Error('too late'));
    await turn();
  });
}
