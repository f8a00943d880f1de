import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { GatewayFault } from '../../src/core/fault.ts';
import { nodeCrypto } from '../../src/net/crypto.ts';
import { messageMasks } from '../../src/protobuf/masks.ts';
import { schemaOf } from '../../src/protobuf/schema.ts';
import { testClasses } from '../../src/protobuf/testing/classes.ts';
import { CANARY, hostileMessage } from '../../src/protobuf/testing/hostile.ts';
import { chooser } from '../../src/protobuf/testing/random.ts';
import { randomSchema } from '../../src/protobuf/testing/random-schema.ts';
import { maskedView, viewOf, withoutHiddenEntries } from '../../src/protobuf/testing/view.ts';

const SCHEMAS = 120;
const MESSAGES = 20;

/** Debian's protobuf for Python, which reads with the C++ library. Each line has messages, and so has each answer; null is what it takes for none. */
function startPython() {
  const child = spawn('/usr/bin/python3', [fileURLToPath(new URL('decode.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async canonical(set: Uint8Array, type: string, messages: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
      const coded = messages.map((bytes) => Buffer.from(bytes).toString('base64'));
      child.stdin.write(`${JSON.stringify({ set: Buffer.from(set).toString('base64'), type, messages: coded })}\n`);
      const { value } = await lines.next();
      return (JSON.parse(String(value)) as (string | null)[]).map((one) => (one === null ? undefined : Buffer.from(one, 'base64')));
    },
    async end(): Promise<void> {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

it('what Python and C++ make of a masked message is what they made of the message, masked', async () => {
  const python = startPython();
  let compared = 0;
  let refused = 0;
  try {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const choose = chooser(seed);
        const random = randomSchema(choose);
        const type = random.registry.getMessage('acme.v1.T0')!;
        const schema = schemaOf([random.set]);
        const classes = testClasses(nodeCrypto, { x: { mask: 'redact', paths: random.paths } });
        const masks = messageMasks({ schema, target: 'billing', classes, revealed: new Set(), mode: 'taint', unknownFields: 'drop' });
        const masker = masks.masker(schema.method('/acme.v1.Accounts/Get')!, 'response');
        const sent = Array.from({ length: MESSAGES }, () => hostileMessage(choose, random, type, true));
        const masked = sent.map(({ bytes }) => masker.mask(bytes));
        const shown = masked.map((one) => (one instanceof GatewayFault ? new Uint8Array(0) : one.bytes));
        const before = await python.canonical(
          random.set,
          'acme.v1.T0',
          sent.map(({ bytes }) => bytes),
        );
        const after = await python.canonical(random.set, 'acme.v1.T0', shown);
        for (const [index, { hasTwoTypes }] of sent.entries()) {
          if (masked[index] instanceof GatewayFault) {
            refused += 1;
            continue;
          }
          if (!hasTwoTypes) assert.ok(!Buffer.from(shown[index]!).includes(CANARY), `the canary is in the bytes of message ${index}`);
          if (before[index] === undefined) continue;
          assert.ok(after[index] !== undefined, `message ${index} cannot be read once it is masked`);
          const view = (bytes: Uint8Array) => viewOf(random.registry, type, bytes, (_, content) => content);
          assert.deepEqual(
            withoutHiddenEntries(random, view(after[index])),
            withoutHiddenEntries(random, maskedView(random, view(before[index]))),
          );
          compared += 1;
        }
      }),
      { numRuns: SCHEMAS, endOnFailure: true },
    );
  } finally {
    await python.end();
  }
  assert.ok(compared > SCHEMAS * MESSAGES * 0.8, `only ${compared} messages were compared, ${refused} were refused`);
});
