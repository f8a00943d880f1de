import { GatewayFault } from '../../core/fault.ts';
import { HEADER_BYTES } from './messages.ts';

/** Where the cells of one DataRow lie; one object is filled again for each row, so that a row costs no memory. */
export interface RowCells {
  count: number;
  /** By cell: where its first byte is, in the bytes that were walked (not in the row). */
  offsets: Int32Array;
  /** By cell: its length in bytes; -1 is SQL NULL. */
  lengths: Int32Array;
}

export function createRowCells(): RowCells {
  return { count: 0, offsets: new Int32Array(INITIAL_CELLS), lengths: new Int32Array(INITIAL_CELLS) };
}

/**
 * Walks the whole DataRow frame that lies in `bytes` from `start` (its tag) to `end`, and fills `into`.
 * Faults: `protocol-violation` where a cell leaves the frame or bytes are left over.
 */
export function walkDataRow(bytes: Uint8Array, start: number, end: number, into: RowCells): void {
  let at = start + HEADER_BYTES + 2;
  if (at > end) throw malformed('has no column count');
  const count = (bytes[at - 2]! << 8) | bytes[at - 1]!;
  if (count * 4 > end - at) throw malformed(`announces ${count} columns in ${end - at} bytes`);
  if (count > into.offsets.length) {
    into.offsets = new Int32Array(count);
    into.lengths = new Int32Array(count);
  }
  into.count = count;
  const { offsets, lengths } = into;
  for (let cell = 0; cell < count; cell += 1) {
    if (end - at < 4) throw malformed('is cut short');
    const length = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    at += 4;
    offsets[cell] = at;
    lengths[cell] = length;
    if (length < 0) {
      if (length !== -1) throw malformed(`has a column of length ${length}`);
    } else if (length > end - at) throw malformed('is cut short');
    else at += length;
  }
  if (at !== end) throw malformed(`has ${end - at} bytes too many`);
}

function malformed(problem: string): GatewayFault {
  return new GatewayFault('protocol-violation', { publicMessage: `malformed DataRow: it ${problem}` });
}

const INITIAL_CELLS = 64;
