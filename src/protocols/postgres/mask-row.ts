import { GatewayFault } from '../../core/fault.ts';
import type { MaskedCell } from './mask-cell.ts';
import type { MaskPlan } from './mask-plan.ts';

/**
 * Masks one DataRow: `message` is exactly the message, from its tag 'D' on (PostgreSQL documentation, "Message Formats"). Cells that
 * stay are copied as bytes and never decoded. Returns undefined where nothing changes, else a message of its own memory. Adds the cells
 * it masked to `counts`, by data class. Throws `protocol-violation` for a message that is not a DataRow of this result.
 */
export function maskRow(plan: MaskPlan, message: Uint8Array, counts: Map<string, number>): Uint8Array | undefined {
  const { columns } = plan;
  const length = message.length;
  if (length < 7 || message[0] !== DATA_ROW || readInt32(message, 1) !== length - 1) throw malformed('header');
  if (((message[5]! << 8) | message[6]!) !== columns.length) throw malformed('number of columns');
  const changes: Change[] = [];
  let size = length;
  let at = 7;
  for (let index = 0; index < columns.length; index++) {
    if (at + 4 > length) throw malformed('cut column');
    const cellLength = readInt32(message, at);
    const start = at + 4;
    if (cellLength === -1) {
      at = start;
      continue;
    }
    if (cellLength < 0 || cellLength > length - start) throw malformed('length of a column');
    at = start + cellLength;
    const masked = columns[index]!.mask?.(message, start, at);
    if (masked === undefined) continue;
    changes.push({ start, end: at, masked });
    size += (masked.bytes?.length ?? 0) - cellLength;
    for (const name of masked.classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (at !== length) throw malformed('bytes after the last column');
  return changes.length === 0 ? undefined : splice(message, changes, size);
}

interface Change {
  readonly start: number;
  readonly end: number;
  readonly masked: MaskedCell;
}

function splice(message: Uint8Array, changes: readonly Change[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  let from = 0;
  let to = 0;
  for (const { start, end, masked } of changes) {
    out.set(message.subarray(from, start), to);
    to += start - from;
    writeInt32(out, to - 4, masked.bytes === null ? -1 : masked.bytes.length);
    if (masked.bytes !== null) {
      out.set(masked.bytes, to);
      to += masked.bytes.length;
    }
    from = end;
  }
  out.set(message.subarray(from), to);
  writeInt32(out, 1, size - 1);
  return out;
}

function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function malformed(what: string): GatewayFault {
  return new GatewayFault('protocol-violation', {
    publicMessage: 'the target sent a result row that cannot be read',
    detail: `DataRow: ${what}`,
  });
}

const DATA_ROW = 0x44;
