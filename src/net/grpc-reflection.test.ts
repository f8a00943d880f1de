import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Readable } from 'node:stream';
import type { Grant } from '../core/grant.ts';
import { readBySelfDescription } from './grpc-reflection.ts';
import type { Upstream } from './http-upstream-answer.ts';

it('asks nothing again of a target that has ended its answer, however long it listens', async () => {
  let heard = 0;
  let listened: Promise<void> = Promise.resolve();
  const upstream: Upstream = {
    send({ body }) {
      assert.ok(body?.kind === 'streamed' && 'pieces' in body);
      listened = (async () => {
        for await (const _ of body.pieces) if ((heard += 1) > 100) return;
      })();
      return Promise.resolve({
        status: 200,
        fields: [],
        whole: undefined,
        body: Readable.from([]),
        discard: () => {},
        trailers: () => [{ name: 'grpc-status', value: '7' }],
      });
    },
    close() {},
  };
  await assert.rejects(readBySelfDescription(upstream, { id: 'ses_1', grant: {} as Grant }), { code: 'upstream-unavailable' });
  await listened;
  assert.equal(heard, 1);
});
