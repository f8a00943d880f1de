import { GatewayFault } from '../../core/fault.ts';
import { walkDataRow, type RowCells } from './decode-row.ts';
import type { MaskedCell } from './mask-cell.ts';
import type { MaskPlan } from './mask-plan.ts';

/**
 * Masks one DataRow: `message` is exactly the message, from its tag 'D' on (PostgreSQL documentation, "Message Formats"). Cells that
 * stay are copied as bytes and never decoded. Returns undefined where nothing changes, else a message that nothing else writes to. Adds the cells
 * it masked to `counts`, by data class. Throws `protocol-violation` for a message that is not a DataRow of this result.
 */
export function maskRow(plan: MaskPlan, message: Uint8Array, counts: Map<string, number>): Uint8Array | undefined {
  const cells = walkRow(plan, message);
  if (plan.masksInPlace) return maskInPlace(plan, message, cells, counts) ?? maskAnew(plan, message, cells, counts);
  return maskAnew(plan, message, cells, counts);
}

/** A copy of the row, masked where it lies. Undefined where a cell cannot be, or none has to be. */
function maskInPlace(plan: MaskPlan, message: Uint8Array, cells: RowCells, counts: Map<string, number>): Uint8Array | undefined {
  const { masked } = plan;
  const { lengths, offsets } = cells;
  let out: Uint8Array | undefined;
  for (const { index, mask } of masked) {
    const length = lengths[index]!;
    if (length < 0) continue;
    const start = offsets[index]!;
    if (mask.inPlace === undefined) {
      if (mask(message, start, start + length) !== undefined) return undefined;
      continue;
    }
    if (out === undefined) {
      out = allocate(plan, message.length);
      out.set(message);
    }
    if (!mask.inPlace.apply(out, start, start + length)) return undefined;
  }
  if (out === undefined) return undefined;
  for (const { index, mask } of masked) {
    if (mask.inPlace === undefined || lengths[index]! < 0) continue;
    const { class: name } = mask.inPlace;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return out;
}

function maskAnew(plan: MaskPlan, message: Uint8Array, cells: RowCells, counts: Map<string, number>): Uint8Array | undefined {
  const { masked } = plan;
  let changes = 0;
  let size = message.length;
  const replacements: (MaskedCell | undefined)[] = [];
  for (const column of masked) {
    const length = cells.lengths[column.index]!;
    const start = cells.offsets[column.index]!;
    const replaced = length < 0 ? undefined : column.mask(message, start, start + length);
    replacements.push(replaced);
    if (replaced === undefined) continue;
    changes++;
    size += (replaced.bytes?.length ?? 0) - length;
    for (const name of replaced.classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (changes === 0) return undefined;
  const out = allocate(plan, size);
  let from = 0;
  let to = 0;
  for (let index = 0; index < masked.length; index++) {
    const replaced = replacements[index];
    if (replaced === undefined) continue;
    const column = masked[index]!.index;
    const start = cells.offsets[column]!;
    to = copy(message, from, start, out, to);
    from = start + cells.lengths[column]!;
    writeInt32(out, to - 4, replaced.bytes === null ? -1 : replaced.bytes.length);
    if (replaced.bytes !== null) to = copy(replaced.bytes, 0, replaced.bytes.length, out, to);
  }
  copy(message, from, message.length, out, to);
  writeInt32(out, 1, size - 1);
  return out;
}

/** Where the cells of a whole DataRow of this result lie; valid until the next call for the same plan. Throws `protocol-violation`. */
export function walkRow(plan: MaskPlan, message: Uint8Array): RowCells {
  const announced = message.length < 7 ? -1 : (message[1]! << 24) | (message[2]! << 16) | (message[3]! << 8) | message[4]!;
  if (message[0] !== DATA_ROW || announced !== message.length - 1) throw malformed('is not one whole message');
  walkDataRow(message, 0, message.length, plan.scratch.cells);
  if (plan.scratch.cells.count !== plan.columns.length)
    throw malformed(`has ${plan.scratch.cells.count} columns where ${plan.columns.length} were described`);
  return plan.scratch.cells;
}

/** Memory for one message: small ones are cut from a slab that is never written twice, since a fresh array costs as much as the masking. */
function allocate(plan: MaskPlan, size: number): Uint8Array {
  if (size > SLAB_BYTES / 8) return new Uint8Array(size);
  const { scratch } = plan;
  if (scratch.used + size > scratch.slab.length) {
    scratch.slab = new Uint8Array(SLAB_BYTES);
    scratch.used = 0;
  }
  scratch.used += size;
  return scratch.slab.subarray(scratch.used - size, scratch.used);
}

/** Returns where the next byte goes. Short stretches byte by byte: `set` on a fresh view costs more than 32 of them. */
function copy(source: Uint8Array, from: number, end: number, into: Uint8Array, at: number): number {
  if (end - from > 32) into.set(source.subarray(from, end), at);
  else for (let index = from; index < end; index++) into[at + index - from] = source[index]!;
  return at + end - from;
}

function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function malformed(problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `malformed DataRow: it ${problem}` });
}

const SLAB_BYTES = 65_536;
const DATA_ROW = 0x44;
