import { redaction, type MaskRule } from '../../masking/mask.ts';
import type { MaskContext } from './mask-context.ts';
import { typeForm } from './mask-types.ts';

/** What stands in place of a cell: other bytes, SQL NULL, or undefined where the cell stays as it is. */
export interface MaskedCell {
  readonly bytes: Uint8Array | null;
  readonly class: string;
}

/** Looks at one cell, `bytes` from `start` up to `end`. Keeps no view of it. */
export type CellMask = (bytes: Uint8Array, start: number, end: number) => MaskedCell | undefined;

interface CellType {
  readonly typeOid: number;
  readonly typeModifier: number;
  readonly format: 0 | 1;
}

/** How the cells of a column are masked: whole by `rule`, or without one by what the detectors find. Undefined: not at all. */
export function cellMask(context: MaskContext, type: CellType, rule: MaskRule | undefined): CellMask | undefined {
  const form = typeForm(type.typeOid, context.catalogue.textTypes);
  if (rule === undefined) return undefined;
  const bytes = form === 'text' && rule.kind !== 'null' ? new TextEncoder().encode(redaction(rule.class)) : null;
  const masked = { bytes, class: rule.class };
  return () => masked;
}
