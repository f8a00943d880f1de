import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fromBinary, toBinary, type DescMessage } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { GatewayFault } from '../core/fault.ts';
import { nodeCrypto } from '../net/crypto.ts';
import { messageMasks, type MessageMasker } from './masks.ts';
import { schemaOf } from './schema.ts';
import { testClasses } from './testing/classes.ts';
import { CANARY, hostileMessage } from './testing/hostile.ts';
import { chooser } from './testing/random.ts';
import { randomSchema, type RandomSchema } from './testing/random-schema.ts';
import { maskedView, viewOf, withoutHiddenEntries } from './testing/view.ts';

const SCHEMAS = 120;
const MESSAGES = 8;

/** With the hidden fields of the schema hidden, or found by a detector. */
function maskerOf(random: RandomSchema, by: 'paths' | 'detector'): MessageMasker {
  const schema = schemaOf([random.set]);
  const classes = testClasses(nodeCrypto, {
    x: { mask: 'redact', paths: by === 'paths' ? random.paths : [], detect: by === 'paths' ? [] : [{ kind: 'pattern', pattern: CANARY }] },
  });
  const masks = messageMasks({ schema, target: 'billing', classes, revealed: new Set(), mode: 'taint', unknownFields: 'drop' });
  return masks.masker(schema.method('/acme.v1.Accounts/Get')!, 'response');
}

/** What another implementation makes of a message, and undefined where it takes it for none. */
function canonical(type: DescMessage, bytes: Uint8Array): Uint8Array | undefined {
  try {
    return toBinary(type, fromBinary(type, bytes), { writeUnknownFields: false });
  } catch {
    return undefined;
  }
}

function holdsCanary(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('latin1');
  const reversed = Buffer.from(Buffer.from(CANARY).toReversed()).toString();
  const coded = [0, 1, 2].map((shift) =>
    Buffer.from(`${' '.repeat(shift)}${CANARY}`)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return [CANARY, reversed, ...coded].some((form) => text.includes(form));
}

it('fuzz: what a decoder makes of a masked message is what it made of the message, masked', () => {
  let compared = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const choose = chooser(seed);
      const random = randomSchema(choose);
      if (random.hidden.size === 0) return;
      const masker = maskerOf(random, 'paths');
      const type = random.registry.getMessage('acme.v1.T0')!;
      for (let count = 0; count < MESSAGES; count += 1) {
        const { bytes, hasTwoTypes } = hostileMessage(choose, random, type, false);
        const masked = masker.mask(bytes);
        if (masked instanceof GatewayFault) {
          refused += 1;
          assert.ok(hasTwoTypes, masked.publicMessage);
          continue;
        }
        // By one of its types an Any may show what another hides; and not every decoder reads bytes of another type.
        if (hasTwoTypes) continue;
        assert.ok(!holdsCanary(masked.bytes), 'the canary is in the bytes');
        const before = canonical(type, bytes);
        if (before === undefined) continue;
        const after = canonical(type, masked.bytes);
        assert.ok(after !== undefined, 'the masked message cannot be decoded');
        assert.deepEqual(Buffer.from(toBinary(type, fromBinary(type, masked.bytes))), Buffer.from(after), 'unknown fields are left');
        const inner = (one: DescMessage, content: Uint8Array): Uint8Array => canonical(one, content) ?? new Uint8Array(0);
        const expected = maskedView(random, viewOf(random.registry, type, before, inner));
        const shown = viewOf(random.registry, type, after, inner);
        assert.deepEqual(withoutHiddenEntries(random, shown), withoutHiddenEntries(random, expected));
        compared += 1;
      }
    }),
    { numRuns: SCHEMAS, endOnFailure: true },
  );
  assert.ok(compared > SCHEMAS, `only ${compared} messages were compared`);
});

it('fuzz: what a detector knows is in no text, key or bytes of a masked message', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const choose = chooser(seed);
      const random = randomSchema(choose);
      const masker = maskerOf(random, 'detector');
      const type = random.registry.getMessage('acme.v1.T0')!;
      for (let count = 0; count < MESSAGES; count += 1) {
        const { bytes, hasTwoTypes } = hostileMessage(choose, random, type, true);
        const masked = masker.mask(bytes);
        // What is text by one type of an Any can be a number by the other.
        if (!hasTwoTypes && !(masked instanceof GatewayFault)) assert.ok(!holdsCanary(masked.bytes));
      }
    }),
    { numRuns: SCHEMAS, endOnFailure: true },
  );
});
