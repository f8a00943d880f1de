import * as z from 'zod';
import { GatewayFault } from '../core/fault.ts';
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
    /** What it ran by names given earlier, masked. */
    runs: z.array(z.string()).optional(),
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
  /** What passed in a stream of an operation. Of `resize` the text is columns and rows: `80x24`. */
  z.object({
    at,
    event: z.literal('stream'),
    operation: z.string(),
    stream: z.enum(['input', 'output', 'error', 'resize']),
    text: z.string(),
  }),
  /** A file that went through, before the `completed` of its operation. `sha256`: of what was delivered, in the order in which it was. */
  z.object({
    at,
    event: z.literal('transfer'),
    operation: z.string(),
    path: z.string(),
    direction: z.enum(['download', 'upload']),
    bytes: z.number(),
    sha256: z.string(),
    /** From the first byte on, without gap or repetition: the digest is the file's. */
    in_order: z.boolean(),
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

export function recordingUnavailable(detail: string, cause?: unknown): GatewayFault {
  return new GatewayFault('recording-unavailable', {
    publicMessage: 'the session cannot be recorded, so nothing is forwarded',
    detail,
    cause,
  });
}
