import * as z from 'zod';
import { GatewayFault } from '../core/fault.ts';
import type { Completion, Operation, ResultSample } from '../core/operation.ts';
import type { RecordedSession } from '../core/ports.ts';

/**
 * A recording is a file of JSON lines (UTF-8, each ended by a line feed): a header, then one line an event in the order in which they
 * happened. `at` is in whole milliseconds since the session's start. Everything in it is masked already; nothing is escaped beyond JSON,
 * so whoever shows it must neutralise control characters (`render.ts`). The last line of a whole recording is `closed`, or `recovered`
 * where the gateway was killed and a later start closed the file.
 */
export const headerSchema = z.object({
  format: z.literal('sallyport-recording'),
  version: z.literal(1),
  session: z.string(),
  /** RFC 3339, UTC, milliseconds. */
  started: z.string(),
  target: z.object({ name: z.string(), protocol: z.string(), labels: z.record(z.string(), z.string()) }),
  principal: z.object({
    issuer: z.string(),
    subject: z.string(),
    kind: z.string(),
    display: z.string(),
    groups: z.array(z.string()),
    claims: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
});
export type RecordingHeader = z.infer<typeof headerSchema>;

const at = z.number().nonnegative();

export const eventSchema = z.discriminatedUnion('event', [
  z.object({
    at,
    event: z.literal('decided'),
    operation: z.string(),
    decision: z.enum(['allow', 'deny']),
    /** Why it was refused: a fault code. */
    code: z.string().optional(),
    text: z.string(),
    /** False where something in `text` is masked or cut. */
    text_exact: z.boolean(),
    parameters: z.array(z.string().nullable()).optional(),
  }),
  z.object({
    at,
    event: z.literal('sample'),
    operation: z.string(),
    columns: z.array(z.string()),
    rows: z.array(z.array(z.string().nullable())),
  }),
  z.object({
    at,
    event: z.literal('completed'),
    operation: z.string(),
    outcome: z.string(),
    error_code: z.string().optional(),
    rows: z.number(),
    bytes: z.number(),
    duration_ms: z.number(),
    masked: z.record(z.string(), z.number()),
  }),
  z.object({ at, event: z.literal('note'), note: z.string(), detail: z.record(z.string(), z.union([z.string(), z.number()])) }),
  /** So many events could not be taken because the disk did not keep up; each was refused to its caller. */
  z.object({ at, event: z.literal('gap'), dropped: z.number() }),
  z.object({ at, event: z.literal('closed') }),
  z.object({ at, event: z.literal('recovered'), dropped_bytes: z.number() }),
]);
export type RecordingEvent = z.infer<typeof eventSchema>;

export function headerOf({ sessionId, target, principal, startedAtMs }: RecordedSession): RecordingHeader {
  const { issuer, subject, kind, display, groups, claims } = principal;
  return {
    format: 'sallyport-recording',
    version: 1,
    session: sessionId,
    started: new Date(startedAtMs).toISOString(),
    target: { name: target.name, protocol: target.protocol, labels: { ...target.labels } },
    principal: { issuer, subject, kind, display, groups: [...groups], claims: { ...claims } },
  };
}

export function decidedEvent(atMs: number, operation: Operation, decision: 'allow' | 'deny', code: string | undefined): RecordingEvent {
  const text = cut(operation.text, maxTextLength);
  const parameters = operation.parameters === undefined ? undefined : cutCells(operation.parameters, new Budget());
  const whole = text === operation.text && parameters?.length === operation.parameters?.length;
  return {
    at: atMs,
    event: 'decided',
    operation: operation.id,
    decision,
    ...(code === undefined ? {} : { code }),
    text,
    text_exact: operation.textIsExact && whole,
    ...(parameters === undefined ? {} : { parameters }),
  };
}

export function sampleEvent(atMs: number, { operationId, columns, rows }: ResultSample): RecordingEvent {
  const budget = new Budget();
  const kept = rows.slice(0, maxSampleRows).map((row) => cutCells(row, budget));
  return { at: atMs, event: 'sample', operation: operationId, columns: columns.map((name) => cut(name, maxCellLength)), rows: kept };
}

export function completedEvent(atMs: number, completion: Completion, durationMs: number): RecordingEvent {
  const { operationId, outcome, errorCode, rows, bytes, masked } = completion;
  return {
    at: atMs,
    event: 'completed',
    operation: operationId,
    outcome,
    ...(errorCode === undefined ? {} : { error_code: errorCode }),
    rows,
    bytes,
    duration_ms: durationMs,
    masked: { ...masked },
  };
}

export function recordingUnavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('recording-unavailable', {
    publicMessage: 'the session cannot be recorded, so nothing is forwarded',
    detail,
    cause,
  });
}

/** Cells until the budget is spent; each cut to its own limit. */
function cutCells(cells: readonly (string | null)[], budget: Budget): (string | null)[] {
  const kept: (string | null)[] = [];
  for (const cell of cells) {
    if (budget.left <= 0) break;
    const value = cell === null ? null : cut(cell, maxCellLength);
    budget.left -= (value?.length ?? 0) + 1;
    kept.push(value);
  }
  return kept;
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}…`;
}

/** How much text the cells of one line may still hold, in UTF-16 units, so that no line grows beyond what readers accept. */
class Budget {
  left = 1_048_576;
}

/** UTF-16 units. A statement's exact bytes are bound by the audit record's digest, not by the recording. */
const maxTextLength = 262_144;
const maxCellLength = 16_384;
const maxSampleRows = 100;
