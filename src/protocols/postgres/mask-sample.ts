import { assertNever } from '../../core/fault.ts';
import { maskProse } from '../../masking/text.ts';
import type { MaskContext } from './mask-context.ts';
import { decodeBinary } from './mask-decode.ts';
import { toHex } from './hex.ts';
import type { MaskPlan, ResultField } from './mask-plan.ts';
import { walkRow } from './mask-row.ts';
import { typeForm } from './mask-types.ts';

/**
 * Decodes one DataRow for the recording: text as it is, binary of common types as text, other binary as `\x…`, each searched by the
 * detectors and cut to 256 characters. `row`: the message as it goes to the client, masked by `plan`; what is revealed to the client is
 * masked here, because a recording has other readers. Throws `protocol-violation` like `maskRow`.
 */
export function sampleRow(plan: MaskPlan, row: Uint8Array): (string | null)[] {
  const { offsets, lengths } = walkRow(plan, row);
  return plan.columns.map(({ field, rule }, index) => {
    const length = lengths[index]!;
    if (length < 0) return null;
    const start = offsets[index]!;
    const masked = rule === undefined && plan.record !== plan ? plan.record.columns[index]!.mask?.(row, start, start + length) : undefined;
    const cell = masked === undefined ? row.subarray(start, start + length) : masked.bytes;
    return cell === null ? null : displayValue(plan.context.record, field, cell);
  });
}

/** A value in either format as people read it, with what the detectors find in it masked, of at most 256 characters and `…`. */
export function displayValue(context: MaskContext, type: Pick<ResultField, 'typeOid' | 'format'>, cell: Uint8Array): string {
  return cutText(maskProse(context.classes, context.detectors, textOf(context, type, cell)));
}

function textOf(context: MaskContext, { typeOid, format }: Pick<ResultField, 'typeOid' | 'format'>, cell: Uint8Array): string {
  const seen = cell.subarray(0, MOST_BYTES);
  if (format === 0) return decoder.decode(seen);
  const form = typeForm(typeOid, context.catalogue.textTypes);
  switch (form) {
    case 'text':
    case 'name':
    case 'bpchar':
    case 'json':
    case 'xml':
      return decoder.decode(seen);
    case 'jsonb':
      return decoder.decode(seen.subarray(1));
    case 'number':
    case 'bytea':
    case 'fixed':
    case 'other':
      return decodeBinary(typeOid, cell) ?? hexValue(context, seen);
    default:
      return assertNever(form, 'type form');
  }
}

/** Bytes that spell something sensitive are not shown as hexadecimal digits either. */
function hexValue(context: MaskContext, bytes: Uint8Array): string {
  return context.detectors.scan(decoder.decode(bytes)).length > 0 ? '…' : `\\x${toHex(bytes.subarray(0, MOST_CHARACTERS / 2))}`;
}

function cutText(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS).replace(/[\ud800-\udbff]$/, '')}…`;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const MOST_CHARACTERS = 256;
/** Enough that a value which begins among the characters shown is seen whole by the detectors. */
const MOST_BYTES = 2048;
