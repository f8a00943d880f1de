import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { GatewayFault } from '../../core/fault.ts';
import type { Grant } from '../../core/grant.ts';
import { TestAudit } from '../../core/testing/ports.ts';
import { Withheld } from './withheld.ts';

const grant = (sequence: number): Grant => ({ sessionId: 's', operationId: 's-1', sequence });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function house() {
  const audit = new TestAudit();
  audit.immediate = false;
  const [shown, faults]: [string[], GatewayFault[]] = [[], []];
  const withheld = new Withheld(
    audit,
    (fault) => faults.push(fault),
    () => {},
  );
  const put = (text: string, of: Grant | undefined): void =>
    withheld.put(new TextEncoder().encode(text), of, (bytes) => shown.push(new TextDecoder().decode(bytes)));
  return { audit, withheld, shown, faults, put };
}

it('what has no grant goes at once, what has one when its record is durable, and everything behind it in order', async () => {
  const { audit, withheld, shown, put } = house();
  audit.append({ type: 'gateway.stopped', reason: 'x' });
  put('before', undefined);
  put('answer', grant(0));
  put('behind', undefined);
  withheld.behind(() => shown.push('exit'));
  await turn();
  assert.deepEqual(shown, ['before']);
  audit.makeDurable();
  await turn();
  assert.deepEqual(shown, ['before', 'answer', 'behind', 'exit']);
});

it('bytes that wait are kept, whatever becomes of the buffer that they came in', async () => {
  const { audit, withheld } = house();
  audit.append({ type: 'gateway.stopped', reason: 'x' });
  const bytes = Uint8Array.of(1, 2, 3);
  let shown: Uint8Array | undefined;
  withheld.put(bytes, grant(0), (kept) => (shown = kept));
  bytes.fill(0);
  audit.makeDurable();
  await turn();
  assert.deepEqual(shown, Uint8Array.of(1, 2, 3));
});

it('what has no record is never shown', async () => {
  const { audit, shown, faults, put } = house();
  audit.append({ type: 'gateway.stopped', reason: 'x' });
  put('answer', grant(0));
  put('behind', undefined);
  audit.fail();
  await turn();
  audit.makeDurable();
  await turn();
  assert.deepEqual(shown, []);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['audit-unavailable'],
  );
});
