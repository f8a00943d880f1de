/**
 * Masking of everything that a PostgreSQL server says: rows, errors, notices, notifications, settings, and of what goes on record about
 * the client's statements. Pure functions over a `MaskContext`; the session owns order and state.
 */
export { maskContext, reachedClasses, sourceClasses, type MaskContext, type MaskFacts } from './mask-context.ts';
export { isPlain, maskFields, maskNotification, maskParameterStatus } from './mask-fields.ts';
export { planColumns, type MaskPlan } from './mask-plan.ts';
export { maskRow } from './mask-row.ts';
export { sampleRow } from './mask-sample.ts';
export { redactParameters, redactStatement, type BoundParameter } from './mask-statement.ts';
