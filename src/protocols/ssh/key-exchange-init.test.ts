import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../../core/fault.ts';
import { decodeKeyExchangeInit, withKeyExchanges } from './key-exchange-init.ts';

const lists = ['first,second', 'ssh-ed25519', 'to-server', 'to-client', 'mac', 'mac', 'none', 'none', '', ''];

function message(of: readonly string[], guess: number): Uint8Array {
  const strings = of.map((text) => [0, 0, 0, text.length, ...new TextEncoder().encode(text)]);
  const cookie = Array.from({ length: 16 }, (_, at) => at);
  return Uint8Array.from([20, ...cookie, ...strings.flat(), guess, 0, 0, 0, 0]);
}

describe('SSH_MSG_KEXINIT', () => {
  it('is read', () => {
    assert.deepEqual(decodeKeyExchangeInit(message(lists, 1)), {
      keyExchanges: ['first', 'second'],
      hostKeys: ['ssh-ed25519'],
      ciphers: [['to-server'], ['to-client']],
      isFollowedByGuess: true,
    });
    assert.deepEqual(decodeKeyExchangeInit(message(['', ...lists.slice(1)], 0)).keyExchanges, []);
  });

  it('is a fault wherever it is cut, and with anything behind it', () => {
    const whole = message(lists, 0);
    for (let length = 0; length < whole.length; length += 1)
      assert.throws(() => decodeKeyExchangeInit(whole.subarray(0, length)), GatewayFault);
    assert.throws(() => decodeKeyExchangeInit(Uint8Array.from([...whole, 0])), GatewayFault);
    assert.throws(() => decodeKeyExchangeInit(Uint8Array.from([21, ...whole.subarray(1)])), GatewayFault);
  });

  it('with other key exchanges is the same otherwise, and the one that came stays as it was', () => {
    const came = message(lists, 1);
    assert.deepEqual(withKeyExchanges(came, ['a', 'longer-than-both']), message(['a,longer-than-both', ...lists.slice(1)], 1));
    assert.deepEqual(withKeyExchanges(came, []), message(['', ...lists.slice(1)], 1));
    assert.deepEqual(came, message(lists, 1));
  });

  it('of any bytes is a value or a fault', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.array(fc.constantFrom(0, 0, 0, 1, 2, 44, 97, 255), { maxLength: 120 }).map((tail) => Uint8Array.from([20, ...tail])),
    );
    fc.assert(
      fc.property(bytes, (payload) => {
        try {
          decodeKeyExchangeInit(payload);
        } catch (error) {
          if (!(error instanceof GatewayFault)) throw error;
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
