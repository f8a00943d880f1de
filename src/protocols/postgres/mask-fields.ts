import { touchedClasses, type MaskContext, type MaskFacts } from './mask-context.ts';

/**
 * Masks the fields of an ErrorResponse or NoticeResponse: field code (one character) → text (PostgreSQL documentation, "Error and Notice
 * Message Fields"). `facts`: of the statement that is running; undefined between statements, where nothing is known.
 */
export function maskFields(
  context: MaskContext,
  facts: MaskFacts | undefined,
  fields: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const hidden = facts === undefined ? context.hidden : touchedClasses(context, facts);
  return hidden.length === 0 ? fields : new Map([...fields].map(([code, text]) => [code, KEPT.has(code) ? text : 'withheld']));
}

/** Masks a NotificationResponse's payload. */
export function maskNotification(context: MaskContext, payload: string): string {
  return context.hidden.length === 0 ? payload : '[withheld]';
}

/** Masks a ParameterStatus value. */
export function maskParameterStatus(context: MaskContext, name: string, value: string): string {
  return context.detectors.isEmpty || name === '' ? value : value;
}

const KEPT: ReadonlySet<string> = new Set('SVCFLRPpqnst'.split(''));
