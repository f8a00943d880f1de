import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ClientExchange } from './http-client.ts';
import { Http2Arrivals, togetherAtMost } from './http2-arrivals.ts';
import { Http2Output } from './http2-output.ts';

/** What comes together is not all done before the first of it goes on. */

interface Request {
  readonly number: number;
  isGone: boolean;
}

describe('requests of clients of HTTP/2', () => {
  it('are taken a few at a time, in their order', async () => {
    const { taken, arrivals } = started();
    for (const request of requests(20)) arrivals.take(request);
    const seen: number[] = [];
    while (taken.length < 20) {
      await turn();
      seen.push(taken.length);
    }
    assert.deepEqual(seen.slice(0, 2), [togetherAtMost, 2 * togetherAtMost]);
    assert.deepEqual(
      taken,
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  it('are not served where their client has gone meanwhile', async () => {
    const { taken, arrivals } = started();
    const all = requests(3);
    for (const request of all) arrivals.take(request);
    (all[1] as unknown as Request).isGone = true;
    await turn();
    assert.deepEqual(taken, [0, 2]);
  });

  it('are taken again after a rest', async () => {
    const { taken, arrivals } = started();
    for (const request of requests(2)) {
      arrivals.take(request);
      await turn();
    }
    assert.deepEqual(taken, [0, 1]);
  });
});

describe('what goes out to a target', () => {
  it('goes at the end of the turn, or with a few requests before it', async () => {
    const written: string[] = [];
    const output = new Http2Output(socketThat((bytes) => void written.push(Buffer.from(bytes).toString('latin1'))));
    const request = (number: number): void => {
      output.frames.data(number, Buffer.from('+'), true);
      output.requested();
    };
    for (let number = 1; number < togetherAtMost; number += 1) request(number);
    assert.equal(written.length, 0);
    request(togetherAtMost);
    assert.equal(written.length, 1);
    request(togetherAtMost + 1);
    assert.equal(written.length, 1);
    await turn();
    assert.deepEqual(
      written.map((text) => text.split('+').length - 1),
      [togetherAtMost, 1],
    );
  });
});

function started(): { readonly taken: number[]; readonly arrivals: Http2Arrivals } {
  const taken: number[] = [];
  return { taken, arrivals: new Http2Arrivals(async (client) => void taken.push((client as unknown as Request).number)) };
}

function requests(count: number): readonly ClientExchange[] {
  return Array.from({ length: count }, (_, number): Request => ({ number, isGone: false })) as unknown as readonly ClientExchange[];
}

function socketThat(write: (bytes: Uint8Array) => void): Socket {
  const socket = { destroyed: false, writable: true, on: () => socket, cork: () => {}, uncork: () => {}, write };
  return socket as unknown as Socket;
}
