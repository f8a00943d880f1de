import assert from 'node:assert/strict';
import { shadedColumns } from './bank.ts';
import type { Given } from './clients.ts';

/**
 * Throws where a capability does not give through the gateway what it gives without: the same values, the same SQLSTATEs. Messages of
 * errors differ, and say which policy refused; masked cells differ, and their neighbours do not.
 */
export function assertSame(capability: string, direct: Given, gateway: Given | undefined): void {
  if ('error' in direct) throw new Error(`failed without a gateway: ${direct.error}`);
  if (gateway === undefined) throw new Error('gave nothing through the gateway');
  if ('error' in gateway) throw new Error(`failed through the gateway: ${gateway.error}`);
  if (capability === 'masked types') assertShaded(direct.value as Row[], gateway.value as Row[]);
  else if (capability.startsWith('masked')) assertMasked(direct.value, gateway.value);
  else assert.deepEqual(withoutMessages(gateway.value), withoutMessages(direct.value));
  if (capability.includes('denied')) assert.match(JSON.stringify(gateway.value), /nobody reads the forbidden table/);
}

type Row = Readonly<Record<string, unknown>>;

function assertMasked(direct: unknown, gateway: unknown): void {
  const masked = JSON.stringify(direct).replace(/\d{3}-\d{2}-(?=\d{4})/g, '***-**-');
  assert.notEqual(masked, JSON.stringify(direct));
  assert.deepEqual(gateway, JSON.parse(masked));
}

function assertShaded(direct: readonly Row[], gateway: readonly Row[]): void {
  assert.equal(gateway.length, direct.length);
  for (const [index, row] of direct.entries()) {
    assert.deepEqual(Object.keys(gateway[index]!), Object.keys(row));
    for (const [name, value] of Object.entries(row)) {
      if (shadedColumns.includes(name)) assert.notDeepEqual(gateway[index]![name], value, `column ${name} is shown`);
      else assert.deepEqual(gateway[index]![name], value);
    }
  }
}

function withoutMessages(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, member: unknown) => (key === 'message' ? undefined : member)));
}
