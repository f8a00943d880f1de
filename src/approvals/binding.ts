import type { HeldOperation } from '../core/ports.ts';
import { principalKey } from '../core/principal.ts';
import { recordAct } from '../core/record.ts';

/**
 * What an approval binds, as bytes that differ where anything bound differs: exact bytes and parameters, principal, session, target,
 * policy version, acts. Each part is preceded by its length, each list by its count (32 bits, big-endian), so that nothing can
 * move from one part to the next. Kept and recorded only as a keyed digest: an unkeyed one of a short statement could be guessed.
 *
 * With `hold: refuse-and-retry` the session is left out: the client was refused, and its retry may come in another session of the same
 * principal at the same target.
 */
export function bindingBytes({ operation, principal, target, policyVersion }: HeldOperation): Uint8Array {
  const encoder = new TextEncoder();
  const acts = operation.acts.map(recordAct);
  const parts = [
    encoder.encode('sallyport approval 1'),
    operation.exact(),
    ...[principalKey(principal), target.hold, target.hold === 'wait' ? operation.sessionId : '', target.name, policyVersion].map((text) =>
      encoder.encode(text),
    ),
    count(acts.length),
    ...acts.flatMap(({ action, object }) => [encoder.encode(action), encoder.encode(object)]),
  ];
  const bytes = new Uint8Array(parts.reduce((total, part) => total + 4 + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(count(part.length), offset);
    bytes.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return bytes;
}

function count(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
