import assert from 'node:assert/strict';
import { it } from 'node:test';
import * as fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { filesOfSet, readFile } from './descriptor.ts';
import { messageMasks } from './masks.ts';
import { createReflectionReader } from './reflection.ts';
import { schemaOf } from './schema.ts';
import { accountMasks, described, get, schema } from './testing/accounts.ts';
import { testClasses } from './testing/classes.ts';
import { CANARY, hostileMessage } from './testing/hostile.ts';
import { chooser } from './testing/random.ts';
import { randomSchema } from './testing/random-schema.ts';
import { messageText } from './text.ts';
import { MalformedMessage } from './wire.ts';

const { detecting } = accountMasks(nodeCrypto);
const type = schema.type('acme.v1.Account')!;
const textOptions = { maxCharacters: 5_000, leaveOut: () => false, leftOut: '' };

it('fuzz: a message cut at any byte is masked as far as it goes, or refused', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const choose = chooser(seed);
      const random = randomSchema(choose);
      const own = schemaOf([random.set]);
      const classes = testClasses(nodeCrypto, {
        x: { mask: 'redact', paths: random.paths, detect: [{ kind: 'pattern', pattern: CANARY }] },
      });
      const masks = messageMasks({ schema: own, target: 'billing', classes, revealed: new Set(), mode: 'taint', unknownFields: 'drop' });
      const masker = masks.masker(own.method('/acme.v1.Accounts/Get')!, 'response');
      const { bytes } = hostileMessage(choose, random, random.registry.getMessage('acme.v1.T0')!, true);
      for (let end = 0; end <= Math.min(bytes.length, 400); end += 1) {
        const masked = masker.mask(bytes.subarray(0, end));
        if (masked instanceof GatewayFault) assert.equal(masked.code, 'masking-refused');
        else {
          assert.ok(!Buffer.from(masked.bytes).includes(CANARY), `cut at ${end}`);
          assert.equal(typeof messageText(own, own.type('acme.v1.T0')!, masked.bytes, textOptions), 'string');
        }
      }
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

it('fuzz: any bytes are masked, or refused; and they are text, or none', () => {
  const masker = detecting().masker(get, 'response');
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.constantFrom(0x0a, 0x0b, 0x0c, 0x12, 0x22, 0x42, 0x4a, 0x00, 0x01, 0x02, 0x08, 0x80, 0xff), { maxLength: 60 }),
  );
  fc.assert(
    fc.property(bytes, (any) => {
      const message = Uint8Array.from(any);
      const masked = masker.mask(message);
      if (masked instanceof GatewayFault) assert.equal(masked.code, 'masking-refused');
      assert.equal(typeof messageText(schema, type, message, textOptions), 'string');
    }),
    { numRuns: 5_000 },
  );
});

it('fuzz: descriptors and answers of reflection cut or changed anywhere are read, or an error that says so', () => {
  const file = filesOfSet(described.set).at(-1)!;
  const changed = fc.record({ at: fc.nat({ max: file.length - 1 }), byte: fc.nat({ max: 255 }), end: fc.nat({ max: file.length }) });
  fc.assert(
    fc.property(changed, ({ at, byte, end }) => {
      const bytes = file.slice(0, end);
      if (at < end) bytes[at] = byte;
      allowed(() => readFile(bytes), MalformedMessage);
      allowed(() => schemaOf([bytes]), RangeError);
      allowed(() => createReflectionReader().take(bytes), RangeError);
    }),
    { numRuns: 2_000 },
  );
});

function allowed(act: () => unknown, kind: new (...args: never[]) => Error): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof kind, String(error));
  }
}
