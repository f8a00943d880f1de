import { touchedClasses, type MaskContext, type MaskFacts } from './mask-context.ts';

export interface RedactedText {
  readonly text: string;
  /** `text` is the statement as it was sent. */
  readonly exact: boolean;
}

/** A bound parameter as Bind carries it. `typeOid` 0: left to the server. */
export interface BoundParameter {
  /** Null: SQL NULL. */
  readonly bytes: Uint8Array | null;
  readonly format: 0 | 1;
  readonly typeOid: number;
}

/** The statement as it may go on record: literals that could hold a hidden value or a credential replaced by `…`. */
export function redactStatement(context: MaskContext, facts: MaskFacts, sql: string): RedactedText {
  return touchedClasses(context, facts).length === 0 ? { text: sql, exact: true } : { text: '…', exact: false };
}

/** Bound parameters as they may go on record, cut to 256 characters. `sql`: the statement that they are bound to. */
export function redactParameters(
  context: MaskContext,
  facts: MaskFacts,
  sql: string,
  parameters: readonly BoundParameter[],
): (string | null)[] {
  const withheld = sql === '' || touchedClasses(context, facts).length > 0;
  return parameters.map((parameter) => (parameter.bytes === null ? null : withheld ? '…' : '…'));
}
