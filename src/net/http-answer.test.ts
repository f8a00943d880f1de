import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { GatewayFault, toFault } from '../core/fault.ts';
import type { AskedRequest, HeaderField, StreamedAnswer } from '../protocols/request.ts';
import { AnswerRelay } from './http-answer.ts';
import type { ClientExchange } from './http-client.ts';
import type { UpstreamAnswer } from './http-upstream-answer.ts';

interface Script {
  readonly messages: readonly string[];
  /** Shown of them before one that may not be. */
  readonly shown?: number;
  readonly maxBytes?: number;
  /** The target broke off instead of saying how it went. */
  readonly brokenOff?: boolean;
}

/** All that can be told of an answer of messages on its way: what the client got of it, what is put on record, and how it ended. */
async function relayed({ messages, shown = messages.length, maxBytes, brokenOff = false }: Script, isWhole: boolean) {
  const got: string[] = [];
  const told = (trailers: readonly HeaderField[]): string => trailers.map(({ name, value }) => `${name}=${value}`).join();
  const client = {
    sendHead: (status: number, fields: readonly HeaderField[]) => void got.push(`head ${status} ${told(fields)}`),
    write: async (piece: Uint8Array) => void got.push(Buffer.from(piece).toString()),
    end: (trailers: readonly HeaderField[] = []) => void got.push(`end ${told(trailers)}`),
    answerWithTrailers: (status: number, fields: readonly HeaderField[], pieces: readonly Uint8Array[], trailers: readonly HeaderField[]) =>
      void got.push(`head ${status} ${told(fields)}`, ...pieces.map((piece) => Buffer.from(piece).toString()), `end ${told(trailers)}`),
  } as unknown as ClientExchange;
  const masked = new Map<string, number>();
  let passed = 0;
  const answer: StreamedAnswer = {
    *push(bytes) {
      for (const message of Buffer.from(bytes).toString().split(' ')) {
        if (passed >= shown) throw new GatewayFault('masking-refused', { publicMessage: 'not this one' });
        passed += 1;
        masked.set('ssn', passed);
        yield Buffer.from(message);
      }
    },
    end: (trailers) => ({ pieces: [Buffer.from('last')], trailers, outcome: { outcome: 'failed', errorCode: 'NOT_FOUND' } }),
    cut: () => ({ pieces: [], trailers: [] }),
    masked,
    get messages() {
      return passed;
    },
  };
  const whole = Buffer.from(messages.join(' '));
  const upstream: UpstreamAnswer = {
    status: 200,
    fields: [],
    whole: isWhole ? whole : undefined,
    body: Readable.from([whole]),
    trailers() {
      if (brokenOff) throw new GatewayFault('upstream-unavailable', { publicMessage: 'it broke off' });
      return [{ name: 'grpc-status', value: '5' }];
    },
    discard: () => {},
  };
  const asked = { answer: () => ({ kind: 'messages', fields: [{ name: 'x', value: '1' }], answer }) } as unknown as AskedRequest;
  const limits = { inForce: maxBytes === undefined ? {} : { bytes: maxBytes }, rowsLeft: () => Infinity, countRows: () => {} };
  const relay = new AnswerRelay(upstream, asked, limits);
  const running = Promise.resolve().then(() => relay.run(client, new AbortController().signal, 'ledger'));
  const fault = await running.then(
    () => undefined,
    (error: unknown) => toFault(error).code,
  );
  const { rows, bytes, masked: counts, isStream, outcome } = relay;
  return { got, fault, rows, bytes, counts, isStream, outcome };
}

describe('an answer of messages that is there as a whole', () => {
  it('is shown as one that comes piece by piece is', async () => {
    const at = await relayed({ messages: ['one', 'two'] }, true);
    assert.deepEqual(at, await relayed({ messages: ['one', 'two'] }, false));
    assert.deepEqual(at, {
      got: ['head 200 x=1', 'one', 'two', 'last', 'end grpc-status=5'],
      fault: undefined,
      rows: 2,
      bytes: 10,
      counts: { ssn: 2 },
      isStream: true,
      outcome: { outcome: 'failed', errorCode: 'NOT_FOUND' },
    });
  });

  const cases: readonly (readonly [string, Script, string, number])[] = [
    ['a message in it may not be shown: those before it are', { messages: ['one', 'two', 'three'], shown: 2 }, 'masking-refused', 3],
    ['its first message may not be shown', { messages: ['one'], shown: 0 }, 'masking-refused', 1],
    ['it is longer than the limit', { messages: ['one', 'two', 'three'], maxBytes: 8 }, 'limit-exceeded', 3],
    ['it does not end as it should', { messages: ['one'], brokenOff: true }, 'upstream-unavailable', 2],
  ];
  for (const [what, script, code, got] of cases) {
    it(`ends as one that comes piece by piece does where ${what}`, async () => {
      const at = await relayed(script, true);
      assert.deepEqual(at, await relayed(script, false));
      assert.equal(at.fault, code);
      assert.equal(at.got.length, got);
    });
  }
});
