import type { GatewayFault } from '../core/fault.ts';
import type { PipelineSession } from '../core/pipeline-session.ts';
import type { TargetAnswer, TargetRead } from '../protocols/request.ts';
import { gather } from './http-body.ts';
import { unavailable } from './http-faults.ts';
import type { Upstream } from './http-upstream-answer.ts';
import { Stop, type StopSignal } from './stop.ts';

/** Asks the target what the gateway needs to know, under the grant of the session. Rejects only where `signal` is aborted. */
export function readTarget(
  reads: readonly TargetRead[],
  upstream: Upstream,
  { grant, id }: PipelineSession,
  signal: StopSignal,
): Promise<readonly TargetAnswer[]> {
  return Promise.all(
    reads.map(async ({ target, fields }): Promise<TargetAnswer> => {
      const within = new Stop();
      const stop = (): void => within.abort(signal.reason as GatewayFault);
      const timer = setTimeout(
        () => within.abort(unavailable('the target does not answer', `no answer within ${readTimeoutMs} ms`)),
        readTimeoutMs,
      );
      signal.addEventListener('abort', stop);
      try {
        signal.throwIfAborted();
        const answer = await upstream.send({ method: 'GET', target, fields, body: { kind: 'none' } }, grant, id, within);
        const { bytes, isWhole } = await gather(answer.body, maxReadBytes);
        if (isWhole) return { status: answer.status, body: bytes };
        answer.discard();
      } catch {
        signal.throwIfAborted();
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
      }
      return { status: 0, body: new Uint8Array(0) };
    }),
  );
}

const readTimeoutMs = 10_000;
const maxReadBytes = 4 * 1024 * 1024;
